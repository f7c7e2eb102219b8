/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * map.h - MODEL: which 4 KiB blocks of a partial file live in this layer ("mapped"); the others are
 * the lower file's. Blocks at or above the limit are mapped without anybody setting them, since nothing
 * of the lower shows there: what a file grows by costs nothing.
 *
 * Reading takes no lock and never sleeps. A stale "unmapped" is the state before a concurrent
 * write; a "mapped" stays true, and who sees it sees the data that was written before the bit was set.
 *
 * Saving a map: take the generation, encode (map_disk.h), then make the file's data stable, then write
 * what was encoded; when that is stable, what was saved is the generation that was taken. Encoding
 * after the data would save bits of blocks whose data is not there yet. One saver at a time: an
 * older encoding must not replace a newer one.
 *
 * Pure: no filesystem is called, so it is tested in user space.
 */
#ifndef _SHALE_MAP_H
#define _SHALE_MAP_H

#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/xarray.h>

#include <uapi/linux/shale_disk.h>

#define SHALE_MAP_BLOCK_SHIFT SHALE_DISK_MAP_BLOCK_SHIFT
#define SHALE_MAP_BLOCK_SIZE  (1U << SHALE_MAP_BLOCK_SHIFT)

struct shale_map {
	struct xarray leaves; /* by block / 512; see map.c */
	struct mutex lock;    /* serialises changes */
	u64 limit;	      /* bytes; see shale_map_limit() */
	u64 generation;	      /* see shale_map_generation() */
};

struct shale_map_run {
	u64 first, nr; /* blocks */
};

/* LIMIT is in bytes, at most SHALE_DISK_MAP_LIMIT_MAX. Nothing below it is mapped. */
void shale_map_init(struct shale_map *map, u64 limit);
/* Nobody reads or changes it any more. */
void shale_map_destroy(struct shale_map *map);

bool shale_map_test(struct shale_map *map, u64 block);
/* Is BLOCK mapped? For how many blocks from it on, at most MAX (not zero), is the answer the same? */
bool shale_map_run(struct shale_map *map, u64 block, u64 max, u64 *ret_len);
/* The first run of blocks that were set, in [FROM, END). Some may be above a limit that was lowered. */
bool shale_map_next(struct shale_map *map, u64 from, u64 end, struct shale_map_run *ret_run);

/* Maps NR blocks (not zero) from FIRST on, after their data is in the file's page cache. 0 or -ENOMEM; then
 * some of them, always the first ones, may be mapped. May sleep, never enters a filesystem. */
int shale_map_set(struct shale_map *map, u64 first, u64 nr);

/* The file offset, in bytes, below which an unmapped block shows the lower's bytes. Only shrinks. */
u64 shale_map_limit(const struct shale_map *map);
/* No effect if the limit is already lower. */
void shale_map_limit_lower_to(struct shale_map *map, u64 limit);
/* Blocks that are not wholly above a limit. */
u64 shale_map_limit_blocks(u64 limit);

/* Grows with every change. While it is what it was before the map was last encoded, and that was saved,
 * there is nothing to save: not even for somebody who finds that another just mapped his block. */
u64 shale_map_generation(const struct shale_map *map);

/*
 * For maps that are saved in pieces: the first block in [FROM, END) near which blocks were set since that was
 * last forgotten. To save them: forget, then encode.
 */
bool shale_map_changed(struct shale_map *map, u64 from, u64 end, u64 *ret_block);
void shale_map_changed_forget(struct shale_map *map, u64 from, u64 end);
void shale_map_changed_all(struct shale_map *map); /* nothing is known to be saved */

#endif /* _SHALE_MAP_H */
