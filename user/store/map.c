// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads and writes the bytes of maps; see map.h. The order of the checks is the module's: a version comes
 * before a checksum that it may have moved. Called by fsck.shale.
 */
#include "store/map.h"

#include <endian.h>
#include <isa-l/crc.h>
#include <string.h>

#define NSEC_MAX      1000000000
#define NUMBER_MAX    10 /* bytes of 64 bits */
#define BLOCKS_MAX    (SHALE_DISK_MAP_LIMIT_MAX >> SHALE_DISK_MAP_BLOCK_SHIFT)
#define CRC_OFFSET    offsetof(struct shale_disk_map, crc)

_Static_assert(sizeof(struct shale_disk_map) == 64, "as the format says");
_Static_assert(sizeof(struct shale_disk_map_sector) == SHALE_DISK_MAP_SECTOR_SIZE, "likewise");
_Static_assert(offsetof(struct shale_disk_map_sector, crc) == CRC_OFFSET, "one function for both");

static const struct {
	enum map_verdict verdict;
	const char *text;
} faults[] = {
	[MAP_OK] = { MAP_SOUND, "it is sound" },
	[MAP_NEEDLESS] = { MAP_LOOSE, "a number in it has needless bytes" },
	[MAP_TOUCHING] = { MAP_LOOSE, "two of its runs are one" },
	[MAP_EMPTY] = { MAP_LOOSE, "one of its runs is empty" },
	[MAP_PAST_LIMIT] = { MAP_LOOSE, "it maps blocks past its limit" },
	[MAP_VERSION] = { MAP_NEWER, "it is of a newer version" },
	[MAP_SHIFT] = { MAP_NEWER, "its blocks have a size of a newer version" },
	[MAP_FLAGS] = { MAP_NEWER, "it has flags of a newer version" },
	[MAP_RESERVED] = { MAP_NEWER, "it uses bytes that are reserved for a newer version" },
	[MAP_SHORT] = { MAP_BROKEN, "it is shorter than its header" },
	[MAP_LONG] = { MAP_BROKEN, "it is longer than a map may be" },
	[MAP_MAGIC] = { MAP_BROKEN, "its magic number is wrong" },
	[MAP_VERSION_0] = { MAP_BROKEN, "it is of version 0, which there is not" },
	[MAP_LENGTH] = { MAP_BROKEN, "it has not the length it says" },
	[MAP_CRC] = { MAP_BROKEN, "its checksum is wrong" },
	[MAP_KIND] = { MAP_BROKEN, "it does not say whether it has a sidecar" },
	[MAP_PAYLOAD] = { MAP_BROKEN, "it has a sidecar and runs as well" },
	[MAP_ID] = { MAP_BROKEN, "its sidecar's ID and its flags do not agree" },
	[MAP_LIMIT] = { MAP_BROKEN, "its limit is above 16 TiB" },
	[MAP_LIMIT_SIZE] = { MAP_BROKEN, "its limit is above the lower file's size" },
	[MAP_NSEC] = { MAP_BROKEN, "the lower file's times in it are none" },
	[MAP_NUMBER] = { MAP_BROKEN, "a number in it is none" },
	[MAP_HALF] = { MAP_BROKEN, "its last run has no length" },
	[MAP_FAR] = { MAP_BROKEN, "it maps blocks past 16 TiB" },
	[MAP_ZEROS] = { MAP_BROKEN, "there is nothing but zeros" },
	[MAP_OTHER] = { MAP_BROKEN, "it belongs to another map" },
	[MAP_PLACE] = { MAP_BROKEN, "it belongs elsewhere in the map" },
};

enum map_verdict map_verdict(enum map_fault fault)
{
	return faults[fault].verdict;
}

const char *map_fault_text(enum map_fault fault)
{
	return faults[fault].text;
}

static uint32_t crc_add(uint32_t crc, const void *bytes, size_t len)
{
	return crc32_iscsi((unsigned char *)bytes, (int)len, crc);
}

