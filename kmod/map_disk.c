// SPDX-License-Identifier: GPL-2.0-only
/*
 * map_disk.c - MODEL: maps as bytes; see map_disk.h, and shale_disk.h for the format and why it
 * survives a torn write. The map itself is map.c; reading and writing xattrs and sidecars is not here.
 */
#include <linux/bitmap.h>
#include <linux/build_bug.h>
#include <linux/crc32c.h>
#include <linux/errno.h>
#include <linux/math.h>
#include <linux/string.h>
#include <asm/byteorder.h>

#include "map.h"
#include "map_disk.h"

#define NSEC_MAX     1000000000
#define VARINT_MAX   10 /* bytes of 64 bits */
#define SECTOR_BITS  SHALE_DISK_MAP_SECTOR_BITS
#define NR_SECTORS   SHALE_DISK_MAP_PAGE_SECTORS
#define GROUP_PAGES  SHALE_DISK_MAP_GROUP_PAGES

static_assert(sizeof(struct shale_disk_map) == 64);
static_assert(sizeof(struct shale_disk_map_sector) == SHALE_DISK_MAP_SECTOR_SIZE);
static_assert(sizeof(struct shale_disk_map_sector[NR_SECTORS]) == SHALE_DISK_MAP_PAGE_SIZE);
/* A word of a bitmap is a word of a sector. */
static_assert(sizeof(unsigned long) == sizeof(__le64));
static_assert(offsetof(struct shale_disk_map, crc) == offsetof(struct shale_disk_map_sector, crc));
/* A directory page knows of as many groups as the largest limit has. */
static_assert((u64)SHALE_DISK_MAP_PAGE_BITS * GROUP_PAGES * SHALE_DISK_MAP_PAGE_BITS >=
	      SHALE_DISK_MAP_LIMIT_MAX >> SHALE_DISK_MAP_BLOCK_SHIFT);

/* Of a struct shale_disk_map with its payload, or of a sector. */
static __le32 bytes_crc(const void *bytes, size_t len)
{
	const size_t at = offsetof(struct shale_disk_map, crc);
	const __le32 zero = 0;
	u32 crc = crc32c(~0U, bytes, at);

	crc = crc32c(crc, &zero, sizeof(zero));
	crc = crc32c(crc, bytes + at + sizeof(zero), len - at - sizeof(zero));
	return cpu_to_le32(~crc);
}

/* Behind the number, or NULL if there is no room for it. */
static u8 *varint_put(u8 *at, const u8 *end, u64 value)
{
	do {
		if (at == end)
			return NULL;
		*at++ = (value & 0x7f) | (value > 0x7f ? 0x80 : 0);
		value >>= 7;
	} while (value);
	return at;
}

