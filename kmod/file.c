// SPDX-License-Identifier: GPL-2.0-only
/*
 * file.c - FACE: open regular files. Each is an open file of a layer, chosen at open; a file that is
 * promoted while it is open goes over to the upper at its next use, so that old descriptors see what
 * new ones write. Writing promotes, opening does not. Mappings are in mmap.c, directories in
 * readdir.c.
 */
#include <linux/file.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "compat/io.h"
#include "cred.h"
#include "mapio.h"
#include "parts.h"
#include "real.h"

static int shale_open(struct inode *inode, struct file *file)
{
	int err;

	err = shale_parts_open(inode) ?: shale_opened_make(file);
	if (err)
		return err;
	err = shale_mmap_prepare(file);
	if (err)
		shale_opened_release(file);
	return err;
}

static int shale_release(struct inode *inode, struct file *file)
{
	shale_opened_release(file);
	return 0;
}

/* What was read through us: the time goes to the upper. Reads of lower layers leave no trace. */
void shale_file_accessed(struct file *file)
{
	struct inode *inode = file_inode(file);
	struct dentry *upper = shale_inode_upper(inode);
	struct timespec64 mtime, seen;

	if (!upper || (file->f_flags & O_NOATIME))
		return;
	/* Stores to mappings change the upper's times behind our back, and relatime compares. */
	mtime = inode_get_mtime(d_inode(upper));
	seen = inode_get_mtime(inode);
	if (!timespec64_equal(&mtime, &seen)) {
		inode_set_mtime_to_ts(inode, mtime);
		inode_set_ctime_to_ts(inode, inode_get_ctime(d_inode(upper)));
	}
	touch_atime(&file->f_path);
}

static loff_t shale_llseek(struct file *file, loff_t offset, int whence)
{
	struct inode *inode = file_inode(file);
	const struct cred *old;
	struct shale_source src;
	loff_t pos;
	int err;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return generic_file_llseek_size(file, offset, whence, inode->i_sb->s_maxbytes,
						i_size_read(inode));
	err = shale_file_source(file, &src);
	if (err)
		return err;
	old = shale_cred_begin(inode->i_sb);
	pos = src.parts ? shale_parts_seek(file, src.parts, offset, whence) :
			  shale_real_llseek(src.real, offset, whence);
	shale_cred_end(old);
	return pos < 0 ? pos : vfs_setpos(file, pos, inode->i_sb->s_maxbytes);
}

static ssize_t shale_read_iter(struct kiocb *iocb, struct iov_iter *iter)
{
	struct file *file = iocb->ki_filp;
	const struct cred *old;
	struct shale_source src;
	ssize_t ret;

	if (!iov_iter_count(iter))
		return 0;
	ret = shale_file_source(file, &src);
	if (ret)
		return ret;
	old = shale_cred_begin(file_inode(file)->i_sb);
	if (src.parts)
		ret = shale_parts_read(src.parts, iocb, iter);
	else
		ret = shale_real_read_iter(src.real, iocb, iter);
	shale_cred_end(old);
	shale_file_accessed(file);
	return ret;
}

/* The layer's file that has what is at POS, and how much of LEN; NULL at the end. */
static struct file *splice_source(struct file *file, loff_t pos, size_t *len)
{
	struct shale_source src;
	int err = shale_file_source(file, &src);

	if (err)
		return ERR_PTR(err);
	return src.parts ? shale_parts_at(file, src.parts, pos, len) : src.real;
}

static ssize_t __maybe_unused shale_splice_read(struct file *file, loff_t *pos,
						struct pipe_inode_info *pipe, size_t len,
						unsigned int flags)
{
	struct file *real = splice_source(file, *pos, &len);
	const struct cred *old;
	ssize_t ret;

	if (IS_ERR_OR_NULL(real))
		return PTR_ERR_OR_ZERO(real);
	old = shale_cred_begin(file_inode(file)->i_sb);
	ret = shale_real_splice_read(real, pos, pipe, len, flags);
	shale_cred_end(old);
	shale_file_accessed(file);
	return ret;
}

