// SPDX-License-Identifier: GPL-2.0-only
/*
 * map.c - MODEL: the set of mapped blocks of a partial file; see map.h. How it looks on disk is
 * map_disk.c; when it is read and written, and everything that touches a file, is not here.
 *
 * What makes block-level copy-on-write right. This file keeps I1; the others are promises of its callers,
 * which reason with all six:
 *
 * I1  A block goes from unmapped to mapped and never back; a punched hole is a mapped hole. The limit
 *     only shrinks. So an answer without a lock is never wrong, only late, and a map that is half old and
 *     half new is a map.
 * I2  A block is mapped before anybody can store into its page: page_mkwrite does it, under the folio's
 *     lock.
 * I3  The upper's page of an unmapped block is absent, or zeros, or what the lower has; user space gets to
 *     see it only after it was filled from the lower, under the folio's lock. So filling it again,
 *     at any time, changes nothing that somebody saw.
 * I4  A block that is mapped on disk has its data on disk. Data is made stable between encoding a map and
 *     writing it.
 * I5  In a fault, no inode's lock is taken, and user memory is not touched under a lock that faults take.
 * I6  The lower file does not change. What it was is kept beside the map, and compared.
 *
 * Storage. A leaf stands for 512 blocks (2 MiB). Most leaves are one run, since files are written in runs,
 * and a run is a value in the xarray's slot: no memory of its own. Only a leaf of several runs is a
 * bitmap, until it is full. A leaf without mapped blocks is not there.
 */
#include <linux/bitmap.h>
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "map.h"

#define LEAF_SHIFT  9
#define LEAF_BLOCKS (1U << LEAF_SHIFT)
#define MAX_BLOCKS  (SHALE_DISK_MAP_LIMIT_MAX >> SHALE_MAP_BLOCK_SHIFT)

/* The limit and the generation are read in one load, and a leaf's number is an xarray's index. */
static_assert(BITS_PER_LONG == 64);

/* The mark of a leaf of which something may not be saved. */
#define CHANGED XA_MARK_0

struct bits {
	DECLARE_BITMAP(map, LEAF_BLOCKS); /* never empty */
	struct rcu_head rcu;		  /* not in a union with the bits: readers may still be there */
};

/* Blocks of a leaf, from start up to, not including, end. */
struct span {
	unsigned int start, end;
};

static void *span_to_entry(struct span span)
{
	return xa_mk_value(span.start | (span.end - 1) << LEAF_SHIFT);
}

static struct span span_from_entry(const void *entry)
{
	unsigned long value = xa_to_value(entry);

	return (struct span){ value % LEAF_BLOCKS, (value >> LEAF_SHIFT) + 1 };
}

void shale_map_init(struct shale_map *map, u64 limit)
{
	xa_init_flags(&map->leaves, XA_FLAGS_ACCOUNT);
	mutex_init(&map->lock);
	map->limit = limit;
	map->generation = 0;
}

void shale_map_destroy(struct shale_map *map)
{
	unsigned long index;
	void *entry;

	xa_for_each(&map->leaves, index, entry)
		if (!xa_is_value(entry))
			kfree(entry);
	xa_destroy(&map->leaves);
	mutex_destroy(&map->lock);
}

/* Who sees a limit sees its generation. Pairs with change_begin(). */
u64 shale_map_limit(const struct shale_map *map)
{
	return smp_load_acquire(&map->limit);
}

u64 shale_map_limit_blocks(u64 limit)
{
	return (limit >> SHALE_MAP_BLOCK_SHIFT) + !!(limit % SHALE_MAP_BLOCK_SIZE);
}

/* What is read of the map afterwards is at least as new. */
u64 shale_map_generation(const struct shale_map *map)
{
	return smp_load_acquire(&map->generation);
}

/* The generation grows before a change and after it. Before: who sees the change knows that it may not
 * be saved. After: who encoded in the middle of it knows that there is more. */
static void change_begin(struct shale_map *map)
{
	mutex_lock(&map->lock);
	WRITE_ONCE(map->generation, map->generation + 1);
	/* Also orders the caller's data before its bits. Pairs with leaf_run(). */
	smp_wmb();
}

