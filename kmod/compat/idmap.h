/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * idmap.h - how a mount maps ids. Kernels before 6.3 call the type struct user_namespace; the macro
 * below makes it the name of their type, and of a function that gives a mount's. Part of compat.h.
 */
#ifndef _SHALE_COMPAT_IDMAP_H
#define _SHALE_COMPAT_IDMAP_H

#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/user_namespace.h>

#ifdef HAVE_MNT_IDMAP
#include <linux/mnt_idmapping.h>
#else
#define mnt_idmap     user_namespace
#define nop_mnt_idmap init_user_ns

static inline struct user_namespace *user_namespace(const struct vfsmount *mnt)
{
	return mnt_user_ns(mnt);
}

static inline struct user_namespace *file_mnt_idmap(struct file *file)
{
	return mnt_user_ns(file->f_path.mnt);
}
#endif

static inline bool compat_is_idmapped(const struct vfsmount *mnt)
{
#ifdef HAVE_MNT_IDMAP
	return is_idmapped_mnt(mnt);
#else
	return mnt_user_ns(mnt) != mnt->mnt_sb->s_user_ns;
#endif
}

#endif /* _SHALE_COMPAT_IDMAP_H */
