// SPDX-License-Identifier: GPL-2.0-only
/*
 * super.c - FACE: superblocks: filling one, its operations, the memory of inodes, and the operations
 * of dentries, which are the same for all of a superblock. Options are in params.c, layers in
 * layer.c. Called by the VFS.
 */
#include <linux/fs_context.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/statfs.h>

#include "compat/super.h"
#include "cred.h"
#include "mapio.h"
#include "names.h"
#include "parts.h"
#include "real.h"
#include "scan.h"

static struct kmem_cache *inode_cache;

static struct inode *shale_alloc_inode(struct super_block *sb)
{
	struct shale_inode *si = alloc_inode_sb(sb, inode_cache, GFP_KERNEL);

	if (!si)
		return NULL;
	si->__upper = NULL;
	si->lower = NULL;
	si->key = (struct shale_key){};
	si->flags = 0;
	si->redirect = NULL;
	si->cache = NULL;
	si->names = NULL;
	si->patience = 0;
	si->version = 0;
	si->__parts = NULL;
	si->__shadow = NULL;
	return &si->vfs_inode;
}

/* Walks under RCU may still come to ->permission, and find real dentries without an inode. */
static void shale_destroy_inode(struct inode *inode)
{
	struct shale_inode *si = SHALE_I(inode);

	if (S_ISDIR(inode->i_mode)) {
		shale_dircache_free(si);
		shale_names_free(si->names);
	} else {
		shale_parts_free(si->__shadow ?: si->__parts);
	}
	kfree(si->redirect);
	dput(si->__upper);
	shale_stack_put(si->lower);
}

/* After a grace period. */
static void shale_free_inode(struct inode *inode)
{
	kvfree(SHALE_I(inode)->lower);
	kmem_cache_free(inode_cache, SHALE_I(inode));
}

static void inode_once(void *object)
{
	struct shale_inode *si = object;

	inode_init_once(&si->vfs_inode);
	mutex_init(&si->lock);
}

int shale_super_init(void)
{
	inode_cache = kmem_cache_create("shale_inode", sizeof(struct shale_inode), 0,
					SLAB_RECLAIM_ACCOUNT | SLAB_ACCOUNT, inode_once);
	return inode_cache ? 0 : -ENOMEM;
}

void shale_super_exit(void)
{
	/* Inodes are freed after a grace period. */
	rcu_barrier();
	kmem_cache_destroy(inode_cache);
}

static int shale_statfs(struct dentry *dentry, struct kstatfs *st)
{
	const struct cred *old = shale_cred_begin(dentry->d_sb);
	struct path path;
	int err;

	shale_inode_top(d_inode(dentry->d_sb->s_root), &path);
	err = shale_real_statfs(&path, st);
	shale_cred_end(old);
	st->f_type = SHALE_SUPER_MAGIC;
	st->f_namelen = min_t(long, st->f_namelen, NAME_MAX);
	return err;
}

/* What the upper's filesystem has lost since we looked last is told once to each descriptor of ours, as there. */
static void lost_tell(struct super_block *sb)
{
	struct shale_fs *fs = SHALE_FS(sb);
	int err;

	mutex_lock(&fs->unsaved_mutex);
	err = errseq_check_and_advance(&shale_upper_layer(fs)->mnt->mnt_sb->s_wb_err, &fs->upper_told);
	mutex_unlock(&fs->unsaved_mutex);
	if (err)
		errseq_set(&sb->s_wb_err, err);
}

int shale_sync_fs(struct super_block *sb, int wait)
{
	struct shale_fs *fs = SHALE_FS(sb);
	int err;

	if (!shale_has_upper(fs))
		return 0;
	err = shale_mapio_flush_all(fs);
	if (err)
		return err;
	/* Nobody promised durability, but that an error would be lost was not promised either. */
	if (fs->config.is_volatile)
		return errseq_check(&shale_upper_layer(fs)->mnt->mnt_sb->s_wb_err, fs->upper_err);
	err = shale_real_sync_fs(fs, wait);
	if (wait)
		lost_tell(sb);
	return err;
}

/* All that has to stop stops at our own gate for writers; nothing of ours is left unwritten. */
static int shale_freeze_fs(struct super_block *sb)
{
	return shale_sync_fs(sb, 1);
}

static void fs_free(struct shale_fs *fs)
{
	shale_layers_close(fs);
	shale_stats_release(fs);
	if (fs->creds)
		put_cred(fs->creds);
	kfree(fs);
}