/* Of an xattr's value or a sector: with the checksum itself as zero. */
static uint32_t bytes_crc(const void *bytes, size_t len)
{
	const unsigned char *at = bytes;
	const uint32_t zero = 0;
	uint32_t crc = crc_add(~0U, at, CRC_OFFSET);

	crc = crc_add(crc, &zero, sizeof(zero));
	crc = crc_add(crc, at + CRC_OFFSET + sizeof(zero), len - CRC_OFFSET - sizeof(zero));
	return htole32(~crc);
}

uint64_t map_limit_blocks(uint64_t limit)
{
	return (limit >> SHALE_DISK_MAP_BLOCK_SHIFT) +
	       !!(limit % (1U << SHALE_DISK_MAP_BLOCK_SHIFT));
}

uint64_t map_limit_pages(uint64_t limit)
{
	return (map_limit_blocks(limit) + SHALE_DISK_MAP_PAGE_BITS - 1) / SHALE_DISK_MAP_PAGE_BITS;
}

uint64_t map_limit_groups(uint64_t limit)
{
	return (map_limit_pages(limit) + SHALE_DISK_MAP_GROUP_PAGES - 1) /
	       SHALE_DISK_MAP_GROUP_PAGES;
}

/* What the payload's bytes are read from, and the worst that was found in them so far. */
struct reader {
	const unsigned char *at, *end;
	enum map_fault fault;
};

static void note(struct reader *reader, enum map_fault fault)
{
	if (map_verdict(fault) > map_verdict(reader->fault))
		reader->fault = fault;
}

static uint64_t number_get(struct reader *reader)
{
	unsigned int count = 0;
	uint64_t value = 0;
	unsigned char byte;

	do {
		if (reader->at == reader->end || count == NUMBER_MAX) {
			note(reader, MAP_NUMBER);
			return 0;
		}
		byte = *reader->at++;
		value |= (uint64_t)(byte & 0x7f) << 7 * count++;
	} while (byte & 0x80);
	if (count == NUMBER_MAX && byte > 1)
		note(reader, MAP_NUMBER);
	else if (!byte && count > 1)
		note(reader, MAP_NEEDLESS);
	return value;
}

/* Blocks past the limit count as mapped without a run. */
static void run_add(struct map *map, uint64_t first, uint64_t end)
{
	const uint64_t limit = map_limit_blocks(map->limit);
	struct map_run *last = map->nr_runs ? &map->runs[map->nr_runs - 1] : NULL;

	if (end > limit)
		end = limit;
	if (first >= end)
		return;
	if (last && last->first + last->nr == first)
		last->nr += end - first;
	else
		map->runs[map->nr_runs++] = (struct map_run){ first, end - first };
}

static bool run_get(struct reader *reader, struct map *map, uint64_t *block)
{
	uint64_t gap = number_get(reader), nr = 0;

	if (reader->at == reader->end)
		note(reader, MAP_HALF);
	else
		nr = number_get(reader);
	if (map_verdict(reader->fault) == MAP_BROKEN)
		return false;
	if (gap > BLOCKS_MAX - *block || nr > BLOCKS_MAX - *block - gap) {
		note(reader, MAP_FAR);
		return false;
	}
	if (!nr)
		note(reader, MAP_EMPTY);
	if (!gap && *block)
		note(reader, MAP_TOUCHING);
	if (*block + gap + nr > map_limit_blocks(map->limit))
		note(reader, MAP_PAST_LIMIT);
	run_add(map, *block + gap, *block + gap + nr);
	*block += gap + nr;
	return true;
}

static enum map_fault runs_decode(const unsigned char *at, const unsigned char *end, struct map *map)
{
	struct reader reader = { .at = at, .end = end };
	uint64_t block = 0;

	while (reader.at != reader.end && run_get(&reader, map, &block))
		;
	return reader.fault;
}