/* Behind the number, or NULL: each has one form, without needless bytes and within 64 bits. */
static const u8 *varint_get(const u8 *at, const u8 *end, u64 *ret_value)
{
	unsigned int shift = 0;
	u8 byte;

	*ret_value = 0;
	do {
		if (at == end || shift == 7 * VARINT_MAX)
			return NULL;
		byte = *at++;
		*ret_value |= (u64)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	if ((!byte && shift > 7) || (shift == 7 * VARINT_MAX && byte > 1))
		return NULL;
	return at;
}

/* The block behind a run was seen unmapped, so the search goes on after it, whatever it is now. */
static u8 *runs_encode(struct shale_map *map, u64 limit, u8 *at, const u8 *end)
{
	struct shale_map_run run;
	u64 block = 0, from = 0;

	while (at && shale_map_next(map, from, limit, &run)) {
		at = varint_put(at, end, run.first - block);
		if (at)
			at = varint_put(at, end, run.nr);
		block = run.first + run.nr;
		from = block + 1;
	}
	return at;
}

static int runs_decode(const u8 *at, const u8 *end, struct shale_map *map)
{
	const u64 limit = shale_map_limit_blocks(shale_map_limit(map));
	u64 block = 0, gap, nr;
	int err = 0;

	while (!err && at != end) {
		at = varint_get(at, end, &gap);
		if (at)
			at = varint_get(at, end, &nr);
		if (!at || (!gap && block) || gap > limit - block)
			return -EIO;
		block += gap;
		if (!nr || nr > limit - block)
			return -EIO;
		err = shale_map_set(map, block, nr);
		block += nr;
	}
	return err;
}

static void head_encode(const struct shale_map_head *head, u64 limit, size_t payload,
			struct shale_disk_map *ret_disk)
{
	*ret_disk = (struct shale_disk_map) {
		.magic = cpu_to_le32(SHALE_DISK_MAP_MAGIC),
		.version = SHALE_DISK_MAP_VERSION,
		.block_shift = SHALE_DISK_MAP_BLOCK_SHIFT,
		.flags = cpu_to_le16(head->id ? SHALE_DISK_MAP_SIDECAR : SHALE_DISK_MAP_INLINE),
		.payload = cpu_to_le32(payload),
		.limit = cpu_to_le64(limit),
		.id = cpu_to_le64(head->id),
		.lower_size = cpu_to_le64(head->lower.size),
		.lower_mtime = cpu_to_le64(head->lower.mtime),
		.lower_ctime = cpu_to_le64(head->lower.ctime),
		.lower_mtime_nsec = cpu_to_le32(head->lower.mtime_nsec),
		.lower_ctime_nsec = cpu_to_le32(head->lower.ctime_nsec),
	};
}

static void head_decode(const struct shale_disk_map *disk, struct shale_map_head *ret_head)
{
	*ret_head = (struct shale_map_head) {
		.id = le64_to_cpu(disk->id),
		.lower.size = le64_to_cpu(disk->lower_size),
		.lower.mtime = le64_to_cpu(disk->lower_mtime),
		.lower.ctime = le64_to_cpu(disk->lower_ctime),
		.lower.mtime_nsec = le32_to_cpu(disk->lower_mtime_nsec),
		.lower.ctime_nsec = le32_to_cpu(disk->lower_ctime_nsec),
	};
}

int shale_map_disk_encode(struct shale_map *map, const struct shale_map_head *head, void *buf)
{
	u8 *payload = buf + sizeof(struct shale_disk_map), *end = payload;
	struct shale_disk_map disk;
	/* Once: the runs must fit the limit beside them. */
	const u64 limit = shale_map_limit(map);
	size_t len;

	if (!head->id)
		end = runs_encode(map, shale_map_limit_blocks(limit), payload,
				  buf + SHALE_DISK_MAP_INLINE_MAX);
	if (!end)
		return -E2BIG;
	len = end - (u8 *)buf;
	head_encode(head, limit, end - payload, &disk);
	memcpy(buf, &disk, sizeof(disk));
	disk.crc = bytes_crc(buf, len);
	memcpy(buf, &disk, sizeof(disk));
	return len;
}

/* What a checksum cannot tell: whoever wrote this may not have been us. */
static bool head_is_sane(const struct shale_disk_map *disk)
{
	const u64 limit = le64_to_cpu(disk->limit);

	if (disk->flags == cpu_to_le16(SHALE_DISK_MAP_SIDECAR)) {
		if (!disk->id || disk->payload)
			return false;
	} else if (disk->flags != cpu_to_le16(SHALE_DISK_MAP_INLINE) || disk->id) {
		return false;
	}
	return limit <= SHALE_DISK_MAP_LIMIT_MAX && limit <= le64_to_cpu(disk->lower_size) &&
	       le32_to_cpu(disk->lower_mtime_nsec) < NSEC_MAX &&
	       le32_to_cpu(disk->lower_ctime_nsec) < NSEC_MAX;
}

/* The version comes before the checksum, which another one may have elsewhere. */
static int head_check(const struct shale_disk_map *disk, const void *buf, size_t len)
{
	const u16 known = SHALE_DISK_MAP_INLINE | SHALE_DISK_MAP_SIDECAR;

	if (disk->magic != cpu_to_le32(SHALE_DISK_MAP_MAGIC) || !disk->version)
		return -EIO;
	if (disk->version > SHALE_DISK_MAP_VERSION)
		return -EOPNOTSUPP;
	if (len > SHALE_DISK_MAP_INLINE_MAX || le32_to_cpu(disk->payload) != len - sizeof(*disk) ||
	    disk->crc != bytes_crc(buf, len))
		return -EIO;
	if (disk->block_shift != SHALE_DISK_MAP_BLOCK_SHIFT || le16_to_cpu(disk->flags) & ~known)
		return -EOPNOTSUPP;
	return head_is_sane(disk) ? 0 : -EIO;
}

int shale_map_disk_decode(const void *buf, size_t len, struct shale_map *map,
			  struct shale_map_head *ret_head)
{
	struct shale_disk_map disk;
	int err;

	if (len < sizeof(disk))
		return -EIO;
	memcpy(&disk, buf, sizeof(disk));
	err = head_check(&disk, buf, len);
	if (err)
		return err;
	shale_map_init(map, le64_to_cpu(disk.limit));
	err = runs_decode(buf + sizeof(disk), buf + len, map);
	if (err)
		shale_map_destroy(map);
	else
		head_decode(&disk, ret_head);
	return err;
}

static void sector_seal(struct shale_disk_map_sector *sector)
{
	sector->crc = bytes_crc(sector, sizeof(*sector));
}

/* Without bits and not sealed yet. */
static void sector_init(struct shale_disk_map_sector *sector, u64 id, u64 number)
{
	*sector = (struct shale_disk_map_sector) {
		.magic = cpu_to_le32(SHALE_DISK_MAP_SECTOR_MAGIC),
		.version = SHALE_DISK_MAP_VERSION,
		.block_shift = SHALE_DISK_MAP_BLOCK_SHIFT,
		.id = cpu_to_le64(id),
		.number = cpu_to_le64(number),
	};
}

static int sector_check(const struct shale_disk_map_sector *sector, u64 id, u64 number)
{
	if (sector->magic != cpu_to_le32(SHALE_DISK_MAP_SECTOR_MAGIC) || !sector->version)
		return -EIO;
	if (sector->version > SHALE_DISK_MAP_VERSION)
		return -EOPNOTSUPP;
	if (sector->crc != bytes_crc(sector, sizeof(*sector)) || sector->id != cpu_to_le64(id) ||
	    sector->number != cpu_to_le64(number))
		return -EIO;
	if (sector->block_shift != SHALE_DISK_MAP_BLOCK_SHIFT ||
	    memchr_inv(sector->reserved, 0, sizeof(sector->reserved)) ||
	    memchr_inv(sector->reserved2, 0, sizeof(sector->reserved2)))
		return -EOPNOTSUPP;
	return 0;
}

void shale_map_disk_dir_init(struct shale_disk_map_sector *dir, u64 id)
{
	unsigned int i;

	for (i = 0; i < NR_SECTORS; i++) {
		sector_init(&dir[i], id, i);
		sector_seal(&dir[i]);
	}
}

int shale_map_disk_dir_check(const struct shale_disk_map_sector *dir, u64 id)
{
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < NR_SECTORS; i++)
		err = sector_check(&dir[i], id, i);
	return err;
}

