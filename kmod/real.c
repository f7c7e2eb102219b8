// SPDX-License-Identifier: GPL-2.0-only
/*
 * real.c - GROUND: names in the layers: finding, creating, linking, removing, renaming, whiteouts,
 * and the write access to the upper around them. What an object holds is in real_attr.c and
 * real_file.c. Called by every part of the module that needs a layer; the caller has the mounter's
 * creds.
 */
#include "compat/dirops.h"
#include "real.h"

/* A work directory holds single objects, and directories that hold nothing but whiteouts. */
#define CLEANUP_DEPTH 4

#define TEMP_NAME_SIZE 16

static struct mnt_idmap *upper_idmap(struct shale_fs *fs)
{
	return mnt_idmap(shale_upper_layer(fs)->mnt);
}

int shale_real_want_write(struct shale_fs *fs)
{
	return mnt_want_write(shale_upper_layer(fs)->mnt);
}

void shale_real_drop_write(struct shale_fs *fs)
{
	mnt_drop_write(shale_upper_layer(fs)->mnt);
}

/* Somebody's automount point or autofs in a layer: there is no waiting for it here. */
static bool is_managed(const struct dentry *dentry)
{
	return dentry->d_flags & (DCACHE_NEED_AUTOMOUNT | DCACHE_MANAGE_TRANSIT);
}

struct dentry *shale_real_lookup(const struct shale_layer *layer, struct dentry *parent,
				 const struct qstr *name)
{
	struct qstr last = QSTR_INIT(name->name, name->len);
	struct dentry *found;

	found = lookup_one_unlocked(mnt_idmap(layer->mnt), &last, parent);
	pr_debug("lookup(%pd2/%.*s) = %d\n", parent, name->len, name->name,
		 PTR_ERR_OR_ZERO(found));
	if (IS_ERR(found)) {
		if (PTR_ERR(found) == -ENOENT || PTR_ERR(found) == -ENAMETOOLONG)
			return NULL;
		return found;
	}
	if (d_is_negative(found)) {
		dput(found);
		return NULL;
	}
	if (is_managed(found)) {
		dput(found);
		return ERR_PTR(-EREMOTE);
	}
	return found;
}

int shale_real_revalidate(struct dentry *dentry, unsigned int flags)
{
	return compat_revalidate(dentry, flags);
}

struct dentry *shale_real_lookup_path(const struct shale_layer *layer, const char *path)
{
	struct dentry *at = dget(layer->root), *next;

	for (path += strspn(path, "/"); *path; path += strspn(path, "/")) {
		struct qstr name = QSTR_INIT(path, strcspn(path, "/"));

		next = d_can_lookup(at) ? shale_real_lookup(layer, at, &name) : NULL;
		dput(at);
		if (IS_ERR_OR_NULL(next))
			return next;
		at = next;
		path += name.len;
	}
	return at;
}

/* Replaces *dentry by what is there afterwards; an error of mkdir has unlocked the parent. */
static int make_object(struct shale_fs *fs, struct dentry *dir, struct dentry **dentry,
		       const struct shale_newattr *attr)
{
	struct mnt_idmap *idmap = upper_idmap(fs);
	struct inode *parent = d_inode(dir);

	if (attr->hardlink)
		return vfs_link(attr->hardlink, idmap, parent, *dentry, NULL);
	switch (attr->mode & S_IFMT) {
	case S_IFREG:
		return vfs_create(idmap, *dentry, attr->mode, NULL);
	case S_IFDIR:
		*dentry = vfs_mkdir(idmap, parent, *dentry, attr->mode, NULL);
		return PTR_ERR_OR_ZERO(*dentry);
	case S_IFLNK:
		return vfs_symlink(idmap, parent, *dentry, attr->link, NULL);
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		return vfs_mknod(idmap, parent, *dentry, attr->mode, attr->rdev, NULL);
	}
	return -EINVAL;
}

/* What is done to a directory without a change of its time. */
struct quiet {
	struct dentry *dir; /* NULL: nothing is */
	struct timespec64 mtime;
};

