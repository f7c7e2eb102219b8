// SPDX-License-Identifier: GPL-2.0-only
/*
 * index.c - MODEL: hard links over promotion. A lower file with several names gets one upper, and
 * UPPER/.shale/index/KEY is a link to it, KEY being its origin in hexadecimal: whichever of the other
 * names is looked up next finds it there. Called by promote.c, which makes the entries, by lookup.c,
 * which finds them, and by dir.c, remove.c and rename.c around what changes the number of names.
 *
 * Some names exist only in lower layers, so st_nlink is not the upper's link count. P.shale.nlink on
 * the upper says what it is: "U+2" is the upper's count plus two, "=5" is five whatever the upper's
 * count. Crash safety follows from choosing the form by what the next step changes. link and unlink
 * change both counts by one, so the file says "U" and stays right, before and after, without being
 * written again. Promotion gives a lower name a link in the upper, which changes the upper's count
 * only, so it says "=" first and "U" again when it is done. The index entry is the first link of
 * a new upper and the last one to go, so an upper whose only link is its entry and whose names are
 * none is garbage that a crash left; the next mount drops it.
 */
#include <linux/cred.h>

#include "cred.h"
#include "real.h"
#include "shale.h"

#define NLINK_MAX sizeof("U-2147483648")
#define NAME_SIZE SHALE_ORIGIN_NAME_SIZE

struct nlink {
	char base; /* 'U' or '=' */
	int n;
};

static int nlink_parse(const char *s, struct nlink *ret)
{
	if (s[0] != 'U' && s[0] != '=')
		return -EINVAL;
	ret->base = s[0];
	return kstrtoint(s + 1, 10, &ret->n);
}

static int nlink_load(struct shale_fs *fs, struct dentry *upper, struct nlink *ret)
{
	const struct path path = shale_upper_path(fs, upper);
	char value[NLINK_MAX];
	ssize_t size;

	size = shale_real_get_private(fs, &path, SHALE_XATTR_NLINK, value, sizeof(value) - 1);
	if (size < 0)
		return size;
	value[size] = '\0';
	return nlink_parse(value, ret);
}

static int nlink_store(struct shale_fs *fs, struct dentry *upper, const struct nlink *nlink)
{
	struct nlink now;
	char value[NLINK_MAX];
	int len;

	if (!nlink_load(fs, upper, &now) && now.base == nlink->base && now.n == nlink->n)
		return 0;
	len = snprintf(value, sizeof(value), nlink->base == 'U' ? "U%+d" : "=%d", nlink->n);
	return shale_real_set_private(fs, upper, SHALE_XATTR_NLINK, value, len);
}

static unsigned int nlink_count(const struct nlink *nlink, const struct dentry *upper)
{
	int count = nlink->n;

	if (nlink->base == 'U')
		count += d_inode(upper)->i_nlink;
	return max(count, 0);
}

int shale_index_nlink_pin(struct shale_fs *fs, struct inode *inode, struct dentry *upper)
{
	const struct nlink nlink = { .base = '=', .n = inode->i_nlink };

	return nlink_store(fs, upper, &nlink);
}

int shale_index_nlink_settle(struct shale_fs *fs, struct inode *inode, struct dentry *upper)
{
	const struct nlink nlink = { .base = 'U', .n = inode->i_nlink - d_inode(upper)->i_nlink };

	return nlink_store(fs, upper, &nlink);
}

int shale_index_nlink_get(struct shale_fs *fs, struct inode *inode, struct dentry *upper)
{
	struct nlink nlink;
	int err;

	err = nlink_load(fs, upper, &nlink);
	if (!err)
		set_nlink(inode, nlink_count(&nlink, upper));
	return err;
}

static bool has_links(const struct shale_path *lower)
{
	const struct inode *inode = d_inode(lower->dentry);

	return !S_ISDIR(inode->i_mode) && inode->i_nlink > 1;
}

/* Is this object's other names' being links of it something we can keep? */
static bool is_indexable(const struct shale_fs *fs, const struct shale_path *lower)
{
	return fs->indexdir && fs->realfs[lower->layer->fsid].has_uuid && has_links(lower);
}

bool shale_index_breaks(const struct shale_fs *fs, const struct shale_path *lower)
{
	return shale_has_upper(fs) && has_links(lower) && !is_indexable(fs, lower);
}

static bool is_indexed(const struct inode *inode)
{
	return test_bit(SHALE_I_INDEXED, &SHALE_I(inode)->flags);
}

