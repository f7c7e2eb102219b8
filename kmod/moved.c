// SPDX-License-Identifier: GPL-2.0-only
/*
 * moved.c - MODEL: where objects of lower layers are after a rename, for file handles that were made
 * before. Written and dropped by rename.c and remove.c, read by export.c, which opens handles.
 *
 * A handle of a lower object is opened by walking down the path it has in its layer. Once it, or a
 * directory above it, was renamed in the union, UPPER/.shale/moved/KEY tells where it went, KEY being
 * its origin: which directory of the upper, by a handle of the upper's, and under which name. Nothing
 * else uses the record, whoever reads it checks that the object found is the right one, and so a
 * record that is missing or old, after a crash or out of space, makes handles stale and no more.
 *
 * A record costs nearly as much as the rename, and of most uppers no handle is ever made: they have no
 * records. scan.c writes those of all earlier renames when the first handle is made.
 */
#include <linux/exportfs.h>

#include "real.h"
#include "scan.h"
#include "shale.h"

#define FH_WORDS  (MAX_HANDLE_SZ / sizeof(u32))
#define TEXT_SIZE (sizeof("255:/") + 2 * MAX_HANDLE_SZ + NAME_MAX)

static int record_format(struct dentry *upperdir, const struct qstr *name, char text[TEXT_SIZE])
{
	u32 words[FH_WORDS];
	struct shale_real_fh fh = { .words = words, .nr = FH_WORDS };
	int err, len;

	err = shale_real_encode_fh(upperdir, &fh);
	if (err)
		return err;
	len = scnprintf(text, TEXT_SIZE, "%d:", fh.type);
	len = bin2hex(text + len, words, fh.nr * sizeof(u32)) - text;
	scnprintf(text + len, TEXT_SIZE - len, "/%.*s", name->len, name->name);
	return 0;
}

static int record_parse(const char *text, struct shale_real_fh *ret_fh, char ret_name[NAME_MAX + 1])
{
	const char *hex, *name;
	size_t len;

	hex = strchr(text, ':');
	name = strchr(text, '/');
	if (!hex || !name || name < hex || sscanf(text, "%d:", &ret_fh->type) != 1)
		return -EINVAL;
	len = name - ++hex;
	if (len % (2 * sizeof(u32)) || len > 2 * ret_fh->nr * sizeof(u32))
		return -EINVAL;
	ret_fh->nr = len / (2 * sizeof(u32));
	if (hex2bin((u8 *)ret_fh->words, hex, len / 2) || !name[1] || strchr(name + 1, '/'))
		return -EINVAL;
	return strscpy(ret_name, name + 1, NAME_MAX + 1) < 0 ? -EINVAL : 0;
}

/* One record, and how it is called. */
struct record {
	char key[SHALE_ORIGIN_NAME_SIZE];
	char text[TEXT_SIZE];
};

static struct qstr key_of(const char key[SHALE_ORIGIN_NAME_SIZE])
{
	return (struct qstr)QSTR_INIT(key, SHALE_ORIGIN_NAME_SIZE - 1);
}

/* Puts it there, over an older one. */
static int record_write_locked(struct shale_fs *fs, const struct record *record)
{
	const struct shale_newattr attr = { .mode = S_IFLNK | 0777, .link = record->text };
	const struct qstr key = key_of(record->key);
	struct dentry *temp, *old;
	int err;

	old = shale_real_lookup(shale_upper_layer(fs), fs->records.dir, &key);
	if (IS_ERR(old))
		return PTR_ERR(old);
	err = shale_real_create_temp(fs, &attr, &temp);
	if (!err) {
		err = shale_real_rename(fs, temp, fs->records.dir, &key, old, 0);
		if (err)
			shale_real_cleanup(fs, temp);
		dput(temp);
	}
	dput(old);
	return err;
}

static int record_add_locked(struct shale_fs *fs, const struct record *record)
{
	const struct shale_newattr attr = { .mode = S_IFLNK | 0777, .link = record->text };
	const struct qstr key = key_of(record->key);
	struct dentry *dentry;
	int err;

	err = shale_real_create(fs, fs->records.dir, &key, &attr, &dentry);
	if (!err)
		dput(dentry);
	return err == -EEXIST ? 0 : err;
}

static struct record *record_make(struct shale_fs *fs, struct dentry *upper, struct dentry *upperdir,
				  const struct qstr *name)
{
	struct record *record = kmalloc(sizeof(*record), GFP_KERNEL);
	int err;

	if (!record)
		return ERR_PTR(-ENOMEM);
	err = shale_origin_name_of(fs, upper, record->key) ?:
	      record_format(upperdir, name, record->text);
	if (!err)
		return record;
	kfree(record);
	return ERR_PTR(err);
}

