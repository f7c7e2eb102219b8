// SPDX-License-Identifier: GPL-2.0-only
/*
 * promote.c - MODEL: giving an object of a lower layer its place in the upper.
 *
 * Everything is prepared where nobody sees it: regular files without a name, the rest in the work
 * directory. One link or rename publishes it, after its data is on disk. Whatever happens before
 * leaves the lower object in view, and only garbage that the next mount removes. What besides data
 * is taken along is in promote_meta.c. Called by every VFS operation that changes something.
 */
#include <linux/file.h>
#include <linux/security.h>
#include <linux/slab.h>

#include "cred.h"
#include "mapio.h"
#include "parts.h"
#include "promote.h"
#include "real.h"
#include "trace.h"

/* Hexadecimal form of an origin, and NUL. */
#define INDEX_NAME_SIZE (2 * sizeof(struct shale_disk_origin) + 1)

static bool is_promoted(const struct dentry *dentry, bool wants_name)
{
	if (!shale_inode_upper(d_inode(dentry)))
		return false;
	return !wants_name || shale_has_upper_name(dentry);
}

static bool should_divide(const struct shale_promotion *p)
{
	if (shale_inode_parts(p->inode) || shale_inode_shadow(p->inode))
		return true;
	if (p->is_whole || p->stat.size > SHALE_DISK_MAP_LIMIT_MAX)
		return false;
	return p->size && shale_makes_parts(p->fs);
}

/* A file of the size that shows what is below. */
static int data_divide(struct shale_promotion *p)
{
	int err = 0;

	if (!p->is_shadow)
		err = shale_parts_above(p->inode, p->upper, &p->stat, p->size, &p->parts) ?:
		      shale_real_extend(p->file, p->size);
	/* Where nothing is below there is nothing to remember. */
	if (err || !shale_map_limit(p->parts->maps[0]))
		return err;
	err = shale_real_want_write(p->fs);
	if (err)
		return err;
	err = shale_mapio_create(p->fs, p->upper, p->parts);
	shale_real_drop_write(p->fs);
	return err;
}

/* Whatever a clone fails with, copying says better what is wrong. */
static int data_fill(struct shale_promotion *p, struct file *in)
{
	if (p->fs->config.cow != SHALE_COW_COPY && !shale_real_clone_data(in, p->file, p->size))
		return 0;
	return shale_real_copy_data(in, p->file, p->size, &p->bytes);
}

static int data_copy(struct shale_promotion *p)
{
	struct path data;
	struct file *in;
	int err;

	if (p->is_divided)
		return data_divide(p);
	if (!p->size)
		return 0;
	shale_inode_data(p->inode, &data);
	in = shale_real_open(&data, O_RDONLY);
	if (IS_ERR(in))
		return PTR_ERR(in);
	err = data_fill(p, in);
	fput(in);
	return err;
}

static int temp_file_create(struct shale_promotion *p)
{
	p->file = shale_real_tmpfile(p->fs, NULL, p->stat.mode);
	if (IS_ERR(p->file)) {
		int err = PTR_ERR(p->file);

		p->file = NULL;
		return err;
	}
	p->upper = dget(file_dentry(p->file));
	return 0;
}

static int temp_object_create(struct shale_promotion *p)
{
	DEFINE_DELAYED_CALL(done);
	struct shale_newattr attr = { .mode = p->stat.mode, .rdev = p->stat.rdev };
	int err;

	if (S_ISLNK(p->stat.mode)) {
		attr.link = shale_real_get_link(&p->lower_path, &done);
		if (IS_ERR(attr.link))
			return PTR_ERR(attr.link);
	}
	err = shale_real_create_temp(p->fs, &attr, &p->upper);
	do_delayed_call(&done);
	return err;
}

/* A security module may want the new object made by somebody else than the mounter. */
static int temp_create(struct shale_promotion *p)
{
	const struct cred *old = NULL;
	struct cred *creds = NULL;
	int err;

	err = security_inode_copy_up(p->dentry, &creds);
	if (err < 0)
		return err;
	if (creds)
		old = shale_cred_replace(creds);
	err = S_ISREG(p->stat.mode) ? temp_file_create(p) : temp_object_create(p);
	if (creds)
		shale_cred_end(old);
	return err;
}

/* What shared mappings show already. */
static int shadow_take(struct shale_promotion *p)
{
	struct path path = { .mnt = shale_upper_layer(p->fs)->mnt };
	struct file *file;

	p->parts = shale_inode_shadow(p->inode);
	p->is_shadow = true;
	p->upper = dget(p->parts->upper);
	path.dentry = p->upper;
	file = shale_real_open(&path, O_RDWR);
	if (IS_ERR(file))
		return PTR_ERR(file);
	p->file = file;
	return 0;
}

static int temp_create_writing(struct shale_promotion *p)
{
	int err = shale_real_want_write(p->fs);

	if (err)
		return err;
	err = temp_create(p);
	shale_real_drop_write(p->fs);
	return err;
}

static int data_sync(struct shale_promotion *p)
{
	if (!p->file || p->is_divided || p->fs->config.is_volatile)
		return 0;
	return shale_real_fsync(p->file, 0, LLONG_MAX, false);
}

