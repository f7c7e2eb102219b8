// SPDX-License-Identifier: GPL-2.0-only
/*
 * readdir.c - FACE: listing directories, and the file operations of an open directory. What the names
 * of a merged directory are is decided in merge.c; finding one name is lookup.c's work. Called by the
 * VFS, and by remove.c and rename.c, which ask whether a directory is empty.
 *
 * A directory that exists once in the stack is read through: the names come in the layer's order, with
 * the layer's own positions, a page at a time. They are collected in the kernel and copied to the user
 * when the lock of the layer's directory is gone, so that a page fault never happens under it.
 *
 * A merged directory has its list made once and kept with the inode until the directory changes; all
 * who read it share the list. A position is an index into it. Like on any filesystem a list that is
 * being read stays as it is until it is read from the start again.
 */
#include <linux/refcount.h>

#include "cred.h"
#include "merge.h"
#include "names.h"
#include "real.h"
#include "shale.h"

#define FIRST_POS 2 /* of the first name after "." and "..", in a merged list */

struct shale_dircache {
	refcount_t ref;
	u64 version; /* of the directory when it was made */
	struct shale_merge merge;
};

/* One name of a directory that is read through. */
struct page_entry {
	loff_t pos;
	u64 ino;
	u16 len;
	u8 type;
	bool is_hidden;
	char name[];
};

/* An open directory. Protected by the file's position lock. */
struct dir_file {
	struct shale_dircache *cache; /* merged; NULL: read through, or not read yet */
	struct list_head *next;	      /* the entry at next_pos */
	loff_t next_pos;

	struct file *real;	      /* read through */
	const struct shale_layer *layer;
	unsigned int flags;	      /* for merge.h */
	void *page;		      /* entries between used_from and used_to are still to be shown */
	unsigned int used_from, used_to;
	loff_t real_pos;	      /* where the layer goes on after them */
	bool should_seek;	      /* the layer is not at real_pos */
};

static u64 ino_of(const struct inode *inode)
{
	return shale_key_to_ino(&SHALE_I(inode)->key, SHALE_FS(inode->i_sb)->fsid_bits);
}

static u64 ino_of_parent(struct dentry *dentry)
{
	struct dentry *parent = dget_parent(dentry);
	u64 ino = ino_of(d_inode(parent));

	dput(parent);
	return ino;
}

/* An object that was copied up or moved here keeps the number it had. */
static u64 ino_of_moved(struct dentry *dir, struct dentry *upperdir, const struct qstr *name, u64 ino)
{
	struct shale_fs *fs = SHALE_FS(dir->d_sb);
	struct dentry *upper;
	struct shale_key key;

	upper = shale_real_lookup(shale_upper_layer(fs), upperdir, name);
	if (IS_ERR_OR_NULL(upper))
		return ino;
	if (!shale_origin_get(fs, upper, &key))
		ino = shale_key_to_ino(&key, fs->fsid_bits);
	dput(upper);
	return ino;
}

static u64 ino_of_name(struct dentry *dir, struct dentry *upperdir, const char *s, unsigned int len,
		       u64 ino)
{
	struct qstr name = QSTR_INIT(s, len);
	struct dentry *dentry;

	name.hash = full_name_hash(dir, s, len);
	dentry = d_lookup(dir, &name);
	if (dentry && d_is_positive(dentry))
		ino = ino_of(d_inode(dentry));
	else
		ino = ino_of_moved(dir, upperdir, &name, ino);
	dput(dentry);
	return ino;
}

static u64 ino_of_layer(const struct shale_fs *fs, const struct shale_layer *layer, u64 ino)
{
	const struct shale_key key = { .ino = ino, .fsid = layer->fsid };

	return shale_key_to_ino(&key, fs->fsid_bits);
}

/* Does this directory say that files in it may be whiteouts? 1, 0 or -errno. */
static int has_xwhiteouts(struct shale_fs *fs, const struct shale_path *dir)
{
	const struct path path = shale_path_real(*dir);
	ssize_t size;
	char opaque;

	if (!dir->layer->index || !(dir->layer->flags & SHALE_LAYER_OVERLAY))
		return 0;
	size = shale_real_get_private(fs, &path, OVERLAY_XATTR_OPAQUE, &opaque, 1);
	if (size >= 0 || size == -ERANGE || size == -ENODATA || size == -EOPNOTSUPP)
		return size == 1 && opaque == 'x';
	return size;
}

