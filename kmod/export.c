// SPDX-License-Identifier: GPL-2.0-only
/*
 * export.c - FACE: file handles, for NFS servers, name_to_handle_at(2) and fanotify. Called by the
 * VFS. Handles of the layers' objects are made and opened in real_handle.c.
 *
 * A handle is a handle of the object that was found first: the lower one, if we know it, else the
 * upper's. It is opened by finding that object again and walking from our root down the path it has in
 * its layer; where a directory on the way was renamed, moved.c knows where it went. What comes out
 * must be the object itself or what it was copied up to, else the handle is stale. So a handle stays
 * the same, and good, over copy-up, rename, remount and eviction from the cache.
 */
#include <linux/exportfs.h>

#include "compat/dirops.h"
#include "cred.h"
#include "real.h"
#include "scan.h"
#include "shale.h"

#define HANDLE_TYPE    0xe6 /* of ours, in no other filesystem's list */
#define HANDLE_VERSION 1

/* Opaque to everybody else and only opened on the machine that made it, so in its byte order. */
struct handle {
	u8 version;
	u8 type;     /* of fid */
	u8 is_upper; /* it is of an object of the upper */
	u8 reserved;
	u32 realfs; /* realfs_tag() */
	u32 fid[];
};
static_assert(sizeof(struct handle) == 8);

#define HANDLE_WORDS (sizeof(struct handle) / sizeof(u32))

/* Which filesystem a handle is of, the same after a remount. */
static u32 realfs_tag(const struct shale_realfs *realfs, u32 fsid)
{
	u32 words[4];

	if (!realfs->has_uuid)
		return fsid;
	memcpy(words, &realfs->uuid, sizeof(words));
	return words[0] ^ words[1] ^ words[2] ^ words[3];
}

static struct shale_path object_of(const struct inode *inode)
{
	const struct shale_stack *lower = shale_inode_lower(inode);

	if (lower)
		return lower->path[0];
	return (struct shale_path) {
		.layer = shale_upper_layer(SHALE_FS(inode->i_sb)),
		.dentry = shale_inode_upper(inode),
	};
}

static int shale_encode_fh(struct inode *inode, u32 *words, int *max_words, struct inode *parent)
{
	struct shale_fs *fs = SHALE_FS(inode->i_sb);
	const struct shale_path object = object_of(inode);
	const struct shale_realfs *realfs = &fs->realfs[object.layer->fsid];
	struct handle *handle = (struct handle *)words;
	struct shale_real_fh fh = {
		.words = handle->fid,
		.nr = max(*max_words - (int)HANDLE_WORDS, 0),
	};
	int err;

	if (!realfs->has_handles)
		return FILEID_INVALID;
	err = shale_real_encode_fh(object.dentry, &fh);
	*max_words = fh.nr + HANDLE_WORDS;
	if (err)
		return FILEID_INVALID;
	*handle = (struct handle) {
		.version = HANDLE_VERSION,
		.type = fh.type,
		.is_upper = !object.layer->index,
		.realfs = realfs_tag(realfs, object.layer->fsid),
	};
	if (object.layer->index)
		shale_scan_begin(fs, object.layer);
	return HANDLE_TYPE;
}

static bool is_of_layer(const struct shale_layer *layer, u32 tag, struct shale_fs *fs)
{
	return layer->mnt && realfs_tag(&fs->realfs[layer->fsid], layer->fsid) == tag;
}

static const struct shale_layer *layer_of_tag(struct shale_fs *fs, u32 tag)
{
	unsigned int i;

	for (i = 0; i < fs->nr_layers; i++)
		if (is_of_layer(&fs->layers[i], tag, fs))
			return &fs->layers[i];
	return NULL;
}

static const struct shale_layer *layer_of_root(struct shale_fs *fs, const struct dentry *root)
{
	unsigned int i;

	for (i = 0; i < fs->nr_layers; i++)
		if (fs->layers[i].root == root)
			return &fs->layers[i];
	return NULL;
}

/* The layer that REAL is in: the first of whose roots is met on the way up. */
static const struct shale_layer *layer_of_real(struct shale_fs *fs, struct dentry *real)
{
	const struct shale_layer *layer;
	struct dentry *d = dget(real), *parent;

	while (!(layer = layer_of_root(fs, d)) && !IS_ROOT(d)) {
		parent = dget_parent(d);
		dput(d);
		d = parent;
	}
	dput(d);
	return layer;
}

