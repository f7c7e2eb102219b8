/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * super.h - what only super.c needs: the real dentry of a dentry of another stacked filesystem, which
 * older kernels ask for by inode, and flags that older kernels lack.
 */
#ifndef _SHALE_COMPAT_SUPER_H
#define _SHALE_COMPAT_SUPER_H

#include <linux/fs.h>

#ifndef SB_I_EVM_HMAC_UNSUPPORTED
#define SB_I_EVM_HMAC_UNSUPPORTED 0
#endif

#ifndef HAVE_INODE_JUST_DROP
#define inode_just_drop generic_delete_inode
#endif

static inline struct dentry *compat_d_real(struct dentry *dentry, enum d_real_type type)
{
#ifdef HAVE_D_REAL_TYPE
	return d_real(dentry, type);
#else
	return d_real(dentry, NULL);
#endif
}

static inline struct dentry *compat_d_real_of_inode(struct dentry *dentry,
						    const struct inode *inode)
{
#ifdef HAVE_D_REAL_TYPE
	return dentry;
#else
	return d_inode(dentry) == inode ? dentry : d_real(dentry, inode);
#endif
}

#endif /* _SHALE_COMPAT_SUPER_H */