/* The name in the index comes first, so that a crash never leaves a name in the upper whose other
 * names would not find it. */
static int index_link(struct shale_promotion *p, struct dentry **ret_entry)
{
	char buf[INDEX_NAME_SIZE];
	struct qstr name;
	int err;

	err = shale_index_name(p->fs, &p->lower, buf, sizeof(buf));
	if (!err)
		err = shale_index_nlink_pin(p->fs, p->inode, p->upper);
	if (err)
		return err;
	name = (struct qstr)QSTR_INIT(buf, strlen(buf));
	return shale_real_link(p->fs, p->upper, p->fs->indexdir, &name, ret_entry);
}

/* What was prepared in the work directory moves, what has no name is linked. Promotion is none of the parent's
 * changes: its time stays. */
static int name_publish(struct shale_promotion *p, struct dentry **ret_upper)
{
	const struct qstr *name = &p->name.name;
	int err;

	if (p->file)
		return shale_real_link_quietly(p->fs, p->upper, p->upper_dir, name, ret_upper);
	err = shale_real_move_quietly(p->fs, p->upper, p->upper_dir, name);
	if (!err)
		*ret_upper = dget(p->upper);
	return err;
}

static void publish_undo(struct shale_promotion *p, struct dentry *entry)
{
	if (entry) {
		shale_real_unlink(p->fs, entry);
		dput(entry);
	}
	if (!p->file && p->upper)
		shale_real_cleanup(p->fs, p->upper);
}

/* The inode's upper from now on is the dentry with the best name: the one in the tree, else the one in
 * the index, else none. */
static void upper_set(struct shale_promotion *p, struct dentry *named, struct dentry *entry)
{
	if (p->parts) {
		smp_store_release(&SHALE_I(p->inode)->__parts, p->parts);
		p->parts = NULL;
		set_bit(SHALE_I_PARTIAL, &SHALE_I(p->inode)->flags);
	}
	/* Who sees the upper of an indexed file must not take its count of links for the file's. */
	if (p->is_indexed) {
		shale_index_nlink_settle(p->fs, p->inode, p->upper);
		set_bit(SHALE_I_INDEXED, &SHALE_I(p->inode)->flags);
	}
	shale_inode_set_upper(p->inode, dget(named ?: entry ?: p->upper));
	/* Who does not see it any more sees the upper. */
	if (p->is_shadow)
		smp_store_release(&SHALE_I(p->inode)->__shadow, NULL);
	shale_inode_copyattr(p->inode);
	if (named)
		shale_set_upper_name(p->dentry);
}

static int publish(struct shale_promotion *p)
{
	struct dentry *named = NULL, *entry = NULL;
	int err;

	err = shale_promote_meta(p);
	if (!err)
		err = data_sync(p);
	if (!err && p->is_indexed)
		err = index_link(p, &entry);
	if (!err && p->upper_dir)
		err = name_publish(p, &named);
	if (err && entry && p->is_shadow) {
		/* What had a name cannot get one again when it has lost it, so this one stays. */
		upper_set(p, NULL, entry);
		dput(entry);
		return err;
	}
	if (err) {
		publish_undo(p, entry);
		return err;
	}
	if (!p->upper_dir && !p->file)
		shale_real_cleanup(p->fs, p->upper);
	shale_promote_flags(p, true);
	upper_set(p, named, entry);
	dput(named);
	dput(entry);
	return 0;
}

static int publish_writing(struct shale_promotion *p)
{
	int err;

	err = shale_real_want_write(p->fs);
	if (err)
		return err;
	if (p->upper_dir)
		err = shale_impure_set(p->fs, p->dir);
	if (!err)
		err = publish(p);
	else
		publish_undo(p, NULL);
	shale_real_drop_write(p->fs);
	return err;
}

int shale_promote_begin(struct shale_promotion *p)
{
	int err;

	p->lower = shale_inode_lower(p->inode)->path[0];
	p->lower_path = shale_path_real(p->lower);
	err = shale_real_getattr(&p->lower_path, &p->stat, STATX_BASIC_STATS, 0);
	if (!err)
		err = shale_parts_open_locked(p->inode);
	if (err)
		return err;
	p->size = S_ISREG(p->stat.mode) ? min_t(loff_t, p->size, p->stat.size) : 0;
	p->is_indexed = shale_index_wants(p->inode) && p->stat.nlink > 1;
	p->is_divided = S_ISREG(p->stat.mode) && should_divide(p);
	/* It has parts below, so it cannot be copied, and a map of it could not be read again. */
	if (p->is_divided && p->size > SHALE_DISK_MAP_LIMIT_MAX)
		return -EFBIG;
	if (p->is_divided && shale_inode_shadow(p->inode))
		return shadow_take(p);
	return temp_create_writing(p);
}

void shale_promote_end(struct shale_promotion *p)
{
	if (p->file)
		fput(p->file);
	dput(p->upper);
	if (!p->is_shadow)
		shale_parts_drop(p->parts);
}