/* The first page stands for the data, which may be dirty. */
static int settle(struct file *file)
{
	struct inode *inode = file_inode(file);
	const struct cred *old;
	struct file *real;
	int err;

	if (shale_sync_is_settled(inode))
		return 0;
	real = shale_file_real(file);
	if (IS_ERR(real))
		return PTR_ERR(real);
	old = shale_cred_begin(inode->i_sb);
	err = shale_sync(inode, NULL, real, 0, 0, false);
	shale_cred_end(old);
	return err;
}

static bool is_synced(const struct file *file)
{
	return (file->f_flags & O_DSYNC) || IS_SYNC(file_inode(file));
}

int shale_file_prepare(struct file *file, bool synced)
{
	int err = shale_promote_inode(file->f_path.dentry);

	return err || !synced ? err : settle(file);
}

bool shale_file_is_prepared(const struct inode *inode, bool synced)
{
	return shale_inode_upper(inode) && (!synced || shale_sync_is_settled(inode));
}

/* With our inode locked: no set-uid bit or capability is left, and the mounter's credentials are in force. */
static int write_begin_locked(struct file *file, struct file **ret_real, const struct cred **ret_old)
{
	int err = file_remove_privs(file);

	if (err)
		return err;
	*ret_real = shale_file_real(file);
	if (IS_ERR(*ret_real))
		return PTR_ERR(*ret_real);
	*ret_old = shale_cred_begin(file_inode(file)->i_sb);
	return 0;
}

/* Everything that writes to one file begins with the caller's credentials here: there is an upper, and our inode is
 * locked. */
static int write_begin(struct file *file, bool nowait, bool synced, struct file **ret_real,
		       const struct cred **ret_old)
{
	struct inode *inode = file_inode(file);
	int err;

	if (nowait) {
		if (!shale_file_is_prepared(inode, synced) || !inode_trylock(inode))
			return -EAGAIN;
	} else {
		err = shale_file_prepare(file, synced);
		if (err)
			return err;
		inode_lock(inode);
	}
	err = write_begin_locked(file, ret_real, ret_old);
	if (err)
		inode_unlock(inode);
	return err;
}

static void write_end(struct file *file, const struct cred *old)
{
	struct inode *inode = file_inode(file);

	shale_cred_end(old);
	shale_inode_copyattr(inode);
	inode_unlock(inode);
}

/* What went into a file in parts is not synced by the layer, which does not know of the map, nor where the layer
 * must not do so past us. */
static bool is_synced_here(const struct file *file)
{
	const struct inode *inode = file_inode(file);

	return shale_inode_parts(inode) || shale_real_logs_names(SHALE_FS(inode->i_sb));
}

static ssize_t write_sync(struct file *file, loff_t end, ssize_t done)
{
	struct kiocb iocb;

	if (done < 0 || !is_synced(file) || !is_synced_here(file))
		return done;
	init_sync_kiocb(&iocb, file);
	iocb.ki_pos = end;
	return generic_write_sync(&iocb, done);
}

/* After an asynchronous write: its submitter has left write_end() behind. */
static void write_done(struct file *file)
{
	struct inode *inode = file_inode(file);

	inode_lock(inode);
	shale_inode_copyattr(inode);
	inode_unlock(inode);
}

static ssize_t shale_write_iter(struct kiocb *iocb, struct iov_iter *iter)
{
	struct file *file = iocb->ki_filp, *real;
	struct shale_parts *parts;
	const struct cred *old;
	bool is_done = true;
	ssize_t ret;

	if (!iov_iter_count(iter))
		return 0;
	ret = write_begin(file, iocb->ki_flags & IOCB_NOWAIT, iocb_is_dsync(iocb), &real, &old);
	if (ret)
		return ret;
	parts = shale_inode_parts(file_inode(file));
	if (parts)
		ret = shale_parts_write(parts, iocb, iter, write_done, &is_done);
	else
		ret = shale_real_write_iter(real, iocb, iter, write_done);
	write_end(file, old);
	is_done &= !shale_real_logs_names(SHALE_FS(file_inode(file)->i_sb));
	return is_done || ret <= 0 ? ret : generic_write_sync(iocb, ret);
}

