// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer harness of maps as bytes: an xattr, or a page of a sidecar, which its first byte chooses,
 * with or without the right checksum. What is taken is what would have been written: it is encoded to the
 * same bytes again. The tools' reader, user/store/map.c, has to say the same of all bytes. Built and run by scripts/fuzz; its corpus is selftests/corpus/map_disk.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <asm/byteorder.h>
#include <linux/crc32c.h>
#include <linux/errno.h>
#include <linux/slab.h>

#include "map.h"
#include "map_disk.h"
#include "store/map.h"
#include "fuzz.h"

long shim_alloc_left = -1;

/* Bits of the first byte. */
#define IS_PAGE	  1
#define IS_SEALED 2

#define ID   7
#define PAGE 3

/* Larger maps take long to fill, and are no different. */
#define LIMIT_MAX (1ULL << 36)

static void promise_error(int err)
{
	promise(err == -EIO || err == -EOPNOTSUPP);
	promise(!shim_alloc_bytes);
}

static void promise_same(int err, enum map_fault fault)
{
	promise(!err == (map_verdict(fault) == MAP_SOUND));
	promise((err == -EOPNOTSUPP) == (map_verdict(fault) == MAP_NEWER));
}

/* What is loose, and so is written anew, is taken then. */
static void try_mend(const struct map *ours)
{
	uint8_t mended[SHALE_DISK_MAP_INLINE_MAX];
	size_t len = map_encode(ours, mended);
	struct shale_map_head head;
	struct shale_map map;

	promise(len && !shale_map_disk_decode(mended, len, &map, &head));
	shale_map_destroy(&map);
}

static void seal(void *bytes, size_t len)
{
	struct shale_disk_map disk;

	if (len < sizeof(disk))
		return;
	memcpy(&disk, bytes, sizeof(disk));
	disk.crc = 0;
	memcpy(bytes, &disk, sizeof(disk));
	disk.crc = cpu_to_le32(~crc32c(~0U, bytes, len));
	memcpy(bytes, &disk, sizeof(disk));
}

static bool is_huge(const uint8_t *bytes, size_t len)
{
	struct shale_disk_map disk;

	if (len < sizeof(disk))
		return false;
	memcpy(&disk, bytes, sizeof(disk));
	return le64_to_cpu(disk.limit) > LIMIT_MAX;
}

static void try_xattr(uint8_t *bytes, size_t len)
{
	uint8_t again[SHALE_DISK_MAP_INLINE_MAX];
	struct shale_map_head head;
	enum map_fault fault;
	struct shale_map map;
	struct map ours;
	int err;

	if (is_huge(bytes, len))
		return;
	fault = map_decode(bytes, len, &ours);
	err = shale_map_disk_decode(bytes, len, &map, &head);
	promise_same(err, fault);
	if (err) {
		promise_error(err);
		if (map_verdict(fault) == MAP_LOOSE)
			try_mend(&ours);
		return;
	}
	promise(shale_map_limit(&map) <= head.lower.size);
	promise(shale_map_disk_encode(&map, &head, again) == (int)len);
	promise(!memcmp(bytes, again, len));
	promise(map_encode(&ours, again) == len && !memcmp(bytes, again, len));
	shale_map_destroy(&map);
}

/* Sectors that are not there are as they should be, so that short inputs get somewhere. */
static void try_page(const uint8_t *bytes, size_t len, bool is_sealed)
{
	struct shale_disk_map_sector page[SHALE_DISK_MAP_PAGE_SECTORS];
	struct shale_disk_map_sector again[SHALE_DISK_MAP_PAGE_SECTORS];
	enum map_fault fault = MAP_OK;
	struct shale_map map;
	int err;

	shale_map_init(&map, LIMIT_MAX);
	shale_map_disk_page_encode(&map, ID, PAGE, page);
	memcpy(page, bytes, len < sizeof(page) ? len : sizeof(page));
	for (int i = 0; is_sealed && i < SHALE_DISK_MAP_PAGE_SECTORS; i++)
		seal(&page[i], sizeof(page[i]));
	err = shale_map_disk_page_decode(page, ID, PAGE, &map);
	shale_map_disk_page_encode(&map, ID, PAGE, again);
	shale_map_destroy(&map);
	for (int i = 0; !fault && i < SHALE_DISK_MAP_PAGE_SECTORS; i++)
		fault = map_sector_check(&page[i], ID, PAGE * SHALE_DISK_MAP_PAGE_SECTORS + i);
	promise_same(err, fault);
	if (err)
		promise_error(err);
	else
		promise(!memcmp(page, again, sizeof(page)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *bytes;

	if (!size)
		return 0;
	bytes = malloc(size);
	promise(bytes);
	memcpy(bytes, data + 1, size - 1);
	if (data[0] & IS_PAGE) {
		try_page(bytes, size - 1, data[0] & IS_SEALED);
	} else {
		if (data[0] & IS_SEALED)
			seal(bytes, size - 1);
		try_xattr(bytes, size - 1);
	}
	free(bytes);
	return 0;
}
