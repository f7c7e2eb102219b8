// SPDX-License-Identifier: GPL-2.0-only
/*
 * export.c - FACE: file handles, for NFS servers, name_to_handle_at(2) and fanotify. Called by the
 * VFS. Handles of the layers' objects are made and opened in real_handle.c.
 *
 * A handle is a handle of the object that is on top: the upper's if there is one, else the lower's.
 * It is opened by finding that object again and walking from our root down the path it has in its
 * layer. What comes out must be it, or have been it before it was copied up; else the handle is
 * stale. So a handle outlives copy-up, remount and eviction from the cache. A handle of an object of
 * a lower layer goes stale once the object, or a directory above it, was renamed in the union.
 */
#include <linux/exportfs.h>

#include "compat/dirops.h"
#include "cred.h"
#include "real.h"
#include "shale.h"

#define HANDLE_TYPE    0xe6 /* of ours, in no other filesystem's list */
#define HANDLE_VERSION 1

/* Opaque to everybody else and only opened on the machine that made it, so in its byte order. */
struct handle {
	u8 version;
	u8 type; /* of fid */
	u16 reserved;
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

/* The object that stands for INODE. An indexed file's upper may have no name but its index entry. */
static struct shale_path object_of(const struct inode *inode)
{
	const struct shale_stack *lower = shale_inode_lower(inode);
	struct shale_path upper = {
		.layer = shale_upper_layer(SHALE_FS(inode->i_sb)),
		.dentry = shale_inode_upper(inode),
	};

	if (!upper.dentry || (lower && test_bit(SHALE_I_INDEXED, &SHALE_I(inode)->flags)))
		return lower->path[0];
	return upper;
}

static int shale_encode_fh(struct inode *inode, u32 *words, int *max_words, struct inode *parent)
{
	struct shale_fs *fs = SHALE_FS(inode->i_sb);
	const struct shale_path object = object_of(inode);
	u32 fsid = object.layer->fsid;
	struct handle *handle = (struct handle *)words;
	int fid_words = *max_words - (int)HANDLE_WORDS;
	int type;

	if (!fs->realfs[fsid].has_handles)
		return FILEID_INVALID;
	if (fid_words < 0)
		fid_words = 0;
	type = shale_real_encode_fh(object.dentry, (struct fid *)handle->fid, &fid_words);
	*max_words = fid_words + HANDLE_WORDS;
	if (type < 0 || type == FILEID_INVALID)
		return FILEID_INVALID;
	*handle = (struct handle) {
		.version = HANDLE_VERSION,
		.type = type,
		.realfs = realfs_tag(&fs->realfs[fsid], fsid),
	};
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

/* What we have in DIR, which is consumed, under the name of a layer's object. */
static struct dentry *lookup_same_name(struct dentry *dir, struct dentry *real)
{
	struct name_snapshot name;
	struct dentry *dentry = ERR_PTR(-ESTALE);

	take_dentry_name_snapshot(&name, real);
	if (d_can_lookup(dir))
		dentry = lookup_one_unlocked(&nop_mnt_idmap, &name.name, dir);
	release_dentry_name_snapshot(&name);
	dput(dir);
	if (!IS_ERR(dentry) && d_is_negative(dentry)) {
		dput(dentry);
		return ERR_PTR(-ESTALE);
	}
	return dentry;
}

static struct dentry *walk_down(struct shale_fs *fs, const struct shale_layer *layer, struct dentry *real)
{
	struct dentry *at = dget(layer->root), *dentry = dget(fs->sb->s_root), *next;

	while (at != real && !IS_ERR(dentry)) {
		next = step_down(at, real);
		dput(at);
		if (IS_ERR(next)) {
			dput(dentry);
			return next;
		}
		at = next;
		dentry = lookup_same_name(dentry, at);
	}
	dput(at);
	return dentry;
}

static bool is_same(struct shale_fs *fs, const struct inode *inode, const struct shale_layer *layer,
		    const struct dentry *real)
{
	const struct dentry *upper = shale_inode_upper(inode);
	const struct shale_key key = { .ino = d_inode(real)->i_ino, .fsid = layer->fsid };

	if (upper && d_inode(upper) == d_inode(real))
		return true;
	return layer != shale_upper_layer(fs) && shale_key_equal(&key, &SHALE_I(inode)->key);
}

static struct dentry *dentry_of_real(struct shale_fs *fs, struct dentry *real)
{
	const struct shale_layer *layer = layer_of_real(fs, real);
	struct dentry *dentry;

	if (!layer)
		return ERR_PTR(-ESTALE);
	dentry = walk_down(fs, layer, real);
	if (!IS_ERR(dentry) && !is_same(fs, d_inode(dentry), layer, real)) {
		dput(dentry);
		return ERR_PTR(-ESTALE);
	}
	return dentry;
}

static struct dentry *handle_open(struct shale_fs *fs, struct handle *handle, int fid_words)
{
	const struct shale_layer *layer = layer_of_tag(fs, handle->realfs);
	struct dentry *real, *dentry;

	if (!layer)
		return ERR_PTR(-ESTALE);
	real = shale_real_decode_fh(layer, (struct fid *)handle->fid, fid_words, handle->type,
				    fs->indexdir);
	if (IS_ERR(real))
		return real;
	dentry = dentry_of_real(fs, real);
	dput(real);
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
