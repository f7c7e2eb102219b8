/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dirops.h - the newest kernel's way to look up, create, remove and rename in a directory, on kernels
 * that do not have it: start_*() locks the directory and finds the name, end_*() unlocks it. For
 * real.c and real_attr.c only, included after every kernel header.
 */
#ifndef _SHALE_COMPAT_DIROPS_H
#define _SHALE_COMPAT_DIROPS_H

#include <linux/fs.h>
#include <linux/namei.h>

static inline int compat_revalidate(struct dentry *dentry, unsigned int flags)
{
#ifdef HAVE_REVALIDATE_NAME
	struct name_snapshot name;
	struct dentry *parent = dget_parent(dentry);
	int ret;

	take_dentry_name_snapshot(&name, dentry);
	ret = dentry->d_op->d_revalidate(d_inode(parent), &name.name, dentry, flags);
	release_dentry_name_snapshot(&name);
	dput(parent);
	return ret;
#else
	return dentry->d_op->d_revalidate(dentry, flags);
#endif
}

#ifndef HAVE_START_RENAMING

struct compat_renamedata {
	struct mnt_idmap *mnt_idmap;
	struct dentry *old_parent, *old_dentry;
	struct dentry *new_parent, *new_dentry;
	unsigned int flags;
};

struct dentry *shale_compat_lookup_unlocked(struct mnt_idmap *idmap, struct qstr *name,
				      struct dentry *base);
struct dentry *shale_compat_start_creating(struct mnt_idmap *idmap, struct dentry *parent,
				     struct qstr *name);
struct dentry *shale_compat_start_removing_dentry(struct dentry *parent, struct dentry *child);
void shale_compat_end_dirop(struct dentry *child);
int shale_compat_start_renaming_dentry(struct compat_renamedata *rd, int lookup_flags,
				 struct dentry *old, struct qstr *new_last);
int shale_compat_start_renaming_two(struct compat_renamedata *rd, struct dentry *old,
				    struct dentry *new);
void shale_compat_end_renaming(struct compat_renamedata *rd);
int shale_compat_vfs_rename(struct compat_renamedata *rd);
struct dentry *shale_compat_vfs_mkdir(struct mnt_idmap *idmap, struct inode *dir,
				      struct dentry *dentry, umode_t mode);
struct file *shale_compat_tmpfile_open(struct mnt_idmap *idmap, const struct path *parent,
				       umode_t mode, int flags, const struct cred *cred);

#ifndef COMPAT_DIROPS_IMPLEMENTATION
#define renamedata			      compat_renamedata
#define lookup_one_unlocked		      shale_compat_lookup_unlocked
#define start_creating			      shale_compat_start_creating
#define start_removing_dentry		      shale_compat_start_removing_dentry
#define end_creating			      shale_compat_end_dirop
#define end_removing			      shale_compat_end_dirop
#define start_renaming_dentry		      shale_compat_start_renaming_dentry
#define start_renaming_two_dentries	      shale_compat_start_renaming_two
#define end_renaming			      shale_compat_end_renaming
#define vfs_rename			      shale_compat_vfs_rename
#define vfs_create(idmap, dentry, mode, del)  \
	vfs_create(idmap, d_inode((dentry)->d_parent), dentry, mode, true)
#define vfs_mkdir(idmap, dir, dentry, mode, del) shale_compat_vfs_mkdir(idmap, dir, dentry, mode)
#define vfs_mknod(idmap, dir, dentry, mode, dev, del) vfs_mknod(idmap, dir, dentry, mode, dev)
#define vfs_symlink(idmap, dir, dentry, link, del) vfs_symlink(idmap, dir, dentry, link)
#define vfs_rmdir(idmap, dir, dentry, del)    vfs_rmdir(idmap, dir, dentry)
#define kernel_tmpfile_open		      shale_compat_tmpfile_open
#endif

#endif /* HAVE_START_RENAMING */
#endif /* _SHALE_COMPAT_DIROPS_H */
