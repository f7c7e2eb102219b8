// SPDX-License-Identifier: GPL-2.0-only
/*
 * layer.c - MODEL: the layers of a mount: opening them, telling their filesystems apart, and the
 * checks and claims that keep two users of one directory apart. What the writable one has to be able
 * to do is in upper.c. Called at mount and unmount by super.c.
 */
#include <linux/bsearch.h>
#include <linux/fs_context.h>
#include <linux/log2.h>
#include <linux/mount.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "real.h"
#include "upper.h"

/* Directories that a writable mount has for itself. */
struct shale_claim {
	struct list_head node;
	struct inode *inode; /* pinned by the mount's own layer */
	struct shale_claim *next;  /* of the same mount */
};

static DEFINE_MUTEX(claims_lock);
static LIST_HEAD(claims);

static bool is_claimed_locked(struct inode *inode)
{
	const struct shale_claim *claim;

	list_for_each_entry(claim, &claims, node)
		if (claim->inode == inode)
			return true;
	/* overlayfs marks its own this way. */
	return inode_state_read_once(inode) & I_OVL_INUSE;
}

static int claim_directory(struct shale_fs *fs, struct fs_context *fc, const char *option,
			   const struct path *path)
{
	struct shale_claim *claim = kmalloc(sizeof(*claim), GFP_KERNEL);
	bool is_taken;

	if (!claim)
		return -ENOMEM;
	claim->inode = d_inode(path->dentry);
	mutex_lock(&claims_lock);
	is_taken = is_claimed_locked(claim->inode);
	if (!is_taken) {
		list_add(&claim->node, &claims);
		claim->next = fs->claims;
		fs->claims = claim;
	}
	mutex_unlock(&claims_lock);
	if (!is_taken)
		return 0;
	kfree(claim);
	errorfc(fc, "%s: is in use by another mount", option);
	return -EBUSY;
}

static void claims_release(struct shale_fs *fs)
{
	struct shale_claim *claim;

	mutex_lock(&claims_lock);
	while ((claim = fs->claims)) {
		fs->claims = claim->next;
		list_del(&claim->node);
		kfree(claim);
	}
	mutex_unlock(&claims_lock);
}

static int realfs_find(struct shale_fs *fs, const struct shale_layer *layer,
		       struct shale_realfs *ret_new)
{
	struct path root = { .mnt = layer->mnt, .dentry = layer->root };
	struct super_block *sb = layer->mnt->mnt_sb;
	struct kstat stat;
	unsigned int i;
	int err;

	err = shale_real_getattr(&root, &stat, STATX_INO, AT_STATX_DONT_SYNC);
	if (err)
		return err;
	for (i = 0; i < fs->nr_realfs; i++)
		if (fs->realfs[i].sb == sb && fs->realfs[i].dev == stat.dev)
			return i;
	*ret_new = (struct shale_realfs){
		.sb = sb,
		.dev = stat.dev,
		.has_uuid = !uuid_is_null(&sb->s_uuid),
		.has_handles = sb->s_export_op,
	};
	uuid_copy(&ret_new->uuid, &sb->s_uuid);
	return fs->nr_realfs;
}

/* Two filesystems of one uuid, snapshots or copies, cannot be told apart by what is on disk. */
static void realfs_forget_twins(struct shale_fs *fs, struct shale_realfs *new)
{
	unsigned int i;

	for (i = 0; i < fs->nr_realfs; i++) {
		if (!new->has_uuid || !uuid_equal(&fs->realfs[i].uuid, &new->uuid))
			continue;
		fs->realfs[i].has_uuid = false;
		new->has_uuid = false;
		return;
	}
}

static int realfs_assign(struct shale_fs *fs, struct shale_layer *layer)
{
	struct shale_realfs new;
	int fsid = realfs_find(fs, layer, &new);

	if (fsid < 0)
		return fsid;
	if (fsid == fs->nr_realfs) {
		realfs_forget_twins(fs, &new);
		fs->realfs[fs->nr_realfs++] = new;
	}
	layer->fsid = fsid;
	return 0;
}

