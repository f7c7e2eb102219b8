// SPDX-License-Identifier: GPL-2.0-only
/*
 * check.c - compares files with their models: bytes by read, by descriptors of any age and by mappings;
 * size, mode, number of links and blocks; and that SEEK_DATA and SEEK_HOLE never call a hole what has bytes.
 */
#include "oracle.h"

#include <stdlib.h>
#include <sys/mman.h>

#define MAPPED_WHOLE (1024 * 1024)
/* What allocation ahead of a sparse file may take. */
#define SPARSE_SLACK (256L * 1024 * 1024)
/* Smaller files may lie in the inode. */
#define INLINE_MAX   4096
/* The smallest block of the filesystems that are tested. */
#define BLOCK_MIN    1024

static unsigned char got[BUFFER_SIZE];

static void print_hex(char out[64], const unsigned char *bytes, size_t length)
{
	int at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < length && i < 16; i++)
		at += snprintf(out + at, 64 - at, "%02x ", bytes[i]);
}

static void report_bytes(const struct file *file, const char *how, off_t at, const unsigned char *want,
			 const unsigned char *bytes, size_t length)
{
	size_t bad = 0, first = 0, last = 0;
	char one[64], two[64];

	for (size_t i = length; i-- > 0;) {
		if (want[i] == bytes[i])
			continue;
		first = i;
		last = bad++ ? last : i;
	}
	print_hex(one, want + first, length - first);
	print_hex(two, bytes + first, length - first);
	mismatch(file, "by %s, %zu bytes from %ld to %ld differ (size %ld):\n  wanted %s\n  got    %s", how, bad,
		 (long)(at + first), (long)(at + last), (long)file->now.size, one, two);
}

/* BYTES must be what the model has at AT; what is behind the end counts as zeros. */
void check_bytes(const struct file *file, const char *how, off_t at, const unsigned char *bytes, size_t length)
{
	static unsigned char want[BUFFER_SIZE];

	contents_read(&file->now, at, want, length);
	if (memcmp(want, bytes, length))
		report_bytes(file, how, at, want, bytes, length);
}

static void read_and_check(const struct file *file, int fd, const char *how, off_t at, off_t end)
{
	if (end > file->now.size)
		end = file->now.size;
	for (; at < end; at += BUFFER_SIZE) {
		size_t length = end - at < BUFFER_SIZE ? end - at : BUFFER_SIZE;
		ssize_t ret = pread(fd, got, length, at);

		if (ret != (ssize_t)length)
			mismatch(file, "pread of %zu at %ld by %s gave %ld (%s)", length, (long)at, how,
				 (long)ret, ret < 0 ? strerror(errno) : "short");
		check_bytes(file, how, at, got, length);
	}
}

