// SPDX-License-Identifier: GPL-2.0-only
/*
 * real_pages.c - GROUND: data of open files of the layers as a page fault needs it: no inode is locked, since who
 * copies to or from user memory may hold its lock and wait for the fault. Reading otherwise is in real_io.c.
 */
#include <linux/highmem.h>
#include <linux/magic.h>
#include <linux/statfs.h>
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

void shale_real_use_pages(struct inode *real)
{
	if (real->i_sb->s_magic != TMPFS_MAGIC)
		compat_single_pages(real->i_mapping);
}

bool shale_real_has_room(struct shale_fs *fs, loff_t size)
{
	const struct shale_layer *upper = shale_upper_layer(fs);
	const struct path path = { .mnt = upper->mnt, .dentry = upper->root };
	struct kstatfs st;

	if (upper->mnt->mnt_sb->s_magic != TMPFS_MAGIC || shale_real_statfs(&path, &st))
		return true;
	return !st.f_blocks || size >> PAGE_SHIFT < st.f_bavail;
}

void shale_real_pages_begin(struct shale_pages *p, struct file *real, pgoff_t last)
{
	p->mapping = real->f_mapping;
	p->last = last;
	p->next = 0;
	folio_batch_init(&p->batch);
}

static void batch_put(struct folio_batch *batch)
{
	unsigned int i;

	for (i = 0; i < folio_batch_count(batch); i++)
		folio_put(batch->folios[i]);
	folio_batch_init(batch);
}

void shale_real_pages_end(struct shale_pages *p)
{
	batch_put(&p->batch);
}

/* Pages are asked for in order, mostly. */
static struct folio *page_folio_find(struct shale_pages *p, pgoff_t index)
{
	pgoff_t from = index;
	struct folio *folio;

	for (; p->next < folio_batch_count(&p->batch); p->next++) {
		folio = p->batch.folios[p->next];
		if (index < folio_next_index(folio))
			return index >= folio->index ? folio : NULL;
	}
	batch_put(&p->batch);
	p->next = 0;
	if (!filemap_get_folios(p->mapping, &from, max(p->last, index), &p->batch))
		return NULL;
	folio = p->batch.folios[0];
	return index >= folio->index ? folio : NULL;
}

/* Memory behind the end of a file is anybody's. */
static void folio_copy_out(struct folio *folio, void *to, size_t len, loff_t pos, loff_t size)
{
	size_t valid = pos < size ? min_t(loff_t, len, size - pos) : 0;
	void *from = kmap_local_folio(folio, offset_in_folio(folio, pos));

	if (valid == PAGE_SIZE) {
		copy_page(to, from);
	} else {
		memcpy(to, from, valid);
		memset(to + valid, 0, len - valid);
	}
	kunmap_local(from);
}

bool shale_real_pages_copy(struct shale_pages *p, void *to, size_t len, loff_t pos)
{
	struct folio *folio = page_folio_find(p, pos >> PAGE_SHIFT);

	if (!folio || !folio_test_uptodate(folio))
		return false;
	folio_copy_out(folio, to, len, pos, i_size_read(p->mapping->host));
	return true;
}
