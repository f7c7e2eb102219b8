// SPDX-License-Identifier: GPL-2.0-only
/*
 * dirops.c - what dirops.h promises, over the older calls. Empty where the kernel has them.
 */
#define COMPAT_DIROPS_IMPLEMENTATION
#include "dirops.h"

#ifndef HAVE_START_RENAMING

struct dentry *shale_compat_lookup_unlocked(struct mnt_idmap *idmap, struct qstr *name,
				      struct dentry *base)
{
	return lookup_one_unlocked(idmap, name->name, base, name->len);
}

struct dentry *shale_compat_start_creating(struct mnt_idmap *idmap, struct dentry *parent,
				     struct qstr *name)
{
	struct dentry *child;

	inode_lock_nested(d_inode(parent), I_MUTEX_PARENT);
	child = lookup_one(idmap, name->name, parent, name->len);
	if (!IS_ERR(child) && d_is_positive(child)) {
		dput(child);
		child = ERR_PTR(-EEXIST);
	}
	if (IS_ERR(child))
		inode_unlock(d_inode(parent));
	return child;
}

static int check_child(struct dentry *parent, struct dentry *child)
{
	if (child->d_parent != parent || d_unhashed(child) || IS_DEADDIR(d_inode(parent)))
		return -EINVAL;
	return d_is_negative(child) ? -ENOENT : 0;
}

struct dentry *shale_compat_start_removing_dentry(struct dentry *parent, struct dentry *child)
{
	int err;

	inode_lock_nested(d_inode(parent), I_MUTEX_PARENT);
	err = check_child(parent, child);
	if (!err)
		return dget(child);
	inode_unlock(d_inode(parent));
	return ERR_PTR(err);
}

void shale_compat_end_dirop(struct dentry *child)
{
	if (IS_ERR(child))
		return;
	inode_unlock(d_inode(child->d_parent));
	dput(child);
}

static int renaming_begin(struct compat_renamedata *rd, struct dentry *old,
			  struct dentry **ret_trap)
{
	int err;

	*ret_trap = lock_rename(rd->old_parent, rd->new_parent);
	if (IS_ERR(*ret_trap))
		return PTR_ERR(*ret_trap);
	err = check_child(rd->old_parent, old);
	if (!err && old == *ret_trap)
		err = -EINVAL;
	if (err)
		unlock_rename(rd->old_parent, rd->new_parent);
	return err;
}

static int renaming_finish(struct compat_renamedata *rd, struct dentry *old, struct dentry *new,
			   struct dentry *trap)
{
	if (new == trap) {
		unlock_rename(rd->old_parent, rd->new_parent);
		dput(new);
		return -ENOTEMPTY;
	}
	rd->old_dentry = dget(old);
	rd->new_dentry = new;
	return 0;
}

int shale_compat_start_renaming_dentry(struct compat_renamedata *rd, int lookup_flags,
				 struct dentry *old, struct qstr *new_last)
{
	struct dentry *trap, *new;
	int err = renaming_begin(rd, old, &trap);

	if (err)
		return err;
	new = lookup_one(rd->mnt_idmap, new_last->name, rd->new_parent, new_last->len);
	if (!IS_ERR(new) && d_is_positive(new) && (rd->flags & RENAME_NOREPLACE)) {
		dput(new);
		new = ERR_PTR(-EEXIST);
	}
	if (IS_ERR(new)) {
		unlock_rename(rd->old_parent, rd->new_parent);
		return PTR_ERR(new);
	}
	return renaming_finish(rd, old, new, trap);
}

int shale_compat_start_renaming_two(struct compat_renamedata *rd, struct dentry *old,
				    struct dentry *new)
{
	struct dentry *trap;
	int err = renaming_begin(rd, old, &trap);

	if (err)
		return err;
	err = check_child(rd->new_parent, new);
	if (err) {
		unlock_rename(rd->old_parent, rd->new_parent);
		return err;
	}
	return renaming_finish(rd, old, dget(new), trap);
}

void shale_compat_end_renaming(struct compat_renamedata *rd)
{
	unlock_rename(rd->old_parent, rd->new_parent);
	dput(rd->old_dentry);
	dput(rd->new_dentry);
}

int shale_compat_vfs_rename(struct compat_renamedata *rd)
{
	struct renamedata older = {
#ifdef HAVE_MNT_IDMAP
		.old_mnt_idmap = rd->mnt_idmap,
		.new_mnt_idmap = rd->mnt_idmap,
#else
		.old_mnt_userns = rd->mnt_idmap,
		.new_mnt_userns = rd->mnt_idmap,
#endif
		.old_dir = d_inode(rd->old_parent),
		.old_dentry = rd->old_dentry,
		.new_dir = d_inode(rd->new_parent),
		.new_dentry = rd->new_dentry,
		.flags = rd->flags,
	};

	return vfs_rename(&older);
}

static struct dentry *mkdir_result(struct mnt_idmap *idmap, struct dentry *dentry)
{
	struct dentry *found;

	if (likely(!d_unhashed(dentry)))
		return dentry;
	found = lookup_one(idmap, dentry->d_name.name, dentry->d_parent, dentry->d_name.len);
	if (!IS_ERR(found) && d_is_negative(found)) {
		dput(found);
		return ERR_PTR(-ENOENT);
	}
	return found;
}

/* As the newer one: the directory's dentry comes back, and an error has unlocked the parent. */
struct dentry *shale_compat_vfs_mkdir(struct mnt_idmap *idmap, struct inode *dir,
				      struct dentry *dentry, umode_t mode)
{
	int err = vfs_mkdir(idmap, dir, dentry, mode);
	struct dentry *made = err ? ERR_PTR(err) : mkdir_result(idmap, dentry);

	if (made == dentry)
		return dentry;
	if (IS_ERR(made))
		inode_unlock(dir);
	dput(dentry);
	return made;
}

struct file *shale_compat_tmpfile_open(struct mnt_idmap *idmap, const struct path *parent,
				       umode_t mode, int flags, const struct cred *cred)
{
#ifdef HAVE_MNT_IDMAP
	return kernel_tmpfile_open(idmap, parent, mode, flags, cred);
#else
	return vfs_tmpfile_open(idmap, parent, mode, flags, cred);
#endif
}

#endif /* HAVE_START_RENAMING */