static int open_new(const struct file *file)
{
	char path[PATH_SIZE];
	int fd;

	file_path(file, path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		mismatch(file, "open %s: %s", path, strerror(errno));
	return fd;
}

static struct stat check_size(const struct file *file, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		mismatch(file, "fstat: %s", strerror(errno));
	if (st.st_size != file->now.size)
		mismatch(file, "the size is %ld, not %ld", (long)st.st_size, (long)file->now.size);
	return st;
}

/* After an operation: the size and the bytes it may have touched, by one descriptor and all mappings. */
void check_range(struct file *file, off_t at, off_t end)
{
	const struct handle *handle = handle_any_readable(file);
	int fd = handle ? handle->fd : open_new(file);

	check_size(file, fd);
	read_and_check(file, fd, handle ? "an open descriptor" : "a new descriptor", at < 0 ? 0 : at, end);
	if (!handle)
		close(fd);
	for (int i = 0; i < MAPPINGS; i++)
		mapping_check(file, &file->mappings[i], at, end);
}

static void check_hole(const struct file *file, int fd, off_t at, off_t end)
{
	if (contents_is_zero(&file->now, at, end))
		return;
	/* If the bytes are lost that is the news. */
	read_and_check(file, fd, "a new descriptor", at, end);
	if (excuse_count(EXCUSE_XFS_SEEK))
		return;
	mismatch(file, "SEEK_DATA and SEEK_HOLE call %ld to %ld a hole, but it has bytes", (long)at, (long)end);
}

/* Reads what the file calls data; what it calls holes must be zeros in the model. */
static void check_extents(const struct file *file, int fd)
{
	off_t size = file->now.size, at = 0, data, hole;

	while (at < size) {
		data = lseek(fd, at, SEEK_DATA);
		if (data < 0 && errno != ENXIO)
			mismatch(file, "SEEK_DATA from %ld: %s", (long)at, strerror(errno));
		check_hole(file, fd, at, data < 0 ? size : data);
		if (data < 0)
			break;
		hole = lseek(fd, data, SEEK_HOLE);
		if (data < at || data >= size || hole <= data || hole > size)
			mismatch(file, "from %ld of %ld: SEEK_DATA gives %ld, SEEK_HOLE then %ld", (long)at,
				 (long)size, (long)data, (long)hole);
		read_and_check(file, fd, "a new descriptor", data, hole);
		at = hole;
	}
}

/* A hole must read as zeros as well; reading all of a large one would take too long. */
static void check_holes(const struct file *file, int fd)
{
	off_t size = file->now.size, at = size > BUFFER_SIZE ? pick(size / PAGE) * (off_t)PAGE : 0;

	read_and_check(file, fd, "a new descriptor", at, at + BUFFER_SIZE);
}

static void check_mapped_whole(const struct file *file, int fd)
{
	size_t length = file->now.size < MAPPED_WHOLE ? file->now.size : MAPPED_WHOLE;
	struct mapping mapping = {.length = length};

	if (length == 0)
		return;
	mapping.at = mmap(NULL, length, PROT_READ, MAP_SHARED, fd, 0);
	if (mapping.at == MAP_FAILED)
		mismatch(file, "mmap: %s", strerror(errno));
	for (off_t at = 0; at < (off_t)length; at += BUFFER_SIZE) {
		size_t part = length - at < BUFFER_SIZE ? length - at : BUFFER_SIZE;

		if (!mapping_load(&mapping, at, got, part))
			mismatch(file, "SIGBUS in a new mapping near offset %ld", (long)at);
		check_bytes(file, "a new mapping", at, got, part);
	}
	munmap(mapping.at, length);
}

static void check_blocks(const struct file *file, const struct stat *st)
{
	off_t allocated = (off_t)st->st_blocks * 512;
	off_t least = contents_count_blocks(&file->now, BLOCK_MIN) * BLOCK_MIN;

	if (file->is_sparse && allocated > SPARSE_SLACK)
		mismatch(file, "a sparse file takes %ld bytes", (long)allocated);
	if (file->now.size <= INLINE_MAX || allocated >= least)
		return;
	/* None at all would be one hole to tar. */
	if (!allocated || !excuse_count(EXCUSE_BLOCKS_OF_LOWER))
		mismatch(file, "st_blocks says %ld bytes, but %ld bytes are in blocks that are not zero",
			 (long)allocated, (long)least);
}

static void check_nlink(const struct file *file, int nlink)
{
	if (nlink == file->name_count)
		return;
	if (!file->is_sealed || !excuse_count(EXCUSE_NLINK_SEALED))
		mismatch(file, "st_nlink is %d, not %d", nlink, file->name_count);
}

static void check_stat(const struct file *file, int fd)
{
	struct stat st = check_size(file, fd);

	if ((st.st_mode & 07777) != file->mode)
		mismatch(file, "the mode is %o, not %o", st.st_mode & 07777, file->mode);
	check_nlink(file, st.st_nlink);
	check_blocks(file, &st);
}

static void check_by_new(const struct file *file)
{
	int fd = open_new(file);

	check_stat(file, fd);
	check_extents(file, fd);
	check_holes(file, fd);
	check_mapped_whole(file, fd);
	close(fd);
}

/* The whole file, by a new descriptor, an old one and all mappings. */
void check_file(struct file *file)
{
	const struct handle *old = handle_any_readable(file);

	check_by_new(file);
	if (old && !file->is_sparse)
		read_and_check(file, old->fd, "an old descriptor", 0, file->now.size);
	if (old)
		check_stat(file, old->fd);
	for (int i = 0; i < MAPPINGS; i++)
		mapping_check(file, &file->mappings[i], 0, file->now.size);
}

void check_all(void)
{
	for (int i = 0; i < FILES; i++)
		check_file(&files[i]);
}
