// SPDX-License-Identifier: GPL-2.0-only
/*
 * excuse.c - what the filesystem under test is known not to promise, by name (for shale, see
 * Documentation/nonstandard.md). Each has one switch: SHALE_ORACLE_STRICT=shared-of-lower,dedupe-of-lower
 * makes these two failures, =all makes all of them. Below the line are faults of bare filesystems.
 */
#include "oracle.h"

#include <linux/falloc.h>
#include <stdlib.h>
#include <sys/utsname.h>

/* xfs_seek_iomap_begin() took an extent's end for its length. */
static bool is_old_xfs(void)
{
	struct utsname name;
	int major = 0, minor = 0;

	uname(&name);
	return !strcmp(stage_backing(), "xfs") && sscanf(name.release, "%d.%d", &major, &minor) == 2 &&
	       (major < 6 || (major == 6 && minor < 9));
}

#define PROBE "probe"
/* What direct writes are aligned to at least. */
#define SECTOR 512

static bool is_end_left, is_part_written;

/* The last block is not full, and all of it is made zero. Bytes that are not on disk yet go. */
static bool probe_zero_end(int fd)
{
	char bytes[3000], zeros[sizeof(bytes)] = {0};

	memset(bytes, 'x', sizeof(bytes));
	if (pwrite(fd, bytes, sizeof(bytes), 0) != sizeof(bytes) || fsync(fd) < 0 ||
	    fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, 4096) < 0)
		return false;
	return pread(fd, bytes, sizeof(bytes), 0) == sizeof(bytes) && memcmp(bytes, zeros, sizeof(bytes));
}

/* A direct write of an odd length over two extents that is refused has written neither. */
static bool probe_part_written(int fd)
{
	static char bytes[4 * PAGE] __attribute__((aligned(PAGE)));

	memset(bytes, 'x', sizeof(bytes));
	if (pwrite(fd, bytes, 2 * PAGE, 0) != 2 * PAGE || fallocate(fd, 0, 2 * PAGE, 2 * PAGE) < 0 || fsync(fd) < 0)
		return false;
	memset(bytes, 'y', sizeof(bytes));
	return pwrite(fd, bytes, 3 * PAGE + 100, 0) < 0 && pread(fd, bytes, PAGE, 0) == PAGE && bytes[0] == 'y';
}

static bool probe(int flags, bool (*ask)(int fd))
{
	int fd = open(PROBE, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC | flags, 0600);
	bool answer = fd >= 0 && ask(fd);

	if (fd < 0 && !flags)
		die(PROBE);
	if (fd >= 0)
		close(fd);
	unlink(PROBE);
	return answer;
}

void excuse_probe(void)
{
	is_end_left = probe(0, probe_zero_end);
	is_part_written = probe(O_DIRECT, probe_part_written);
}

/* Seen by excuse_probe(). */
static bool has_end_left(void)
{
	return is_end_left;
}

static bool has_part_written(void)
{
	return is_part_written;
}

