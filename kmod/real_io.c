// SPDX-License-Identifier: GPL-2.0-only
/*
 * real_io.c - GROUND: data in and out of open files of the layers, asynchronous I/O included. What
 * opens and copies them is real_file.c. file.c and mmap.c call, with the mounter's credentials; for
 * what writes, the lock of our inode is held and the file is one of the upper's.
 */
#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/magic.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <linux/workqueue.h>

#include "compat/io.h"
#include "real.h"

/* What says how our caller wants to hear of the end, which is our business and not the layer's. */
#define CALLER_FLAGS \
	(IOCB_EVENTFD | IOCB_WAITQ | IOCB_ALLOC_CACHE | IOCB_AIO_RW | IOCB_DIO_CALLER_COMP)

/* One asynchronous operation. Two references: who submits may look at the kiocb after the operation
 * has ended. */
struct shale_aio {
	struct kiocb iocb; /* the layer's; holds its file */
	struct kiocb *user;
	refcount_t ref;
	shale_written_t written;
	struct work_struct work;
	long res;
};

/* And what we do ourselves, where the layer must not sync past us. */
static unsigned int not_for_layer(const struct kiocb *user)
{
	const struct shale_fs *fs = SHALE_FS(file_inode(user->ki_filp)->i_sb);

	return CALLER_FLAGS | (shale_real_logs_names(fs) ? IOCB_DSYNC | IOCB_SYNC : 0);
}

static struct workqueue_struct *aio_wq;

static void aio_put(struct shale_aio *aio)
{
	if (!refcount_dec_and_test(&aio->ref))
		return;
	fput(aio->iocb.ki_filp);
	kfree(aio);
}

/* The end of the operation, also where it ends at once. Gives the submitter's result back. */
static long aio_end(struct shale_aio *aio, long res)
{
	/* In-kernel users do not always say IOCB_WRITE. */
	if (aio->written)
		kiocb_end_write(&aio->iocb);
	aio->user->ki_pos = aio->iocb.ki_pos;
	aio_put(aio);
	return res;
}

static void aio_complete(struct shale_aio *aio, long res)
{
	struct kiocb *user = aio->user;

	res = aio_end(aio, res);
	user->ki_complete(user, res);
}

static void aio_written(struct work_struct *work)
{
	struct shale_aio *aio = container_of(work, struct shale_aio, work);

	aio->written(aio->user->ki_filp);
	aio->user->ki_pos = aio->iocb.ki_pos;
	if (aio->res > 0 && shale_real_logs_names(SHALE_FS(file_inode(aio->user->ki_filp)->i_sb)))
		aio->res = generic_write_sync(aio->user, aio->res);
	aio_complete(aio, aio->res);
}

/* May run in an interrupt, where the attributes of our inode cannot be locked. */
static void aio_done(struct kiocb *iocb, long res)
{
	struct shale_aio *aio = container_of(iocb, struct shale_aio, iocb);

	if (!aio->written) {
		aio_complete(aio, res);
		return;
	}
	aio->res = res;
	INIT_WORK(&aio->work, aio_written);
	queue_work(aio_wq, &aio->work);
}

/*
 * The access to write is there: taken anew here, as newer kernels' helper does, it would wait for a freeze that
 * waits for us. What else a helper checks was checked when REAL was opened, and for our own file.
 */
static ssize_t held_write(struct file *real, struct kiocb *iocb, struct iov_iter *iter)
{
	if (!(real->f_mode & FMODE_CAN_WRITE))
		return -EINVAL;
	return real->f_op->write_iter(iocb, iter);
}

static ssize_t aio_submit(struct file *real, struct kiocb *user, struct iov_iter *iter,
			  shale_written_t written)
{
	struct shale_aio *aio = kzalloc(sizeof(*aio), GFP_KERNEL);
	ssize_t ret;

	if (!aio)
		return -ENOMEM;
	aio->user = user;
	aio->written = written;
	refcount_set(&aio->ref, 2);
	kiocb_clone(&aio->iocb, user, get_file(real));
	aio->iocb.ki_flags &= ~(not_for_layer(user) | IOCB_HIPRI);
	aio->iocb.ki_complete = aio_done;
	if (written) {
		kiocb_start_write(&aio->iocb);
		ret = held_write(real, &aio->iocb, iter);
	} else {
		ret = vfs_iocb_iter_read(real, &aio->iocb, iter);
	}
	if (ret != -EIOCBQUEUED)
		ret = aio_end(aio, ret);
	aio_put(aio);
	return ret;
}