static void shale_put_super(struct super_block *sb)
{
	shale_genl_unmounted(SHALE_FS(sb));
	fs_free(SHALE_FS(sb));
	sb->s_fs_info = NULL;
}

/* A scan holds dentries, maps that are not saved hold their inodes. */
void shale_kill_sb(struct super_block *sb)
{
	if (sb->s_root) {
		shale_scan_stop(SHALE_FS(sb));
		shale_mapio_stop(SHALE_FS(sb));
	}
	kill_anon_super(sb);
}

static const struct super_operations super_ops = {
	.alloc_inode = shale_alloc_inode,
	.free_inode = shale_free_inode,
	.destroy_inode = shale_destroy_inode,
	.drop_inode = inode_just_drop,
	.put_super = shale_put_super,
	.sync_fs = shale_sync_fs,
	.freeze_fs = shale_freeze_fs,
	.statfs = shale_statfs,
	.show_options = shale_show_options,
};

/* The object that a user of a file's path as an object of one filesystem has to get: the data's. */
static struct dentry *shale_d_real(struct dentry *dentry, enum d_real_type type)
{
	struct path path;

	if (!d_is_reg(dentry))
		return dentry;
	if (type == D_REAL_METADATA)
		shale_inode_top(d_inode(dentry), &path);
	else
		shale_inode_data(d_inode(dentry), &path);
	return compat_d_real(path.dentry, type);
}

/* The real dentry of DENTRY that has INODE, which was found by opening it. */
static struct dentry *d_real_of_inode(struct dentry *dentry, const struct inode *inode)
{
	const struct shale_stack *lower;
	struct dentry *upper;

	if (!d_is_reg(dentry) || d_inode(dentry) == inode)
		return dentry;
	upper = shale_inode_upper(d_inode(dentry));
	if (upper && d_inode(upper) == inode)
		return upper;
	lower = shale_inode_lower(d_inode(dentry));
	if (lower)
		return compat_d_real_of_inode(lower->path[lower->nr - 1].dentry, inode);
	return dentry;
}

COMPAT_DEFINE_D_REAL(shale_d_real, d_real_of_inode)

static int revalidate_one(struct dentry *real, unsigned int flags)
{
	if (!(real->d_flags & DCACHE_OP_REVALIDATE))
		return 1;
	if (flags & LOOKUP_RCU)
		return -ECHILD;
	return shale_real_revalidate(real, flags);
}

/* For layers on filesystems whose names change by themselves. */
static int shale_d_revalidate(struct inode *dir, const struct qstr *name, struct dentry *dentry,
			      unsigned int flags)
{
	struct inode *inode = d_inode_rcu(dentry);
	const struct shale_stack *lower;
	unsigned int i;
	int ret = 1;

	if (!inode)
		return 1;
	lower = shale_inode_lower(inode);
	for (i = 0; ret > 0 && lower && i < lower->nr; i++)
		ret = revalidate_one(lower->path[i].dentry, flags);
	return ret;
}

COMPAT_DEFINE_REVALIDATE(shale_d_revalidate)

static const struct dentry_operations dentry_ops = {
	.d_real = COMPAT_D_REAL(shale_d_real),
};

static const struct dentry_operations dentry_remote_ops = {
	.d_real = COMPAT_D_REAL(shale_d_real),
	.d_revalidate = COMPAT_REVALIDATE(shale_d_revalidate),
};

static bool has_remote_layer(const struct shale_fs *fs)
{
	unsigned int i;

	for (i = 1; i < fs->nr_layers; i++)
		if (fs->layers[i].root->d_flags & DCACHE_OP_REVALIDATE)
			return true;
	return false;
}

static int fs_alloc(struct super_block *sb, const struct shale_params *params)
{
	static atomic64_t last_mount_id;
	struct shale_fs *fs = kzalloc(sizeof(*fs), GFP_KERNEL);
	struct cred *creds;

	if (!fs)
		return -ENOMEM;
	fs->sb = sb;
	fs->config = params->config;
	fs->mount_id = atomic64_inc_return(&last_mount_id);
	mutex_init(&fs->whiteout_lock);
	init_rwsem(&fs->names_sem);
	shale_mapio_init(fs);
	shale_scan_init(fs);
	INIT_LIST_HEAD(&fs->node);
	sb->s_fs_info = fs;
	creds = prepare_creds();
	if (!creds)
		return -ENOMEM;
	/* The mounter's quota is not what a user of the mount may exceed. */
	cap_lower(creds->cap_effective, CAP_SYS_RESOURCE);
	fs->creds = creds;
	return shale_stats_init(fs);
}