static int merge_flags(struct shale_fs *fs, const struct shale_path *dir, unsigned int *ret_flags)
{
	unsigned int flags = dir->layer->flags & (SHALE_LAYER_AUFS | SHALE_LAYER_OVERLAY);
	int ret = has_xwhiteouts(fs, dir);

	if (ret < 0)
		return ret;
	if (ret)
		flags |= SHALE_MERGE_XWHITEOUTS;
	if (dir->dentry == dir->layer->root)
		flags |= SHALE_MERGE_ROOT;
	*ret_flags = flags;
	return 0;
}

static int is_name_whiteout(const struct shale_path *dir, const char *s, unsigned int len)
{
	const struct qstr name = QSTR_INIT(s, len);
	struct dentry *real;
	bool ret;

	real = shale_real_lookup(dir->layer, dir->dentry, &name);
	if (IS_ERR(real))
		return PTR_ERR(real);
	/* Gone since it was read: nothing to show either. */
	ret = !real || shale_is_whiteout(dir->layer, real);
	dput(real);
	return ret;
}

/* Making the list of a merged directory. */

struct dircache_fill {
	struct dir_context ctx;
	struct shale_fs *fs;
	const struct shale_layer *layer;
	struct shale_merge *merge;
	struct shale_names_draft *draft; /* NULL: nobody needs it */
	unsigned int place;
	int err;
};

static bool dircache_actor(struct dir_context *ctx, const char *name, int len, loff_t pos, u64 ino,
			   unsigned int type)
{
	struct dircache_fill *fill = container_of(ctx, struct dircache_fill, ctx);

	if (fill->draft)
		shale_names_add(fill->draft, fill->layer->flags, name, len, fill->place);
	fill->err = shale_merge_add(fill->merge, name, len, ino_of_layer(fill->fs, fill->layer, ino),
				    type);
	return !fill->err;
}

static int dircache_read(struct dircache_fill *fill, const struct shale_path *dir)
{
	const struct path path = shale_path_real(*dir);
	int err = shale_real_names_walk(&path, &fill->ctx);

	return err ?: fill->err;
}

static int dircache_settle(struct shale_merge *m, const struct shale_path *dir)
{
	struct shale_merge_entry *e;
	int ret;

	list_for_each_entry(e, &m->layer_entries, node) {
		if (!m->nr_suspects)
			break;
		if (!e->is_suspect)
			continue;
		ret = is_name_whiteout(dir, e->name, e->len);
		if (ret < 0)
			return ret;
		shale_merge_settle(m, e, ret);
	}
	return 0;
}

static void dircache_fix_inos(struct shale_merge *m, struct dentry *dir, struct dentry *upperdir)
{
	struct shale_merge_entry *e;

	list_for_each_entry(e, &m->layer_entries, node)
		if (!e->is_hidden)
			e->ino = ino_of_name(dir, upperdir, e->name, e->len, e->ino);
}

static int dircache_add_layer(struct shale_merge *m, struct dentry *dir, const struct shale_path *part,
			      struct shale_names_draft *draft, unsigned int place)
{
	struct shale_fs *fs = SHALE_FS(dir->d_sb);
	struct dircache_fill fill = {
		.ctx.actor = dircache_actor, .fs = fs, .layer = part->layer, .merge = m,
		.draft = draft, .place = place,
	};
	unsigned int flags;
	int err;

	err = merge_flags(fs, part, &flags);
	if (err)
		return err;
	shale_merge_layer_begin(m, flags);
	err = dircache_read(&fill, part);
	if (!err)
		err = dircache_settle(m, part);
	if (!err && part->layer == shale_upper_layer(fs) &&
	    test_bit(SHALE_I_IMPURE, &SHALE_I(d_inode(dir))->flags))
		dircache_fix_inos(m, dir, part->dentry);
	shale_merge_layer_end(m);
	return err;
}

static int dircache_fill(struct shale_merge *m, struct dentry *dir)
{
	struct shale_fs *fs = SHALE_FS(dir->d_sb);
	const struct shale_stack *lower = shale_dir_lower(d_inode(dir));
	struct shale_path upper = { shale_upper_layer(fs), shale_inode_upper(d_inode(dir)) };
	struct shale_names_draft draft = {};
	bool is_drafted = lower && lower->nr > 1 && !SHALE_I(d_inode(dir))->names;
	unsigned int i;
	int err = 0;

	if (upper.dentry)
		err = dircache_add_layer(m, dir, &upper, NULL, 0);
	for (i = 0; !err && lower && i < lower->nr; i++)
		err = dircache_add_layer(m, dir, &lower->path[i], is_drafted ? &draft : NULL, i);
	draft.err = draft.err ?: err;
	if (is_drafted)
		shale_narrow_set(d_inode(dir), shale_names_finish(&draft));
	return err;
}

