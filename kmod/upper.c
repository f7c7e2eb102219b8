// SPDX-License-Identifier: GPL-2.0-only
/*
 * upper.c - MODEL: what a writable layer has to be able to do, tried at mount rather than believed,
 * and the work directory, where objects are prepared before they appear. Called by layer.c.
 */
#include <linux/fs_context.h>
#include <linux/posix_acl.h>
#include <linux/slab.h>

#include "real.h"
#include "upper.h"

/* In WORKDIR: all that is below is ours and may be removed at the next mount. */
#define WORK_NAME "work"
/* In WORKDIR/work: overlayfs's words for "this upper was not synced", which both refuse to mount. */
#define INCOMPAT_NAME "incompat"
#define VOLATILE_NAME "volatile"
#define PROBE_NAME	 "#probe"
#define PROBE_MOVED_NAME "#probed"

#define NAME(string) (&(struct qstr)QSTR_INIT(string, sizeof(string) - 1))

int shale_upper_check(struct fs_context *fc, const struct path *upper, const struct path *work)
{
	if (sb_rdonly(upper->mnt->mnt_sb) || __mnt_is_readonly(upper->mnt)) {
		errorfc(fc, "upperdir: is on a read-only filesystem");
		return -EROFS;
	}
	if (upper->mnt != work->mnt)
		return invalfc(fc, "workdir: must be on the same mount as upperdir");
	if (upper->dentry == work->dentry || is_subdir(work->dentry, upper->dentry) ||
	    is_subdir(upper->dentry, work->dentry))
		return invalfc(fc, "workdir: must be beside upperdir, not in it or around it");
	return 0;
}

static struct dentry *find_below(struct shale_fs *fs, struct dentry *dir, const struct qstr *name)
{
	return shale_real_lookup(shale_upper_layer(fs), dir, name);
}

/* Did a volatile mount leave its mark in DIR? 1, 0 or -errno. */
static int has_volatile_mark(struct shale_fs *fs, struct dentry *dir)
{
	struct dentry *incompat, *mark;

	incompat = find_below(fs, dir, NAME(INCOMPAT_NAME));
	if (IS_ERR_OR_NULL(incompat))
		return PTR_ERR(incompat);
	mark = find_below(fs, incompat, NAME(VOLATILE_NAME));
	dput(incompat);
	if (IS_ERR_OR_NULL(mark))
		return PTR_ERR(mark);
	dput(mark);
	return 1;
}

static int old_work_remove(struct shale_fs *fs, struct fs_context *fc, struct dentry *base)
{
	struct dentry *old = find_below(fs, base, NAME(WORK_NAME));
	int err;

	if (IS_ERR_OR_NULL(old))
		return PTR_ERR(old);
	err = has_volatile_mark(fs, old);
	if (!err)
		shale_real_cleanup(fs, old);
	else if (err > 0)
		err = invalfc(fc, "upperdir: was mounted volatile before and may be incomplete; "
				  "start from a new upperdir, or remove %s/incompat in workdir",
			      WORK_NAME);
	dput(old);
	return err;
}

/* A work directory inherits no ACL: what is prepared in it would inherit it too. */
static int acls_drop(struct shale_fs *fs, struct dentry *dentry)
{
	static const int types[] = { ACL_TYPE_DEFAULT, ACL_TYPE_ACCESS };
	int i, err;

	if (!IS_POSIXACL(d_inode(dentry)))
		return 0;
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		err = shale_real_set_acl(fs, dentry, NULL, types[i]);
		if (err && err != -ENODATA && err != -EOPNOTSUPP)
			return err;
	}
	return 0;
}

static int work_create(struct shale_fs *fs, struct fs_context *fc, struct dentry *base)
{
	struct shale_newattr attr = { .mode = S_IFDIR };
	int err;

	err = old_work_remove(fs, fc, base);
	if (err)
		return err;
	err = shale_real_create(fs, base, NAME(WORK_NAME), &attr, &fs->workdir);
	if (!err)
		err = acls_drop(fs, fs->workdir);
	if (err)
		errorfc(fc, "workdir: cannot make an empty '%s' in it (%d)", WORK_NAME, err);
	return err;
}

static const char *upper_type(const struct shale_fs *fs)
{
	return fs->layers[0].mnt->mnt_sb->s_type->name;
}

static int probe_failed(struct shale_fs *fs, struct fs_context *fc, const char *what, int err)
{
	errorfc(fc, "upperdir: %s has no %s (%d)", upper_type(fs), what, err);
	return err == -EOPNOTSUPP || err == -EINVAL || err == -EPERM ? -EOPNOTSUPP : err;
}