int shale_layer_fsid_of_uuid(struct shale_fs *fs, const u8 uuid[16])
{
	unsigned int i;

	for (i = 0; i < fs->nr_realfs; i++)
		if (fs->realfs[i].has_uuid && !memcmp(fs->realfs[i].uuid.b, uuid, UUID_SIZE))
			return i;
	return -ENOENT;
}

/* A layer whose root says which family of whiteouts it has need not be searched for the other. */
static void whiteouts_narrow(struct shale_layer *layer)
{
	struct path root = { .mnt = layer->mnt, .dentry = layer->root };
	unsigned int family = 0;
	char word[8];
	ssize_t len;

	len = shale_real_get_private(layer->fs, &root, SHALE_XATTR_WHITEOUT, word, sizeof(word));
	if (len == 7 && !memcmp(word, "overlay", 7))
		family = SHALE_LAYER_OVERLAY;
	else if (len == 4 && !memcmp(word, "aufs", 4))
		family = SHALE_LAYER_AUFS;
	if (family)
		layer->flags &= family;
}

/* A layer that was an upper may hold files of which it has only some blocks. */
static int maps_look(struct shale_layer *layer)
{
	struct dentry *dir = shale_real_lookup_path(layer, SHALE_PRIVATE_DIR "/" SHALE_MAP_DIR);

	if (IS_ERR(dir))
		return PTR_ERR(dir);
	layer->has_maps = dir;
	dput(dir);
	return 0;
}

/* Takes the name out of DIR. */
static int layer_open(struct shale_fs *fs, struct fs_context *fc, const char *option,
		      struct shale_dir_param *dir, struct shale_layer *layer)
{
	const struct dentry *root = dir->path.dentry;
	struct vfsmount *mnt;

	layer->fs = fs;
	if (root->d_flags & (DCACHE_OP_HASH | DCACHE_OP_COMPARE))
		return invalfc(fc, "%s: '%s' ignores case, names could not be told apart", option,
			       dir->name);
	if (root->d_sb->s_stack_depth >= FILESYSTEM_MAX_STACK_DEPTH)
		return invalfc(fc, "%s: '%s' is stacked on other filesystems too deeply", option,
			       dir->name);
	mnt = clone_private_mount(&dir->path);
	if (IS_ERR(mnt)) {
		errorfc(fc, "%s: cannot use '%s' privately (%ld)", option, dir->name, PTR_ERR(mnt));
		return PTR_ERR(mnt);
	}
	layer->mnt = mnt;
	layer->root = mnt->mnt_root;
	layer->name = dir->name;
	dir->name = NULL;
	fs->sb->s_stack_depth = max(fs->sb->s_stack_depth, root->d_sb->s_stack_depth + 1);
	return realfs_assign(fs, layer);
}

static int upper_open(struct shale_fs *fs, struct fs_context *fc, struct shale_params *params)
{
	struct shale_layer *layer = shale_upper_layer(fs);
	int err;

	err = shale_upper_check(fc, &params->upper.path, &params->work.path);
	if (!err)
		err = layer_open(fs, fc, "upperdir", &params->upper, layer);
	if (err)
		return err;
	/* Access times of the upper are its own business; ours decides by our mount's flags. */
	layer->mnt->mnt_flags &= ~(MNT_NOATIME | MNT_NODIRATIME | MNT_RELATIME);
	layer->flags = SHALE_LAYER_UPPER | SHALE_LAYER_OVERLAY;
	layer->has_maps = true;
	fs->config.upperdir = kstrdup(layer->name, GFP_KERNEL);
	fs->config.workdir = params->work.name;
	params->work.name = NULL;
	if (!fs->config.upperdir)
		return -ENOMEM;
	err = claim_directory(fs, fc, "upperdir", &params->upper.path);
	return err ?: claim_directory(fs, fc, "workdir", &params->work.path);
}

static int lower_open(struct shale_fs *fs, struct fs_context *fc, struct shale_dir_param *dir,
		      struct shale_layer *layer)
{
	int err = layer_open(fs, fc, "lowerdir", dir, layer);

	if (err)
		return err;
	layer->mnt->mnt_flags |= MNT_READONLY | MNT_NOATIME;
	layer->flags = fs->config.whiteout;
	whiteouts_narrow(layer);
	return maps_look(layer);
}

