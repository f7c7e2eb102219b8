// SPDX-License-Identifier: GPL-2.0-only
/*
 * Maps as bytes, kmod/map_disk.c, on the host: the bytes themselves, round trips of xattrs and sidecars,
 * torn and stale sectors, and that nothing hostile is taken: each field, each length, each bit. The
 * set itself is tested in map.c; arbitrary bytes are tried by selftests/fuzz/map_disk.c.
 */
#include "ktap.h"

#include <pthread.h>
#include <stdlib.h>
#include <asm/byteorder.h>
#include <linux/compiler.h>
#include <linux/math.h>
#include <linux/slab.h>

#include "map.h"
#include "map_disk.h"

long shim_alloc_left = -1;

#define MIB	(1024 * 1024LL)
#define HEAD	sizeof(struct shale_disk_map)
#define MAX	SHALE_DISK_MAP_INLINE_MAX
#define SECTORS SHALE_DISK_MAP_PAGE_SECTORS
#define ID	0x0123456789abcdefULL
#define LIMIT	(300 * MIB)
#define BLOCKS	(LIMIT / 4096)

typedef struct shale_disk_map_sector page_t[SECTORS];

static const struct shale_map_head inline_head = {
	.lower = { .size = LIMIT, .mtime = 1700000000, .ctime = -5, .mtime_nsec = 999999999 },
};

static const struct shale_map_head sidecar_head = {
	.lower = { .size = LIMIT, .mtime = -1, .ctime = 1700000000, .ctime_nsec = 1 },
	.id = ID,
};

