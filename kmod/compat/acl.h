/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * acl.h - reading and writing an ACL of another filesystem, ids in the sense of its mount. Kernels up
 * to 6.1 have calls for inodes only, and leave the mapping of ids to the xattr layer. For real_attr.c.
 */
#ifndef _SHALE_COMPAT_ACL_H
#define _SHALE_COMPAT_ACL_H

#include <linux/path.h>
#include <linux/posix_acl.h>

struct posix_acl *shale_compat_vfs_get_acl(const struct path *path, int type);
int shale_compat_vfs_set_acl(struct mnt_idmap *idmap, struct dentry *dentry, struct posix_acl *acl,
		       int type);

#endif /* _SHALE_COMPAT_ACL_H */