static enum map_fault kind_check(const struct shale_disk_map *disk)
{
	const uint16_t flags = le16toh(disk->flags);

	if (flags == SHALE_DISK_MAP_SIDECAR)
		return !disk->id ? MAP_ID : disk->payload ? MAP_PAYLOAD : MAP_OK;
	if (flags == SHALE_DISK_MAP_INLINE)
		return disk->id ? MAP_ID : MAP_OK;
	return MAP_KIND;
}

static enum map_fault head_check(const struct shale_disk_map *disk)
{
	if (le64toh(disk->limit) > SHALE_DISK_MAP_LIMIT_MAX)
		return MAP_LIMIT;
	if (le64toh(disk->limit) > le64toh(disk->lower_size))
		return MAP_LIMIT_SIZE;
	if (le32toh(disk->lower_mtime_nsec) >= NSEC_MAX ||
	    le32toh(disk->lower_ctime_nsec) >= NSEC_MAX)
		return MAP_NSEC;
	return kind_check(disk);
}

static enum map_fault bytes_check(const struct shale_disk_map *disk, const void *buf, size_t len)
{
	const uint16_t known = SHALE_DISK_MAP_INLINE | SHALE_DISK_MAP_SIDECAR;

	if (le32toh(disk->magic) != SHALE_DISK_MAP_MAGIC)
		return MAP_MAGIC;
	if (!disk->version)
		return MAP_VERSION_0;
	if (disk->version > SHALE_DISK_MAP_VERSION)
		return MAP_VERSION;
	if (len > SHALE_DISK_MAP_INLINE_MAX)
		return MAP_LONG;
	if (le32toh(disk->payload) != len - sizeof(*disk))
		return MAP_LENGTH;
	if (disk->crc != bytes_crc(buf, len))
		return MAP_CRC;
	if (disk->block_shift != SHALE_DISK_MAP_BLOCK_SHIFT)
		return MAP_SHIFT;
	if (le16toh(disk->flags) & ~known)
		return MAP_FLAGS;
	return head_check(disk);
}

static void head_decode(const struct shale_disk_map *disk, struct map *ret_map)
{
	*ret_map = (struct map){
		.limit = le64toh(disk->limit),
		.id = le64toh(disk->id),
		.lower.size = le64toh(disk->lower_size),
		.lower.mtime = (int64_t)le64toh(disk->lower_mtime),
		.lower.ctime = (int64_t)le64toh(disk->lower_ctime),
		.lower.mtime_nsec = le32toh(disk->lower_mtime_nsec),
		.lower.ctime_nsec = le32toh(disk->lower_ctime_nsec),
	};
}

enum map_fault map_decode(const void *buf, size_t len, struct map *ret_map)
{
	const unsigned char *bytes = buf;
	struct shale_disk_map disk;
	enum map_fault fault;

	if (len < sizeof(disk))
		return MAP_SHORT;
	memcpy(&disk, buf, sizeof(disk));
	fault = bytes_check(&disk, buf, len);
	if (fault)
		return fault;
	head_decode(&disk, ret_map);
	return runs_decode(bytes + sizeof(disk), bytes + len, ret_map);
}

static unsigned char *number_put(unsigned char *at, const unsigned char *end, uint64_t value)
{
	do {
		if (!at || at == end)
			return NULL;
		*at++ = (value & 0x7f) | (value > 0x7f ? 0x80 : 0);
		value >>= 7;
	} while (value);
	return at;
}

static unsigned char *runs_encode(const struct map *map, unsigned char *at,
				  const unsigned char *end)
{
	uint64_t block = 0;

	for (size_t i = 0; i < map->nr_runs; i++) {
		at = number_put(at, end, map->runs[i].first - block);
		at = number_put(at, end, map->runs[i].nr);
		block = map->runs[i].first + map->runs[i].nr;
	}
	return at;
}