static void quiet_begin_locked(struct quiet *quiet, struct dentry *dir)
{
	quiet->dir = dir;
	quiet->mtime = inode_get_mtime(d_inode(dir));
}

static void quiet_end_locked(struct shale_fs *fs, const struct quiet *quiet)
{
	struct iattr attr = { .ia_valid = ATTR_MTIME | ATTR_MTIME_SET, .ia_mtime = quiet->mtime };

	if (quiet->dir)
		notify_change(upper_idmap(fs), quiet->dir, &attr, NULL);
}

static int create_object(struct shale_fs *fs, struct dentry *dir, const struct qstr *name,
			 const struct shale_newattr *attr, bool is_quiet, struct dentry **ret_dentry)
{
	struct qstr last = QSTR_INIT(name->name, name->len);
	struct quiet quiet = {};
	struct dentry *dentry;
	int err;

	dentry = start_creating(upper_idmap(fs), dir, &last);
	if (IS_ERR(dentry))
		return PTR_ERR(dentry);
	if (is_quiet)
		quiet_begin_locked(&quiet, dir);
	err = make_object(fs, dir, &dentry, attr);
	if (!err && d_is_negative(dentry))
		err = -EIO;
	if (!err) {
		quiet_end_locked(fs, &quiet);
		*ret_dentry = dget(dentry);
	}
	end_creating(dentry);
	pr_debug("create(%pd2/%.*s, 0%o) = %d\n", dir, name->len, name->name, attr->mode, err);
	return err;
}

int shale_real_create(struct shale_fs *fs, struct dentry *dir, const struct qstr *name,
		      const struct shale_newattr *attr, struct dentry **ret_dentry)
{
	return create_object(fs, dir, name, attr, false, ret_dentry);
}

static struct qstr temp_name(struct shale_fs *fs, char buf[TEMP_NAME_SIZE])
{
	int len = snprintf(buf, TEMP_NAME_SIZE, "#%x", atomic_inc_return(&fs->temp_seq));

	return (struct qstr)QSTR_INIT(buf, len);
}

int shale_real_create_temp(struct shale_fs *fs, const struct shale_newattr *attr,
			   struct dentry **ret_dentry)
{
	char buf[TEMP_NAME_SIZE];
	struct qstr name = temp_name(fs, buf);

	return shale_real_create(fs, fs->workdir, &name, attr, ret_dentry);
}

static int link_object(struct shale_fs *fs, struct dentry *old, struct dentry *dir, const struct qstr *name,
		       bool is_quiet, struct dentry **ret_dentry)
{
	struct shale_newattr attr = { .hardlink = old };
	int err = shale_real_names_begin(fs, false);

	if (err)
		return err;
	err = create_object(fs, dir, name, &attr, is_quiet, ret_dentry);
	shale_real_names_end(fs, !err);
	return err;
}

int shale_real_link(struct shale_fs *fs, struct dentry *old, struct dentry *dir,
		    const struct qstr *name, struct dentry **ret_dentry)
{
	return link_object(fs, old, dir, name, false, ret_dentry);
}

int shale_real_link_quietly(struct shale_fs *fs, struct dentry *old, struct dentry *dir,
			    const struct qstr *name, struct dentry **ret_dentry)
{
	return link_object(fs, old, dir, name, true, ret_dentry);
}

/* The kernel says EINVAL when a dentry has moved away under us. */
static int stale_if_moved(int err)
{
	return err == -EINVAL ? -ESTALE : err;
}

static int remove_object(struct shale_fs *fs, struct dentry *dentry, bool is_dir)
{
	struct dentry *parent = dget_parent(dentry), *child;
	int err;

	child = start_removing_dentry(parent, dentry);
	if (IS_ERR(child)) {
		err = stale_if_moved(PTR_ERR(child));
		goto out;
	}
	if (is_dir)
		err = vfs_rmdir(upper_idmap(fs), d_inode(parent), child, NULL);
	else
		err = vfs_unlink(upper_idmap(fs), d_inode(parent), child, NULL);
	end_removing(child);
out:
	pr_debug("%s(%pd2) = %d\n", is_dir ? "rmdir" : "unlink", dentry, err);
	dput(parent);
	return err;
}

