// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tools' reader of maps, user/store/map.c, held against the module's, kmod/map_disk.c: what one writes the
 * other reads, what one refuses the other does, and each fault has its name. What is loose is written anew
 * and then taken by the module, with the same blocks.
 */
#include "ktap.h"

#include <stdlib.h>
#include <asm/byteorder.h>
#include <linux/compiler.h>
#include <linux/slab.h>

#include "map.h"
#include "map_disk.h"
#include "store/map.h"

long shim_alloc_left = -1;

#define MIB	(1024 * 1024LL)
#define HEAD	sizeof(struct shale_disk_map)
#define MAX	SHALE_DISK_MAP_INLINE_MAX
#define SECTORS SHALE_DISK_MAP_PAGE_SECTORS
#define ID	0x0123456789abcdefULL
#define LIMIT	(300 * MIB)
#define BLOCKS	(LIMIT / 4096)

static const struct shale_map_head inline_head = {
	.lower = { .size = LIMIT, .mtime = 1700000000, .ctime = -5, .mtime_nsec = 999999999 },
};

static const struct shale_map_head sidecar_head = {
	.lower = { .size = LIMIT, .mtime = -1, .ctime = 1700000000, .ctime_nsec = 1 },
	.id = ID,
};

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

static void reseal(void *bytes, size_t len)
{
	struct shale_disk_map *disk = bytes;

	disk->crc = 0;
	disk->crc = cpu_to_le32(crc_by_definition(bytes, len));
}

static int random_encoded(unsigned int seed, const struct shale_map_head *head, u8 *buf)
{
	struct shale_map map;
	int len;

	srand(seed);
	shale_map_init(&map, LIMIT - rand() % 10000);
	for (int i = rand() % 100; i; i--)
		shale_map_set(&map, rand() % BLOCKS, 1 + rand() % (rand() % 2 ? 3 : 3000));
	len = shale_map_disk_encode(&map, head, buf);
	shale_map_destroy(&map);
	return len;
}

static int errno_of(enum map_fault fault)
{
	if (map_verdict(fault) == MAP_SOUND)
		return 0;
	return map_verdict(fault) == MAP_NEWER ? -EOPNOTSUPP : -EIO;
}

static void expect_same_blocks(const struct map *map, struct shale_map *other)
{
	struct shale_map_run run;
	u64 from = 0;

	EXPECT_EQ(map->limit, shale_map_limit(other));
	for (size_t i = 0; i < map->nr_runs; i++) {
		ASSERT(shale_map_next(other, from, ~0ULL, &run));
		ASSERT(run.first == map->runs[i].first && run.nr == map->runs[i].nr);
		from = run.first + run.nr;
	}
	EXPECT(!shale_map_next(other, from, ~0ULL, &run));
}

/* Both readers say the same of these bytes; what is loose can be mended. */
static enum map_fault expect_agreement(const u8 *buf, size_t len)
{
	struct shale_map_head head;
	struct shale_map theirs;
	struct map ours;
	u8 again[MAX];
	enum map_fault fault = map_decode(buf, len, &ours);
	int err = shale_map_disk_decode(buf, len, &theirs, &head);

	EXPECT_EQ(err, errno_of(fault));
	if (map_verdict(fault) > MAP_LOOSE || ktap_has_failed())
		return fault;
	len = map_encode(&ours, again);
	ASSERT(len >= HEAD && len <= MAX);
	if (!err)
		EXPECT(!memcmp(again, buf, len));
	else
		ASSERT_EQ(shale_map_disk_decode(again, len, &theirs, &head), 0);
	expect_same_blocks(&ours, &theirs);
	EXPECT(head.id == ours.id && head.lower.size == ours.lower.size);
	EXPECT(head.lower.mtime == ours.lower.mtime && head.lower.ctime == ours.lower.ctime);
	EXPECT(head.lower.mtime_nsec == ours.lower.mtime_nsec);
	EXPECT(head.lower.ctime_nsec == ours.lower.ctime_nsec);
	shale_map_destroy(&theirs);
	return fault;
}

