// SPDX-License-Identifier: GPL-2.0-only
/*
 * fsck.shale on layers made by hand: each way in which a map or a sidecar can be wrong, its message, its exit
 * status, that a dry run changes nothing, that a repair means the same blocks to the module and that the
 * second run is clean. How it is called and what stops it is fsck_call.c, lower files are fsck_lower.c.
 */
#include "ktap.h"
#include "layer_maps.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/xattr.h>
#include <asm/byteorder.h>

#define HEAD	sizeof(struct shale_disk_map)
#define RUNS	"0+1 5+3 511+2 20000+40000 76799+1"
#define SIDECAR "layer/.shale/map/" MAPS_NAME

#define ROW(NAME, DESC) .row = {.name = NAME, .desc = DESC}
#define FIELD(TYPE, MEMBER) offsetof(struct TYPE, MEMBER), sizeof(((struct TYPE *)0)->MEMBER)

/* What a dry run, a repair and a second run do with "layer". */
enum outcome { CLEAN, REPAIRED, LEFT };

static void expect_outcome(enum outcome outcome, const char *text)
{
	static const int looked[] = { 0, 4, 4 }, repaired[] = { 0, 1, 4 }, again[] = { 0, 0, 4 };
	const u64 before = maps_tree("layer");

	maps_expect("-n layer", looked[outcome], text);
	if (outcome != CLEAN)
		EXPECT(strstr(maps_output, outcome == LEFT ? ": left as it is\n" : ": can be repaired\n"));
	EXPECT(maps_tree("layer") == before);
	maps_expect("-y layer", repaired[outcome], text);
	if (outcome != CLEAN)
		EXPECT(strstr(maps_output, outcome == LEFT ? ": left as it is\n" : ": repaired\n"));
	if (outcome != REPAIRED)
		EXPECT(maps_tree("layer") == before);
	maps_expect("-y layer", again[outcome], outcome == LEFT ? text : "layer: clean");
}

TEST(clean, "a layer without damage is clean: files with maps of both kinds, and without")
{
	maps_inline("layer/a", NULL, MAPS_LIMIT, RUNS);
	maps_sidecar("layer", "layer/b", NULL, MAPS_LIMIT, RUNS);
	maps_inline("layer/empty", NULL, 0, "");
	maps_sh("mkdir -p layer/d/e && echo x >layer/d/e/f && ln -s f layer/d/e/l && mkfifo layer/d/p");
	expect_outcome(CLEAN, "layer: clean, 3 partial files\n");
}

TEST(nothing, "an empty layer is clean")
{
	expect_outcome(CLEAN, "layer: clean, 0 partial files\n");
}

TEST(verbose, "with -v each partial file is told about")
{
	maps_inline("layer/a", NULL, MAPS_LIMIT, RUNS);
	maps_sidecar("layer", "layer/b", NULL, MAPS_LIMIT, RUNS);
	maps_inline("layer/c", NULL, 4097, "1+1");
	maps_expect("-v -n layer", 0, "/a: 40007 of 76800 blocks below 314572800 are mapped\n");
	EXPECT(strstr(maps_output, "/b: 40007 of 76800 blocks below 314572800 are mapped, in a sidecar\n"));
	EXPECT(strstr(maps_output, "/c: 1 of 2 blocks below 4097 are mapped\n"));
}

TEST(limit, "a limit above the file's size or below it is no damage, nor are a sidecar's blocks above it")
{
	struct shale_map_head head = { .id = MAPS_ID, .lower.size = MAPS_LIMIT };

	maps_inline("layer/above", NULL, MAPS_LIMIT, RUNS);
	maps_inline("layer/below", NULL, 5000, "1+1");
	maps_sidecar("layer", "layer/shrunk", NULL, MAPS_LIMIT, RUNS);
	maps_inline("layer/shrunk", &head, 100 * 4096, "");
	expect_outcome(CLEAN, "clean");
	maps_expect("-nv layer", 0, "/shrunk: 4 of 100 blocks below 409600 are mapped, in a sidecar\n");
}

/* A change of the bytes in an xattr, made to pass the checksum. */
struct field_case {
	struct ktap_row row;
	size_t offset, size;
	u64 value;
	const char *want;
	bool is_sidecar;
};