static void change_end(struct shale_map *map)
{
	smp_store_release(&map->generation, map->generation + 1);
	mutex_unlock(&map->lock);
}

void shale_map_limit_lower_to(struct shale_map *map, u64 limit)
{
	if (limit >= shale_map_limit(map))
		return;
	change_begin(map);
	WRITE_ONCE(map->limit, min(limit, map->limit));
	change_end(map);
}

/* The searches begin behind OFFSET: it may have been mapped since it was tested. */
static bool bits_run(const struct bits *bits, unsigned int offset, unsigned int *ret_end)
{
	if (test_bit(offset, bits->map)) {
		*ret_end = find_next_zero_bit(bits->map, LEAF_BLOCKS, offset + 1);
		return true;
	}
	*ret_end = find_next_bit(bits->map, LEAF_BLOCKS, offset + 1);
	return false;
}

static bool span_run(struct span span, unsigned int offset, unsigned int *ret_end)
{
	if (offset >= span.start && offset < span.end) {
		*ret_end = span.end;
		return true;
	}
	*ret_end = offset < span.start ? span.start : LEAF_BLOCKS;
	return false;
}

static bool entry_run(const void *entry, unsigned int offset, unsigned int *ret_end)
{
	if (!entry) {
		*ret_end = LEAF_BLOCKS;
		return false;
	}
	if (xa_is_value(entry))
		return span_run(span_from_entry(entry), offset, ret_end);
	return bits_run(entry, offset, ret_end);
}

/* The run of BLOCK, as far as its leaf knows. */
static bool leaf_run(struct shale_map *map, u64 block, u64 *ret_end)
{
	unsigned int end;
	bool is_mapped;

	rcu_read_lock();
	is_mapped = entry_run(xa_load(&map->leaves, block >> LEAF_SHIFT), block % LEAF_BLOCKS, &end);
	rcu_read_unlock();
	/* What the caller reads next is as new as the bit. Pairs with change_begin(). */
	smp_rmb();
	*ret_end = round_down(block, LEAF_BLOCKS) + end;
	return is_mapped;
}

/* The first block of the next leaf that is there, from BLOCK on, which begins a leaf; or END. */
static u64 leaves_skip(struct shale_map *map, u64 block, u64 end)
{
	unsigned long index = block >> LEAF_SHIFT;

	if (!xa_find(&map->leaves, &index, (end - 1) >> LEAF_SHIFT, XA_PRESENT))
		return end;
	return (u64)index << LEAF_SHIFT;
}

/* The run of BLOCK among the blocks that were set, up to END at most. */
static bool leaves_run(struct shale_map *map, u64 block, u64 end, u64 *ret_end)
{
	bool is_mapped = leaf_run(map, block, &block);
	u64 next;

	while (block < end && !(block % LEAF_BLOCKS)) {
		if (!is_mapped)
			block = leaves_skip(map, block, end);
		if (leaf_run(map, block, &next) != is_mapped)
			break;
		block = next;
	}
	*ret_end = min(block, end);
	return is_mapped;
}

bool shale_map_run(struct shale_map *map, u64 block, u64 max, u64 *ret_len)
{
	u64 limit = shale_map_limit_blocks(shale_map_limit(map));
	u64 end;

	*ret_len = max;
	if (block >= limit)
		return true;
	if (!leaves_run(map, block, block + min(max, limit - block), &end)) {
		*ret_len = end - block;
		return false;
	}
	/* What is above the limit is mapped too. */
	if (end < limit)
		*ret_len = end - block;
	return true;
}

bool shale_map_test(struct shale_map *map, u64 block)
{
	u64 len;

	return shale_map_run(map, block, 1, &len);
}

bool shale_map_next(struct shale_map *map, u64 from, u64 end, struct shale_map_run *ret_run)
{
	u64 next;

	end = min(end, (u64)MAX_BLOCKS);
	for (; from < end; from = next)
		if (leaves_run(map, from, end, &next)) {
			*ret_run = (struct shale_map_run){ from, next - from };
			return true;
		}
	return false;
}

