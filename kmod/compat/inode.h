/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * inode.h - accessors of inodes, superblocks and dentries that older kernels lack. Part of compat.h.
 */
#ifndef _SHALE_COMPAT_INODE_H
#define _SHALE_COMPAT_INODE_H

#include <linux/dcache.h>
#include <linux/fileattr.h>
#include <linux/fs.h>
#include <linux/namei.h>
#include <linux/security.h>
#include <linux/stat.h>

#ifndef HAVE_INODE_CTIME_ACCESSORS
static inline struct timespec64 inode_get_ctime(const struct inode *inode)
{
	return inode->i_ctime;
}

static inline struct timespec64 inode_set_ctime_to_ts(struct inode *inode, struct timespec64 ts)
{
	inode->i_ctime = ts;
	return ts;
}

static inline struct timespec64 inode_set_ctime_current(struct inode *inode)
{
	return inode_set_ctime_to_ts(inode, current_time(inode));
}
#endif

#ifndef HAVE_INODE_MTIME_ACCESSORS
static inline struct timespec64 inode_get_atime(const struct inode *inode)
{
	return inode->i_atime;
}

static inline struct timespec64 inode_get_mtime(const struct inode *inode)
{
	return inode->i_mtime;
}

static inline struct timespec64 inode_set_atime_to_ts(struct inode *inode, struct timespec64 ts)
{
	inode->i_atime = ts;
	return ts;
}

static inline struct timespec64 inode_set_mtime_to_ts(struct inode *inode, struct timespec64 ts)
{
	inode->i_mtime = ts;
	return ts;
}

static inline struct timespec64 simple_inode_init_ts(struct inode *inode)
{
	struct timespec64 now = inode_set_ctime_current(inode);

	inode_set_atime_to_ts(inode, now);
	return inode_set_mtime_to_ts(inode, now);
}
#endif

#ifndef HAVE_INODE_STATE_ACCESSORS
static inline unsigned long inode_state_read_once(const struct inode *inode)
{
	return READ_ONCE(inode->i_state);
}

static inline unsigned long inode_state_read(const struct inode *inode)
{
	return inode->i_state;
}
#endif

#ifndef HAVE_FILLATTR_MASK
#define generic_fillattr(idmap, mask, inode, stat) generic_fillattr(idmap, inode, stat)
#endif

#ifndef HAVE_FILE_KATTR
#define file_kattr fileattr
#endif

#ifndef HAVE_MODE_STRIP_UMASK
static inline umode_t mode_strip_umask(const struct inode *dir, umode_t mode)
{
	return IS_POSIXACL(dir) ? mode : mode & ~current_umask();
}
#endif

/* Flags and the iflag that only newer kernels know are no flags on older ones. */
#ifndef SB_I_NOUMASK
#define SB_I_NOUMASK 0
#endif
#ifndef FS_MGTIME
#define FS_MGTIME 0
#endif

#ifndef HAVE_COPY_UP_XATTR_DENTRY
#define security_inode_copy_up_xattr(src, name) security_inode_copy_up_xattr(name)
#endif

#ifndef HAVE_DEFAULT_D_OP
static inline void set_default_d_op(struct super_block *sb, const struct dentry_operations *ops)
{
	sb->s_d_op = ops;
}
#endif

#ifndef HAVE_NAME_IS_DOT_DOTDOT
#define name_is_dot_dotdot is_dot_dotdot
#endif

/* Gives an O_TMPFILE's dentry the name that /proc shows. */
#ifndef HAVE_D_MARK_TMPFILE
static inline void d_mark_tmpfile(struct file *file, struct inode *inode)
{
	struct dentry *dentry = file->f_path.dentry;

	spin_lock(&dentry->d_parent->d_lock);
	spin_lock_nested(&dentry->d_lock, DENTRY_D_LOCK_NESTED);
	dentry->d_name.len = scnprintf(dentry->d_iname, DNAME_INLINE_LEN, "#%lu", inode->i_ino);
	spin_unlock(&dentry->d_lock);
	spin_unlock(&dentry->d_parent->d_lock);
}
#endif

/* Exported long before a header outside fs/ declared it. */
#ifndef HAVE_VFS_PATH_LOOKUP
int vfs_path_lookup(struct dentry *base, struct vfsmount *mnt, const char *name,
		    unsigned int flags, struct path *path);
#endif

#endif /* _SHALE_COMPAT_INODE_H */