static void dircache_put(struct shale_dircache *cache)
{
	if (cache && refcount_dec_and_test(&cache->ref)) {
		shale_merge_release(&cache->merge);
		kfree(cache);
	}
}

static struct shale_dircache *dircache_alloc(struct dentry *dir)
{
	struct shale_dircache *cache;
	int err;

	cache = kmalloc(sizeof(*cache), GFP_KERNEL_ACCOUNT);
	if (!cache)
		return ERR_PTR(-ENOMEM);
	refcount_set(&cache->ref, 1);
	cache->version = SHALE_I(d_inode(dir))->version;
	err = shale_merge_init(&cache->merge);
	if (!err)
		err = dircache_fill(&cache->merge, dir);
	if (err) {
		shale_merge_release(&cache->merge);
		kfree(cache);
		return ERR_PTR(err);
	}
	shale_merge_finish(&cache->merge);
	shale_stats_inc(SHALE_FS(dir->d_sb), merged_dirs);
	return cache;
}

/* The list as it is now. i_rwsem of the directory is held, creds are the mounter's. */
static struct shale_dircache *dircache_get(struct dentry *dir)
{
	struct shale_inode *si = SHALE_I(d_inode(dir));
	struct shale_dircache *cache;

	mutex_lock(&si->lock);
	cache = si->cache;
	if (!cache || cache->version != si->version) {
		cache = dircache_alloc(dir);
		if (!IS_ERR(cache)) {
			dircache_put(si->cache);
			si->cache = cache;
		}
	}
	if (!IS_ERR(cache))
		refcount_inc(&cache->ref);
	mutex_unlock(&si->lock);
	return cache;
}

void shale_dircache_free(struct shale_inode *si)
{
	dircache_put(si->cache);
	si->cache = NULL;
}

static bool has_names(const struct shale_merge *m)
{
	struct shale_merge_entry *e;

	list_for_each_entry(e, &m->entries, node)
		if (!e->is_hidden)
			return true;
	return false;
}

int shale_dir_is_empty(struct dentry *dentry)
{
	struct shale_dircache *cache = dircache_get(dentry);
	int err;

	if (IS_ERR(cache))
		return PTR_ERR(cache);
	err = has_names(&cache->merge) ? -ENOTEMPTY : 0;
	dircache_put(cache);
	return err;
}

/* Showing it. */

static bool emit_dots(struct file *file, struct dir_context *ctx)
{
	struct dentry *dentry = file->f_path.dentry;

	if (ctx->pos == 0) {
		if (!dir_emit(ctx, ".", 1, ino_of(d_inode(dentry)), DT_DIR))
			return false;
		ctx->pos = 1;
	}
	if (ctx->pos == 1) {
		if (!dir_emit(ctx, "..", 2, ino_of_parent(dentry), DT_DIR))
			return false;
		ctx->pos = FIRST_POS;
	}
	return true;
}

static void merged_seek(struct dir_file *df, loff_t pos)
{
	struct list_head *entries = &df->cache->merge.entries;

	if (df->next && df->next_pos == pos)
		return;
	df->next = entries->next;
	for (df->next_pos = FIRST_POS; df->next_pos < pos && df->next != entries; df->next_pos++)
		df->next = df->next->next;
	df->next_pos = pos;
}

static int merged_iterate(struct file *file, struct dir_context *ctx)
{
	struct dir_file *df = file->private_data;
	struct shale_merge_entry *e;

	if (!emit_dots(file, ctx))
		return 0;
	merged_seek(df, ctx->pos);
	while (df->next != &df->cache->merge.entries) {
		e = list_entry(df->next, struct shale_merge_entry, node);
		if (!e->is_hidden && !dir_emit(ctx, e->name, e->len, e->ino, e->type))
			break;
		df->next = df->next->next;
		df->next_pos = ++ctx->pos;
	}
	return 0;
}

/* Reading through. */

struct page_fill {
	struct dir_context ctx;
	struct dir_file *df;
	bool has_suspects;
};

static bool page_actor(struct dir_context *ctx, const char *name, int len, loff_t pos, u64 ino,
		       unsigned int type)
{
	struct page_fill *fill = container_of(ctx, struct page_fill, ctx);
	struct dir_file *df = fill->df;
	unsigned int size = ALIGN(offsetof(struct page_entry, name) + len, sizeof(u64));
	struct page_entry *e = df->page + df->used_to;

	if (df->used_to + size > PAGE_SIZE)
		return false;
	e->pos = pos;
	e->ino = ino;
	e->len = len;
	e->type = type;
	e->is_hidden = shale_merge_is_format_name(df->flags, name, len);
	memcpy(e->name, name, len);
	df->used_to += size;
	fill->has_suspects |= shale_merge_is_suspect(df->flags, type);
	return true;
}

