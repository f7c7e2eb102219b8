/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cred.h - GROUND: whose rights an access to a layer uses. The caller's rights are checked on our
 * inode by the VFS; the layer then sees the mounter's.
 */
#ifndef _SHALE_CRED_H
#define _SHALE_CRED_H

#include "shale.h"

const struct cred *shale_cred_begin(struct super_block *sb);
void shale_cred_end(const struct cred *old);

/* For creating: the mounter's rights with INODE's owner as fsuid and fsgid, and the security label
 * that the LSM wants for NAME. Begin inside shale_cred_begin(); ends with it. */
int shale_cred_begin_create(struct dentry *name, const struct inode *inode, umode_t mode,
			    const struct cred **ret_old);

/* For rights that somebody else prepared; consumes them, ends with shale_cred_end(). */
const struct cred *shale_cred_replace(struct cred *creds);

#endif /* _SHALE_CRED_H */
