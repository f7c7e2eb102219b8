/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ops.h - entries of operation tables whose signature changed. A function is written with the newest
 * signature; in front of the table stands COMPAT_DEFINE_X(function), which makes an adapter on kernels
 * that need one, and in the table .x = COMPAT_X(function), which names the one that fits:
 *
 *	COMPAT_DEFINE_CREATE(shale_create)
 *	...
 *		.create = COMPAT_CREATE(shale_create),
 *
 * Part of compat.h.
 */
#ifndef _SHALE_COMPAT_OPS_H
#define _SHALE_COMPAT_OPS_H

#include <linux/dcache.h>
#include <linux/fs.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>

#include "idmap.h"

#ifdef HAVE_CREATE_EXCL
#define COMPAT_CREATE(fn) fn##_compat
#define COMPAT_DEFINE_CREATE(fn)                                                               \
	static int fn##_compat(struct mnt_idmap *idmap, struct inode *dir, struct dentry *dentry, \
			       umode_t mode, bool excl)                                        \
	{                                                                                      \
		return fn(idmap, dir, dentry, mode);                                           \
	}
#else
#define COMPAT_CREATE(fn) fn
#define COMPAT_DEFINE_CREATE(fn)
#endif

#ifdef HAVE_MKDIR_DENTRY
#define COMPAT_MKDIR(fn) fn
#define COMPAT_DEFINE_MKDIR(fn)
#else
#define COMPAT_MKDIR(fn) fn##_compat
#define COMPAT_DEFINE_MKDIR(fn)                                                               \
	static int fn##_compat(struct mnt_idmap *idmap, struct inode *dir, struct dentry *dentry, \
			       umode_t mode)                                                  \
	{                                                                                     \
		return PTR_ERR_OR_ZERO(fn(idmap, dir, dentry, mode));                         \
	}
#endif

#ifndef HAVE_UPDATE_TIME_TYPE
enum fs_update_time {
	FS_UPD_ATIME,
	FS_UPD_CMTIME,
};
#endif

#if defined(HAVE_UPDATE_TIME_TYPE)
#define COMPAT_UPDATE_TIME(fn) fn
#define COMPAT_DEFINE_UPDATE_TIME(fn)
#elif defined(HAVE_UPDATE_TIME_NO_TIME)
#define COMPAT_UPDATE_TIME(fn) fn##_compat
#define COMPAT_DEFINE_UPDATE_TIME(fn)                                                   \
	static int fn##_compat(struct inode *inode, int flags)                          \
	{                                                                               \
		return fn(inode, flags & S_ATIME ? FS_UPD_ATIME : FS_UPD_CMTIME, 0);    \
	}
#else
#define COMPAT_UPDATE_TIME(fn) fn##_compat
#define COMPAT_DEFINE_UPDATE_TIME(fn)                                                     \
	static int fn##_compat(struct inode *inode, struct timespec64 *now, int flags)    \
	{                                                                                 \
		return fn(inode, flags & S_ATIME ? FS_UPD_ATIME : FS_UPD_CMTIME, 0);      \
	}
#endif

/* Reading, RCU walk included, and reading and writing by name are three operations; older kernels
 * have one for the first two, and write without saying by which name. */
#ifdef HAVE_GET_INODE_ACL
#define COMPAT_DEFINE_ACL(set_fn)
#define COMPAT_ACL_OPS(get_inode_fn, get_fn, set_fn) \
	.get_inode_acl = get_inode_fn, .get_acl = get_fn, .set_acl = set_fn
#define COMPAT_XATTR_HANDLERS_ACL
#else
#define COMPAT_DEFINE_ACL(set_fn)                                                                \
	static int set_fn##_compat(struct mnt_idmap *idmap, struct inode *inode,                 \
				   struct posix_acl *acl, int type)                              \
	{                                                                                        \
		struct dentry *dentry = d_find_any_alias(inode);                                 \
		int err = dentry ? set_fn(idmap, dentry, acl, type) : -ENOENT;                   \
                                                                                                 \
		dput(dentry);                                                                    \
		return err;                                                                      \
	}
#define COMPAT_ACL_OPS(get_inode_fn, get_fn, set_fn) \
	.get_acl = get_inode_fn, .set_acl = set_fn##_compat
#define COMPAT_XATTR_HANDLERS_ACL \
	&posix_acl_access_xattr_handler, &posix_acl_default_xattr_handler,
#endif

/* DIR is NULL on kernels that do not give it. */
#ifdef HAVE_REVALIDATE_NAME
#define COMPAT_REVALIDATE(fn) fn
#define COMPAT_DEFINE_REVALIDATE(fn)
#else
#define COMPAT_REVALIDATE(fn) fn##_compat
#define COMPAT_DEFINE_REVALIDATE(fn)                                        \
	static int fn##_compat(struct dentry *dentry, unsigned int flags)   \
	{                                                                   \
		return fn(NULL, &dentry->d_name, dentry, flags);            \
	}
#endif

#ifndef HAVE_D_REAL_TYPE
enum d_real_type {
	D_REAL_DATA,
	D_REAL_METADATA,
};
#endif

/* Older kernels ask by inode, NULL for the data's: INODE_FN(dentry, inode) finds the real dentry of a
 * file that was opened with the union's path. */
#ifdef HAVE_D_REAL_TYPE
#define COMPAT_D_REAL(fn) fn
#define COMPAT_DEFINE_D_REAL(fn, inode_fn) \
	static struct dentry *inode_fn(struct dentry *, const struct inode *) __maybe_unused;
#else
#define COMPAT_D_REAL(fn) fn##_compat
#define COMPAT_DEFINE_D_REAL(fn, inode_fn)                                                     \
	static struct dentry *fn##_compat(struct dentry *dentry, const struct inode *inode)    \
	{                                                                                      \
		return inode ? inode_fn(dentry, inode) : fn(dentry, D_REAL_DATA);              \
	}
#endif

#endif /* _SHALE_COMPAT_OPS_H */
