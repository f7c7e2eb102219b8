/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * io.h - I/O on open files of the layers, where kernels differ. For file.c, mmap.c and real_io.c.
 */
#ifndef _SHALE_COMPAT_IO_H
#define _SHALE_COMPAT_IO_H

#include <linux/cred.h>
#include <linux/fs.h>
#ifdef HAVE_FILELOCK_H
#include <linux/filelock.h>
#endif
#include <linux/mm.h>
#include <linux/splice.h>
#include <linux/uio.h>
#ifdef HAVE_BACKING_FILE
#include <linux/backing-file.h>
#endif

/* Lets the issuer end a write in its own context; only some kernels know it. */
#ifndef IOCB_DIO_CALLER_COMP
#define IOCB_DIO_CALLER_COMP 0
#endif
#ifndef IOCB_AIO_RW
#define IOCB_AIO_RW 0
#endif

#ifndef HAVE_ITER_IOV
static inline const struct iovec *iter_iov(const struct iov_iter *iter)
{
	return iter->iov;
}

#define iter_iov_addr(iter) (iter_iov(iter)->iov_base + (iter)->iov_offset)
#define iter_iov_len(iter)  (iter_iov(iter)->iov_len - (iter)->iov_offset)
#endif

/* Can FILE's filesystem write through the page cache without waiting? Others say EOPNOTSUPP to that. */
static inline bool compat_can_cache_nowait(const struct file *file)
{
#ifdef FOP_BUFFER_WASYNC
	return file->f_op->fop_flags & FOP_BUFFER_WASYNC;
#else
	return file->f_mode & FMODE_BUF_WASYNC;
#endif
}

/* Kernels without vfs_splice_read() splice through ->read_iter of our own file. */
#ifdef HAVE_VFS_SPLICE_READ
#define COMPAT_SPLICE_READ(fn) fn
#else
#define COMPAT_SPLICE_READ(fn) generic_file_splice_read

static inline ssize_t vfs_splice_read(struct file *in, loff_t *pos, struct pipe_inode_info *pipe,
				      size_t len, unsigned int flags)
{
	return in->f_op->splice_read ? in->f_op->splice_read(in, pos, pipe, len, flags) : -EINVAL;
}
#endif

#ifndef HAVE_SPLICE_COPY_FILE_RANGE
static inline long splice_copy_file_range(struct file *in, loff_t pos_in, struct file *out,
					  loff_t pos_out, size_t len)
{
	return generic_copy_file_range(in, pos_in, out, pos_out, len, 0);
}
#endif

/* Makes VMA, a mapping of a file of ours, one of REAL, with the rights of the current credentials. */
static inline int compat_backing_mmap(struct file *real, struct vm_area_struct *vma)
{
#ifdef HAVE_BACKING_FILE
	struct backing_file_ctx ctx = {
		.cred = current_cred(),
#ifdef HAVE_BACKING_MMAP_USER_FILE
		.user_file = vma->vm_file,
#endif
	};

	return backing_file_mmap(real, vma, &ctx);
#else
	if (!real->f_op->mmap)
		return -ENODEV;
	vma_set_file(vma, real);
	return call_mmap(real, vma);
#endif
}

#endif /* _SHALE_COMPAT_IO_H */