TEST(round_trip, "300 random maps are read as the module has written them, and written the same")
{
	u8 buf[MAX];
	int len;

	for (unsigned int seed = 0; seed < 300 && !ktap_has_failed(); seed++) {
		len = random_encoded(seed, seed % 7 ? &inline_head : &sidecar_head, buf);
		EXPECT_EQ(expect_agreement(buf, len), MAP_OK);
		if (ktap_has_failed())
			ktap_note("seed %u", seed);
	}
}

TEST(random, "of 200,000 changed maps both readers say the same")
{
	unsigned long verdicts[4] = { 0 };

	for (unsigned int seed = 0; seed < 200000 && !ktap_has_failed(); seed++) {
		u8 buf[MAX + 8] = { 0 };
		int len = random_encoded(seed % 200, seed % 7 ? &inline_head : &sidecar_head, buf);

		srand(seed);
		for (int i = 1 + rand() % 3; i; i--) {
			/* Half of the changes are in the first bytes of header or runs. */
			size_t at = rand() % 2 ? rand() % HEAD : HEAD + rand() % (len - HEAD + 8);

			buf[at % MAX] = rand() % 2 ? rand() % 4 : rand();
		}
		len += rand() % 4 ? 0 : rand() % 8 - 4;
		if (rand() % 8 && len >= (int)HEAD) {
			((struct shale_disk_map *)buf)->payload = cpu_to_le32(len - HEAD);
			reseal(buf, len);
		}
		verdicts[map_verdict(expect_agreement(buf, len))]++;
		if (ktap_has_failed())
			ktap_note("seed %u", seed);
	}
	ktap_note("%lu sound, %lu loose, %lu newer, %lu broken", verdicts[0], verdicts[1], verdicts[2],
		  verdicts[3]);
	EXPECT(verdicts[0] > 1000 && verdicts[1] > 1000 && verdicts[2] > 1000);
}

/* A change of the bytes in an xattr, made to pass the checksum. */
struct field_case {
	struct ktap_row row;
	size_t offset, size;
	u64 value;
	enum map_fault want;
	bool is_sidecar;
};

#define ROW(NAME, DESC) .row = {.name = NAME, .desc = DESC}
#define FIELD(TYPE, MEMBER) offsetof(struct TYPE, MEMBER), sizeof(((struct TYPE *)0)->MEMBER)
#define XATTR(MEMBER) FIELD(shale_disk_map, MEMBER)
#define SECTOR(MEMBER) FIELD(shale_disk_map_sector, MEMBER)

static const struct field_case field_cases[] = {
	{ ROW("none", "nothing"), XATTR(version), 1, MAP_OK },
	{ ROW("magic", "magic"), XATTR(magic), 1, MAP_MAGIC },
	{ ROW("version_0", "version 0"), XATTR(version), 0, MAP_VERSION_0 },
	{ ROW("version_2", "version 2"), XATTR(version), 2, MAP_VERSION },
	{ ROW("version_255", "version 255"), XATTR(version), 255, MAP_VERSION },
	{ ROW("shift", "the size of blocks"), XATTR(block_shift), 13, MAP_SHIFT },
	{ ROW("flag_unknown", "an unknown flag"), XATTR(flags), 5, MAP_FLAGS },
	{ ROW("flags_none", "no flag"), XATTR(flags), 0, MAP_KIND },
	{ ROW("flags_both", "both flags"), XATTR(flags), 3, MAP_KIND },
	{ ROW("payload_less", "a shorter payload"), XATTR(payload), 16, MAP_LENGTH },
	{ ROW("payload_huge", "a huge payload"), XATTR(payload), 0xffffffff, MAP_LENGTH },
	{ ROW("limit_above", "a limit above the size"), XATTR(limit), LIMIT + 1, MAP_LIMIT_SIZE },
	{ ROW("limit_huge", "a limit above 16 TiB"), XATTR(limit), (1ULL << 44) + 1, MAP_LIMIT },
	{ ROW("size_below", "a size below the limit"), XATTR(lower_size), 1, MAP_LIMIT_SIZE },
	{ ROW("id", "an ID without a sidecar"), XATTR(id), 7, MAP_ID },
	{ ROW("no_id", "a sidecar without an ID"), XATTR(id), 0, MAP_ID, true },
	{ ROW("mtime_nsec", "10^9 nanoseconds"), XATTR(lower_mtime_nsec), 1000000000, MAP_NSEC },
	{ ROW("ctime_nsec", "2^32-1 nanoseconds"), XATTR(lower_ctime_nsec), 0xffffffff, MAP_NSEC },
	{ ROW("any_time", "any second"), XATTR(lower_ctime), 1ULL << 63, MAP_OK },
};