static void sb_init(struct super_block *sb)
{
	struct shale_fs *fs = SHALE_FS(sb);
	const struct super_block *upper;

	sb->s_magic = SHALE_SUPER_MAGIC;
	sb->s_op = &super_ops;
	/* Older kernels do not say that they leave the table alone. */
	sb->s_xattr = (typeof(sb->s_xattr))shale_xattr_handlers;
	sb->s_export_op = &shale_export_ops;
	sb->s_maxbytes = MAX_LFS_FILESIZE;
	sb->s_time_gran = 1;
	sb->s_flags |= SB_POSIXACL;
	sb->s_iflags |= SB_I_NOUMASK | SB_I_IMA_UNVERIFIABLE_SIGNATURE |
			SB_I_EVM_HMAC_UNSUPPORTED;
	set_default_d_op(sb, has_remote_layer(fs) ? &dentry_remote_ops : &dentry_ops);
	if (!shale_has_upper(fs)) {
		sb->s_flags |= SB_RDONLY;
		return;
	}
	upper = shale_upper_layer(fs)->mnt->mnt_sb;
	sb->s_maxbytes = upper->s_maxbytes;
	sb->s_time_gran = upper->s_time_gran;
	sb->s_time_min = upper->s_time_min;
	sb->s_time_max = upper->s_time_max;
	/* What takes privileges away from a file, or gives it some, is done through us: the VFS may remember that there are
	 * none to be taken at a write. */
	sb->s_flags |= upper->s_flags & SB_NOSEC;
	fs->upper_err = errseq_sample(&shale_upper_layer(fs)->mnt->mnt_sb->s_wb_err);
	fs->upper_told = fs->upper_err;
}

/* Roots of lower layers show down to one that hides the ones below it. */
static int visible_find(struct shale_fs *fs)
{
	unsigned int i;
	int opaque;

	for (i = 1; i + 1 < fs->nr_layers; i++) {
		opaque = shale_is_opaque(&fs->layers[i], fs->layers[i].root);
		if (opaque < 0)
			return opaque;
		if (opaque)
			break;
	}
	fs->nr_visible = i + 1;
	return 0;
}

static struct shale_stack *root_stack(struct shale_fs *fs)
{
	struct shale_stack *stack = shale_stack_alloc(fs->nr_visible - 1);
	unsigned int i;

	if (!stack)
		return ERR_PTR(-ENOMEM);
	for (i = 0; i < stack->nr; i++) {
		stack->path[i].layer = &fs->layers[i + 1];
		stack->path[i].dentry = dget(fs->layers[i + 1].root);
	}
	return stack;
}

static int root_args(struct shale_fs *fs, struct shale_iget *ret_args)
{
	int err = 0;

	if (shale_has_upper(fs))
		err = shale_dir_flags(fs, shale_upper_layer(fs)->root, &ret_args->flags);
	if (!err)
		err = visible_find(fs);
	if (err)
		return err;
	ret_args->lower = root_stack(fs);
	if (IS_ERR(ret_args->lower))
		return PTR_ERR(ret_args->lower);
	if (ret_args->flags & BIT(SHALE_I_OPAQUE))
		fs->nr_visible = 1;
	if (shale_has_upper(fs))
		ret_args->upper = dget(shale_upper_layer(fs)->root);
	return 0;
}

static int root_make(struct super_block *sb)
{
	struct shale_fs *fs = SHALE_FS(sb);
	struct shale_iget args = {};
	struct inode *inode;
	int err;

	err = root_args(fs, &args);
	if (err)
		return err;
	inode = shale_iget(sb, &args);
	if (IS_ERR(inode))
		return PTR_ERR(inode);
	sb->s_root = d_make_root(inode);
	if (!sb->s_root)
		return -ENOMEM;
	if (shale_has_upper(fs))
		shale_set_upper_name(sb->s_root);
	return 0;
}

int shale_fill_super(struct super_block *sb, struct fs_context *fc)
{
	int err;

	err = fs_alloc(sb, fc->fs_private);
	if (!err)
		err = shale_layers_open(SHALE_FS(sb), fc);
	if (!err) {
		sb_init(sb);
		err = root_make(sb);
	}
	if (!err) {
		shale_genl_mounted(SHALE_FS(sb));
		return 0;
	}
	if (sb->s_fs_info) {
		fs_free(SHALE_FS(sb));
		sb->s_fs_info = NULL;
	}
	return err;
}