static int probe_xattr(struct shale_fs *fs, struct fs_context *fc)
{
	int err = shale_real_set_private(fs, fs->workdir, SHALE_XATTR_IMPURE, "y", 1);

	if (!err)
		return 0;
	return probe_failed(fs, fc, fs->config.userxattr ? "extended attributes of the family user."
							 : "extended attributes",
			    err);
}

static int probe_tmpfile(struct shale_fs *fs, struct fs_context *fc)
{
	struct file *file = shale_real_tmpfile(fs, NULL, S_IFREG | 0600);

	if (IS_ERR(file))
		return probe_failed(fs, fc, "unnamed files (O_TMPFILE)", PTR_ERR(file));
	fs->is_dax = IS_DAX(file_inode(file));
	fput(file);
	return 0;
}

struct type_probe {
	struct dir_context ctx;
	bool is_unknown;
};

static bool type_seen(struct dir_context *ctx, const char *name, int len, loff_t pos, u64 ino,
		      unsigned int type)
{
	struct type_probe *probe = container_of(ctx, struct type_probe, ctx);

	if (name[0] != '.')
		probe->is_unknown = type == DT_UNKNOWN;
	return true;
}

/* Without types in listings each merged one would have to look up every name. */
static int probe_listing(struct shale_fs *fs, struct fs_context *fc)
{
	struct path path = shale_upper_path(fs, fs->workdir);
	struct type_probe probe = { .ctx.actor = type_seen };
	struct file *file = shale_real_open(&path, O_RDONLY | O_DIRECTORY);
	int err;

	if (IS_ERR(file))
		return PTR_ERR(file);
	err = shale_real_iterate(file, &probe.ctx);
	fput(file);
	if (!err && probe.is_unknown)
		return probe_failed(fs, fc, "file types in directory listings", -EOPNOTSUPP);
	return err;
}

static void name_cleanup(struct shale_fs *fs, const struct qstr *name)
{
	struct dentry *found = find_below(fs, fs->workdir, name);

	if (IS_ERR_OR_NULL(found))
		return;
	shale_real_cleanup(fs, found);
	dput(found);
}

static int probe_whiteout_rename(struct shale_fs *fs, struct fs_context *fc)
{
	struct shale_newattr attr = { .mode = S_IFREG };
	struct dentry *file;
	int err;

	err = shale_real_create(fs, fs->workdir, NAME(PROBE_NAME), &attr, &file);
	if (err)
		return err;
	err = shale_real_rename(fs, file, fs->workdir, NAME(PROBE_MOVED_NAME), NULL,
				RENAME_WHITEOUT);
	if (err)
		err = probe_failed(fs, fc, "renaming with whiteouts (RENAME_WHITEOUT)", err);
	else
		err = probe_listing(fs, fc);
	dput(file);
	name_cleanup(fs, NAME(PROBE_NAME));
	name_cleanup(fs, NAME(PROBE_MOVED_NAME));
	return err;
}

static int probe_all(struct shale_fs *fs, struct fs_context *fc)
{
	int err = probe_xattr(fs, fc);

	if (!err)
		err = probe_tmpfile(fs, fc);
	if (!err)
		err = probe_whiteout_rename(fs, fc);
	return err;
}

static int volatile_mark(struct shale_fs *fs)
{
	struct shale_newattr attr = { .mode = S_IFDIR };
	struct dentry *incompat, *mark;
	int err;

	if (!fs->config.is_volatile)
		return 0;
	err = shale_real_create(fs, fs->workdir, NAME(INCOMPAT_NAME), &attr, &incompat);
	if (err)
		return err;
	err = shale_real_create(fs, incompat, NAME(VOLATILE_NAME), &attr, &mark);
	if (!err)
		dput(mark);
	dput(incompat);
	return err;
}

int shale_upper_prepare(struct shale_fs *fs, struct fs_context *fc, const struct path *work)
{
	int err;

	err = shale_real_want_write(fs);
	if (err)
		return err;
	err = work_create(fs, fc, work->dentry);
	if (!err)
		err = probe_all(fs, fc);
	if (!err)
		err = volatile_mark(fs);
	shale_real_drop_write(fs);
	return err ?: shale_index_open(fs);
}

void shale_upper_release(struct shale_fs *fs)
{
	shale_index_close(fs);
	if (fs->whiteout && !shale_real_want_write(fs)) {
		shale_real_cleanup(fs, fs->whiteout);
		shale_real_drop_write(fs);
	}
	dput(fs->whiteout);
	dput(fs->workdir);
}
