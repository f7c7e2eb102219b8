/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hash.h - a hash under the kernel's name: any multiplication by an odd number spreads as well for what
 * is tested.
 */
#ifndef SHIM_LINUX_HASH_H
#define SHIM_LINUX_HASH_H

#include <stdint.h>

static inline uint64_t hash_64(uint64_t value, unsigned int bits)
{
	return value * 0x9e3779b97f4a7c15ULL >> (64 - bits);
}

#endif /* SHIM_LINUX_HASH_H */
