/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * string.h - the C library's, under the kernel's name, and what the kernel has beside it, for MODEL
 * files that are tested on the host.
 */
#ifndef SHIM_LINUX_STRING_H
#define SHIM_LINUX_STRING_H

#include <string.h>

/* The first byte that is not VALUE, or NULL. */
static inline const void *memchr_inv(const void *bytes, int value, size_t len)
{
	const unsigned char *at = bytes;

	for (; len; at++, len--)
		if (*at != (unsigned char)value)
			return at;
	return NULL;
}

#endif /* SHIM_LINUX_STRING_H */