/* An inode that was found by a name in the upper knows no lower file, though others of its names may be
 * of one. */
bool shale_index_wants(const struct inode *inode)
{
	const struct shale_stack *lower = shale_inode_lower(inode);

	return is_indexed(inode) || (lower && is_indexable(SHALE_FS(inode->i_sb), &lower->path[0]));
}

int shale_index_name(struct shale_fs *fs, const struct shale_path *lower, char *ret_name, size_t size)
{
	struct shale_disk_origin origin;

	if (!is_indexable(fs, lower))
		return -EOPNOTSUPP;
	if (size < NAME_SIZE)
		return -ERANGE;
	shale_origin_of(fs, lower, &origin);
	shale_origin_name(&origin, ret_name);
	return 0;
}

int shale_index_lookup(struct shale_fs *fs, const struct shale_path *lower, struct dentry **ret_upper)
{
	char name[NAME_SIZE];
	const struct qstr qstr = QSTR_INIT(name, NAME_SIZE - 1);
	struct dentry *upper;
	int err;

	err = shale_index_name(fs, lower, name, sizeof(name));
	if (err)
		return err;
	upper = shale_real_lookup(shale_upper_layer(fs), fs->indexdir, &qstr);
	if (IS_ERR_OR_NULL(upper))
		return upper ? PTR_ERR(upper) : -ENOENT;
	if ((d_inode(upper)->i_mode ^ d_inode(lower->dentry)->i_mode) & S_IFMT) {
		pr_warn_ratelimited("index entry %pd is of another type than its origin\n", upper);
		dput(upper);
		return -EIO;
	}
	*ret_upper = upper;
	return 0;
}

/* The index entry itself: it is called by the origin that is written on the upper. */
static struct dentry *entry_of(struct shale_fs *fs, struct dentry *upper)
{
	char name[NAME_SIZE];
	const struct qstr qstr = QSTR_INIT(name, NAME_SIZE - 1);
	struct dentry *entry;
	int err;

	err = shale_origin_name_of(fs, upper, name);
	if (err)
		return ERR_PTR(err);
	entry = shale_real_lookup(shale_upper_layer(fs), fs->indexdir, &qstr);
	if (IS_ERR_OR_NULL(entry))
		return entry ?: ERR_PTR(-ENOENT);
	if (d_inode(entry) == d_inode(upper))
		return entry;
	dput(entry);
	return ERR_PTR(-ESTALE);
}

static void entry_drop(struct shale_fs *fs, struct dentry *upper)
{
	struct dentry *entry = entry_of(fs, upper);
	int err = PTR_ERR_OR_ZERO(entry);

	if (!err) {
		err = shale_real_want_write(fs);
		if (!err) {
			err = shale_real_unlink(fs, entry);
			shale_real_drop_write(fs);
		}
		dput(entry);
	}
	if (err)
		pr_warn_ratelimited("an index entry without names stays until the next mount: %d\n",
				    err);
}

static int nlink_settle_writing(struct shale_fs *fs, struct inode *inode, struct dentry *upper)
{
	int err = shale_real_want_write(fs);

	if (err)
		return err;
	err = shale_index_nlink_settle(fs, inode, upper);
	shale_real_drop_write(fs);
	return err;
}

int shale_index_nlink_begin(struct inode *inode)
{
	struct dentry *upper;
	int err;

	err = mutex_lock_killable(&SHALE_I(inode)->lock);
	if (err)
		return err;
	upper = shale_inode_upper(inode);
	if (upper && is_indexed(inode))
		err = nlink_settle_writing(SHALE_FS(inode->i_sb), inode, upper);
	if (err)
		mutex_unlock(&SHALE_I(inode)->lock);
	return err;
}

static void nlink_update(struct shale_fs *fs, struct inode *inode, struct dentry *upper)
{
	if (!is_indexed(inode)) {
		set_nlink(inode, d_inode(upper)->i_nlink);
		return;
	}
	shale_index_nlink_get(fs, inode, upper);
	if (!inode->i_nlink)
		entry_drop(fs, upper);
}

void shale_index_nlink_end(struct inode *inode)
{
	struct dentry *upper = shale_inode_upper(inode);

	if (upper)
		nlink_update(SHALE_FS(inode->i_sb), inode, upper);
	mutex_unlock(&SHALE_I(inode)->lock);
}

/* Opening. */