static bool is_async(struct kiocb *user)
{
	return !is_sync_kiocb(user) && (user->ki_flags & IOCB_DIRECT);
}

/* O_DIRECT can be set on an open file of ours whatever the layer can do. */
static bool is_possible(const struct file *real, const struct kiocb *user)
{
	return !(user->ki_flags & IOCB_DIRECT) || (real->f_mode & FMODE_CAN_ODIRECT);
}

/* XFS is one of the filesystems that also do so for reads through the page cache; those below do not. */
bool shale_real_read_locks(const struct file *real, const struct kiocb *iocb)
{
	if (iocb->ki_flags & IOCB_DIRECT)
		return true;
	switch (file_inode(real)->i_sb->s_magic) {
	case EXT4_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case TMPFS_MAGIC:
		return false;
	}
	return true;
}

ssize_t shale_real_read_iter(struct file *real, struct kiocb *user, struct iov_iter *iter)
{
	struct kiocb iocb;
	ssize_t ret;

	if (!is_possible(real, user))
		return -EINVAL;
	if (is_async(user))
		return aio_submit(real, user, iter, NULL);
	kiocb_clone(&iocb, user, real);
	iocb.ki_flags &= ~not_for_layer(user);
	ret = vfs_iocb_iter_read(real, &iocb, iter);
	user->ki_pos = iocb.ki_pos;
	return ret;
}

ssize_t shale_real_write_iter(struct file *real, struct kiocb *user, struct iov_iter *iter,
			      shale_written_t written)
{
	struct kiocb iocb;
	ssize_t ret;

	if (!is_possible(real, user))
		return -EINVAL;
	if (is_async(user))
		return aio_submit(real, user, iter, written);
	kiocb_clone(&iocb, user, real);
	iocb.ki_flags &= ~not_for_layer(user);
	file_start_write(real);
	ret = held_write(real, &iocb, iter);
	file_end_write(real);
	user->ki_pos = iocb.ki_pos;
	return ret;
}

/* For what is to be where we say and is synced by us, whatever the user's descriptor was opened with. */
static void own_iocb(struct kiocb *iocb, struct file *real, loff_t pos)
{
	init_sync_kiocb(iocb, real);
	iocb->ki_flags &= ~(IOCB_DIRECT | IOCB_APPEND | IOCB_NOWAIT | IOCB_DSYNC | IOCB_SYNC);
	iocb->ki_pos = pos;
}

ssize_t shale_real_write_held(struct file *real, struct iov_iter *iter, loff_t pos, bool is_direct)
{
	struct kiocb iocb;

	own_iocb(&iocb, real, pos);
	if (is_direct) {
		iocb.ki_flags |= IOCB_DIRECT;
		if (!is_possible(real, &iocb))
			return -EINVAL;
	}
	return held_write(real, &iocb, iter);
}

ssize_t shale_real_write_present(struct file *real, struct iov_iter *iter, loff_t pos)
{
	ssize_t ret;

	pagefault_disable();
	ret = shale_real_write_held(real, iter, pos, false);
	pagefault_enable();
	return ret;
}

int shale_real_read_buf(struct file *real, void *buf, size_t len, loff_t pos)
{
	struct kvec vec = { .iov_base = buf, .iov_len = len };
	struct iov_iter iter;
	struct kiocb iocb;
	ssize_t ret;

	own_iocb(&iocb, real, pos);
	iov_iter_kvec(&iter, ITER_DEST, &vec, 1, len);
	do {
		ret = vfs_iocb_iter_read(real, &iocb, &iter);
	} while (ret > 0 && iov_iter_count(&iter));
	if (ret < 0)
		return ret;
	iov_iter_zero(iov_iter_count(&iter), &iter);
	return 0;
}