static int object_promote(struct shale_promotion *p)
{
	int err = shale_promote_begin(p);

	if (!err)
		err = data_copy(p);
	if (!err)
		err = publish_writing(p);
	shale_promote_end(p);
	return err;
}

/* The inode is in the upper already, by another name or for the index alone. */
static int name_promote(struct shale_promotion *p)
{
	struct dentry *upper = shale_inode_upper(p->inode), *named;
	int err;

	err = shale_real_want_write(p->fs);
	if (err)
		return err;
	err = shale_impure_set(p->fs, p->dir);
	if (!err)
		err = shale_index_nlink_pin(p->fs, p->inode, upper);
	if (err)
		goto out;
	err = shale_real_link(p->fs, upper, p->upper_dir, &p->name.name, &named);
	shale_index_nlink_settle(p->fs, p->inode, upper);
	if (!err) {
		shale_set_upper_name(p->dentry);
		dput(named);
	}
out:
	shale_real_drop_write(p->fs);
	return err;
}

static void promotion_report(struct shale_promotion *p, int err)
{
	if (err) {
		shale_stats_inc(p->fs, copy_up_errors);
	} else {
		shale_stats_inc(p->fs, copy_ups);
		if (p->is_divided)
			shale_stats_inc(p->fs, block_copy_ups);
		shale_stats_add(p->fs, copy_up_bytes, p->bytes);
		shale_genl_copied_up(p->fs, p->inode, p->bytes);
	}
	trace_shale_promote(p->inode, err ? 0 : p->bytes, err);
}

static int promote_locked(struct shale_promotion *p)
{
	struct dentry *parent = dget_parent(p->dentry);
	int err = 0;

	/* Without a name there is no place to publish it at; the inode still gets its upper. */
	if (!shale_is_unlinked(p->dentry)) {
		p->dir = d_inode(parent);
		p->upper_dir = shale_inode_upper(p->dir);
		/* It was moved into a directory that has to be promoted first. */
		if (!p->upper_dir)
			goto out;
		take_dentry_name_snapshot(&p->name, p->dentry);
	} else if (d_is_dir(p->dentry)) {
		err = -ENOENT;
		goto out;
	}
	if (shale_inode_upper(p->inode)) {
		err = p->upper_dir ? name_promote(p) : 0;
	} else {
		err = object_promote(p);
		promotion_report(p, err);
	}
	if (p->upper_dir)
		release_dentry_name_snapshot(&p->name);
out:
	dput(parent);
	return err;
}

/* What a caller needs of the upper. */
struct wanted {
	bool has_name; /* the name that it came by */
	bool is_whole; /* no map, if there was none below */
	loff_t size;   /* this much data at most */
};

/* One object whose parent is in the upper. */
static int promote_one(struct dentry *dentry, const struct wanted *wanted)
{
	struct shale_promotion p = {
		.fs = SHALE_FS(dentry->d_sb),
		.dentry = dentry,
		.inode = d_inode(dentry),
		.size = wanted->size,
		.is_whole = wanted->is_whole,
	};
	struct mutex *lock = &SHALE_I(p.inode)->lock;
	const struct cred *old;
	int err;

	err = mutex_lock_killable(lock);
	if (err)
		return err;
	if (!is_promoted(dentry, wanted->has_name)) {
		old = shale_cred_begin(dentry->d_sb);
		err = promote_locked(&p);
		shale_cred_end(old);
	}
	mutex_unlock(lock);
	return err;
}

/* The highest directory above DENTRY, or itself, that is not in the upper. */
static struct dentry *topmost_unpromoted(struct dentry *dentry)
{
	struct dentry *at = dget(dentry), *parent;

	for (;;) {
		parent = dget_parent(at);
		if (parent == at || is_promoted(parent, true)) {
			dput(parent);
			return at;
		}
		dput(at);
		at = parent;
	}
}

/* A directory on the way. */
static const struct wanted parent_wanted = { .has_name = true, .size = LLONG_MAX };

static int promote(struct dentry *dentry, struct wanted wanted)
{
	struct dentry *next;
	int err = 0;

	if (!shale_has_upper(SHALE_FS(dentry->d_sb)))
		return is_promoted(dentry, wanted.has_name) ? 0 : -EROFS;
	while (!err && !is_promoted(dentry, wanted.has_name)) {
		if (shale_is_unlinked(dentry))
			wanted.has_name = false;
		next = shale_is_unlinked(dentry) ? dget(dentry) : topmost_unpromoted(dentry);
		err = promote_one(next, next == dentry ? &wanted : &parent_wanted);
		dput(next);
	}
	return err;
}

int shale_promote(struct dentry *dentry)
{
	return promote(dentry, (struct wanted){ .has_name = true, .size = LLONG_MAX });
}

int shale_promote_inode(struct dentry *dentry)
{
	return promote(dentry, (struct wanted){ .size = LLONG_MAX });
}

int shale_promote_whole(struct dentry *dentry)
{
	return promote(dentry, (struct wanted){ .is_whole = true, .size = LLONG_MAX });
}

int shale_promote_truncated(struct dentry *dentry, loff_t size)
{
	return promote(dentry, (struct wanted){ .size = size });
}
