/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dcache.h - the one call on dentries that MODEL files make; the test that links them says what it does.
 */
#ifndef SHIM_LINUX_DCACHE_H
#define SHIM_LINUX_DCACHE_H

struct dentry;

void dput(struct dentry *dentry);

#endif /* SHIM_LINUX_DCACHE_H */
