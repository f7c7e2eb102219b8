/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * map_disk.h - MODEL: maps as bytes, in the format of shale_disk.h: the xattr of a partial file and the
 * pages of its sidecar. When they are read and written is not decided here.
 *
 * Bytes are not trusted. What decodes them returns -EIO if they are not what was once encoded, -EOPNOTSUPP
 * if they may be from a newer version, or -ENOMEM. Memory is taken for mapped blocks below the limit
 * only, and the limit is bounded by SHALE_DISK_MAP_LIMIT_MAX.
 *
 * Pure, as map.h is.
 */
#ifndef _SHALE_MAP_DISK_H
#define _SHALE_MAP_DISK_H

#include <linux/types.h>

#include <uapi/linux/shale_disk.h>

struct shale_map;
struct shale_disk_map_sector;

/* What a lower file was when it was promoted. */
struct shale_map_lower {
	u64 size;
	s64 mtime, ctime; /* seconds */
	u32 mtime_nsec, ctime_nsec;
};

/* What the xattr says beside the blocks. */
struct shale_map_head {
	struct shale_map_lower lower;
	u64 id; /* of the sidecar; 0: there is none, the map is in the xattr */
};

/* BUF has SHALE_DISK_MAP_INLINE_MAX bytes. The value's length, or -E2BIG if the map needs a sidecar. */
int shale_map_disk_encode(struct shale_map *map, const struct shale_map_head *head, void *buf);
/* MAP is initialised, with the xattr's limit, only on success. With a sidecar it has no blocks yet. */
int shale_map_disk_decode(const void *buf, size_t len, struct shale_map *map,
			  struct shale_map_head *ret_head);

/*
 * The sidecar. A page is SHALE_DISK_MAP_PAGE_SECTORS sectors, aligned to 8. Page 0 is the directory:
 * which groups of the others are there. It is made empty; a group is added once its pages are stable.
 * The other pages count from 1, at their number * SHALE_DISK_MAP_PAGE_SIZE in the file.
 */
void shale_map_disk_dir_init(struct shale_disk_map_sector *dir, u64 id);
/* Must be 0 before the directory is used. */
int shale_map_disk_dir_check(const struct shale_disk_map_sector *dir, u64 id);
bool shale_map_disk_dir_has(const struct shale_disk_map_sector *dir, u64 page);
/* The group of PAGE. */
void shale_map_disk_dir_add(struct shale_disk_map_sector *dir, u64 page);

/* Pages of a sidecar for this limit, the directory not counted: the last one's number. */
u64 shale_map_disk_pages(u64 limit);
/* The pages of PAGE's group: from the one that is returned on, SHALE_DISK_MAP_GROUP_PAGES of them. */
u64 shale_map_disk_group(u64 page);
void shale_map_disk_page_encode(struct shale_map *map, u64 id, u64 page,
				struct shale_disk_map_sector *ret_sectors);
/* Maps in MAP what is mapped in the page. On failure, some of it. */
int shale_map_disk_page_decode(const struct shale_disk_map_sector *sectors, u64 id, u64 page,
			       struct shale_map *map);

#endif /* _SHALE_MAP_DISK_H */