/* NULL: it is not there. */
static struct dentry *dir_find(struct shale_fs *fs, struct dentry *parent, const char *s)
{
	const struct qstr name = QSTR_INIT(s, strlen(s));
	struct dentry *dir = shale_real_lookup(shale_upper_layer(fs), parent, &name);

	if (!IS_ERR_OR_NULL(dir) && !d_is_dir(dir)) {
		dput(dir);
		return ERR_PTR(-ENOTDIR);
	}
	return dir;
}

static struct dentry *dir_make(struct shale_fs *fs, struct dentry *parent, const char *s)
{
	const struct shale_newattr attr = { .mode = S_IFDIR | 0700 };
	const struct qstr name = QSTR_INIT(s, strlen(s));
	struct dentry *dir = dir_find(fs, parent, s);
	int err = 0;

	if (!dir)
		err = shale_real_create(fs, parent, &name, &attr, &dir);
	return err ? ERR_PTR(err) : dir;
}

struct sweep {
	struct dir_context ctx;
	struct shale_fs *fs;
	unsigned int nr;
	char names[16][NAME_SIZE];
};

static bool sweep_actor(struct dir_context *ctx, const char *name, int len, loff_t pos, u64 ino,
			unsigned int type)
{
	struct sweep *sweep = container_of(ctx, struct sweep, ctx);

	if (len != NAME_SIZE - 1)
		return true;
	if (sweep->nr == ARRAY_SIZE(sweep->names))
		return false;
	memcpy(sweep->names[sweep->nr++], name, len);
	return true;
}

static void sweep_entry(struct shale_fs *fs, const char *s)
{
	const struct qstr name = QSTR_INIT(s, NAME_SIZE - 1);
	struct dentry *entry;
	struct nlink nlink;

	entry = shale_real_lookup(shale_upper_layer(fs), fs->indexdir, &name);
	if (IS_ERR_OR_NULL(entry))
		return;
	if (!d_is_dir(entry) && d_inode(entry)->i_nlink == 1 && !nlink_load(fs, entry, &nlink) &&
	    !nlink_count(&nlink, entry))
		shale_real_unlink(fs, entry);
	dput(entry);
}

static int index_sweep(struct shale_fs *fs)
{
	const struct path path = shale_upper_path(fs, fs->indexdir);
	struct sweep *sweep;
	struct file *file;
	unsigned int i;
	loff_t pos;
	int err;

	sweep = kzalloc(sizeof(*sweep), GFP_KERNEL);
	if (!sweep)
		return -ENOMEM;
	sweep->ctx.actor = sweep_actor;
	file = shale_real_open(&path, O_RDONLY | O_DIRECTORY);
	err = PTR_ERR_OR_ZERO(file);
	if (err)
		goto out_sweep;
	do {
		pos = sweep->ctx.pos;
		sweep->nr = 0;
		err = shale_real_iterate(file, &sweep->ctx);
		for (i = 0; !err && i < sweep->nr; i++)
			sweep_entry(fs, sweep->names[i]);
	} while (!err && sweep->ctx.pos != pos);
	fput(file);
out_sweep:
	kfree(sweep);
	return err;
}

static int private_open(struct shale_fs *fs)
{
	struct dentry *private, *dir;

	private = dir_make(fs, shale_upper_layer(fs)->root, SHALE_PRIVATE_DIR);
	if (IS_ERR(private))
		return PTR_ERR(private);
	dir = dir_make(fs, private, SHALE_INDEX_DIR);
	if (!IS_ERR(dir)) {
		fs->indexdir = dir;
		dir = dir_make(fs, private, SHALE_MAP_DIR);
	}
	if (!IS_ERR(dir)) {
		fs->mapdir = dir;
		dir = dir_find(fs, private, SHALE_MOVED_DIR);
	}
	if (!IS_ERR(dir))
		fs->records.dir = dir;
	dput(private);
	return PTR_ERR_OR_ZERO(dir);
}

int shale_index_open(struct shale_fs *fs)
{
	int err;

	err = shale_real_want_write(fs);
	if (err)
		return err;
	err = private_open(fs);
	if (!err)
		err = index_sweep(fs);
	shale_real_drop_write(fs);
	return err;
}

void shale_index_close(struct shale_fs *fs)
{
	dput(fs->indexdir);
	dput(fs->mapdir);
	dput(fs->records.dir);
	fs->indexdir = NULL;
	fs->mapdir = NULL;
	fs->records.dir = NULL;
}