TEST_TABLE(field, struct field_case, field_cases, c)
{
	__le64 value = cpu_to_le64(c->value);
	u8 buf[MAX];
	int len = random_encoded(1, c->is_sidecar ? &sidecar_head : &inline_head, buf);

	memcpy(buf + c->offset, &value, c->size);
	reseal(buf, len);
	EXPECT_EQ(expect_agreement(buf, len), c->want);
	EXPECT(*map_fault_text(c->want));
}

TEST(checksum, "a wrong checksum has its name")
{
	u8 buf[MAX];
	int len = random_encoded(1, &inline_head, buf);

	buf[40] ^= 1;
	EXPECT_EQ(expect_agreement(buf, len), MAP_CRC);
}

TEST(lengths, "so has any wrong length")
{
	u8 buf[MAX + 2] = { 0 };
	int len = random_encoded(1, &inline_head, buf);

	EXPECT_EQ(expect_agreement(buf, 0), MAP_SHORT);
	EXPECT_EQ(expect_agreement(buf, HEAD - 1), MAP_SHORT);
	EXPECT_EQ(expect_agreement(buf, len - 1), MAP_LENGTH);
	EXPECT_EQ(expect_agreement(buf, MAX + 1), MAP_LONG);
}

/* A payload, made to pass the checksum, in a map of 4096 blocks, and the runs that it certainly means. */
struct payload_case {
	struct ktap_row row;
	int len;
	enum map_fault want;
	u8 bytes[32];
	int nr;
	struct map_run runs[2];
};

#define OVERLONG 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80

