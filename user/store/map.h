/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Maps of partial files as bytes, for tools: the format of <linux/shale_disk.h>. What the module takes and
 * what it refuses is kmod/map_disk.c; selftests/unit/store_map.c holds the two against each other. This
 * reader says what is wrong, and tells faults that leave no doubt about the map from those that do.
 * Files and xattrs are read and written elsewhere; nothing here allocates.
 */
#ifndef SHALE_STORE_MAP_H
#define SHALE_STORE_MAP_H

#include <linux/shale_disk.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a fault means for whoever needs the map. */
enum map_verdict {
	MAP_SOUND,
	MAP_LOOSE,  /* refused, though it is certain which blocks are mapped: can be written anew */
	MAP_NEWER,  /* may be from a newer version: not ours to judge or to change */
	MAP_BROKEN, /* nobody knows which blocks are mapped */
};

enum map_fault {
	MAP_OK,
	/* loose */
	MAP_NEEDLESS,
	MAP_TOUCHING,
	MAP_EMPTY,
	MAP_PAST_LIMIT,
	/* newer */
	MAP_VERSION,
	MAP_SHIFT,
	MAP_FLAGS,
	MAP_RESERVED,
	/* broken */
	MAP_SHORT,
	MAP_LONG,
	MAP_MAGIC,
	MAP_VERSION_0,
	MAP_LENGTH,
	MAP_CRC,
	MAP_KIND,
	MAP_PAYLOAD,
	MAP_ID,
	MAP_LIMIT,
	MAP_LIMIT_SIZE,
	MAP_NSEC,
	MAP_NUMBER,
	MAP_HALF,
	MAP_FAR,
	/* broken, of sectors */
	MAP_ZEROS,
	MAP_OTHER,
	MAP_PLACE,
};

enum map_verdict map_verdict(enum map_fault fault);
/* A clause: "its checksum is wrong". */
const char *map_fault_text(enum map_fault fault);

struct map_run {
	uint64_t first, nr; /* blocks */
};

/* What the lower file was when it was promoted. */
struct map_lower {
	uint64_t size;
	int64_t mtime, ctime;
	uint32_t mtime_nsec, ctime_nsec;
};

/* A run is at least two bytes. */
#define MAP_RUNS_MAX ((SHALE_DISK_MAP_INLINE_MAX - sizeof(struct shale_disk_map)) / 2)

struct map {
	uint64_t limit;
	uint64_t id; /* of the sidecar, which then has the blocks; or 0 */
	struct map_lower lower;
	size_t nr_runs;
	struct map_run runs[MAP_RUNS_MAX]; /* ascending, apart, below the limit */
};

/* Of several faults that one which is worst. *ret_map is filled if the verdict is sound or loose. */
enum map_fault map_decode(const void *buf, size_t len, struct map *ret_map);
/* The value of the xattr and its length; 0: it needs a sidecar. */
size_t map_encode(const struct map *map, unsigned char buf[SHALE_DISK_MAP_INLINE_MAX]);

/* Blocks below a limit, the one that it is in included, and the sidecar's pages and groups with their bits. */
uint64_t map_limit_blocks(uint64_t limit);
uint64_t map_limit_pages(uint64_t limit);
uint64_t map_limit_groups(uint64_t limit);

enum map_fault map_sector_check(const struct shale_disk_map_sector *sector, uint64_t id,
				uint64_t number);
/* Without bits, and sealed. */
void map_sector_init(struct shale_disk_map_sector *sector, uint64_t id, uint64_t number);
/* After bits were changed. */
void map_sector_seal(struct shale_disk_map_sector *sector);
bool map_sector_test(const struct shale_disk_map_sector *sector, unsigned int bit);
void map_sector_set(struct shale_disk_map_sector *sector, unsigned int bit);

#endif
