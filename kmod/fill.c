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
#include "real.h"

/* The bytes of a page that are below the top, or none. */
static u64 bytes_below(const struct shale_parts *parts, u64 pos)
{
	u64 limit = shale_map_limit(parts->maps[0]), nr;

	if (pos >= limit || shale_map_run(parts->maps[0], pos >> SHALE_MAP_BLOCK_SHIFT, 1, &nr))
		return 0;
	return min_t(u64, PAGE_SIZE, limit - pos);
}

bool shale_fill_is_needless(struct shale_parts *parts, u64 pos, u64 len)
{
	u64 first, nr;

	shale_cow_blocks(parts->maps[0], pos, len, &first, &nr);
	return !nr;
}

int shale_below_read(struct shale_below *below, struct shale_parts *parts, u64 pos, u64 len)
{
	const struct cred *old;
	int err;

	shale_below_free(below);
	below->buf = kvmalloc(len, GFP_KERNEL);
	if (!below->buf)
		return -ENOMEM;
	below->pos = pos;
	below->len = len;
	old = shale_cred_begin(parts->inode->i_sb);
	err = shale_parts_below_read(parts, pos, len, below->buf);
	shale_cred_end(old);
	return err;
}

void shale_below_free(struct shale_below *below)
{
	kvfree(below->buf);
	below->buf = NULL;
	below->len = 0;
}

static bool has_bytes(const struct shale_below *below, u64 pos, u64 len)
{
	return below && pos >= below->pos && pos + len <= below->pos + below->len;
}

static bool cached_copy(struct shale_parts *parts, u8 *to, u64 len, u64 pos)
{
	struct shale_run run;
	u64 done;

	for (done = 0; done < len; done += run.len) {
		run = shale_cow_run(parts->maps + 1, pos + done, len - done);
		if (!shale_real_copy_cached(parts->below[run.part], to + done, run.len, pos + done))
			return false;
	}
	return true;
}

static bool page_fill(struct shale_parts *parts, struct folio *folio, u64 pos, u64 len,
		      const struct shale_below *below)
{
	u8 *to = kmap_local_folio(folio, offset_in_folio(folio, pos));
	bool is_done = true;

	if (has_bytes(below, pos, len))
		memcpy(to, below->buf + (pos - below->pos), len);
	else
		is_done = cached_copy(parts, to, len, pos);
	kunmap_local(to);
	return is_done;
}

bool shale_fill_folio(struct shale_parts *parts, struct folio *folio, const struct shale_below *below)
{
	u64 pos = folio_pos(folio), end = pos + folio_size(folio), len;

	for (; pos < end; pos += PAGE_SIZE) {
		len = bytes_below(parts, pos);
		if (len && !page_fill(parts, folio, pos, len, below))
			return false;
	}
	flush_dcache_folio(folio);
	return true;
}
