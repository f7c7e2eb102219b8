/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * backing.h - opening an object of a layer for a file of ours, whose path mappings show. For
 * real_file.c.
 */
#ifndef _SHALE_COMPAT_BACKING_H
#define _SHALE_COMPAT_BACKING_H

#include <linux/fs.h>
#ifdef HAVE_BACKING_FILE
#include <linux/backing-file.h>
#endif

/* Files made with kernel calls raise no events in newer kernels; older ones have to be told. */
#ifdef FMODE_NONOTIFY
#define COMPAT_O_NONOTIFY ((__force int)FMODE_NONOTIFY)
#else
#define COMPAT_O_NONOTIFY 0
#endif

static inline struct file *compat_backing_file_open(struct file *user, int flags,
						    const struct path *path,
						    const struct cred *cred)
{
#if defined(HAVE_BACKING_FILE_OPEN_USER_FILE)
	return backing_file_open(user, flags, path, cred);
#elif defined(HAVE_BACKING_FILE)
	return backing_file_open(&user->f_path, flags, path, cred);
#else
	return open_with_fake_path(&user->f_path, flags, d_inode(path->dentry), cred);
#endif
}

#endif /* _SHALE_COMPAT_BACKING_H */