#define XATTR(MEMBER) FIELD(shale_disk_map, MEMBER)
#define DAMAGED	      "/f: its map is damaged: "
#define NEWER	      "/f: its map is not for this version of fsck.shale: "

static const struct field_case field_cases[] = {
	{ ROW("magic", "magic"), XATTR(magic), 1, DAMAGED "its magic number is wrong" },
	{ ROW("version_0", "version 0"), XATTR(version), 0, DAMAGED "it is of version 0, which there is not" },
	{ ROW("version_2", "version 2"), XATTR(version), 2, NEWER "it is of a newer version" },
	{ ROW("shift", "the size of blocks"), XATTR(block_shift), 13, NEWER "its blocks have a size" },
	{ ROW("flag_unknown", "an unknown flag"), XATTR(flags), 5, NEWER "it has flags" },
	{ ROW("flags_none", "no flag"), XATTR(flags), 0, DAMAGED "it does not say whether" },
	{ ROW("flags_both", "both flags"), XATTR(flags), 3, DAMAGED "it does not say whether" },
	{ ROW("payload_less", "payload"), XATTR(payload), 16, DAMAGED "it has not the length it says" },
	{ ROW("payload_huge", "a huge payload"), XATTR(payload), ~0U, DAMAGED "it has not the length" },
	{ ROW("limit_above", "limit"), XATTR(limit), MAPS_LIMIT + 1, DAMAGED "its limit is above the lower" },
	{ ROW("limit_huge", "a huge limit"), XATTR(limit), ~0ULL, DAMAGED "its limit is above 16 TiB" },
	{ ROW("size_below", "the lower file's size"), XATTR(lower_size), 1, DAMAGED "its limit is above the" },
	{ ROW("id", "an ID without a sidecar"), XATTR(id), 7, DAMAGED "its sidecar's ID and its flags" },
	{ ROW("no_id", "a sidecar without an ID"), XATTR(id), 0, DAMAGED "its sidecar's ID and its flags", true },
	{ ROW("mtime_nsec", "mtime"), XATTR(lower_mtime_nsec), 1000000000, DAMAGED "the lower file's times" },
	{ ROW("ctime_nsec", "ctime"), XATTR(lower_ctime_nsec), ~0U, DAMAGED "the lower file's times" },
};

TEST_TABLE(field, struct field_case, field_cases, c)
{
	__le64 value = cpu_to_le64(c->value);
	u8 buf[SHALE_DISK_MAP_INLINE_MAX];
	int len;

	if (c->is_sidecar)
		maps_sidecar("layer", "layer/f", NULL, MAPS_LIMIT, RUNS);
	else
		maps_inline("layer/f", NULL, MAPS_LIMIT, RUNS);
	len = ASSERT_OK(maps_value("layer/f", buf, sizeof(buf)));
	memcpy(buf + c->offset, &value, c->size);
	maps_reseal(buf, len);
	maps_file("layer/f", buf, len);
	expect_outcome(LEFT, c->want);
}

/* Bytes as they are, in the place of an xattr of which LEN bytes stay. */
struct bytes_case {
	struct ktap_row row;
	int len;
	size_t flip; /* a byte, if it is not 0 */
	const char *want;
};

static const struct bytes_case bytes_cases[] = {
	{ ROW("none", "an empty value"), 0, 0, DAMAGED "it is shorter than its header" },
	{ ROW("short", "half a header"), 63, 0, DAMAGED "it is shorter than its header" },
	{ ROW("cut", "a value that is cut"), 70, 0, DAMAGED "it has not the length it says" },
	{ ROW("crc", "a wrong checksum"), 81, 5, DAMAGED "its checksum is wrong" },
	{ ROW("time", "a flipped bit of a time"), 81, 42, DAMAGED "its checksum is wrong" },
	{ ROW("run", "a flipped bit of a run"), 81, 70, DAMAGED "its checksum is wrong" },
	{ ROW("long", "a value longer than may be"), 1025, 0, DAMAGED "it is longer than a map may be" },
	{ ROW("newer", "a long value of a newer version"), 3000, 8, NEWER "it is of a newer version" },
};