/* Needs memory only where no leaf was. */
static int leaf_store(struct shale_map *map, unsigned long index, void *entry)
{
	int err = xa_err(xa_store(&map->leaves, index, entry, GFP_NOFS));

	if (!err)
		xa_set_mark(&map->leaves, index, CHANGED);
	return err;
}

static int leaf_store_bits(struct shale_map *map, unsigned long index, struct span a, struct span b)
{
	struct bits *bits = kzalloc(sizeof(*bits), GFP_NOFS | __GFP_ACCOUNT);
	int err;

	if (!bits)
		return -ENOMEM;
	bitmap_set(bits->map, a.start, a.end - a.start);
	bitmap_set(bits->map, b.start, b.end - b.start);
	err = leaf_store(map, index, bits);
	if (err)
		kfree(bits);
	return err;
}

static int leaf_add_to_bits(struct shale_map *map, unsigned long index, struct bits *bits,
			    struct span add)
{
	unsigned int i = add.start;
	int err;

	for_each_clear_bit_from(i, bits->map, add.end)
		set_bit(i, bits->map);
	xa_set_mark(&map->leaves, index, CHANGED);
	if (!bitmap_full(bits->map, LEAF_BLOCKS))
		return 0;
	err = leaf_store(map, index, span_to_entry((struct span){ 0, LEAF_BLOCKS }));
	if (!err)
		kfree_rcu(bits, rcu);
	return err;
}

static int leaf_add(struct shale_map *map, unsigned long index, struct span add)
{
	void *entry = xa_load(&map->leaves, index);
	struct span old;

	if (!entry)
		return leaf_store(map, index, span_to_entry(add));
	if (!xa_is_value(entry))
		return leaf_add_to_bits(map, index, entry, add);
	old = span_from_entry(entry);
	if (add.end < old.start || old.end < add.start)
		return leaf_store_bits(map, index, old, add);
	add.start = min(add.start, old.start);
	add.end = max(add.end, old.end);
	return leaf_store(map, index, span_to_entry(add));
}

int shale_map_set(struct shale_map *map, u64 first, u64 nr)
{
	u64 limit = shale_map_limit_blocks(shale_map_limit(map));
	u64 end, next;
	int err = 0;

	if (first >= limit)
		return 0;
	end = first + min(nr, limit - first);
	if (leaves_run(map, first, end, &next) && next == end)
		return 0;
	change_begin(map);
	for (; !err && first < end; first = next) {
		next = min(end, round_down(first, LEAF_BLOCKS) + LEAF_BLOCKS);
		err = leaf_add(map, first >> LEAF_SHIFT,
			       (struct span){ first % LEAF_BLOCKS, (next - 1) % LEAF_BLOCKS + 1 });
		cond_resched();
	}
	change_end(map);
	return err;
}

bool shale_map_changed(struct shale_map *map, u64 from, u64 end, u64 *ret_block)
{
	unsigned long index = from >> LEAF_SHIFT;

	if (from >= end || !xa_find(&map->leaves, &index, (end - 1) >> LEAF_SHIFT, CHANGED))
		return false;
	*ret_block = max(from, (u64)index << LEAF_SHIFT);
	return true;
}

/* A leaf that is only partly in the range keeps its mark. */
void shale_map_changed_forget(struct shale_map *map, u64 from, u64 end)
{
	unsigned long index = (from + LEAF_BLOCKS - 1) >> LEAF_SHIFT;
	const unsigned long last = end >> LEAF_SHIFT;

	mutex_lock(&map->lock);
	for (; index < last && xa_find(&map->leaves, &index, last - 1, CHANGED); index++)
		xa_clear_mark(&map->leaves, index, CHANGED);
	mutex_unlock(&map->lock);
}

void shale_map_changed_all(struct shale_map *map)
{
	unsigned long index;
	void *entry;

	mutex_lock(&map->lock);
	xa_for_each(&map->leaves, index, entry)
		xa_set_mark(&map->leaves, index, CHANGED);
	mutex_unlock(&map->lock);
}