static struct page_entry *page_next(struct dir_file *df, unsigned int *at)
{
	struct page_entry *e = df->page + *at;

	if (*at >= df->used_to)
		return NULL;
	*at += ALIGN(offsetof(struct page_entry, name) + e->len, sizeof(u64));
	return e;
}

static bool is_dots(const struct page_entry *e)
{
	return name_is_dot_dotdot(e->name, e->len);
}

static int page_settle(struct dir_file *df)
{
	const struct shale_path dir = { df->layer, df->real->f_path.dentry };
	struct page_entry *e;
	unsigned int at = 0;
	int ret;

	while ((e = page_next(df, &at))) {
		if (e->is_hidden || is_dots(e) || !shale_merge_is_suspect(df->flags, e->type))
			continue;
		ret = is_name_whiteout(&dir, e->name, e->len);
		if (ret < 0)
			return ret;
		e->is_hidden = ret;
	}
	return 0;
}

static void page_fix_inos(struct dir_file *df, struct dentry *dir)
{
	struct shale_fs *fs = SHALE_FS(dir->d_sb);
	bool is_impure = df->layer == shale_upper_layer(fs) &&
			 test_bit(SHALE_I_IMPURE, &SHALE_I(d_inode(dir))->flags);
	struct page_entry *e;
	unsigned int at = 0;

	while ((e = page_next(df, &at))) {
		e->ino = ino_of_layer(fs, df->layer, e->ino);
		if (is_dots(e))
			e->ino = e->len == 1 ? ino_of(d_inode(dir)) : ino_of_parent(dir);
		else if (is_impure && !e->is_hidden)
			e->ino = ino_of_name(dir, df->real->f_path.dentry, e->name, e->len, e->ino);
	}
}

/* Creds are the mounter's. Leaves the page empty at the end of the directory. */
static int page_fill(struct dir_file *df, struct dentry *dir)
{
	struct page_fill fill = { .ctx.actor = page_actor, .ctx.pos = df->real_pos, .df = df };
	int err;

	df->used_from = 0;
	df->used_to = 0;
	err = shale_real_iterate(df->real, &fill.ctx);
	df->real_pos = fill.ctx.pos;
	if (!err && fill.has_suspects)
		err = page_settle(df);
	if (!err)
		page_fix_inos(df, dir);
	return err;
}

/* False: the user's buffer is full. */
static bool page_emit(struct dir_file *df, struct dir_context *ctx)
{
	struct page_entry *e;
	unsigned int at = df->used_from;

	while ((e = page_next(df, &at))) {
		ctx->pos = e->pos;
		if (!e->is_hidden && !dir_emit(ctx, e->name, e->len, e->ino, e->type))
			return false;
		df->used_from = at;
	}
	ctx->pos = df->real_pos;
	return true;
}

static int through_seek(struct dir_file *df, loff_t pos)
{
	struct page_entry *e;
	unsigned int at = df->used_from;
	loff_t ret;

	e = page_next(df, &at);
	if (!df->should_seek && pos == (e ? e->pos : df->real_pos))
		return 0;
	df->used_to = 0;
	df->used_from = 0;
	ret = shale_real_llseek(df->real, pos, SEEK_SET);
	if (ret < 0)
		return ret;
	df->real_pos = pos;
	df->should_seek = false;
	return 0;
}

static int through_iterate(struct file *file, struct dir_context *ctx)
{
	struct dir_file *df = file->private_data;
	const struct cred *old;
	int err;

	err = through_seek(df, ctx->pos);
	/* How wide a position may be is for the reader to say; NFS servers do. */
	df->real->f_mode |= file->f_mode & (FMODE_32BITHASH | FMODE_64BITHASH);
	while (!err && page_emit(df, ctx)) {
		old = shale_cred_begin(file_inode(file)->i_sb);
		err = page_fill(df, file->f_path.dentry);
		shale_cred_end(old);
		if (!err && !df->used_to) {
			ctx->pos = df->real_pos;
			break;
		}
	}
	return err;
}

