// SPDX-License-Identifier: GPL-2.0-only
/*
 * cow.c - MODEL: which layer has which bytes of a regular file. Pure; what it finds is read and written by
 * those who call it.
 *
 * The limit of a part is a byte, not a block: what is written there and above needs neither a block of the map nor
 * a copy of what is below, not even in the block that the limit is in. So appending to a file costs no
 * more than it does anywhere.
 */
#include <linux/math.h>
#include <linux/minmax.h>

#include "cow.h"
#include "map.h"

static u64 block_of(u64 pos)
{
	return pos >> SHALE_MAP_BLOCK_SHIFT;
}

/* The number of blocks that the LEN bytes at POS touch. */
static u64 blocks_touched(u64 pos, u64 len)
{
	return block_of(pos + len - 1) - block_of(pos) + 1;
}

/* Does the part have the bytes at POS itself, and up to where is it the same? */
static bool part_has(struct shale_map *map, u64 pos, u64 *end)
{
	u64 limit, nr;

	if (!map)
		return true;
	limit = shale_map_limit(map);
	if (pos >= limit)
		return true;
	if (shale_map_run(map, block_of(pos), blocks_touched(pos, *end - pos), &nr)) {
		*end = min(*end, (block_of(pos) + nr) << SHALE_MAP_BLOCK_SHIFT);
		return true;
	}
	*end = min(min(*end, (block_of(pos) + nr) << SHALE_MAP_BLOCK_SHIFT), limit);
	return false;
}

struct shale_run shale_cow_run(struct shale_map *const *maps, u64 pos, u64 len)
{
	struct shale_run run = { .part = 0 };
	u64 end = pos + len;

	while (!part_has(maps[run.part], pos, &end))
		run.part++;
	run.len = end - pos;
	return run;
}

void shale_cow_blocks(struct shale_map *map, u64 pos, u64 len, u64 *ret_first, u64 *ret_nr)
{
	u64 end = min(pos + len, shale_map_limit(map)), same;

	*ret_first = block_of(pos);
	*ret_nr = pos < end ? blocks_touched(pos, end - pos) : 0;
	if (*ret_nr && shale_map_run(map, *ret_first, *ret_nr, &same) && same == *ret_nr)
		*ret_nr = 0;
}

static bool is_taken_over(struct shale_map *map, u64 pos)
{
	u64 nr;

	return pos < shale_map_limit(map) && !shale_map_run(map, block_of(pos), 1, &nr);
}

bool shale_cow_widen(struct shale_map *map, u64 *pos, u64 *len)
{
	u64 first, nr, start = *pos, end = *pos + *len, block_end;

	shale_cow_blocks(map, start, *len, &first, &nr);
	if (!nr)
		return false;
	if (is_taken_over(map, start))
		start = round_down(start, SHALE_MAP_BLOCK_SIZE);
	if (is_taken_over(map, end - 1)) {
		block_end = (block_of(end - 1) + 1) << SHALE_MAP_BLOCK_SHIFT;
		end = max(end, min(block_end, shale_map_limit(map)));
	}
	*pos = start;
	*len = end - start;
	return true;
}
