// SPDX-License-Identifier: GPL-2.0-only
/*
 * real_pages.c - GROUND: data of open files of the layers as a page fault needs it: no inode is locked, since who
 * copies to or from user memory may hold its lock and wait for the fault. Reading otherwise is in real_io.c.
 */
#include <linux/highmem.h>
#include <linux/pagemap.h>
#include <linux/uio.h>

#include "real.h"

/* The page cache of some filesystems cannot be read past them: they keep pages elsewhere, or are stacked.
 * None of those locks an inode to read. */
static ssize_t iter_read(struct file *real, struct kiocb *iocb, struct iov_iter *iter)
{
	if (real->f_mapping->a_ops->read_folio)
		return filemap_read(iocb, iter, 0);
	return vfs_iocb_iter_read(real, iocb, iter);
}

int shale_real_read_pages(struct file *real, void *buf, size_t len, loff_t pos)
{
	struct kvec vec = { .iov_base = buf, .iov_len = len };
	struct iov_iter iter;
	struct kiocb iocb;
	ssize_t ret;

	init_sync_kiocb(&iocb, real);
	iocb.ki_pos = pos;
	iov_iter_kvec(&iter, ITER_DEST, &vec, 1, len);
	do {
		ret = iter_read(real, &iocb, &iter);
	} while (ret > 0 && iov_iter_count(&iter));
	if (ret < 0)
		return ret;
	iov_iter_zero(iov_iter_count(&iter), &iter);
	return 0;
}

/* Memory behind the end of a file is anybody's. */
static void folio_copy_out(struct folio *folio, void *to, size_t len, loff_t pos, loff_t size)
{
	size_t valid = pos < size ? min_t(loff_t, len, size - pos) : 0;
	void *from = kmap_local_folio(folio, offset_in_folio(folio, pos));

	memcpy(to, from, valid);
	memset(to + valid, 0, len - valid);
	kunmap_local(from);
}

bool shale_real_copy_cached(struct file *real, void *to, size_t len, loff_t pos)
{
	struct folio *folio = filemap_get_folio(real->f_mapping, pos >> PAGE_SHIFT);
	bool is_there;

	if (IS_ERR_OR_NULL(folio))
		return false;
	is_there = folio_test_uptodate(folio);
	if (is_there)
		folio_copy_out(folio, to, len, pos, i_size_read(real->f_mapping->host));
	folio_put(folio);
	return is_there;
}