TEST_TABLE(bytes, struct bytes_case, bytes_cases, c)
{
	u8 buf[4096] = { 0 };

	maps_inline("layer/f", NULL, MAPS_LIMIT, RUNS);
	ASSERT_EQ(maps_value("layer/f", buf, sizeof(buf)), 81);
	if (c->flip)
		buf[c->flip] ^= 2;
	maps_file("layer/f", buf, c->len);
	expect_outcome(LEFT, c->want);
}

/* A payload, made to pass the checksum, in a map of 4096 blocks, and the blocks it is sure to mean. */
struct payload_case {
	struct ktap_row row;
	int len;
	u8 bytes[12];
	const char *want, *runs; /* NULL: left */
};

static const struct payload_case payload_cases[] = {
	{ ROW("past_limit", "a run past the limit"), 3, { 5, 0x81, 0x20 }, "it maps blocks past its limit", "5+4091" },
	{ ROW("at_limit", "a run at the limit"), 5, { 1, 1, 0xfe, 0x1f, 1 }, "it maps blocks past its limit", "1+1" },
	{ ROW("touching", "runs that touch"), 4, { 5, 1, 0, 2 }, "two of its runs are one", "5+3" },
	{ ROW("empty", "an empty run"), 4, { 5, 0, 1, 1 }, "one of its runs is empty", "6+1" },
	{ ROW("needless", "needless bytes"), 3, { 0x85, 0x00, 1 }, "a number in it has needless bytes", "5+1" },
	{ ROW("half", "a gap without a run"), 3, { 5, 1, 1 }, "its last run has no length" },
	{ ROW("unfinished", "a number without end"), 2, { 5, 0x81 }, "a number in it is none" },
	{ ROW("far", "blocks past 16 TiB"), 6, { 1, 0xff, 0xff, 0xff, 0xff, 0x1f }, "it maps blocks past 16 TiB" },
};

TEST_TABLE(payload, struct payload_case, payload_cases, c)
{
	u8 buf[SHALE_DISK_MAP_INLINE_MAX];
	char want[128];

	maps_inline("layer/f", NULL, 4096 * 4096, "");
	ASSERT_EQ(maps_value("layer/f", buf, sizeof(buf)), HEAD);
	((struct shale_disk_map *)buf)->payload = cpu_to_le32(c->len);
	memcpy(buf + HEAD, c->bytes, c->len);
	maps_reseal(buf, HEAD + c->len);
	maps_file("layer/f", buf, HEAD + c->len);
	snprintf(want, sizeof(want), DAMAGED "%s", c->want);
	expect_outcome(c->runs ? REPAIRED : LEFT, want);
	if (c->runs)
		maps_expect_runs("layer", "layer/f", 4096 * 4096, c->runs);
}

TEST(sidecar_payload, "a map that has a sidecar and runs as well is left")
{
	u8 buf[SHALE_DISK_MAP_INLINE_MAX] = { 0 };

	maps_sidecar("layer", "layer/f", NULL, MAPS_LIMIT, RUNS);
	ASSERT_EQ(maps_value("layer/f", buf, sizeof(buf)), HEAD);
	((struct shale_disk_map *)buf)->payload = cpu_to_le32(2);
	buf[HEAD + 1] = 1;
	maps_reseal(buf, HEAD + 2);
	maps_file("layer/f", buf, HEAD + 2);
	expect_outcome(LEFT, DAMAGED "it has a sidecar and runs as well");
}

/* A change of a sector of a sidecar. Of 300 MiB, sector 29 has the limit in it, 31 is the last that is read. */
struct sector_case {
	struct ktap_row row;
	u64 number;
	size_t offset, size;
	u64 value;
	bool is_sealed;
	enum outcome outcome;
	const char *want;
};

#define SECTOR(MEMBER) FIELD(shale_disk_map_sector, MEMBER)
#define IN_SIDECAR     "/f: its map's sidecar " MAPS_NAME " "
#define IN_SECTOR      IN_SIDECAR "is damaged in sector "