static const struct {
	const char *name;
	bool on_shale, on_overlay, on_bare;
	const char *what;
	bool (*applies)(void); /* NULL: always */
} excuses[EXCUSE_COUNT] = {
	[EXCUSE_SHARED_OF_LOWER] = {"shared-of-lower", false, true, false,
		"a shared read-only mapping made before the first write keeps showing the lower file"},
	[EXCUSE_PRIVATE_OF_LOWER] = {"private-of-lower", true, true, false,
		"a private mapping made before the first write keeps showing the lower file"},
	[EXCUSE_DEDUPE_OF_LOWER] = {"dedupe-of-lower", false, true, false,
		"dedupe into bytes that only a lower layer has gives EPERM"},
	[EXCUSE_DEDUPE_PAST_END] = {"dedupe-past-end", true, true, false,
		"where there is no dedupe, one past the source's end gives EINVAL"},
	[EXCUSE_LINKS_SEALED] = {"links-sealed", true, true, false,
		"names of one file come apart in a sealed upper, unless all were made in it"},
	[EXCUSE_NLINK_SEALED] = {"nlink-sealed", true, true, false,
		"st_nlink of a sealed upper's files is what its filesystem counts"},
	[EXCUSE_BLOCKS_OF_LOWER] = {"blocks-of-lower", true, false, false,
		"st_blocks counts what the upper has, and not what of a file only a lower layer has"},
	[EXCUSE_NOWAIT] = {"nowait", false, true, false, "RWF_NOWAIT is not supported"},
	[EXCUSE_COPY_PIECES] = {"copy-pieces", true, true, false,
		"of what is copied to a descriptor for direct I/O and ends oddly, the even pieces may be copied"},
	/* -- */
	[EXCUSE_XFS_SEEK] = {"xfs-seek", true, true, true,
		"xfs before 6.9 calls bytes a hole that lie behind one in which a copied extent may grow", is_old_xfs},
	[EXCUSE_ZERO_END] = {"zero-end", true, true, true,
		"ext4 of 7.3 leaves bytes in the last block that FALLOC_FL_ZERO_RANGE goes beyond the end from", has_end_left},
	[EXCUSE_PART_WRITTEN] = {"part-written", true, true, true,
		"ext4 of 7.3 refuses a direct write of an odd length once it has written an extent of it", has_part_written},
};

static bool is_strict(const char *name)
{
	const char *strict = getenv("SHALE_ORACLE_STRICT"), *found;
	size_t length = strlen(name);

	if (!strict)
		return false;
	if (!strcmp(strict, "all"))
		return true;
	for (found = strstr(strict, name); found; found = strstr(found + 1, name))
		if ((found == strict || found[-1] == ',') && (!found[length] || found[length] == ','))
			return true;
	return false;
}

bool excuse_is_strict(enum excuse excuse)
{
	return is_strict(excuses[excuse].name);
}

bool is_excused(enum excuse excuse)
{
	if (excuse_is_strict(excuse) || (excuses[excuse].applies && !excuses[excuse].applies()))
		return false;
	if (stage_is_bare())
		return excuses[excuse].on_bare;
	return stage_is_overlay() ? excuses[excuse].on_overlay : excuses[excuse].on_shale;
}

/* Where it is one of them that was seen. */
bool excuse_count(enum excuse excuse)
{
	if (!is_excused(excuse))
		return false;
	tally->excused[excuse]++;
	return true;
}

/* The system call looks at the source's size before it asks us, but after it saw that we can dedupe. */
static bool is_past_end(const struct op *op)
{
	return !strcmp(op->kind->name, "dedupe") && op->ret == -EINVAL &&
	       op->from + (off_t)op->length > op->other_size;
}

/* What is read of a file in several layers comes in more pieces, and only the last of them is odd. */
static bool is_copied_to_odd_end(const struct op *op)
{
	return !strcmp(op->kind->name, "copy_range") && handle_is_direct(op->handle) && op->want % SECTOR &&
	       op->ret > 0 && op->ret < op->want && op->ret % SECTOR == 0;
}

/* Whether an answer that the bare filesystem does not give is one of these. */
bool excuse_errno(const struct op *op)
{
	enum excuse excuse;

	if (!strcmp(op->kind->name, "dedupe") && op->ret == -EPERM)
		excuse = EXCUSE_DEDUPE_OF_LOWER;
	else if (is_past_end(op))
		excuse = EXCUSE_DEDUPE_PAST_END;
	else if (is_copied_to_odd_end(op))
		excuse = EXCUSE_COPY_PIECES;
	else if (strstr(op->kind->name, "nowait") && op->ret == -EOPNOTSUPP)
		excuse = EXCUSE_NOWAIT;
	else
		return false;
	return excuse_count(excuse);
}

void excuse_list(void)
{
	for (int i = 0; i < EXCUSE_COUNT; i++)
		if (tally->excused[i])
			printf("  excused %s %lu times: %s\n", excuses[i].name, tally->excused[i],
			       excuses[i].what);
}