static int pointer_compare(const void *a, const void *b)
{
	const struct dentry *x = *(const struct dentry *const *)a;
	const struct dentry *y = *(const struct dentry *const *)b;

	return x < y ? -1 : x > y;
}

static bool has_root_above(struct dentry *const *roots, unsigned int nr, struct dentry *dentry)
{
	struct dentry *at, *parent;
	bool ret = false;

	for (at = dget(dentry); !IS_ROOT(at) && !ret; at = parent) {
		parent = dget_parent(at);
		ret = bsearch(&parent, roots, nr, sizeof(*roots), pointer_compare);
		dput(at);
	}
	dput(at);
	return ret;
}

/* No layer may hold another, or a change of the upper would change a lower one. */
static int overlap_check(struct fs_context *fc, struct dentry **roots, unsigned int nr)
{
	unsigned int i;

	sort(roots, nr, sizeof(*roots), pointer_compare, NULL);
	for (i = 0; i < nr; i++) {
		if ((i && roots[i] == roots[i - 1]) || has_root_above(roots, nr, roots[i])) {
			errorfc(fc, "layers overlap: '%pd4' is in the stack twice", roots[i]);
			return -ELOOP;
		}
	}
	return 0;
}

static int layers_separate(struct shale_fs *fs, struct fs_context *fc, struct shale_params *params)
{
	struct dentry **roots;
	unsigned int i, nr = 0;
	int err;

	roots = kvmalloc_array(fs->nr_layers + 1, sizeof(*roots), GFP_KERNEL);
	if (!roots)
		return -ENOMEM;
	for (i = 0; i < fs->nr_layers; i++)
		if (fs->layers[i].mnt)
			roots[nr++] = fs->layers[i].root;
	if (params->work.path.dentry)
		roots[nr++] = params->work.path.dentry;
	err = overlap_check(fc, roots, nr);
	kvfree(roots);
	return err;
}

static int layers_alloc(struct shale_fs *fs, unsigned int nr)
{
	unsigned int i;

	fs->layers = kvcalloc(nr, sizeof(*fs->layers), GFP_KERNEL);
	fs->realfs = kvcalloc(nr, sizeof(*fs->realfs), GFP_KERNEL);
	if (!fs->layers || !fs->realfs)
		return -ENOMEM;
	fs->nr_layers = nr;
	for (i = 0; i < nr; i++)
		fs->layers[i].index = i;
	return 0;
}

/* What is open when it fails is closed by shale_layers_close(). */
int shale_layers_open(struct shale_fs *fs, struct fs_context *fc)
{
	struct shale_params *params = fc->fs_private;
	unsigned int i;
	int err;

	err = layers_alloc(fs, params->nr_lower + 1);
	if (!err && params->upper.name)
		err = upper_open(fs, fc, params);
	for (i = 1; !err && i < fs->nr_layers; i++)
		err = lower_open(fs, fc, &params->lower[i - 1], &fs->layers[i]);
	if (err)
		return err;
	fs->fsid_bits = order_base_2(fs->nr_realfs);
	err = layers_separate(fs, fc, params);
	if (!err && shale_has_upper(fs))
		err = shale_upper_prepare(fs, fc, &params->work.path);
	return err;
}

/* A private mount counts as in use until it is unmounted, its last reference frees nothing. One grace
 * period does for all; the array takes the memory of the layers it is made of. */
static void layers_unmount(struct shale_fs *fs)
{
	struct vfsmount **mounts = (struct vfsmount **)fs->layers;
	struct vfsmount *mnt;
	unsigned int i, nr = 0;

	for (i = 0; i < fs->nr_layers; i++) {
		kfree(fs->layers[i].name);
		mnt = fs->layers[i].mnt;
		if (mnt)
			mounts[nr++] = mnt;
	}
	kern_unmount_array(mounts, nr);
}

void shale_layers_close(struct shale_fs *fs)
{
	shale_upper_release(fs);
	claims_release(fs);
	layers_unmount(fs);
	kfree(fs->config.upperdir);
	kfree(fs->config.workdir);
	kvfree(fs->layers);
	kvfree(fs->realfs);
}