static const struct sector_case sector_cases[] = {
	{ ROW("crc", "a bit of a sector"), 9, SECTOR(bits[3]), 6, false, LEFT,
	  IN_SECTOR "9, of blocks from 3584 on (its checksum is wrong)" },
	{ ROW("first", "a bit of the first"), 8, SECTOR(bits[55]), 6, false, LEFT, IN_SECTOR "8, of blocks from 0 on" },
	{ ROW("magic", "magic"), 9, SECTOR(magic), 1, true, LEFT, IN_SECTOR "9, of blocks from 3584 on (its magic" },
	{ ROW("version_0", "version 0"), 9, SECTOR(version), 0, true, LEFT, "(it is of version 0, which there is not)" },
	{ ROW("version_2", "version 2"), 9, SECTOR(version), 2, true, LEFT,
	  IN_SIDECAR "is not for this version of fsck.shale: it is of a newer version" },
	{ ROW("shift", "the size of blocks"), 9, SECTOR(block_shift), 11, true, LEFT,
	  IN_SIDECAR "is not for this version of fsck.shale: its blocks have a size of a newer version" },
	{ ROW("reserved", "a reserved byte"), 9, SECTOR(reserved), 1, true, LEFT,
	  IN_SIDECAR "is not for this version of fsck.shale: it uses bytes that are reserved" },
	{ ROW("reserved2", "another one"), 9, SECTOR(reserved2[31]), 1, true, LEFT, "it uses bytes that are reserved" },
	{ ROW("id", "ID"), 9, SECTOR(id), 7, true, LEFT, "(it belongs to another map)" },
	{ ROW("number", "number"), 9, SECTOR(number), 10, true, LEFT, "(it belongs elsewhere in the map)" },
	{ ROW("limit_in", "a bit where the limit is"), 29, SECTOR(bits[3]), 6, false, LEFT, IN_SECTOR "29, of blocks" },
	{ ROW("past", "a bit past the limit"), 30, SECTOR(bits[3]), 6, false, REPAIRED,
	  IN_SECTOR "30, of blocks from 78848 on, all past the limit (its checksum is wrong)" },
	{ ROW("past_last", "the last that is read"), 31, SECTOR(id), 7, true, REPAIRED, IN_SECTOR "31, " },
	{ ROW("past_newer", "a newer one past the limit"), 31, SECTOR(version), 2, true, LEFT, "newer version" },
	{ ROW("unread", "one that is not read"), 32, SECTOR(magic), 2, false, CLEAN, "clean" },
	{ ROW("dir_crc", "a bit of the directory"), 0, SECTOR(bits[0]), 0, false, REPAIRED,
	  IN_SECTOR "0, of the directory (its checksum is wrong)" },
	{ ROW("dir_last", "the directory's last sector"), 7, SECTOR(bits[9]), 9, false, REPAIRED, IN_SECTOR "7, of the" },
	{ ROW("dir_id", "the directory's ID"), 0, SECTOR(id), 9, true, REPAIRED, "0, of the directory (it belongs to" },
	{ ROW("dir_number", "its number"), 0, SECTOR(number), 9, true, REPAIRED, "0, of the directory (it belongs else" },
	{ ROW("dir_newer", "its version"), 0, SECTOR(version), 9, true, LEFT, "is not for this version" },
	{ ROW("dir_reserved", "its reserved bytes"), 3, SECTOR(reserved2), 9, true, LEFT, "is not for this version" },
};

TEST_TABLE(sector, struct sector_case, sector_cases, c)
{
	__le64 value = cpu_to_le64(c->value);

	maps_sidecar("layer", "layer/f", NULL, MAPS_LIMIT, RUNS);
	maps_sector(SIDECAR, c->number, c->offset, &value, c->size < 8 ? c->size : 8, c->is_sealed);
	expect_outcome(c->outcome, c->want);
	if (c->outcome != LEFT)
		maps_expect_runs("layer", "layer/f", MAPS_LIMIT, RUNS);
}

/* Shell commands that damage a sidecar in a larger way. "s" is the sidecar. */
struct whole_case {
	struct ktap_row row;
	const char *command;
	enum outcome outcome;
	const char *want;
};

#define ZERO(SECTOR, COUNT) "dd if=/dev/zero of=$s bs=512 conv=notrunc status=none seek=" #SECTOR " count=" #COUNT