int shale_real_unlink(struct shale_fs *fs, struct dentry *dentry)
{
	return remove_object(fs, dentry, false);
}

int shale_real_rmdir(struct shale_fs *fs, struct dentry *dentry)
{
	return remove_object(fs, dentry, true);
}

static void cleanup_at(struct shale_fs *fs, struct dentry *dentry, unsigned int depth);

static void cleanup_name(struct shale_fs *fs, struct dentry *dir, const struct qstr *name,
			 unsigned int depth)
{
	struct dentry *child = shale_real_lookup(shale_upper_layer(fs), dir, name);

	if (IS_ERR_OR_NULL(child))
		return;
	cleanup_at(fs, child, depth);
	dput(child);
}

static void empty_directory(struct shale_fs *fs, struct dentry *dir, unsigned int depth)
{
	const struct path path = { .mnt = shale_upper_layer(fs)->mnt, .dentry = dir };
	struct shale_real_name *one;
	LIST_HEAD(names);

	shale_real_names_read(&path, &names);
	list_for_each_entry(one, &names, node)
		cleanup_name(fs, dir, &one->name, depth);
	shale_real_names_free(&names);
}

static void cleanup_at(struct shale_fs *fs, struct dentry *dentry, unsigned int depth)
{
	bool is_dir = d_is_dir(dentry);
	int err = remove_object(fs, dentry, is_dir);

	if (err == -ENOTEMPTY && depth < CLEANUP_DEPTH) {
		empty_directory(fs, dentry, depth + 1);
		err = remove_object(fs, dentry, is_dir);
	}
	if (err && err != -ENOENT)
		pr_warn_ratelimited("cannot remove %pd2 from the work directory (%d)\n", dentry, err);
}

void shale_real_cleanup(struct shale_fs *fs, struct dentry *dentry)
{
	cleanup_at(fs, dentry, 0);
}

static int rename_start(struct renamedata *rd, struct dentry *old, const struct qstr *new_name,
			struct dentry *new)
{
	struct qstr last = QSTR_INIT(new_name->name, new_name->len);
	int err;

	if (new)
		return stale_if_moved(start_renaming_two_dentries(rd, old, new));
	err = stale_if_moved(start_renaming_dentry(rd, 0, old, &last));
	if (!err && d_is_positive(rd->new_dentry)) {
		end_renaming(rd);
		err = -EEXIST;
	}
	return err;
}

static int rename_named(struct shale_fs *fs, struct dentry *old, struct dentry *new_dir,
			const struct qstr *new_name, struct dentry *new, unsigned int flags, bool is_quiet)
{
	struct dentry *parent = dget_parent(old);
	struct renamedata rd = {
		.mnt_idmap = upper_idmap(fs),
		.old_parent = parent,
		.new_parent = new_dir,
		.flags = flags,
	};
	struct quiet quiet = {};
	int err;

	err = rename_start(&rd, old, new_name, new);
	if (err)
		goto out;
	if (is_quiet)
		quiet_begin_locked(&quiet, new_dir);
	err = vfs_rename(&rd);
	if (!err)
		quiet_end_locked(fs, &quiet);
	end_renaming(&rd);
out:
	pr_debug("rename(%pd2, %pd2/%.*s, 0x%x) = %d\n", old, new_dir, new_name->len,
		 new_name->name, flags, err);
	dput(parent);
	return err;
}

static bool is_whiteout(const struct dentry *dentry)
{
	const struct inode *inode = dentry ? d_inode(dentry) : NULL;

	return inode && IS_WHITEOUT(inode);
}