struct buf_write {
	struct file *real;
	struct kvec vec;
	loff_t pos;
};

/* What stopped in the middle says why when it goes on. */
static long buf_write(void *arg)
{
	struct buf_write *w = arg;
	struct iov_iter iter;
	ssize_t ret;

	iov_iter_kvec(&iter, ITER_SOURCE, &w->vec, 1, w->vec.iov_len);
	do {
		ret = shale_real_write_held(w->real, &iter, w->pos, false);
		w->pos += max_t(ssize_t, ret, 0);
	} while (ret > 0 && iov_iter_count(&iter));
	return ret > 0 ? w->vec.iov_len : ret ?: -EIO;
}

ssize_t shale_real_write_buf(struct file *real, const void *buf, size_t len, loff_t pos)
{
	struct buf_write w = { real, { (void *)buf, len }, pos };

	return shale_real_unlimited_held(pos + len, buf_write, &w);
}

void shale_real_modified(struct file *real)
{
	file_update_time(real);
}

/* Neither times change nor privileges go, and a filesystem asks the inode about both. */
ssize_t shale_real_write_quietly(struct file *real, const void *buf, size_t len, loff_t pos)
{
	const unsigned int quiet = S_NOCMTIME | S_NOSEC;
	struct inode *inode = file_inode(real);
	unsigned int before;
	ssize_t ret;

	inode_lock(inode);
	before = inode->i_flags & quiet;
	inode_set_flags(inode, quiet, quiet);
	inode_unlock(inode);
	ret = shale_real_write_buf(real, buf, len, pos);
	inode_lock(inode);
	inode_set_flags(inode, before, quiet);
	inode_unlock(inode);
	return ret;
}

void shale_real_start_write(struct file *real)
{
	file_start_write(real);
}

void shale_real_end_write(struct file *real)
{
	file_end_write(real);
}

/* An error that nobody has seen cannot be told from the same one coming again, so the file's count as seen. */
struct shale_moment shale_real_errors_now(struct dentry *object)
{
	const struct inode *inode = d_inode(object);
	struct shale_moment moment = { .fs = errseq_sample(&inode->i_sb->s_wb_err) };

	errseq_check_and_advance(&inode->i_mapping->wb_err, &moment.file);
	return moment;
}

/*
 * A direct write after which a page cannot be dropped, since somebody stored to it meanwhile, says EIO of the file
 * as well, and nothing is lost then. What is lost is said of the filesystem, too.
 */
int shale_real_errors_since(struct dentry *object, struct shale_moment moment)
{
	const struct inode *inode = d_inode(object);
	int err = errseq_check(&inode->i_mapping->wb_err, moment.file);

	return errseq_check(&inode->i_sb->s_wb_err, moment.fs) ? err : 0;
}

void shale_real_errors_skip(struct file *file)
{
	errseq_check_and_advance(&file->f_mapping->wb_err, &file->f_wb_err);
}

/* btrfs enters an extent into its trees some time after its pages are written; only fiemap waits for that. */
int shale_real_write_data(struct dentry *object)
{
	struct inode *inode = d_inode(object);
	struct fiemap_extent_info info = { .fi_flags = FIEMAP_FLAG_SYNC };
	int err = filemap_write_and_wait(inode->i_mapping);

	if (err || inode->i_sb->s_magic != BTRFS_SUPER_MAGIC)
		return err;
	return inode->i_op->fiemap(inode, &info, 0, 1);
}

int shale_real_write_pages(struct file *real, loff_t pos, loff_t len)
{
	return filemap_write_and_wait_range(real->f_mapping, pos, pos + len - 1);
}

int shale_real_drop_pages(struct file *real, loff_t pos, loff_t len)
{
	struct address_space *mapping = real->f_mapping;
	int err = shale_real_write_pages(real, pos, len);

	if (err)
		return err;
	/* Pages that somebody maps stay, and are what a direct read finds as well. */
	invalidate_inode_pages2_range(mapping, pos >> PAGE_SHIFT, (pos + len - 1) >> PAGE_SHIFT);
	return 0;
}