static const struct whole_case whole_cases[] = {
	{ ROW("missing", "a sidecar that is not there"), "rm $s", LEFT, IN_SIDECAR "is missing" },
	{ ROW("no_dir", "no directory of sidecars"), "rm -r layer/.shale", LEFT, IN_SIDECAR "is missing" },
	{ ROW("link", "a symlink"), "mv $s x; ln -s ../../../x $s", LEFT, IN_SIDECAR "is not a file" },
	{ ROW("fifo", "a fifo"), "rm $s; mkfifo $s", LEFT, IN_SIDECAR "is not a file" },
	{ ROW("dir_link", "a directory that is a symlink"), "mv layer/.shale/map x; ln -s ../../x layer/.shale/map",
	  LEFT, "/.shale/map: is no directory: left" },
	{ ROW("private_link", "its parent, too"), "mv layer/.shale x; ln -s ../x layer/.shale", LEFT,
	  "/.shale/map: is no directory: left" },
	{ ROW("empty", "an empty file"), "truncate -s 0 $s", LEFT, "there is nothing but zeros" },
	{ ROW("directory_only", "a directory without pages"), "truncate -s 4096 $s", LEFT,
	  IN_SECTOR "8, of blocks from 0 on (there is nothing but zeros), which is not the only one" },
	{ ROW("cut", "a sidecar that is cut in its last page that is read"), "truncate -s 14848 $s", LEFT, IN_SECTOR "29" },
	{ ROW("cut_past", "or past the limit"), "truncate -s 15360 $s", REPAIRED, IN_SECTOR "30" },
	{ ROW("cut_unread", "or where it is not read"), "truncate -s 16384 $s", CLEAN, "clean" },
	{ ROW("longer", "a sidecar that is longer"), "truncate -s 1T $s", CLEAN, "clean" },
	{ ROW("page", "a page of zeros"), ZERO(16, 8), LEFT, IN_SECTOR "16" },
	{ ROW("page_past", "sectors of zeros past the limit"), ZERO(30, 2), REPAIRED, IN_SECTOR "30" },
	{ ROW("dir", "a directory of zeros"), ZERO(0, 8), REPAIRED, "0, of the directory (there is nothing but zeros)" },
	{ ROW("dir_cut", "a directory of zeros, and a page that is not read is missing"),
	  ZERO(0, 1) "; truncate -s 32768 $s", LEFT, "0, of the directory (there is nothing but zeros)" },
	{ ROW("dir_page", "a directory and a sector"), ZERO(0, 1) "; " ZERO(12, 1), LEFT, "0, of the directory" },
	{ ROW("all", "nothing but zeros"), ZERO(0, 72), LEFT, "0, of the directory (there is nothing but zeros)" },
	{ ROW("swapped", "two sectors in each other's place"),
	  "dd if=$s of=a bs=512 skip=9 count=1 status=none; dd if=$s of=b bs=512 skip=10 count=1 status=none; "
	  "dd if=a of=$s bs=512 seek=10 conv=notrunc status=none; dd if=b of=$s bs=512 seek=9 conv=notrunc status=none",
	  LEFT, IN_SECTOR "9, of blocks from 3584 on (it belongs elsewhere in the map)" },
};

TEST_TABLE(whole, struct whole_case, whole_cases, c)
{
	maps_sidecar("layer", "layer/f", NULL, MAPS_LIMIT, RUNS);
	maps_sh("s=" SIDECAR "; %s", c->command);
	expect_outcome(c->outcome, c->want);
	if (c->outcome != LEFT)
		maps_expect_runs("layer", "layer/f", MAPS_LIMIT, RUNS);
}

/* 1 GiB has two groups, of which the second has block 240000. */
#define GIB	    (1024 * MAPS_MIB)
#define BOTH_GROUPS "5+3 240000+2"

TEST(groups_torn, "of a sidecar with two groups, both whole, the directory is made anew")
{
	maps_sidecar("layer", "layer/f", NULL, GIB, BOTH_GROUPS);
	maps_sector(SIDECAR, 0, 64, "\0", 1, false);
	expect_outcome(REPAIRED, "0, of the directory");
	maps_expect_runs("layer", "layer/f", GIB, BOTH_GROUPS);
}

