/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * stringhash.h - a hash of names (FNV-1a) in place of the kernel's, for MODEL files that are tested on
 * the host. With shim_hash_is_bad set all names collide.
 */
#ifndef SHIM_LINUX_STRINGHASH_H
#define SHIM_LINUX_STRINGHASH_H

#include <linux/types.h>

extern bool shim_hash_is_bad;

static inline u32 full_name_hash(const void *salt, const char *name, unsigned int len)
{
	u32 hash = 2166136261u;

	(void)salt;
	while (len-- && !shim_hash_is_bad)
		hash = (hash ^ (u8)*name++) * 16777619u;
	return hash;
}

#endif /* SHIM_LINUX_STRINGHASH_H */
