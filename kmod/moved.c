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
 */
#include <linux/exportfs.h>

#include "real.h"
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

/* Puts the record there, over an older one. */
static int record_write(struct shale_fs *fs, const struct qstr *key, const char *text)
{
	const struct shale_newattr attr = { .mode = S_IFLNK | 0777, .link = text };
	struct dentry *temp, *old;
	int err;

	old = shale_real_lookup(shale_upper_layer(fs), fs->moveddir, key);
	if (IS_ERR(old))
		return PTR_ERR(old);
	err = shale_real_create_temp(fs, &attr, &temp);
	if (!err) {
		err = shale_real_rename(fs, temp, fs->moveddir, key, old, 0);
		if (err)
			shale_real_cleanup(fs, temp);
		dput(temp);
	}
	dput(old);
	return err;
}

static bool is_recordable(const struct shale_fs *fs, const struct inode *inode)
{
	return fs->moveddir && fs->realfs[fs->layers[0].fsid].has_handles &&
	       shale_inode_has_origin(inode);
}

static int moved_record(struct shale_fs *fs, struct dentry *upper, struct dentry *upperdir,
			const struct qstr *name)
{
	char buf[SHALE_ORIGIN_NAME_SIZE], *text;
	const struct qstr key = QSTR_INIT(buf, sizeof(buf) - 1);
	int err;

	err = shale_origin_name_of(fs, upper, buf);
	if (err)
		return err;
	text = kmalloc(TEXT_SIZE, GFP_KERNEL);
	if (!text)
		return -ENOMEM;
	err = record_format(upperdir, name, text);
	if (!err)
		err = shale_real_want_write(fs);
	if (!err) {
		err = record_write(fs, &key, text);
		shale_real_drop_write(fs);
	}
	kfree(text);
	return err;
}

void shale_moved_record(struct shale_fs *fs, struct inode *inode, struct inode *dir,
			const struct qstr *name)
{
	int err;

	if (!is_recordable(fs, inode))
		return;
	err = moved_record(fs, shale_inode_upper(inode), shale_inode_upper(dir), name);
	if (err)
		pr_debug("handles of %.*s are stale after its rename: %d\n", name->len, name->name, err);
}

void shale_moved_forget(struct shale_fs *fs, struct inode *inode)
{
	char buf[SHALE_ORIGIN_NAME_SIZE];
	const struct qstr key = QSTR_INIT(buf, sizeof(buf) - 1);
	struct dentry *record;

	if (inode->i_nlink || !is_recordable(fs, inode) ||
	    shale_origin_name_of(fs, shale_inode_upper(inode), buf))
		return;
	record = shale_real_lookup(shale_upper_layer(fs), fs->moveddir, &key);
	if (IS_ERR_OR_NULL(record))
		return;
	if (!shale_real_want_write(fs)) {
		shale_real_unlink(fs, record);
		shale_real_drop_write(fs);
	}
	dput(record);
}

static int record_read(struct shale_fs *fs, struct dentry *record, struct shale_real_fh *ret_fh,
		       char ret_name[NAME_MAX + 1])
{
	const struct path path = { .mnt = shale_upper_layer(fs)->mnt, .dentry = record };
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

int shale_moved_lookup(struct shale_fs *fs, const struct shale_path *lower, struct shale_moved *ret)
{
	char buf[SHALE_ORIGIN_NAME_SIZE];
	const struct qstr key = QSTR_INIT(buf, sizeof(buf) - 1);
	u32 words[FH_WORDS];
	struct shale_real_fh fh = { .words = words, .nr = FH_WORDS };
	struct shale_disk_origin origin;
	struct dentry *record;
	int err;

	if (!fs->moveddir || !fs->realfs[lower->layer->fsid].has_uuid)
		return -ENOENT;
	shale_origin_of(fs, lower, &origin);
	shale_origin_name(&origin, buf);
	record = shale_real_lookup(shale_upper_layer(fs), fs->moveddir, &key);
	if (IS_ERR_OR_NULL(record))
		return record ? PTR_ERR(record) : -ENOENT;
	err = record_read(fs, record, &fh, ret->name);
	dput(record);
	if (err)
		return err;
	ret->dir = shale_real_decode_named(shale_upper_layer(fs), &fh, NULL);
	return PTR_ERR_OR_ZERO(ret->dir);
}