/* The lock of who renames is held, so that what this sees of a scan is as scan.c wants it. */
static bool are_kept(const struct shale_fs *fs)
{
	return READ_ONCE(fs->records.dir);
}

static int record_write(struct shale_fs *fs, const struct record *record)
{
	int err = shale_real_want_write(fs);

	if (err)
		return err;
	mutex_lock(&fs->records.lock);
	if (fs->records.dir)
		err = record_write_locked(fs, record);
	mutex_unlock(&fs->records.lock);
	shale_real_drop_write(fs);
	return err;
}

void shale_moved_record(struct shale_fs *fs, struct dentry *dentry, struct inode *dir,
			const struct qstr *name)
{
	struct inode *inode = d_inode(dentry);
	struct record *record;
	int err;

	if (!are_kept(fs))
		return;
	if (d_is_dir(dentry))
		shale_scan_add(fs, dentry);
	if (!shale_inode_has_origin(inode))
		return;
	record = record_make(fs, shale_inode_upper(inode), shale_inode_upper(dir), name);
	err = PTR_ERR_OR_ZERO(record);
	if (!err) {
		err = record_write(fs, record);
		kfree(record);
	}
	if (err)
		pr_debug("handles of %.*s are stale after its rename: %d\n", name->len, name->name, err);
}

int shale_moved_add(struct shale_fs *fs, struct dentry *upper, struct dentry *upperdir,
		    const struct qstr *name)
{
	struct record *record = record_make(fs, upper, upperdir, name);
	int err = 0;

	if (IS_ERR(record))
		return PTR_ERR(record);
	mutex_lock(&fs->records.lock);
	/* Who removes it looks for its record after this, or has done so before. */
	if (d_inode(upper)->i_nlink)
		err = record_add_locked(fs, record);
	mutex_unlock(&fs->records.lock);
	kfree(record);
	return err;
}

static void record_remove_locked(struct shale_fs *fs, const struct qstr *key)
{
	struct dentry *record;

	if (!fs->records.dir)
		return;
	record = shale_real_lookup(shale_upper_layer(fs), fs->records.dir, key);
	if (IS_ERR_OR_NULL(record))
		return;
	shale_real_unlink(fs, record);
	dput(record);
}

void shale_moved_forget(struct shale_fs *fs, struct inode *inode)
{
	char buf[SHALE_ORIGIN_NAME_SIZE];
	const struct qstr key = key_of(buf);

	if (inode->i_nlink || !are_kept(fs) || !shale_inode_has_origin(inode) ||
	    shale_origin_name_of(fs, shale_inode_upper(inode), buf) || shale_real_want_write(fs))
		return;
	mutex_lock(&fs->records.lock);
	record_remove_locked(fs, &key);
	mutex_unlock(&fs->records.lock);
	shale_real_drop_write(fs);
}

static int record_read(struct shale_fs *fs, struct dentry *record, struct shale_real_fh *ret_fh,
		       char ret_name[NAME_MAX + 1])
{
	const struct path path = shale_upper_path(fs, record);
	DEFINE_DELAYED_CALL(done);
	const char *text;
	int err;

	if (!d_is_symlink(record))
		return -EINVAL;
	text = shale_real_get_link(&path, &done);
	err = IS_ERR(text) ? PTR_ERR(text) : record_parse(text, ret_fh, ret_name);
	do_delayed_call(&done);
	return err;
}

static struct dentry *record_find(struct shale_fs *fs, const struct qstr *key)
{
	struct dentry *dir, *record;

	mutex_lock(&fs->records.lock);
	dir = dget(fs->records.dir);
	mutex_unlock(&fs->records.lock);
	record = dir ? shale_real_lookup(shale_upper_layer(fs), dir, key) : NULL;
	dput(dir);
	return record ?: ERR_PTR(-ENOENT);
}

int shale_moved_lookup(struct shale_fs *fs, const struct shale_path *lower, struct shale_moved *ret)
{
	char buf[SHALE_ORIGIN_NAME_SIZE];
	const struct qstr key = key_of(buf);
	u32 words[FH_WORDS];
	struct shale_real_fh fh = { .words = words, .nr = FH_WORDS };
	struct shale_disk_origin origin;
	struct dentry *record;
	int err;

	if (!shale_has_upper(fs) || !fs->realfs[lower->layer->fsid].has_uuid)
		return -ENOENT;
	shale_scan_begin(fs, lower->layer);
	shale_scan_wait(fs);
	shale_origin_of(fs, lower, &origin);
	shale_origin_name(&origin, buf);
	record = record_find(fs, &key);
	if (IS_ERR(record))
		return PTR_ERR(record);
	err = record_read(fs, record, &fh, ret->name);
	dput(record);
	if (err)
		return err;
	ret->dir = shale_real_decode_named(shale_upper_layer(fs), &fh, NULL);
	return PTR_ERR_OR_ZERO(ret->dir);
}