TEST(groups_unsure, "if one is not there nobody knows that it never was, and the file stays unreadable")
{
	maps_sidecar("layer", "layer/f", NULL, GIB, "5+3");
	maps_sector(SIDECAR, 0, 64, "\0", 1, false);
	expect_outcome(LEFT, "0, of the directory");
}

TEST(groups_absent, "a group without its bit has no meaning, be it whole or not")
{
	struct shale_disk_map_sector dir[SHALE_DISK_MAP_PAGE_SECTORS];

	maps_sidecar("layer", "layer/f", NULL, GIB, BOTH_GROUPS);
	shale_map_disk_dir_init(dir, MAPS_ID);
	shale_map_disk_dir_add(dir, 1);
	maps_sector(SIDECAR, 0, 0, dir, sizeof(dir[0]), false);
	expect_outcome(CLEAN, "clean");
	maps_sector(SIDECAR, 80, 64, "x", 1, false);
	expect_outcome(CLEAN, "clean");
	maps_expect_runs("layer", "layer/f", GIB, "5+3");
}

TEST(groups_past, "groups past the limit are left out when a sidecar is written anew, and its owner is kept")
{
	struct shale_map_head head = { .id = MAPS_ID, .lower.size = GIB };
	struct shale_disk_map_sector dir[SHALE_DISK_MAP_PAGE_SECTORS];
	struct stat st;
	int fd;

	maps_sidecar("layer", "layer/f", NULL, GIB, BOTH_GROUPS);
	maps_inline("layer/f", &head, 100 * 4096, "");
	maps_sector(SIDECAR, 9, 64, "x", 1, false);
	expect_outcome(REPAIRED, IN_SECTOR "9");
	maps_expect_runs("layer", "layer/f", 100 * 4096, "5+3");
	fd = ASSERT_OK(open(SIDECAR, O_RDONLY));
	ASSERT_EQ(read(fd, dir, sizeof(dir)), sizeof(dir));
	EXPECT(shale_map_disk_dir_has(dir, 1) && !shale_map_disk_dir_has(dir, 9));
	ASSERT_OK(fstat(fd, &st));
	EXPECT_EQ(st.st_size, 9 * 4096);
	EXPECT_EQ(st.st_mode & 07777, 0640);
}

TEST(limit_zero, "a file without blocks below its limit needs no sidecar, and gets a map without")
{
	struct shale_map_head head = { .id = MAPS_ID, .lower.size = GIB };

	maps_inline("layer/f", &head, 0, "");
	expect_outcome(REPAIRED, IN_SIDECAR "is missing");
	maps_expect_runs("layer", "layer/f", 0, "");
	maps_sidecar("layer", "layer/g", &head, GIB, BOTH_GROUPS);
	maps_inline("layer/g", &head, 0, "");
	expect_outcome(CLEAN, "clean");
	maps_sector(SIDECAR, 0, 0, "\2\2\2\2", 4, true);
	expect_outcome(REPAIRED, "0, of the directory");
	maps_sh("truncate -s 0 " SIDECAR);
	expect_outcome(REPAIRED, "0, of the directory");
	maps_sh("rm " SIDECAR "; mkfifo " SIDECAR);
	maps_expect("-y layer", 1 | 4, "/g: its map's sidecar " MAPS_NAME " is not a file: repaired");
	maps_expect_runs("layer", "layer/g", 0, "");
}

TEST(shared, "a sidecar of two files is neither's")
{
	maps_sidecar("layer", "layer/a", NULL, MAPS_LIMIT, RUNS);
	maps_sh("mkdir 'layer/d\ne'");
	maps_sidecar("layer", "layer/d\ne/b", NULL, MAPS_LIMIT, RUNS);
	maps_expect("-n layer", 4, "its map's sidecar " MAPS_NAME " is also that of /");
	EXPECT(strstr(maps_output, "/d\\012e/b"));
	EXPECT(strstr(maps_output, "/a"));
	EXPECT(strstr(maps_output, "2 partial files, 1 found, 0 repaired, 1 left\n"));
}

TEST(linked, "a file of several names is one file, and judged once")
{
	maps_sidecar("layer", "layer/a", NULL, MAPS_LIMIT, RUNS);
	maps_sh("mkdir layer/d layer/.shale/index; ln layer/a layer/d/b; ln layer/a layer/.shale/index/00");
	expect_outcome(CLEAN, "layer: clean, 1 partial file\n");
	maps_sector(SIDECAR, 9, 64, "x", 1, false);
	maps_expect("-n layer", 4, "1 partial file, 1 found, 0 repaired, 1 left\n");
}