/* The child of AT on the way down to REAL. */
static struct dentry *step_down(struct dentry *at, struct dentry *real)
{
	struct dentry *d = dget(real), *parent;

	for (;;) {
		parent = dget_parent(d);
		if (parent == at) {
			dput(parent);
			return d;
		}
		dput(d);
		if (IS_ROOT(parent)) {
			dput(parent);
			return ERR_PTR(-ESTALE);
		}
		d = parent;
	}
}

struct dentry *shale_export_lookup(struct dentry *dir, const struct qstr *name)
{
	struct qstr last = QSTR_INIT(name->name, name->len);
	struct dentry *dentry = ERR_PTR(-ESTALE);

	if (IS_ERR(dir))
		return dir;
	if (d_can_lookup(dir))
		dentry = lookup_one_unlocked(&nop_mnt_idmap, &last, dir);
	dput(dir);
	if (!IS_ERR(dentry) && d_is_negative(dentry)) {
		dput(dentry);
		return ERR_PTR(-ESTALE);
	}
	return dentry;
}

static struct dentry *lookup_same_name(struct dentry *dir, struct dentry *real)
{
	struct name_snapshot name;
	struct dentry *dentry;

	take_dentry_name_snapshot(&name, real);
	dentry = shale_export_lookup(dir, &name.name);
	release_dentry_name_snapshot(&name);
	return dentry;
}

static bool is_in_stack(const struct shale_stack *stack, const struct inode *real)
{
	unsigned int i;

	for (i = 0; stack && i < stack->nr; i++)
		if (d_inode(stack->path[i].dentry) == real)
			return true;
	return false;
}

static bool is_same(const struct inode *inode, const struct shale_path *object)
{
	const struct dentry *upper = shale_inode_upper(inode);
	const struct inode *real = d_inode(object->dentry);
	const struct shale_key key = { .ino = real->i_ino, .fsid = object->layer->fsid };

	if (!object->layer->index)
		return upper && d_inode(upper) == real;
	return shale_key_equal(&key, &SHALE_I(inode)->key) || is_in_stack(shale_inode_lower(inode), real);
}

static struct dentry *check_same(struct dentry *dentry, const struct shale_path *object)
{
	if (IS_ERR(dentry) || is_same(d_inode(dentry), object))
		return dentry;
	dput(dentry);
	return ERR_PTR(-ESTALE);
}

static struct dentry *walk_down(struct shale_fs *fs, const struct shale_path *object);

static struct dentry *walk_to_moved(struct shale_fs *fs, const struct shale_path *object)
{
	struct shale_moved *moved = kmalloc(sizeof(*moved), GFP_KERNEL);
	struct shale_path dir = { .layer = shale_upper_layer(fs) };
	struct dentry *dentry = ERR_PTR(-ESTALE);

	if (!moved)
		return ERR_PTR(-ENOMEM);
	if (!shale_moved_lookup(fs, object, moved)) {
		dir.dentry = moved->dir;
		dentry = walk_down(fs, &dir);
		dentry = shale_export_lookup(dentry, &(struct qstr)QSTR_INIT(moved->name, strlen(moved->name)));
		dput(moved->dir);
	}
	kfree(moved);
	return dentry;
}

/* What the union has of OBJECT, whose parent there is DIR, which is consumed. */
static struct dentry *step(struct shale_fs *fs, struct dentry *dir, const struct shale_path *object)
{
	struct dentry *dentry = check_same(lookup_same_name(dir, object->dentry), object);

	/* Things of the upper are where they are. The depth of this is one: what is moved is there. */
	if (!IS_ERR(dentry) || !object->layer->index)
		return dentry;
	return check_same(walk_to_moved(fs, object), object);
}

static struct dentry *walk_down(struct shale_fs *fs, const struct shale_path *object)
{
	struct shale_path at = { .layer = object->layer, .dentry = dget(object->layer->root) };
	struct dentry *dentry = dget(fs->sb->s_root), *next;