static void dir_file_forget(struct dir_file *df)
{
	dircache_put(df->cache);
	df->cache = NULL;
	df->next = NULL;
	if (df->real)
		fput(df->real);
	df->real = NULL;
	df->used_from = 0;
	df->used_to = 0;
	df->real_pos = 0;
	df->should_seek = false;
}

static int through_open(struct dir_file *df, struct shale_fs *fs, const struct shale_path *dir)
{
	const struct path path = shale_path_real(*dir);
	struct file *real;
	int err;

	if (!df->page)
		df->page = (void *)__get_free_page(GFP_KERNEL_ACCOUNT);
	if (!df->page)
		return -ENOMEM;
	err = merge_flags(fs, dir, &df->flags);
	if (err)
		return err;
	real = shale_real_open(&path, O_RDONLY | O_DIRECTORY);
	if (IS_ERR(real))
		return PTR_ERR(real);
	df->real = real;
	df->layer = dir->layer;
	return 0;
}

static int merged_open(struct dir_file *df, struct dentry *dentry)
{
	struct shale_dircache *cache = dircache_get(dentry);

	if (IS_ERR(cache))
		return PTR_ERR(cache);
	df->cache = cache;
	return 0;
}

/* Looks at the directory afresh. Creds are the mounter's. */
static int dir_file_open(struct dir_file *df, struct dentry *dentry)
{
	struct shale_fs *fs = SHALE_FS(dentry->d_sb);
	const struct shale_stack *lower = shale_dir_lower(d_inode(dentry));
	struct shale_path dir = { shale_upper_layer(fs), shale_inode_upper(d_inode(dentry)) };

	if (lower && (dir.dentry || lower->nr > 1)) {
		dir_file_forget(df);
		return merged_open(df, dentry);
	}
	if (!dir.dentry)
		dir = lower->path[0];
	if (df->real && df->real->f_path.dentry == dir.dentry)
		return 0;
	dir_file_forget(df);
	return through_open(df, fs, &dir);
}

static int shale_iterate(struct file *file, struct dir_context *ctx)
{
	struct dir_file *df = file->private_data;
	const struct cred *old;
	int err = 0;

	if (!ctx->pos || (!df->cache && !df->real)) {
		old = shale_cred_begin(file_inode(file)->i_sb);
		err = dir_file_open(df, file->f_path.dentry);
		shale_cred_end(old);
	}
	if (err)
		return err;
	return df->cache ? merged_iterate(file, ctx) : through_iterate(file, ctx);
}

static loff_t shale_dir_llseek(struct file *file, loff_t offset, int whence)
{
	struct dir_file *df = file->private_data;

	if (whence == SEEK_CUR) {
		offset += file->f_pos;
		whence = SEEK_SET;
	}
	if (df->real) {
		offset = shale_real_llseek(df->real, offset, whence);
		df->should_seek = true;
	} else if (whence != SEEK_SET || offset < 0) {
		return -EINVAL;
	}
	if (offset >= 0)
		file->f_pos = offset;
	return offset;
}

static int shale_dir_open(struct inode *inode, struct file *file)
{
	file->private_data = kzalloc(sizeof(struct dir_file), GFP_KERNEL_ACCOUNT);
	return file->private_data ? 0 : -ENOMEM;
}

static int shale_dir_release(struct inode *inode, struct file *file)
{
	struct dir_file *df = file->private_data;

	dir_file_forget(df);
	free_page((unsigned long)df->page);
	kfree(df);
	return 0;
}

static int shale_dir_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	struct inode *inode = file_inode(file);
	struct shale_fs *fs = SHALE_FS(inode->i_sb);
	struct path path = shale_upper_path(fs, shale_inode_upper(inode));
	const struct cred *old;
	struct file *real;
	int err;

	if (!path.dentry)
		return 0;
	if (fs->config.is_volatile)
		return errseq_check(&path.mnt->mnt_sb->s_wb_err, fs->upper_err);

	old = shale_cred_begin(inode->i_sb);
	real = shale_real_open(&path, O_RDONLY | O_DIRECTORY);
	err = PTR_ERR_OR_ZERO(real);
	if (!err) {
		err = shale_real_sync(fs, NULL, real, start, end, datasync);
		fput(real);
	}
	shale_cred_end(old);
	return err;
}

const struct file_operations shale_dir_fops = {
	.owner = THIS_MODULE,
	.open = shale_dir_open,
	.release = shale_dir_release,
	.read = generic_read_dir,
	.llseek = shale_dir_llseek,
	.iterate_shared = shale_iterate,
	.fsync = shale_dir_fsync,
	.unlocked_ioctl = shale_ioctl,
	.compat_ioctl = shale_compat_ioctl,
};