static ssize_t shale_splice_write(struct pipe_inode_info *pipe, struct file *file, loff_t *pos,
				  size_t len, unsigned int flags)
{
	struct shale_parts *parts;
	const struct cred *old;
	struct file *real;
	ssize_t ret;

	ret = write_begin(file, false, is_synced(file), &real, &old);
	if (ret)
		return ret;
	parts = shale_inode_parts(file_inode(file));
	if (parts)
		ret = shale_parts_splice_write(file, parts, pipe, pos, len);
	else
		ret = shale_real_splice_write(pipe, real, pos, len, flags);
	write_end(file, old);
	return write_sync(file, *pos, ret);
}

static long shale_fallocate(struct file *file, int mode, loff_t offset, loff_t len)
{
	struct shale_parts *parts;
	const struct cred *old;
	struct file *real;
	int err;

	err = write_begin(file, false, is_synced(file), &real, &old);
	if (err)
		return err;
	parts = shale_inode_parts(file_inode(file));
	if (parts)
		err = shale_parts_fallocate(file, parts, mode, offset, len);
	else
		err = shale_real_fallocate(real, mode, offset, len);
	write_end(file, old);
	if (!err)
		err = min_t(ssize_t, write_sync(file, offset + len, len), 0);
	return err;
}

static int shale_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	struct inode *inode = file_inode(file);
	struct shale_fs *fs = SHALE_FS(inode->i_sb);
	const struct cred *old;
	struct file *real;
	int err;

	if (fs->config.is_volatile)
		return errseq_check(&shale_upper_layer(fs)->mnt->mnt_sb->s_wb_err, fs->upper_err);
	if (!shale_inode_upper(inode))
		return 0;
	real = shale_file_real(file);
	if (IS_ERR(real))
		return PTR_ERR(real);
	old = shale_cred_begin(inode->i_sb);
	err = shale_sync(inode, NULL, real, start, end, datasync);
	shale_cred_end(old);
	return err;
}

static int shale_flush(struct file *file, fl_owner_t id)
{
	struct inode *inode = file_inode(file);
	const struct cred *old;
	struct file *real;
	int err;

	if (!shale_inode_upper(inode))
		return 0;
	real = shale_file_real(file);
	if (IS_ERR(real))
		return PTR_ERR(real);
	old = shale_cred_begin(inode->i_sb);
	err = shale_real_flush(real, id);
	shale_cred_end(old);
	return err;
}

static int shale_fadvise(struct file *file, loff_t offset, loff_t len, int advice)
{
	const struct cred *old;
	struct shale_source src;
	int err;

	err = shale_file_source(file, &src);
	if (err)
		return err;
	old = shale_cred_begin(file_inode(file)->i_sb);
	if (src.parts)
		err = shale_parts_fadvise(file, src.parts, offset, len, advice);
	else
		err = shale_real_fadvise(src.real, offset, len, advice);
	shale_cred_end(old);
	return err;
}

static bool is_partial(const struct file *file)
{
	return shale_inode_parts(file_inode(file));
}

/* Runs of a source that nobody changes meanwhile make one moment of it; a layer locks its own files. */
static void range_lock(const struct shale_range *r, bool both)
{
	if (both)
		lock_two_nondirectories(file_inode(r->in), file_inode(r->out));
	else
		inode_lock(file_inode(r->out));
}

static void range_unlock(const struct shale_range *r, bool both)
{
	if (both)
		unlock_two_nondirectories(file_inode(r->in), file_inode(r->out));
	else
		inode_unlock(file_inode(r->out));
}

/* What is done between the layers' files where each of ours is one, and where one has parts. */
struct range_way {
	loff_t (*op)(const struct shale_range *);
	unsigned int remap_flags;
};