	while (at.dentry != object->dentry) {
		next = step_down(at.dentry, object->dentry);
		dput(at.dentry);
		if (IS_ERR(next)) {
			dput(dentry);
			return next;
		}
		at.dentry = next;
		/* What is not there may be further down under another name: only a record tells. */
		if (!IS_ERR(dentry) || object->layer->index)
			dentry = step(fs, dentry, &at);
	}
	dput(at.dentry);
	return dentry;
}

static struct dentry *dentry_of_real(struct shale_fs *fs, struct dentry *real)
{
	const struct shale_path object = { .layer = layer_of_real(fs, real), .dentry = real };

	return object.layer ? walk_down(fs, &object) : ERR_PTR(-ESTALE);
}

/* An upper file by itself: it will never be promoted, and so can do without a name of ours. */
static struct dentry *dentry_of_upper(struct shale_fs *fs, struct dentry *upper)
{
	const struct path path = shale_upper_path(fs, upper);
	struct shale_iget args = { .upper = dget(upper) };
	struct inode *inode;
	struct dentry *dentry;

	/* Where the rest of it is only its name tells. */
	if (shale_real_get_private(fs, &path, SHALE_XATTR_MAP, NULL, 0) >= 0) {
		dput(args.upper);
		return ERR_PTR(-ESTALE);
	}
	args.has_key = !shale_origin_get(fs, upper, &args.key);
	inode = shale_iget(fs->sb, &args);
	if (IS_ERR(inode))
		return ERR_CAST(inode);
	dentry = d_obtain_alias(inode);
	if (!IS_ERR(dentry))
		shale_set_upper_name(dentry);
	return dentry;
}

static struct dentry *open_unnamed(struct shale_fs *fs, const struct shale_layer *layer,
				   const struct shale_real_fh *fh)
{
	struct dentry *real = shale_real_decode_fh(layer, fh);
	struct dentry *dentry = ERR_PTR(-ESTALE);

	if (IS_ERR(real))
		return real;
	if (!d_is_dir(real) && d_inode(real)->i_nlink == 1)
		dentry = dentry_of_upper(fs, real);
	dput(real);
	return dentry;
}

static struct dentry *open_named(struct shale_fs *fs, const struct shale_layer *layer,
				 const struct shale_real_fh *fh)
{
	struct dentry *real = shale_real_decode_named(layer, fh, fs->indexdir);
	struct dentry *dentry;

	if (IS_ERR(real))
		return real;
	dentry = dentry_of_real(fs, real);
	dput(real);
	return dentry;
}

static struct dentry *handle_open(struct shale_fs *fs, struct handle *handle, int fid_words)
{
	const struct shale_real_fh fh = { .words = handle->fid, .nr = fid_words, .type = handle->type };
	const struct shale_layer *layer = layer_of_tag(fs, handle->realfs);
	struct dentry *dentry;

	if (!layer)
		return ERR_PTR(-ESTALE);
	if (!handle->is_upper)
		shale_scan_begin(fs, layer);
	dentry = open_named(fs, layer, &fh);
	if (dentry == ERR_PTR(-ESTALE) && handle->is_upper && !layer->index)
		dentry = open_unnamed(fs, layer, &fh);
	return dentry;
}

static struct dentry *shale_fh_to_dentry(struct super_block *sb, struct fid *fid, int words, int type)
{
	struct handle *handle = (struct handle *)fid;
	const struct cred *old;
	struct dentry *dentry;

	if (type != HANDLE_TYPE || words <= (int)HANDLE_WORDS || handle->version != HANDLE_VERSION ||
	    handle->reserved)
		return ERR_PTR(-ESTALE);
	old = shale_cred_begin(sb);
	dentry = handle_open(SHALE_FS(sb), handle, words - HANDLE_WORDS);
	shale_cred_end(old);
	return dentry;
}

static struct dentry *shale_fh_to_parent(struct super_block *sb, struct fid *fid, int words, int type)
{
	struct dentry *dentry = shale_fh_to_dentry(sb, fid, words, type), *parent;

	if (IS_ERR(dentry))
		return dentry;
	parent = dget_parent(dentry);
	dput(dentry);
	return parent;
}

const struct export_operations shale_export_ops = {
	.encode_fh = shale_encode_fh,
	.fh_to_dentry = shale_fh_to_dentry,
	.fh_to_parent = shale_fh_to_parent,
};
