// SPDX-License-Identifier: GPL-2.0-only
/*
 * fill.c - MODEL: pages of the top part of a file that show what the parts below have. A page of a block that is not
 * the top's is filled in the page cache, under its folio's lock, and stays clean, so nothing is written and
 * the page may be dropped at any time; it comes back as the hole that it is and is filled anew. Who is shown
 * such pages, and when a block becomes the top's, is in mmap_parts.c.
 *
 * Always whole folios: the kernel maps and dirties them as a whole where it can.
 */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/slab.h>

#include "cow.h"
#include "cred.h"
#include "fill.h"

void shale_filling_begin(struct shale_filling *f, struct shale_parts *parts, pgoff_t last)
{
	f->parts = parts;
	f->last = last;
	f->len = 0;
	f->buf = NULL;
	f->pages = NULL;
	f->start = f->end = 0;
}

static void pages_put(struct shale_filling *f)
{
	if (f->pages)
		shale_real_pages_end(f->pages);
	f->pages = NULL;
}

void shale_filling_end(struct shale_filling *f)
{
	pages_put(f);
	kvfree(f->buf);
}

int shale_filling_read(struct shale_filling *f, u64 pos, u64 len)
{
	const struct cred *old;
	int err;

	pages_put(f);
	kvfree(f->buf);
	f->buf = kvmalloc(len, GFP_KERNEL);
	if (!f->buf)
		return -ENOMEM;
	f->pos = pos;
	f->len = len;
	old = shale_cred_begin(f->parts->inode->i_sb);
	err = shale_parts_below_read(f->parts, pos, len, f->buf);
	shale_cred_end(old);
	return err;
}

bool shale_fill_is_needless(struct shale_parts *parts, u64 pos, u64 len)
{
	u64 first, nr;

	shale_cow_blocks(parts->maps[0], pos, len, &first, &nr);
	return !nr;
}

/* Up to where it is one answer, as far as anybody may ask. */
static void map_look(struct shale_filling *f, u64 pos)
{
	struct shale_map *const top_and_rest[] = { f->parts->maps[0], NULL };
	struct shale_run run;

	f->generation = shale_map_generation(f->parts->maps[0]);
	run = shale_cow_run(top_and_rest, pos, max(((u64)f->last + 1) << PAGE_SHIFT, pos + PAGE_SIZE) - pos);
	f->start = pos;
	f->end = pos + run.len;
	f->is_top = !run.part;
}

/*
 * The bytes of a page that are below the top, or none. A block becomes the top's for a store with its folio locked, as
 * it is here, and the generation has grown before: so what was seen at the same one is true for this page.
 */
static u64 bytes_below(struct shale_filling *f, u64 pos)
{
	if (pos < f->start || pos >= f->end || shale_map_generation(f->parts->maps[0]) != f->generation)
		map_look(f, pos);
	return f->is_top ? 0 : min_t(u64, PAGE_SIZE, f->end - pos);
}

static struct shale_pages *pages_of(struct shale_filling *f, unsigned int part)
{
	if (f->pages && f->part == part)
		return f->pages;
	pages_put(f);
	f->pages = &f->__pages;
	f->part = part;
	shale_real_pages_begin(f->pages, f->parts->below[part], f->last);
	return f->pages;
}

static bool cached_copy(struct shale_filling *f, u8 *to, u64 len, u64 pos)
{
	struct shale_run run = { .len = len };
	u64 done;

	for (done = 0; done < len; done += run.len) {
		/* Mostly it is one layer that is below, which has everything. */
		if (f->parts->maps[1])
			run = shale_cow_run(f->parts->maps + 1, pos + done, len - done);
		if (!shale_real_pages_copy(pages_of(f, run.part), to + done, run.len, pos + done))
			return false;
	}
	return true;
}

static bool page_fill(struct shale_filling *f, struct folio *folio, u64 pos, u64 len)
{
	u8 *to = kmap_local_folio(folio, offset_in_folio(folio, pos));
	bool is_done = true;

	if (pos >= f->pos && pos + len <= f->pos + f->len)
		memcpy(to, f->buf + (pos - f->pos), len);
	else
		is_done = cached_copy(f, to, len, pos);
	kunmap_local(to);
	return is_done;
}

bool shale_fill_folio(struct shale_filling *f, struct folio *folio)
{
	u64 pos = folio_pos(folio), end = pos + folio_size(folio), len;

	for (; pos < end; pos += PAGE_SIZE) {
		len = bytes_below(f, pos);
		if (len && !page_fill(f, folio, pos, len))
			return false;
	}
	flush_dcache_folio(folio);
	return true;
}