/* REAL_IN: NULL where one of them has parts. */
static loff_t range_op_locked(const struct shale_range *r, struct file *real_in, const struct range_way *way)
{
	struct shale_range real = *r, ours = *r;
	const struct cred *old;
	loff_t ret;

	ret = write_begin_locked(r->out, &real.out, &old);
	if (ret)
		return ret;
	ours.flags = way->remap_flags;
	real.in = real_in;
	ret = real_in ? way->op(&real) : shale_parts_remap(&ours, real.out);
	shale_cred_end(old);
	shale_inode_copyattr(file_inode(r->out));
	return ret;
}

/* Brings bytes from one of our files to another. */
static loff_t range_op(const struct shale_range *r, const struct range_way *way)
{
	struct shale_source src;
	bool in_parts;
	loff_t ret;

	ret = shale_file_prepare(r->out, is_synced(r->out)) ?: shale_file_source(r->in, &src);
	if (ret)
		return ret;
	in_parts = src.parts || is_partial(r->out);
	range_lock(r, in_parts);
	ret = range_op_locked(r, in_parts ? NULL : src.real, way);
	range_unlock(r, in_parts);
	if (ret > 0)
		ret = write_sync(r->out, r->pos_out + ret, ret);
	return ret;
}

/* What could not be cloned at once, or is on another of our filesystems' layers, is read and written through us. */
static ssize_t shale_copy_file_range(struct file *in, loff_t pos_in, struct file *out,
				     loff_t pos_out, size_t len, unsigned int flags)
{
	static const struct range_way way = { shale_real_copy_range, REMAP_FILE_CAN_SHORTEN };
	struct shale_range r = { in, out, pos_in, pos_out, len, flags };
	ssize_t ret = range_op(&r, &way);

	if ((is_partial(in) || is_partial(out)) && (!ret || ret == -EINVAL))
		ret = -EOPNOTSUPP;
	if (ret == -EXDEV || ret == -EOPNOTSUPP)
		ret = splice_copy_file_range(in, pos_in, out, pos_out, len);
	return ret;
}

/* A promotion to save space by dedupe would cost it. */
static loff_t dedupe_below(const struct shale_range *r)
{
	const struct cred *old;
	loff_t ret;

	range_lock(r, true);
	old = shale_cred_begin(file_inode(r->out)->i_sb);
	ret = shale_parts_remap(r, NULL);
	shale_cred_end(old);
	range_unlock(r, true);
	return ret;
}

static loff_t shale_remap_file_range(struct file *in, loff_t pos_in, struct file *out,
				     loff_t pos_out, loff_t len, unsigned int flags)
{
	const struct range_way way = { shale_real_remap, flags };
	struct shale_range r = { in, out, pos_in, pos_out, len, flags };

	if (flags & ~(REMAP_FILE_DEDUP | REMAP_FILE_ADVISORY))
		return -EINVAL;
	if ((flags & REMAP_FILE_DEDUP) && !shale_inode_upper(file_inode(out)))
		return dedupe_below(&r);
	return range_op(&r, &way);
}

const struct file_operations shale_file_fops = {
	.owner = THIS_MODULE,
	.open = shale_open,
	.release = shale_release,
	.llseek = shale_llseek,
	.read_iter = shale_read_iter,
	.write_iter = shale_write_iter,
	.splice_read = COMPAT_SPLICE_READ(shale_splice_read),
	.splice_write = shale_splice_write,
	.mmap = shale_mmap,
	.fsync = shale_fsync,
	.flush = shale_flush,
	.fallocate = shale_fallocate,
	.fadvise = shale_fadvise,
	.copy_file_range = shale_copy_file_range,
	.remap_file_range = shale_remap_file_range,
	.unlocked_ioctl = shale_ioctl,
	.compat_ioctl = shale_compat_ioctl,
	.setlease = generic_setlease,
};

/* Only so that open(2) lets O_DIRECT pass: whether it is possible is the layer's to say. */
const struct address_space_operations shale_aops = {
	.direct_IO = noop_direct_IO,
};

int shale_file_init(void)
{
	return shale_real_io_init();
}

void shale_file_exit(void)
{
	shale_real_io_exit();
}