static const struct payload_case payload_cases[] = {
	{ ROW("none", "no runs"), 0, MAP_OK },
	{ ROW("one", "one run"), 2, MAP_OK, { 5, 1 }, 1, { { 5, 1 } } },
	{ ROW("to_limit", "a run to the limit"), 3, MAP_OK, { 0, 0x80, 0x20 }, 1, { { 0, 4096 } } },
	{ ROW("past_limit", "a run past the limit"), 3, MAP_PAST_LIMIT, { 0, 0x81, 0x20 }, 1, { { 0, 4096 } } },
	{ ROW("begin_at_limit", "a run at the limit"), 3, MAP_PAST_LIMIT, { 0x80, 0x20, 1 } },
	{ ROW("second_past_limit", "a second run past the limit"), 5, MAP_PAST_LIMIT,
	  { 1, 1, 1, 0xfe, 0x1f }, 2, { { 1, 1 }, { 3, 4093 } } },
	{ ROW("touching", "runs that touch"), 4, MAP_TOUCHING, { 5, 1, 0, 1 }, 1, { { 5, 2 } } },
	{ ROW("touching_0", "from block 0 on"), 4, MAP_TOUCHING, { 0, 1, 0, 1 }, 1, { { 0, 2 } } },
	{ ROW("empty", "a run without blocks"), 4, MAP_EMPTY, { 5, 0, 1, 1 }, 1, { { 6, 1 } } },
	{ ROW("empty_0", "at block 0"), 4, MAP_EMPTY, { 0, 0, 0, 1 }, 1, { { 0, 1 } } },
	{ ROW("empty_only", "and nothing else"), 2, MAP_EMPTY, { 5, 0 } },
	{ ROW("needless", "a needless byte"), 3, MAP_NEEDLESS, { 0x85, 0x00, 1 }, 1, { { 5, 1 } } },
	{ ROW("needless_zero", "in zero"), 3, MAP_NEEDLESS, { 0x80, 0x00, 1 }, 1, { { 0, 1 } } },
	{ ROW("needless_ten", "nine needless bytes"), 11, MAP_NEEDLESS, { OVERLONG, 0x00, 1 }, 1, { { 0, 1 } } },
	{ ROW("half", "a gap without a run"), 1, MAP_HALF, { 5 } },
	{ ROW("half_second", "after a run"), 3, MAP_HALF, { 5, 1, 1 } },
	{ ROW("unfinished", "a number that does not end"), 2, MAP_NUMBER, { 5, 0x81 } },
	{ ROW("65_bits", "a number of 65 bits"), 11, MAP_NUMBER, { OVERLONG, 0x02, 1 } },
	{ ROW("11_bytes", "a number of 11 bytes"), 12, MAP_NUMBER, { OVERLONG, 0x80, 1, 1 } },
	{ ROW("64_bits", "a gap of 2^63"), 11, MAP_FAR, { OVERLONG, 0x01, 1 } },
	{ ROW("wraps", "a run that would come round"), 11, MAP_FAR,
	  { 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01 } },
	{ ROW("worst", "loose first, then broken"), 5, MAP_HALF, { 5, 1, 0, 1, 1 } },
};

TEST_TABLE(payload, struct payload_case, payload_cases, c)
{
	struct map base = { .limit = 4096 * 4096, .lower.size = 4096 * 4096 }, got;
	u8 buf[MAX];
	size_t len;

	ASSERT_EQ(map_encode(&base, buf), HEAD);
	memcpy(buf + HEAD, c->bytes, c->len);
	len = HEAD + c->len;
	((struct shale_disk_map *)buf)->payload = cpu_to_le32(c->len);
	reseal(buf, len);
	EXPECT_EQ(expect_agreement(buf, len), c->want);
	if (map_verdict(c->want) > MAP_LOOSE)
		return;
	map_decode(buf, len, &got);
	EXPECT_EQ(got.nr_runs, c->nr);
	EXPECT(!memcmp(got.runs, c->runs, c->nr * sizeof(c->runs[0])));
}

TEST(longest, "the most runs that fit are read and written, and one more is not")
{
	struct map map = { .limit = LIMIT, .lower.size = LIMIT, .nr_runs = MAP_RUNS_MAX };
	u8 buf[MAX];

	for (size_t i = 0; i < MAP_RUNS_MAX; i++)
		map.runs[i] = (struct map_run){ i * 2, 1 };
	ASSERT_EQ(map_encode(&map, buf), MAX);
	EXPECT_EQ(expect_agreement(buf, MAX), MAP_OK);
	map.runs[MAP_RUNS_MAX - 1].first += 1000;
	EXPECT_EQ(map_encode(&map, buf), 0);
}

/* A change of a sector, which is the fourth of its page. */
static const struct field_case sector_cases[] = {
	{ ROW("none", "nothing"), SECTOR(version), 1, MAP_OK },
	{ ROW("magic", "magic"), SECTOR(magic), 1, MAP_MAGIC },
	{ ROW("version_0", "version 0"), SECTOR(version), 0, MAP_VERSION_0 },
	{ ROW("version_2", "version 2"), SECTOR(version), 2, MAP_VERSION },
	{ ROW("shift", "the size of blocks"), SECTOR(block_shift), 11, MAP_SHIFT },
	{ ROW("id", "the ID"), SECTOR(id), 7, MAP_OTHER },
	{ ROW("number", "the number"), SECTOR(number), 12, MAP_PLACE },
	{ ROW("reserved", "a reserved byte"), SECTOR(reserved), 1, MAP_RESERVED },
	{ ROW("reserved2", "another one"), SECTOR(reserved2), 1, MAP_RESERVED },
	{ ROW("bits", "bits"), SECTOR(bits[5]), ~0ULL, MAP_OK },
};