TEST(indexed, "a file that has a name in the index only has a sidecar, too")
{
	maps_sidecar("layer", "layer/a", NULL, MAPS_LIMIT, RUNS);
	maps_sh("mkdir layer/.shale/index; mv layer/a layer/.shale/index/00");
	expect_outcome(CLEAN, "layer: clean, 1 partial file\n");
	maps_sector(SIDECAR, 9, 64, "x", 1, false);
	expect_outcome(LEFT, "/.shale/index/00: its map's sidecar");
}

TEST(orphan, "a sidecar of no file is removed, as is what a repair left")
{
	maps_sidecar("layer", "layer/a", NULL, MAPS_LIMIT, RUNS);
	maps_sidecar_file("layer", 7, MAPS_LIMIT, RUNS);
	maps_sh("touch layer/.shale/map/ffffffffffffffff layer/.shale/map/ffffffffffffffff.new");
	expect_outcome(REPAIRED, "/.shale/map/0000000000000007: is a sidecar of no file:");
	maps_sh("test \"$(ls -A layer/.shale/map)\" = " MAPS_NAME);
	maps_expect_runs("layer", "layer/a", MAPS_LIMIT, RUNS);
}

TEST(orphan_inline, "a map in an xattr has no sidecar")
{
	maps_inline("layer/a", NULL, MAPS_LIMIT, RUNS);
	maps_sidecar_file("layer", MAPS_ID, MAPS_LIMIT, RUNS);
	expect_outcome(REPAIRED, "/.shale/map/" MAPS_NAME ": is a sidecar of no file:");
}

TEST(orphan_unsure, "it is kept if it may be that of a file whose map cannot be read, whatever keeps it from that")
{
	maps_sidecar("layer", "layer/a", NULL, MAPS_LIMIT, RUNS);
	maps_file("layer/b", "damaged", 7);
	maps_sidecar_file("layer", 7, MAPS_LIMIT, RUNS);
	expect_outcome(LEFT, "0000000000000007: is a sidecar of no file, or of one whose map cannot be read: left");
	maps_sh("rm layer/b");
	expect_outcome(REPAIRED, "0000000000000007: is a sidecar of no file:");
}

TEST(orphan_newer, "one of a newer version is not touched")
{
	maps_sidecar_file("layer", MAPS_ID, MAPS_LIMIT, RUNS);
	maps_sector(SIDECAR, 0, offsetof(struct shale_disk_map_sector, version), "\2", 1, true);
	expect_outcome(LEFT, "is a sidecar of no file, and of a newer version");
}

TEST(foreign, "what is no sidecar is left, whatever its name: other letters, other lengths, no file")
{
	static const char *const names[] = { "x", "0123456789ABCDEF", "0123456789abcde", "0123456789abcdef0",
					     "0123456789abcdef.old", ".new", "name\\n" };

	maps_sh("mkdir -p layer/.shale/map");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		maps_sh("touch \"$(printf 'layer/.shale/map/%s')\"", names[i]);
		expect_outcome(LEFT, ": is no sidecar: ");
		maps_sh("rm -r layer/.shale/map/* layer/.shale/map/.new 2>/dev/null; true");
	}
	maps_sh("mkdir " SIDECAR);
	expect_outcome(LEFT, ": is no sidecar: ");
}

TEST(no_file, "a map on what is no regular file goes, unless it is of a newer version")
{
	u8 buf[SHALE_DISK_MAP_INLINE_MAX];
	char name[64];
	int len;

	snprintf(name, sizeof(name), "%s%s", maps_prefix(), SHALE_XATTR_MAP);
	maps_inline("f", NULL, MAPS_LIMIT, RUNS);
	len = ASSERT_OK(maps_value("f", buf, sizeof(buf)));
	maps_sh("mkdir layer/d; mkfifo layer/p; ln -s . layer/l");
	ASSERT_OK(setxattr("layer/d", name, buf, len, 0));
	ASSERT_OK(setxattr("layer", name, "x", 1, 0));
	if (maps_is_root()) {
		ASSERT_OK(lsetxattr("layer/l", name, buf, len, 0));
		ASSERT_OK(setxattr("layer/p", name, buf, len, 0));
	}
	expect_outcome(REPAIRED, "/d: it is no regular file and has a map:");
	buf[offsetof(struct shale_disk_map, version)] = 2;
	ASSERT_OK(setxattr("layer/d", name, buf, len, 0));
	expect_outcome(LEFT, "/d: its map is not for this version of fsck.shale");
}