/* CRC-32C by its definition: what other tools compute. */
static u32 crc_by_definition(const u8 *bytes, size_t len)
{
	u32 crc = ~0U;

	while (len--) {
		crc ^= *bytes++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

/* Makes bytes that were changed pass the checksum again. */
static void reseal(void *bytes, size_t len)
{
	struct shale_disk_map *disk = bytes;

	disk->crc = 0;
	disk->crc = cpu_to_le32(crc_by_definition(bytes, len));
}

static void map_with(struct shale_map *map, u64 limit, const struct shale_map_run *runs, int nr)
{
	shale_map_init(map, limit);
	for (int i = 0; i < nr; i++)
		ASSERT_EQ(shale_map_set(map, runs[i].first, runs[i].nr), 0);
}

static void expect_same(struct shale_map *a, struct shale_map *b)
{
	struct shale_map_run run_a, run_b;
	u64 from = 0;

	EXPECT_EQ(shale_map_limit(a), shale_map_limit(b));
	while (shale_map_next(a, from, ~0ULL, &run_a)) {
		ASSERT(shale_map_next(b, from, ~0ULL, &run_b));
		ASSERT(run_a.first == run_b.first && run_a.nr == run_b.nr);
		from = run_a.first + run_a.nr;
	}
	EXPECT(!shale_map_next(b, from, ~0ULL, &run_b));
}

static const struct shale_map_run some_runs[] = {
	{ 0, 1 }, { 5, 3 }, { 511, 2 }, { 20000, 40000 }, { BLOCKS - 1, 1 },
};
#define SOME_LEN (HEAD + 17)
#define NR_SOME (int)(sizeof(some_runs) / sizeof(some_runs[0]))

static int some_encoded(const struct shale_map_head *head, u8 *buf)
{
	struct shale_map map;
	int len;

	map_with(&map, LIMIT, some_runs, NR_SOME);
	len = shale_map_disk_encode(&map, head, buf);
	shale_map_destroy(&map);
	return len;
}

TEST(crc, "the checksum is the CRC-32C of all bytes with itself as zero")
{
	u8 buf[MAX], page[4096] __attribute__((aligned(8)));
	__le32 crc;

	EXPECT_EQ(crc_by_definition((const u8 *)"123456789", 9), 0xe3069283);
	ASSERT_EQ(some_encoded(&inline_head, buf), SOME_LEN);
	memcpy(&crc, buf + 4, 4);
	reseal(buf, SOME_LEN);
	EXPECT(!memcmp(buf + 4, &crc, 4));
	shale_map_disk_dir_init((void *)page, ID);
	memcpy(&crc, page + 512 + 4, 4);
	reseal(page + 512, 512);
	EXPECT(!memcmp(page + 512 + 4, &crc, 4));
}

TEST(bytes_inline, "a map in an xattr has these bytes, for ever")
{
	static const u8 want[] = {
		'S', 'H', 'L', 'M', 0, 0, 0, 0, 1, 12, 1, 0, 17, 0, 0, 0,
		0, 0, 0xc0, 0x12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0xc0, 0x12, 0, 0, 0, 0, 0x00, 0xf1, 0x53, 0x65, 0, 0, 0, 0,
		0xfb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xc9, 0x9a, 0x3b, 0, 0, 0, 0,
		0, 1, 4, 3, 0xf7, 0x03, 2, 0x9f, 0x98, 0x01, 0xc0, 0xb8, 0x02, 0x9f, 0x83,
		0x01, 1,
	};
	u8 buf[MAX];

	ASSERT_EQ(some_encoded(&inline_head, buf), SOME_LEN);
	memset(buf + 4, 0, 4);
	EXPECT(!memcmp(buf, want, sizeof(want)));
}

TEST(bytes_sector, "a sector of a sidecar has these bytes, for ever")
{
	static const u8 want[64] = {
		'S', 'H', 'L', 'S', 0, 0, 0, 0, 1, 12, 0, 0, 0, 0, 0, 0,
		0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01, 8, 0, 0, 0, 0, 0, 0, 0,
	};
	struct shale_map map;
	page_t page;
	u8 *bytes = (u8 *)page;

	map_with(&map, LIMIT, some_runs, NR_SOME);
	shale_map_disk_page_encode(&map, ID, 1, page);
	page[0].crc = 0;
	EXPECT(!memcmp(bytes, want, 64));
	EXPECT_EQ(bytes[64], 0xe1);
	EXPECT_EQ(bytes[64 + 63], 0x80);
	EXPECT_EQ(bytes[64 + 64], 0x01);
	EXPECT_EQ(bytes[64 + 65], 0x00);
	shale_map_destroy(&map);
}

static void expect_round_trip(struct shale_map *map, const struct shale_map_head *head)
{
	u8 buf[MAX], again[MAX];
	struct shale_map_head got;
	struct shale_map copy;
	int len = shale_map_disk_encode(map, head, buf);

	ASSERT(len >= (int)HEAD && len <= MAX);
	ASSERT_EQ(shale_map_disk_decode(buf, len, &copy, &got), 0);
	expect_same(map, &copy);
	EXPECT(!memcmp(&got, head, sizeof(got)));
	EXPECT_EQ(shale_map_disk_encode(&copy, &got, again), len);
	EXPECT(!memcmp(buf, again, len));
	shale_map_destroy(&copy);
}

TEST(round_trip, "what is encoded in an xattr is decoded, the lower file's size and times with it")
{
	struct shale_map map;

	map_with(&map, LIMIT, some_runs, NR_SOME);
	expect_round_trip(&map, &inline_head);
	shale_map_destroy(&map);
}

TEST(round_trip_empty, "a map without blocks is a header")
{
	struct shale_map_head head = { 0 };
	struct shale_map map;
	u8 buf[MAX];

	shale_map_init(&map, 0);
	EXPECT_EQ(shale_map_disk_encode(&map, &head, buf), HEAD);
	expect_round_trip(&map, &head);
	shale_map_destroy(&map);
}

TEST(round_trip_random, "300 random maps go through an xattr unchanged")
{
	for (unsigned int seed = 0; seed < 300 && !ktap_has_failed(); seed++) {
		struct shale_map map;

		srand(seed);
		shale_map_init(&map, LIMIT - rand() % 10000);
		for (int i = rand() % 150; i; i--)
			shale_map_set(&map, rand() % BLOCKS, 1 + rand() % (rand() % 2 ? 3 : 3000));
		expect_round_trip(&map, &inline_head);
		shale_map_destroy(&map);
		if (ktap_has_failed())
			ktap_note("seed %u", seed);
	}
}

TEST(limit_lowered, "an xattr has no blocks above the limit that is in it")
{
	struct shale_map_head head;
	struct shale_map map, copy;
	struct shale_map_run run;
	u8 buf[MAX];
	int len;

	map_with(&map, LIMIT, some_runs, NR_SOME);
	shale_map_limit_lower_to(&map, 6 * 4096 + 1);
	len = shale_map_disk_encode(&map, &inline_head, buf);
	ASSERT_EQ(shale_map_disk_decode(buf, len, &copy, &head), 0);
	EXPECT_EQ(shale_map_limit(&copy), 6 * 4096 + 1);
	EXPECT(shale_map_next(&copy, 1, ~0ULL, &run) && run.first == 5 && run.nr == 2);
	EXPECT(!shale_map_next(&copy, 7, ~0ULL, &run));
	shale_map_destroy(&map);
	shale_map_destroy(&copy);
}

TEST(fits, "a map that fills the xattr exactly is in it, and with one run more it is E2BIG")
{
	struct shale_map map;
	u8 buf[MAX];
	u64 i;

	shale_map_init(&map, LIMIT);
	for (i = 0; i < (MAX - HEAD) / 2; i++)
		ASSERT_EQ(shale_map_set(&map, i * 2, 1), 0);
	EXPECT_EQ(shale_map_disk_encode(&map, &inline_head, buf), MAX);
	expect_round_trip(&map, &inline_head);
	ASSERT_EQ(shale_map_set(&map, i * 2, 1), 0);
	EXPECT_EQ(shale_map_disk_encode(&map, &inline_head, buf), -E2BIG);
	EXPECT_EQ(shale_map_disk_encode(&map, &sidecar_head, buf), HEAD);
	shale_map_destroy(&map);
}

TEST(largest, "the largest map there is, all of 16 TiB, is read in less than 80 MB")
{
	const struct shale_map_run all = { 0, SHALE_DISK_MAP_LIMIT_MAX / 4096 };
	struct shale_map_head head = { .lower.size = SHALE_DISK_MAP_LIMIT_MAX };
	struct shale_map map;
	u8 buf[MAX];
	int len;

	map_with(&map, SHALE_DISK_MAP_LIMIT_MAX, &all, 1);
	len = shale_map_disk_encode(&map, &head, buf);
	shale_map_destroy(&map);
	ASSERT_EQ(shale_map_disk_decode(buf, len, &map, &head), 0);
	ktap_note("%d bytes on disk, %ld in memory", len, shim_alloc_bytes);
	EXPECT(shim_alloc_bytes < 80 * 1000 * 1000);
	shale_map_destroy(&map);
}

/* A change of the bytes in an xattr, made to pass the checksum. */
struct field_case {
	struct ktap_row row;
	size_t offset, size;
	u64 value;
	int want;
	bool is_sidecar;
};

#define ROW(NAME, DESC) .row = {.name = NAME, .desc = DESC}
#define FIELD(TYPE, MEMBER) offsetof(struct TYPE, MEMBER), sizeof(((struct TYPE *)0)->MEMBER)
#define XATTR(MEMBER) FIELD(shale_disk_map, MEMBER)
#define SECTOR(MEMBER) FIELD(shale_disk_map_sector, MEMBER)

static const struct field_case field_cases[] = {
	{ ROW("none", "a map that is whole is taken"), XATTR(version), 1, 0 },
	{ ROW("magic", "other bytes are EIO"), XATTR(magic), 1, -EIO },
	{ ROW("version_0", "version 0 was never written"), XATTR(version), 0, -EIO },
	{ ROW("version_2", "a newer version is EOPNOTSUPP"), XATTR(version), 2, -EOPNOTSUPP },
	{ ROW("shift", "other sizes of blocks are EOPNOTSUPP"), XATTR(block_shift), 13, -EOPNOTSUPP },
	{ ROW("flag_unknown", "an unknown flag is EOPNOTSUPP"), XATTR(flags), 5, -EOPNOTSUPP },
	{ ROW("flag_high", "in the high byte, too"), XATTR(flags), 0x8001, -EOPNOTSUPP },
	{ ROW("flags_none", "neither inline nor sidecar is EIO"), XATTR(flags), 0, -EIO },
	{ ROW("flags_both", "both is EIO"), XATTR(flags), 3, -EIO },
	{ ROW("payload_less", "a payload that is said to be shorter is EIO"), XATTR(payload), 16, -EIO },
	{ ROW("payload_more", "or longer"), XATTR(payload), 18, -EIO },
	{ ROW("payload_huge", "or much longer"), XATTR(payload), 0xffffffff, -EIO },
	{ ROW("limit_above", "a limit above the lower file's size is EIO"), XATTR(limit), LIMIT + 1, -EIO },
	{ ROW("limit_cuts", "a limit below a run is EIO"), XATTR(limit), LIMIT - 4096, -EIO },
	{ ROW("limit_in_block", "a limit in the last run's block is not"), XATTR(limit), LIMIT - 4095, 0 },
	{ ROW("limit_zero", "runs with limit 0 are EIO"), XATTR(limit), 0, -EIO },
	{ ROW("size_below", "a lower file shorter than the limit is EIO"), XATTR(lower_size), 1, -EIO },
	{ ROW("size_huge", "a longer one is not"), XATTR(lower_size), ~0ULL, 0 },
	{ ROW("id", "an id without a sidecar is EIO"), XATTR(id), 7, -EIO },
	{ ROW("mtime", "any second is a time"), XATTR(lower_mtime), 1ULL << 63, 0 },
	{ ROW("mtime_nsec", "10^9 nanoseconds are EIO"), XATTR(lower_mtime_nsec), 1000000000, -EIO },
	{ ROW("ctime_nsec", "in ctime, too"), XATTR(lower_ctime_nsec), 0xffffffff, -EIO },
	{ ROW("sidecar", "a sidecar with an id is taken"), XATTR(id), 7, 0, true },
	{ ROW("sidecar_no_id", "one without is EIO"), XATTR(id), 0, -EIO, true },
	{ ROW("sidecar_inline", "inline with an id is EIO"), XATTR(flags), 1, -EIO, true },
};

TEST_TABLE(field, struct field_case, field_cases, c)
{
	__le64 value = cpu_to_le64(c->value);
	struct shale_map_head head;
	struct shale_map map;
	u8 buf[MAX];
	int len = some_encoded(c->is_sidecar ? &sidecar_head : &inline_head, buf);

	memcpy(buf + c->offset, &value, c->size);
	reseal(buf, len);
	EXPECT_EQ(shale_map_disk_decode(buf, len, &map, &head), c->want);
	if (!c->want)
		shale_map_destroy(&map);
	EXPECT_EQ(shim_alloc_bytes, 0);
}

TEST(limit_max, "a limit above the largest is EIO, whatever the lower file's size")
{
	struct shale_map_head head = { .lower.size = ~0ULL };
	struct shale_map map;
	u8 buf[MAX];
	int len;

	shale_map_init(&map, SHALE_DISK_MAP_LIMIT_MAX + 1);
	len = shale_map_disk_encode(&map, &head, buf);
	shale_map_destroy(&map);
	EXPECT_EQ(shale_map_disk_decode(buf, len, &map, &head), -EIO);
}

/* A payload, made to pass the checksum, in a map of 4096 blocks. */
struct payload_case {
	struct ktap_row row;
	int len, want;
	u8 bytes[32];
};

#define OVERLONG 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80

static const struct payload_case payload_cases[] = {
	{ ROW("none", "no runs"), 0, 0 },
	{ ROW("one", "one run"), 2, 0, { 5, 1 } },
	{ ROW("to_limit", "a run to the limit"), 3, 0, { 0, 0x80, 0x20 } },
	{ ROW("past_limit", "a run past the limit is EIO"), 3, -EIO, { 0, 0x81, 0x20 } },
	{ ROW("begin_at_limit", "a run that begins at the limit is EIO"), 3, -EIO, { 0x80, 0x20, 1 } },
	{ ROW("begin_past_limit", "or past it"), 3, -EIO, { 0x81, 0x20, 1 } },
	{ ROW("second_past_limit", "or is the second one"), 5, -EIO, { 1, 1, 1, 0xfe, 0x1f } },
	{ ROW("gap_zero", "runs that touch are EIO"), 4, -EIO, { 5, 1, 0, 1 } },
	{ ROW("length_zero", "a run without blocks is EIO"), 2, -EIO, { 5, 0 } },
	{ ROW("half", "a gap without a run is EIO"), 1, -EIO, { 5 } },
	{ ROW("half_second", "after a run, too"), 3, -EIO, { 5, 1, 1 } },
	{ ROW("unfinished", "a number that does not end is EIO"), 2, -EIO, { 5, 0x81 } },
	{ ROW("needless", "a number with a needless byte is EIO"), 3, -EIO, { 0x85, 0x00, 1 } },
	{ ROW("needless_zero", "zero, too"), 3, -EIO, { 0x80, 0x00, 1 } },
	{ ROW("65_bits", "a number of 65 bits is EIO"), 11, -EIO, { OVERLONG, 0x02, 1 } },
	{ ROW("11_bytes", "and one of 11 bytes"), 12, -EIO, { OVERLONG, 0x80, 1, 1 } },
	{ ROW("64_bits", "a gap of 2^63 is past the limit"), 11, -EIO, { OVERLONG, 0x01, 1 } },
	{ ROW("wraps", "so is a run that would come round to the beginning"), 11, -EIO,
	  { 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01 } },
};

static int payload_decode(const u8 *bytes, size_t payload)
{
	struct shale_disk_map disk = {
		.magic = cpu_to_le32(SHALE_DISK_MAP_MAGIC),
		.version = SHALE_DISK_MAP_VERSION,
		.block_shift = 12,
		.flags = cpu_to_le16(SHALE_DISK_MAP_INLINE),
		.payload = cpu_to_le32(payload),
		.limit = cpu_to_le64(4096 * 4096),
		.lower_size = cpu_to_le64(4096 * 4096),
	};
	struct shale_map_head head;
	struct shale_map map;
	u8 buf[2 * MAX];
	int err;

	memcpy(buf, &disk, HEAD);
	memcpy(buf + HEAD, bytes, payload);
	reseal(buf, HEAD + payload);
	err = shale_map_disk_decode(buf, HEAD + payload, &map, &head);
	if (!err)
		shale_map_destroy(&map);
	EXPECT_EQ(shim_alloc_bytes, 0);
	return err;
}

TEST_TABLE(payload, struct payload_case, payload_cases, c)
{
	EXPECT_EQ(payload_decode(c->bytes, c->len), c->want);
}

TEST(payload_long, "a payload longer than an xattr may have is EIO, whatever is in it")
{
	u8 bytes[MAX];

	memset(bytes, 1, sizeof(bytes));
	EXPECT_EQ(payload_decode(bytes, MAX - HEAD), 0);
	EXPECT_EQ(payload_decode(bytes, MAX - HEAD + 2), -EIO);
}

TEST(sidecar_payload, "a sidecar's xattr with a payload is EIO")
{
	struct shale_map_head head;
	struct shale_map map;
	struct shale_disk_map disk;
	u8 buf[MAX] = { 0 };

	ASSERT_EQ(some_encoded(&sidecar_head, buf), HEAD);
	memcpy(&disk, buf, HEAD);
	disk.payload = cpu_to_le32(2);
	memcpy(buf, &disk, HEAD);
	buf[HEAD + 1] = 1;
	reseal(buf, HEAD + 2);
	EXPECT_EQ(shale_map_disk_decode(buf, HEAD + 2, &map, &head), -EIO);
}

TEST(truncated, "a value of any other length is EIO")
{
	struct shale_map_head head;
	struct shale_map map;
	u8 buf[MAX] = { 0 };
	int len = some_encoded(&inline_head, buf);

	for (int i = 0; i <= MAX; i++) {
		/* On the heap, so that reading behind it is seen. */
		u8 *copy = malloc(i ?: 1);

		memcpy(copy, buf, i);
		if (i != len)
			EXPECT_EQ(shale_map_disk_decode(copy, i, &map, &head), -EIO);
		free(copy);
	}
}

TEST(flipped, "a value with any one bit flipped is not taken")
{
	struct shale_map_head head;
	struct shale_map map;
	u8 buf[MAX];
	int len = some_encoded(&inline_head, buf);

	for (int bit = 0; bit < len * 8; bit++) {
		int err;

		buf[bit / 8] ^= 1 << bit % 8;
		err = shale_map_disk_decode(buf, len, &map, &head);
		EXPECT(err == -EIO || (bit / 8 == offsetof(struct shale_disk_map, version) &&
				       err == -EOPNOTSUPP));
		buf[bit / 8] ^= 1 << bit % 8;
	}
	EXPECT_EQ(shale_map_disk_decode(buf, len, &map, &head), 0);
	shale_map_destroy(&map);
}

TEST(no_memory, "without memory at any point decoding is ENOMEM and leaves nothing")
{
	struct shale_map_run runs[4] = { { 1, 1 }, { 5, 1 }, { 30000, 1 }, { 40000, 9000 } };
	struct shale_map_head head;
	struct shale_map map;
	u8 buf[MAX];
	int len, err = -ENOMEM;
	long left;

	map_with(&map, LIMIT, runs, 4);
	len = shale_map_disk_encode(&map, &inline_head, buf);
	shale_map_destroy(&map);
	for (left = 0; err; left++) {
		shim_alloc_left = left;
		err = shale_map_disk_decode(buf, len, &map, &head);
		shim_alloc_left = -1;
		ASSERT(!err || err == -ENOMEM);
		if (err)
			EXPECT_EQ(shim_alloc_bytes, 0);
	}
	EXPECT(left > 3);
	shale_map_destroy(&map);
}

/* A sidecar in memory: page 0 is the directory. */
static page_t *sidecar_encode(struct shale_map *map)
{
	u64 pages = shale_map_disk_pages(shale_map_limit(map));
	page_t *sidecar = calloc(pages + SHALE_DISK_MAP_GROUP_PAGES, sizeof(page_t));
	struct shale_map_run run;

	shale_map_disk_dir_init(sidecar[0], ID);
	for (u64 from = 0; shale_map_next(map, from, ~0ULL, &run); from = run.first + run.nr) {
		u64 last = (run.first + run.nr - 1) / SHALE_DISK_MAP_PAGE_BITS;

		for (u64 i = run.first / SHALE_DISK_MAP_PAGE_BITS; i <= last; i++) {
			u64 page = shale_map_disk_group(1 + i);

			if (shale_map_disk_dir_has(sidecar[0], page))
				continue;
			for (int j = 0; j < SHALE_DISK_MAP_GROUP_PAGES; j++)
				shale_map_disk_page_encode(map, ID, page + j, sidecar[page + j]);
			shale_map_disk_dir_add(sidecar[0], page);
		}
	}
	return sidecar;
}

static int sidecar_decode(page_t *sidecar, struct shale_map *map)
{
	u64 pages = shale_map_disk_pages(shale_map_limit(map));
	int err = shale_map_disk_dir_check(sidecar[0], ID);

	for (u64 page = 1; !err && page <= pages; page++)
		if (shale_map_disk_dir_has(sidecar[0], page))
			err = shale_map_disk_page_decode(sidecar[page], ID, page, map);
	return err;
}

static void expect_sidecar_round_trip(struct shale_map *map)
{
	struct shale_map_head head = { .lower.size = shale_map_limit(map), .id = ID };
	page_t *sidecar = sidecar_encode(map);
	struct shale_map copy;
	u8 buf[MAX];

	ASSERT_EQ(shale_map_disk_encode(map, &head, buf), HEAD);
	ASSERT_EQ(shale_map_disk_decode(buf, HEAD, &copy, &head), 0);
	EXPECT_EQ(head.id, ID);
	ASSERT_EQ(sidecar_decode(sidecar, &copy), 0);
	expect_same(map, &copy);
	shale_map_destroy(&copy);
	free(sidecar);
}

TEST(sidecar, "100 random maps, too large for an xattr, go through a sidecar unchanged")
{
	for (unsigned int seed = 0; seed < 100 && !ktap_has_failed(); seed++) {
		struct shale_map map;
		u8 buf[MAX];

		srand(seed);
		shale_map_init(&map, LIMIT);
		for (int i = 600 + rand() % 1000; i; i--)
			shale_map_set(&map, rand() % BLOCKS, 1 + rand() % 3);
		EXPECT_EQ(shale_map_disk_encode(&map, &inline_head, buf), -E2BIG);
		expect_sidecar_round_trip(&map);
		shale_map_destroy(&map);
		if (ktap_has_failed())
			ktap_note("seed %u", seed);
	}
}

TEST(sidecar_borders, "blocks on both sides of sectors, pages and groups keep their places")
{
	static const u64 borders[] = { SHALE_DISK_MAP_SECTOR_BITS, SHALE_DISK_MAP_PAGE_BITS,
				       SHALE_DISK_MAP_PAGE_BITS * SHALE_DISK_MAP_GROUP_PAGES,
				       SHALE_DISK_MAP_PAGE_BITS * SHALE_DISK_MAP_GROUP_PAGES * 2 };

	for (int i = 0; i < 4; i++)
		for (int side = 0; side < 3; side++) {
			struct shale_map_run run = { borders[i] - (side != 1), 1 + (side == 2) };
			struct shale_map map;

			map_with(&map, 4096ULL * SHALE_DISK_MAP_PAGE_BITS * 24, &run, 1);
			expect_sidecar_round_trip(&map);
			shale_map_destroy(&map);
		}
}

TEST(sidecar_limit, "a page keeps blocks above a limit that was lowered; reading them maps nothing more")
{
	struct shale_map_run run = { 100, 50 };
	struct shale_map map, copy;
	page_t page;

	map_with(&map, LIMIT, &run, 1);
	shale_map_limit_lower_to(&map, 110 * 4096);
	shale_map_disk_page_encode(&map, ID, 1, page);
	shale_map_init(&copy, LIMIT);
	ASSERT_EQ(shale_map_disk_page_decode(page, ID, 1, &copy), 0);
	EXPECT(shale_map_next(&copy, 0, ~0ULL, &run) && run.first == 100 && run.nr == 50);
	shale_map_destroy(&copy);
	shale_map_init(&copy, 110 * 4096);
	ASSERT_EQ(shale_map_disk_page_decode(page, ID, 1, &copy), 0);
	EXPECT(shale_map_next(&copy, 0, ~0ULL, &run) && run.first == 100 && run.nr == 10);
	shale_map_destroy(&copy);
	shale_map_destroy(&map);
}

TEST(pages, "a sidecar has a page for each 112 MiB below the limit that were begun")
{
	EXPECT_EQ(shale_map_disk_pages(0), 0);
	EXPECT_EQ(shale_map_disk_pages(1), 1);
	EXPECT_EQ(shale_map_disk_pages(112 * MIB), 1);
	EXPECT_EQ(shale_map_disk_pages(112 * MIB + 1), 2);
	EXPECT_EQ(shale_map_disk_pages(SHALE_DISK_MAP_LIMIT_MAX), 149797);
	EXPECT_EQ(shale_map_disk_group(1), 1);
	EXPECT_EQ(shale_map_disk_group(8), 1);
	EXPECT_EQ(shale_map_disk_group(9), 9);
}

TEST(directory, "the directory has the groups that were added, up to the last of 16 TiB")
{
	static const u64 added[] = { 1, 16, 3584 * 8, 3584 * 8 + 1, 149797 };
	page_t dir;

	shale_map_disk_dir_init(dir, ID);
	for (int i = 0; i < 5; i++) {
		EXPECT(!shale_map_disk_dir_has(dir, added[i]));
		shale_map_disk_dir_add(dir, added[i]);
		EXPECT(shale_map_disk_dir_has(dir, added[i]));
		EXPECT_EQ(shale_map_disk_dir_check(dir, ID), 0);
	}
	EXPECT(shale_map_disk_dir_has(dir, 8) && shale_map_disk_dir_has(dir, 9));
	EXPECT(!shale_map_disk_dir_has(dir, 17) && !shale_map_disk_dir_has(dir, 3584 * 8 + 9));
}

TEST(directory_broken, "a directory that is not whole, of another file, or zeros, is EIO")
{
	page_t dir, zeros = { 0 };

	shale_map_disk_dir_init(dir, ID);
	EXPECT_EQ(shale_map_disk_dir_check(dir, ID + 1), -EIO);
	EXPECT_EQ(shale_map_disk_dir_check(zeros, ID), -EIO);
	EXPECT_EQ(shale_map_disk_dir_check(zeros, 0), -EIO);
	dir[7].bits[55] ^= cpu_to_le64(1ULL << 63);
	EXPECT_EQ(shale_map_disk_dir_check(dir, ID), -EIO);
}

/* A page before and after more blocks of it were mapped. */
static void page_twice(page_t old, page_t new, struct shale_map *map)
{
	srand(3);
	shale_map_init(map, LIMIT);
	for (int i = 0; i < 200; i++)
		shale_map_set(map, rand() % SHALE_DISK_MAP_PAGE_BITS, 5);
	shale_map_disk_page_encode(map, ID, 1, old);
	for (int i = 0; i < 200; i++)
		shale_map_set(map, rand() % SHALE_DISK_MAP_PAGE_BITS, 5);
	shale_map_disk_page_encode(map, ID, 1, new);
}

TEST(torn, "a page with any mix of old and new sectors is read, each sector as it is")
{
	struct shale_map map, copy;
	page_t old, new, torn, again;

	page_twice(old, new, &map);
	for (int mix = 0; mix < 256; mix++) {
		for (int i = 0; i < SECTORS; i++)
			torn[i] = mix >> i & 1 ? new[i] : old[i];
		shale_map_init(&copy, LIMIT);
		ASSERT_EQ(shale_map_disk_page_decode(torn, ID, 1, &copy), 0);
		shale_map_disk_page_encode(&copy, ID, 1, again);
		EXPECT(!memcmp(torn, again, sizeof(torn)));
		shale_map_destroy(&copy);
	}
	shale_map_destroy(&map);
}

TEST(torn_sector, "a sector that is partly old and partly new is EIO")
{
	struct shale_map map;
	page_t old, new, torn;

	page_twice(old, new, &map);
	for (size_t i = 0; i <= 512; i++) {
		bool is_whole;

		memcpy(torn, old, sizeof(torn));
		memcpy(torn, new, i);
		is_whole = !memcmp(torn, old, 512) || !memcmp(torn, new, 512);
		EXPECT_EQ(shale_map_disk_page_decode(torn, ID, 1, &map), is_whole ? 0 : -EIO);
	}
	shale_map_destroy(&map);
}

TEST(misplaced, "a page, or a sector, of another place or another file is EIO")
{
	struct shale_map map;
	page_t page, other;

	map_with(&map, LIMIT, some_runs, NR_SOME);
	shale_map_disk_page_encode(&map, ID, 1, page);
	EXPECT_EQ(shale_map_disk_page_decode(page, ID, 2, &map), -EIO);
	EXPECT_EQ(shale_map_disk_page_decode(page, ID + 1, 1, &map), -EIO);
	EXPECT_EQ(shale_map_disk_page_decode(page, ID, 1, &map), 0);
	memcpy(other, page, sizeof(page));
	other[5] = page[4];
	EXPECT_EQ(shale_map_disk_page_decode(other, ID, 1, &map), -EIO);
	memset(&page[3], 0, sizeof(page[3]));
	EXPECT_EQ(shale_map_disk_page_decode(page, ID, 1, &map), -EIO);
	shale_map_destroy(&map);
}

static const struct field_case sector_cases[] = {
	{ ROW("none", "a sector that is whole is taken"), SECTOR(version), 1, 0 },
	{ ROW("magic", "other bytes are EIO"), SECTOR(magic), SHALE_DISK_MAP_MAGIC, -EIO },
	{ ROW("version_0", "version 0 was never written"), SECTOR(version), 0, -EIO },
	{ ROW("version_2", "a newer version is EOPNOTSUPP"), SECTOR(version), 2, -EOPNOTSUPP },
	{ ROW("shift", "other sizes of blocks are EOPNOTSUPP"), SECTOR(block_shift), 16, -EOPNOTSUPP },
	{ ROW("reserved", "something in the reserve is EOPNOTSUPP"), SECTOR(reserved), 1, -EOPNOTSUPP },
	{ ROW("reserved2", "in the other, too"), SECTOR(reserved2[31]), 1, -EOPNOTSUPP },
	{ ROW("id", "another id is EIO"), SECTOR(id), 1, -EIO },
	{ ROW("number", "another number is EIO"), SECTOR(number), 9, -EIO },
	{ ROW("bits", "other bits are other blocks"), SECTOR(bits[0]), ~0ULL, 0 },
};

TEST_TABLE(sector, struct field_case, sector_cases, c)
{
	__le64 value = cpu_to_le64(c->value);
	struct shale_map map;
	page_t page;

	shale_map_init(&map, LIMIT);
	shale_map_disk_page_encode(&map, ID, 1, page);
	memcpy((u8 *)page + c->offset, &value, c->size < 8 ? c->size : 8);
	reseal(page, 512);
	EXPECT_EQ(shale_map_disk_page_decode(page, ID, 1, &map), c->want);
	shale_map_destroy(&map);
}

TEST(page_flipped, "a page with any one bit flipped is not taken")
{
	struct shale_map map;
	page_t page;
	u8 *bytes = (u8 *)page;

	map_with(&map, LIMIT, some_runs, NR_SOME);
	shale_map_disk_page_encode(&map, ID, 1, page);
	for (int bit = 0; bit < 4096 * 8; bit++) {
		int err;

		bytes[bit / 8] ^= 1 << bit % 8;
		err = shale_map_disk_page_decode(page, ID, 1, &map);
		EXPECT(err == -EIO || (bit / 8 % 512 == 8 && err == -EOPNOTSUPP));
		bytes[bit / 8] ^= 1 << bit % 8;
	}
	shale_map_destroy(&map);
}

TEST(page_no_memory, "without memory a page is ENOMEM, and can be read again")
{
	struct shale_map map, copy;
	int err = -ENOMEM, tries;
	page_t page;

	map_with(&map, LIMIT, some_runs, NR_SOME);
	shale_map_disk_page_encode(&map, ID, 1, page);
	shale_map_init(&copy, LIMIT);
	for (tries = 0; err; tries++) {
		shim_alloc_left = tries;
		err = shale_map_disk_page_decode(page, ID, 1, &copy);
		shim_alloc_left = -1;
		ASSERT(!err || err == -ENOMEM);
	}
	EXPECT(tries > 2);
	EXPECT(shale_map_test(&copy, 511) && shale_map_test(&copy, 20000));
	shale_map_destroy(&copy);
	shale_map_destroy(&map);
}

static struct shale_map race_map;
static bool race_is_over;

/* Each leaf's run grows, at the end where a search for it ends. */
static void *race_writer(void *arg)
{
	(void)arg;
	for (u64 i = 0; i < 512; i++)
		for (u64 leaf = 0; leaf < 32; leaf++)
			shale_map_set(&race_map, leaf * 512 + i, 1);
	__atomic_store_n(&race_is_over, true, __ATOMIC_RELEASE);
	return NULL;
}

TEST(threads, "what is encoded while blocks are mapped is a map, never less than before")
{
	struct shale_map_head head;
	struct shale_map copy;
	pthread_t thread;
	u8 buf[MAX];
	u64 last = 0;

	shim_is_racing = true;
	shale_map_init(&race_map, 32 * 512 * 4096);
	ASSERT_EQ(pthread_create(&thread, NULL, race_writer, NULL), 0);
	while (!READ_ONCE(race_is_over)) {
		int len = shale_map_disk_encode(&race_map, &(struct shale_map_head){
						.lower.size = 32 * 512 * 4096 }, buf);
		struct shale_map_run run;
		u64 nr = 0;

		ASSERT_EQ(shale_map_disk_decode(buf, len, &copy, &head), 0);
		for (u64 from = 0; shale_map_next(&copy, from, ~0ULL, &run); nr += run.nr)
			from = run.first + run.nr;
		EXPECT(nr >= last);
		last = nr;
		shale_map_destroy(&copy);
	}
	pthread_join(thread, NULL);
	shale_map_destroy(&race_map);
}