static void expect_sector(struct shale_disk_map_sector *page, enum map_fault want)
{
	struct shale_map map;
	enum map_fault fault = MAP_OK;

	for (int i = 0; i < SECTORS && !fault; i++)
		fault = map_sector_check(&page[i], ID, SECTORS + i);
	EXPECT_EQ(fault, want);
	shale_map_init(&map, LIMIT);
	EXPECT_EQ(shale_map_disk_page_decode(page, ID, 1, &map), errno_of(want));
	shale_map_destroy(&map);
}

TEST_TABLE(sector, struct field_case, sector_cases, c)
{
	struct shale_disk_map_sector page[SECTORS];
	__le64 value = cpu_to_le64(c->value);

	for (int i = 0; i < SECTORS; i++)
		map_sector_init(&page[i], ID, SECTORS + i);
	memcpy((u8 *)&page[3] + c->offset, &value, c->size < 8 ? c->size : 8);
	reseal(&page[3], sizeof(page[3]));
	expect_sector(page, c->want);
}

TEST(sector_bytes, "a sector whose bytes are others, or are zeros, is neither's")
{
	struct shale_disk_map_sector page[SECTORS];

	for (int i = 0; i < SECTORS; i++)
		map_sector_init(&page[i], ID, SECTORS + i);
	((u8 *)&page[7])[511] ^= 0x80;
	expect_sector(page, MAP_CRC);
	memset(&page[7], 0, sizeof(page[7]));
	expect_sector(page, MAP_ZEROS);
}

TEST(sector_bits, "bits of sectors are where the module has them, its directory's, too")
{
	struct shale_disk_map_sector page[SECTORS];
	struct shale_map map;

	shale_map_init(&map, LIMIT);
	ASSERT_EQ(shale_map_set(&map, 3584 * 2 + 700, 1), 0);
	shale_map_disk_page_encode(&map, ID, 1, page);
	for (unsigned int i = 0; i < SHALE_DISK_MAP_SECTOR_BITS; i++)
		EXPECT_EQ(map_sector_test(&page[2], i), i == 700);
	shale_map_destroy(&map);
	for (int i = 0; i < SECTORS; i++)
		map_sector_init(&page[i], ID, i);
	EXPECT_EQ(shale_map_disk_dir_check(page, ID), 0);
	map_sector_set(&page[0], 2);
	map_sector_seal(&page[0]);
	EXPECT_EQ(shale_map_disk_dir_check(page, ID), 0);
	EXPECT(shale_map_disk_dir_has(page, 17) && shale_map_disk_dir_has(page, 24));
	EXPECT(!shale_map_disk_dir_has(page, 16) && !shale_map_disk_dir_has(page, 25));
}

TEST(pages, "a limit has as many blocks and pages as the module says")
{
	static const u64 limits[] = { 0, 1, 4095, 4096, 4097, 112 * MIB, 112 * MIB + 1, LIMIT,
				      SHALE_DISK_MAP_LIMIT_MAX };

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		EXPECT_EQ(map_limit_blocks(limits[i]), shale_map_limit_blocks(limits[i]));
		EXPECT_EQ(map_limit_pages(limits[i]), shale_map_disk_pages(limits[i]));
	}
	EXPECT_EQ(map_limit_groups(0), 0);
	EXPECT_EQ(map_limit_groups(8 * 112 * MIB), 1);
	EXPECT_EQ(map_limit_groups(8 * 112 * MIB + 1), 2);
}
