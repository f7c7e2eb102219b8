// SPDX-License-Identifier: GPL-2.0-only
/*
 * remove.c - FACE: names disappear: unlink and rmdir, and emptying a directory that shows nothing.
 * Called by the VFS with the parent and the victim locked, the last by rename.c too.
 *
 * Crash safety. A name that no lower layer has is removed by one unlink or rmdir in the upper. A name
 * that shows through from below is replaced by a whiteout in one rename: a non-directory is
 * overwritten, a directory changes places with the whiteout and is then taken apart in the work
 * directory, which the next mount cleans if we do not get to it. So at any moment the name is there
 * or it is not, and the lower object never shows again.
 *
 * An upper directory can look empty and still hold whiteouts, which hide names of the lower one; the
 * upper filesystem then refuses to remove it. It is first marked opaque, which changes nothing to be
 * seen since all below is hidden anyway, and only then loses its whiteouts: a crash between leaves an
 * opaque directory with useless whiteouts, still empty.
 */
#include "cred.h"
#include "mapio.h"
#include "real.h"
#include "shale.h"

struct removal {
	struct shale_fs *fs;
	struct inode *dir;
	struct dentry *dentry;
	bool is_dir;
	bool leaves_whiteout; /* a lower layer has the name too */
	bool should_clear;    /* the upper directory has whiteouts in it */
};

static bool is_leftover_whiteout(struct shale_fs *fs, const struct qstr *name,
				 const struct dentry *real)
{
	if (shale_is_whiteout(shale_upper_layer(fs), real))
		return true;
	return (shale_upper_layer(fs)->flags & SHALE_LAYER_AUFS) &&
	       !strncmp(name->name, AUFS_WHITEOUT_PREFIX, sizeof(AUFS_WHITEOUT_PREFIX) - 1);
}

static int leftover_remove(struct shale_fs *fs, struct dentry *upper, const struct qstr *name)
{
	struct dentry *real;
	int err = -ENOTEMPTY;

	real = shale_real_lookup(shale_upper_layer(fs), upper, name);
	if (IS_ERR_OR_NULL(real))
		return PTR_ERR_OR_ZERO(real);
	if (is_leftover_whiteout(fs, name, real))
		err = shale_real_unlink(fs, real);
	dput(real);
	return err;
}

static int leftovers_remove(struct shale_fs *fs, struct dentry *upper)
{
	const struct path path = shale_upper_path(fs, upper);
	struct shale_real_name *one;
	LIST_HEAD(names);
	int err;

	err = shale_real_names_read(&path, &names);
	list_for_each_entry(one, &names, node)
		if (!err)
			err = leftover_remove(fs, upper, &one->name);
	shale_real_names_free(&names);
	return err;
}

int shale_dir_clear(struct dentry *dentry)
{
	struct shale_fs *fs = SHALE_FS(dentry->d_sb);
	struct shale_inode *si = SHALE_I(d_inode(dentry));
	struct dentry *upper = shale_inode_upper(d_inode(dentry));
	int err;

	err = shale_real_set_private(fs, upper, OVERLAY_XATTR_OPAQUE, "y", 1);
	if (err)
		return err;
	set_bit(SHALE_I_OPAQUE, &si->flags);
	si->version++;
	return leftovers_remove(fs, upper);
}

static int remove_dir(struct removal *r, struct dentry *upper)
{
	int err = 0;

	if (r->should_clear)
		err = shale_dir_clear(r->dentry);
	if (!err)
		err = shale_real_rmdir(r->fs, upper);
	return err;
}

static int remove_upper(struct removal *r, struct dentry *upper)
{
	if (r->leaves_whiteout)
		return shale_real_whiteout(r->fs, shale_inode_upper(r->dir), &r->dentry->d_name,
					   upper);
	return r->is_dir ? remove_dir(r, upper) : shale_real_unlink(r->fs, upper);
}

static int remove_name(struct removal *r)
{
	struct dentry *upper = NULL;
	int err;

	if (shale_has_upper_name(r->dentry)) {
		upper = shale_upper_of_name(r->dentry);
		if (IS_ERR(upper))
			return PTR_ERR(upper);
	}
	err = shale_real_want_write(r->fs);
	if (!err) {
		err = remove_upper(r, upper);
		shale_real_drop_write(r->fs);
	}
	dput(upper);
	return err;
}

static int removal_look_below(struct removal *r)
{
	int below = 1;

	if (shale_has_upper_name(r->dentry))
		below = shale_lookup_in_lower(r->dentry->d_parent, &r->dentry->d_name);
	r->leaves_whiteout = below > 0;
	return min(below, 0);
}

/* Whether the upper has the name does not change meanwhile, and no promotion gives it one afterwards. */
static int unlink_as_mounter(struct removal *r)
{
	struct inode *inode = d_inode(r->dentry);
	int err;

	err = shale_index_nlink_begin(inode);
	if (err)
		return err;
	err = removal_look_below(r) ?: remove_name(r);
	if (!err)
		shale_set_unlinked(r->dentry);
	if (!err && !shale_inode_upper(inode))
		drop_nlink(inode);
	shale_index_nlink_end(inode);
	return err;
}

int shale_unlink(struct inode *dir, struct dentry *dentry)
{
	struct removal r = { .fs = SHALE_FS(dir->i_sb), .dir = dir, .dentry = dentry };
	struct inode *inode = d_inode(dentry);
	const struct cred *old;
	int err;

	/* The count of an indexed file's names lives on its upper, so one is needed to count down. */
	err = shale_promote(shale_index_wants(inode) ? dentry : dentry->d_parent);
	if (err)
		return err;

	old = shale_cred_begin(dir->i_sb);
	err = unlink_as_mounter(&r);
	if (!err) {
		shale_moved_forget(r.fs, inode);
		shale_mapio_forget(inode);
	}
	shale_cred_end(old);
	if (err)
		return err;

	if (shale_inode_upper(inode))
		shale_inode_copyattr(inode);
	shale_dir_modified(dir);
	return 0;
}

static int rmdir_as_mounter(struct removal *r)
{
	int err;

	err = removal_look_below(r);
	/* The upper filesystem knows no lower names, and lets a full directory change places. */
	if (!err && (r->leaves_whiteout || shale_dir_lower(d_inode(r->dentry))))
		err = shale_dir_is_empty(r->dentry);
	if (err)
		return err;
	err = remove_name(r);
	if (err != -ENOTEMPTY || !shale_has_upper_name(r->dentry))
		return err;

	/* The upper filesystem refused: perhaps only for whiteouts, which show nowhere. */
	err = shale_dir_is_empty(r->dentry);
	if (err)
		return err;
	r->should_clear = true;
	return remove_name(r);
}

int shale_rmdir(struct inode *dir, struct dentry *dentry)
{
	struct removal r = {
		.fs = SHALE_FS(dir->i_sb), .dir = dir, .dentry = dentry, .is_dir = true,
	};
	const struct cred *old;
	int err;

	err = shale_promote(dentry->d_parent);
	if (err)
		return err;
	old = shale_cred_begin(dir->i_sb);
	err = rmdir_as_mounter(&r);
	if (!err) {
		clear_nlink(d_inode(dentry));
		shale_moved_forget(r.fs, d_inode(dentry));
	}
	shale_cred_end(old);
	if (err)
		return err;
	shale_dir_modified(dir);
	return 0;
}