static u64 group_of(u64 page)
{
	return (page - 1) / GROUP_PAGES;
}

u64 shale_map_disk_group(u64 page)
{
	return group_of(page) * GROUP_PAGES + 1;
}

bool shale_map_disk_dir_has(const struct shale_disk_map_sector *dir, u64 page)
{
	const u64 group = group_of(page);
	const unsigned int bit = group % SECTOR_BITS;

	return le64_to_cpu(dir[group / SECTOR_BITS].bits[bit / 64]) >> (bit % 64) & 1;
}

void shale_map_disk_dir_add(struct shale_disk_map_sector *dir, u64 page)
{
	const u64 group = group_of(page);
	const unsigned int bit = group % SECTOR_BITS;
	struct shale_disk_map_sector *sector = &dir[group / SECTOR_BITS];

	sector->bits[bit / 64] |= cpu_to_le64(1ULL << (bit % 64));
	sector_seal(sector);
}

u64 shale_map_disk_pages(u64 limit)
{
	return DIV_ROUND_UP(shale_map_limit_blocks(limit), SHALE_DISK_MAP_PAGE_BITS);
}

/* The first block of a sector behind the directory. */
static u64 sector_first(u64 number)
{
	return (number - NR_SECTORS) * SECTOR_BITS;
}

/* Bits above the limit are written too: the limit in the xattr may still be the old one, and for that
 * they must not go. */
static void sector_encode(struct shale_map *map, struct shale_disk_map_sector *sector, u64 first)
{
	DECLARE_BITMAP(bits, SECTOR_BITS);
	struct shale_map_run run;
	u64 from = first;
	unsigned int i;

	bitmap_zero(bits, SECTOR_BITS);
	while (shale_map_next(map, from, first + SECTOR_BITS, &run)) {
		bitmap_set(bits, run.first - first, run.nr);
		from = run.first + run.nr;
	}
	for (i = 0; i < SHALE_DISK_MAP_SECTOR_WORDS; i++)
		sector->bits[i] = cpu_to_le64(bits[i]);
}

static int sector_decode(const struct shale_disk_map_sector *sector, struct shale_map *map, u64 first)
{
	DECLARE_BITMAP(bits, SECTOR_BITS);
	unsigned int start, end, i;
	int err;

	for (i = 0; i < SHALE_DISK_MAP_SECTOR_WORDS; i++)
		bits[i] = le64_to_cpu(sector->bits[i]);
	for_each_set_bitrange(start, end, bits, SECTOR_BITS) {
		err = shale_map_set(map, first + start, end - start);
		if (err)
			return err;
	}
	return 0;
}

void shale_map_disk_page_encode(struct shale_map *map, u64 id, u64 page,
				struct shale_disk_map_sector *ret_sectors)
{
	unsigned int i;

	for (i = 0; i < NR_SECTORS; i++) {
		const u64 number = page * NR_SECTORS + i;

		sector_init(&ret_sectors[i], id, number);
		sector_encode(map, &ret_sectors[i], sector_first(number));
		sector_seal(&ret_sectors[i]);
	}
}

int shale_map_disk_page_decode(const struct shale_disk_map_sector *sectors, u64 id, u64 page,
			       struct shale_map *map)
{
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < NR_SECTORS; i++) {
		const u64 number = page * NR_SECTORS + i;

		err = sector_check(&sectors[i], id, number);
		if (!err)
			err = sector_decode(&sectors[i], map, sector_first(number));
	}
	return err;
}