static void head_encode(const struct map *map, size_t payload, struct shale_disk_map *ret_disk)
{
	*ret_disk = (struct shale_disk_map){
		.magic = htole32(SHALE_DISK_MAP_MAGIC),
		.version = SHALE_DISK_MAP_VERSION,
		.block_shift = SHALE_DISK_MAP_BLOCK_SHIFT,
		.flags = htole16(map->id ? SHALE_DISK_MAP_SIDECAR : SHALE_DISK_MAP_INLINE),
		.payload = htole32((uint32_t)payload),
		.limit = htole64(map->limit),
		.id = htole64(map->id),
		.lower_size = htole64(map->lower.size),
		.lower_mtime = htole64((uint64_t)map->lower.mtime),
		.lower_ctime = htole64((uint64_t)map->lower.ctime),
		.lower_mtime_nsec = htole32(map->lower.mtime_nsec),
		.lower_ctime_nsec = htole32(map->lower.ctime_nsec),
	};
}

size_t map_encode(const struct map *map, unsigned char buf[SHALE_DISK_MAP_INLINE_MAX])
{
	unsigned char *payload = buf + sizeof(struct shale_disk_map), *end = payload;
	struct shale_disk_map disk;

	if (!map->id)
		end = runs_encode(map, payload, buf + SHALE_DISK_MAP_INLINE_MAX);
	if (!end)
		return 0;
	head_encode(map, (size_t)(end - payload), &disk);
	memcpy(buf, &disk, sizeof(disk));
	disk.crc = bytes_crc(buf, (size_t)(end - buf));
	memcpy(buf, &disk, sizeof(disk));
	return (size_t)(end - buf);
}

static bool is_zero(const void *bytes, size_t len)
{
	const unsigned char *at = bytes;

	return !at[0] && !memcmp(at, at + 1, len - 1);
}

enum map_fault map_sector_check(const struct shale_disk_map_sector *sector, uint64_t id,
				uint64_t number)
{
	if (is_zero(sector, sizeof(*sector)))
		return MAP_ZEROS;
	if (le32toh(sector->magic) != SHALE_DISK_MAP_SECTOR_MAGIC)
		return MAP_MAGIC;
	if (!sector->version)
		return MAP_VERSION_0;
	if (sector->version > SHALE_DISK_MAP_VERSION)
		return MAP_VERSION;
	if (sector->crc != bytes_crc(sector, sizeof(*sector)))
		return MAP_CRC;
	if (le64toh(sector->id) != id)
		return MAP_OTHER;
	if (le64toh(sector->number) != number)
		return MAP_PLACE;
	if (sector->block_shift != SHALE_DISK_MAP_BLOCK_SHIFT)
		return MAP_SHIFT;
	if (!is_zero(sector->reserved, sizeof(sector->reserved)) ||
	    !is_zero(sector->reserved2, sizeof(sector->reserved2)))
		return MAP_RESERVED;
	return MAP_OK;
}

void map_sector_seal(struct shale_disk_map_sector *sector)
{
	sector->crc = bytes_crc(sector, sizeof(*sector));
}

void map_sector_init(struct shale_disk_map_sector *sector, uint64_t id, uint64_t number)
{
	*sector = (struct shale_disk_map_sector){
		.magic = htole32(SHALE_DISK_MAP_SECTOR_MAGIC),
		.version = SHALE_DISK_MAP_VERSION,
		.block_shift = SHALE_DISK_MAP_BLOCK_SHIFT,
		.id = htole64(id),
		.number = htole64(number),
	};
	map_sector_seal(sector);
}

bool map_sector_test(const struct shale_disk_map_sector *sector, unsigned int bit)
{
	return le64toh(sector->bits[bit / 64]) >> bit % 64 & 1;
}

void map_sector_set(struct shale_disk_map_sector *sector, unsigned int bit)
{
	sector->bits[bit / 64] |= htole64(1ULL << bit % 64);
}