void shale_real_forget_pages(struct file *real, loff_t pos, loff_t len)
{
	struct address_space *mapping = real->f_mapping;

	filemap_invalidate_lock(mapping);
	truncate_pagecache_range(mapping->host, pos, pos + len - 1);
	filemap_invalidate_unlock(mapping);
}

ssize_t shale_real_splice_read(struct file *real, loff_t *pos, struct pipe_inode_info *pipe,
			       size_t len, unsigned int flags)
{
	return vfs_splice_read(real, pos, pipe, len, flags);
}

ssize_t shale_real_splice_write(struct pipe_inode_info *pipe, struct file *real, loff_t *pos,
				size_t len, unsigned int flags)
{
	ssize_t ret;

	file_start_write(real);
	ret = iter_file_splice_write(pipe, real, pos, len, flags);
	file_end_write(real);
	return ret;
}

int shale_real_fallocate(struct file *real, int mode, loff_t pos, loff_t len)
{
	int err = 0;

	/* When nothing of a file is shared any more XFS forgets blocks it has set aside for dirty pages, of all of it. */
	if (mode & FALLOC_FL_UNSHARE_RANGE)
		err = filemap_write_and_wait(real->f_mapping);
	if (!err)
		err = vfs_fallocate(real, mode, pos, len);

	pr_debug("fallocate(%pD2, 0x%x, %lld, %lld) = %d\n", real, mode, pos, len, err);
	return err;
}

int shale_real_fallocate_held(struct file *real, int mode, loff_t pos, loff_t len)
{
	int err = real->f_op->fallocate ? real->f_op->fallocate(real, mode, pos, len) : -EOPNOTSUPP;

	pr_debug("fallocate(%pD2, 0x%x, %lld, %lld) = %d\n", real, mode, pos, len, err);
	return err;
}

int shale_real_fadvise(struct file *real, loff_t pos, loff_t len, int advice)
{
	return vfs_fadvise(real, pos, len, advice);
}

int shale_real_flush(struct file *real, fl_owner_t id)
{
	return real->f_op->flush ? real->f_op->flush(real, id) : 0;
}

loff_t shale_real_copy_range(const struct shale_range *r)
{
	ssize_t ret = vfs_copy_file_range(r->in, r->pos_in, r->out, r->pos_out, r->len, r->flags);

	pr_debug("copy_range(%pD2, %pD2, %lld) = %zd\n", r->in, r->out, r->len, ret);
	return ret;
}

loff_t shale_real_remap(const struct shale_range *r)
{
	loff_t ret;

	/* A look that the system call has taken at our file before it comes to each of its targets. */
	if (!r->in->f_op->remap_file_range)
		ret = -EOPNOTSUPP;
	else if (r->flags & REMAP_FILE_DEDUP)
		ret = vfs_dedupe_file_range_one(r->in, r->pos_in, r->out, r->pos_out, r->len,
						r->flags);
	else
		ret = vfs_clone_file_range(r->in, r->pos_in, r->out, r->pos_out, r->len, r->flags);
	pr_debug("remap(%pD2, %pD2, %lld, 0x%x) = %lld\n", r->in, r->out, r->len, r->flags, ret);
	return ret;
}

bool shale_real_can_clone(struct file *in, struct file *out)
{
	return in->f_op->remap_file_range && file_inode(in)->i_sb == file_inode(out)->i_sb;
}

loff_t shale_real_clone_held(const struct shale_range *r)
{
	loff_t ret = r->in->f_op->remap_file_range(r->in, r->pos_in, r->out, r->pos_out, r->len, r->flags);

	pr_debug("clone(%pD2, %pD2, %lld, 0x%x) = %lld\n", r->in, r->out, r->len, r->flags, ret);
	return ret;
}

int shale_real_mmap(struct file *real, struct vm_area_struct *vma)
{
	int err = compat_backing_mmap(real, vma);

	pr_debug("mmap(%pD2, 0x%lx) = %d\n", real, vma->vm_end - vma->vm_start, err);
	return err;
}

int shale_real_io_init(void)
{
	aio_wq = alloc_workqueue("shale_aio", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	return aio_wq ? 0 : -ENOMEM;
}

void shale_real_io_exit(void)
{
	destroy_workqueue(aio_wq);
}