/* With a flag a whiteout takes part, too. */
static int rename_object(struct shale_fs *fs, struct dentry *old, struct dentry *new_dir,
			 const struct qstr *new_name, struct dentry *new, unsigned int flags, bool is_quiet)
{
	const bool with_whiteout = flags || is_whiteout(old) || is_whiteout(new);
	int err;

	if (!with_whiteout)
		return rename_named(fs, old, new_dir, new_name, new, flags, is_quiet);
	err = shale_real_names_begin(fs, true);
	if (err)
		return err;
	err = rename_named(fs, old, new_dir, new_name, new, flags, is_quiet);
	shale_real_names_end(fs, !err);
	return err;
}

int shale_real_rename(struct shale_fs *fs, struct dentry *old, struct dentry *new_dir,
		      const struct qstr *new_name, struct dentry *new, unsigned int flags)
{
	return rename_object(fs, old, new_dir, new_name, new, flags, false);
}

int shale_real_move_quietly(struct shale_fs *fs, struct dentry *old, struct dentry *dir,
			    const struct qstr *name)
{
	return rename_object(fs, old, dir, name, NULL, 0, true);
}

static const struct shale_newattr whiteout_attr = {
	.mode = S_IFCHR | WHITEOUT_MODE,
	.rdev = WHITEOUT_DEV,
};

/* Links the shared whiteout to NAME of DIR, or to a fresh name in the work directory. Filesystems
 * limit links, and some refuse to link devices: then each whiteout is made by itself. */
static int link_whiteout_locked(struct shale_fs *fs, struct dentry *dir, const struct qstr *name,
				struct dentry **ret_dentry)
{
	struct shale_newattr attr = {};
	int err;

	if (fs->no_shared_whiteout)
		return -EOPNOTSUPP;
	if (!fs->whiteout) {
		err = shale_real_create_temp(fs, &whiteout_attr, &fs->whiteout);
		if (err)
			return err;
	}
	attr.hardlink = fs->whiteout;
	err = shale_real_create(fs, dir, name, &attr, ret_dentry);
	if (err == -EMLINK) {
		shale_real_cleanup(fs, fs->whiteout);
		dput(fs->whiteout);
		fs->whiteout = NULL;
	} else if (err == -EXDEV || err == -EPERM || err == -EOPNOTSUPP) {
		fs->no_shared_whiteout = true;
	}
	return err;
}

static int make_whiteout(struct shale_fs *fs, struct dentry *dir, const struct qstr *name,
			 struct dentry **ret_dentry)
{
	int err;

	mutex_lock(&fs->whiteout_lock);
	err = link_whiteout_locked(fs, dir, name, ret_dentry);
	mutex_unlock(&fs->whiteout_lock);
	switch (err) {
	case -EMLINK:
	case -EXDEV:
	case -EPERM:
	case -EOPNOTSUPP:
		return shale_real_create(fs, dir, name, &whiteout_attr, ret_dentry);
	}
	return err;
}

int shale_real_whiteout_temp(struct shale_fs *fs, struct dentry **ret_dentry)
{
	char buf[TEMP_NAME_SIZE];
	struct qstr name = temp_name(fs, buf);

	return make_whiteout(fs, fs->workdir, &name, ret_dentry);
}

static int whiteout_over(struct shale_fs *fs, struct dentry *dir, const struct qstr *name,
			 struct dentry *over)
{
	bool is_dir = d_is_dir(over);
	struct dentry *whiteout;
	int err;

	err = shale_real_whiteout_temp(fs, &whiteout);
	if (err)
		return err;
	err = shale_real_rename(fs, whiteout, dir, name, over, is_dir ? RENAME_EXCHANGE : 0);
	if (err)
		shale_real_cleanup(fs, whiteout);
	else if (is_dir)
		shale_real_cleanup(fs, over);
	dput(whiteout);
	return err;
}

int shale_real_whiteout(struct shale_fs *fs, struct dentry *dir, const struct qstr *name,
			struct dentry *over)
{
	struct dentry *whiteout;
	int err;

	if (over) {
		err = whiteout_over(fs, dir, name, over);
	} else {
		err = make_whiteout(fs, dir, name, &whiteout);
		if (!err)
			dput(whiteout);
	}
	if (!err)
		shale_stats_inc(fs, whiteouts);
	return err;
}