TEST(many, "each of several files has its line, and the status is a sum")
{
	maps_file("layer/a", "x", 1);
	maps_file("layer/b", "y", 1);
	maps_sidecar("layer", "layer/c", NULL, MAPS_LIMIT, RUNS);
	maps_sector(SIDECAR, 0, 64, "x", 1, false);
	maps_expect("-y layer", 1 | 4, "3 partial files, 3 found, 1 repaired, 2 left\n");
	EXPECT(strstr(maps_output, "/a: its map is damaged"));
	EXPECT(strstr(maps_output, "/b: its map is damaged"));
	EXPECT(strstr(maps_output, "/c: its map's sidecar"));
}

TEST(names, "names are shown so that they stay on their line, and in the terminal's letters")
{
	maps_file("layer/a\nb\033[31m\\", "x", 1);
	maps_file("layer/\303\244\377\302\205", "x", 1);
	maps_expect("-n layer", 4, "/a\\012b\\033[31m\\134: its map");
	EXPECT(strstr(maps_output, "/\\303\\244\\377\\302\\205: its map") ||
	       strstr(maps_output, "/\303\244\\377\\302\\205: its map"));
	setenv("LC_ALL", "C.UTF-8", 1);
	maps_expect("-n layer", 4, "/\303\244\\377\\302\\205: its map");
}

/* One level at a time: no path leads there. */
static void dirs_make(int depth)
{
	ASSERT_OK(chdir("layer"));
	for (int i = 0; i < depth; i++) {
		/* Something to go on with on the way back. */
		if (i % 500 == 0) {
			maps_file("a", "x", 1);
			maps_file("z", "x", 1);
		}
		ASSERT_OK(mkdir("dir", 0755));
		ASSERT_OK(chdir("dir"));
	}
	maps_file("last", "x", 1);
	for (int i = 0; i <= depth; i++)
		ASSERT_OK(chdir(".."));
}

static int findings_count(void)
{
	const char *at = maps_output;
	int count = 0;

	for (; (at = strstr(at, ": its map is damaged")); at++)
		count++;
	return count;
}

TEST(deep, "2000 directories in each other are walked with no more than 200 open files")
{
	struct rlimit limit = { 200, 200 };

	dirs_make(2000);
	ASSERT_OK(setrlimit(RLIMIT_NOFILE, &limit));
	maps_expect("-n layer", 4, "/dir/dir/last: its map is damaged");
	EXPECT(strstr(maps_output, "9 partial files, 9 found, 0 repaired, 9 left\n"));
	EXPECT_EQ(findings_count(), 9);
}

TEST(wide, "each of 3000 directories and 3000 files is seen once")
{
	char path[64];

	for (int i = 0; i < 3000; i++) {
		snprintf(path, sizeof(path), "layer/%d", i);
		ASSERT_OK(mkdir(path, 0755));
		snprintf(path, sizeof(path), "layer/%d/f", i);
		maps_inline(path, NULL, MAPS_LIMIT, RUNS);
	}
	maps_expect("-n layer", 0, "layer: clean, 3000 partial files\n");
}

TEST(sidecars, "2000 sidecars are told apart")
{
	struct shale_map_head head = { .id = 1 };
	char path[64];

	for (; head.id <= 2000; head.id++) {
		snprintf(path, sizeof(path), "layer/%llu", (unsigned long long)head.id);
		maps_sidecar("layer", path, &head, 8192, "");
	}
	maps_expect("-n layer", 0, "layer: clean, 2000 partial files\n");
	maps_inline("layer/7", NULL, 8192, "");
	maps_expect("-y layer", 1, "/.shale/map/0000000000000007: is a sidecar of no file: repaired\n");
}
