// SPDX-License-Identifier: GPL-2.0-only
/*
 * twins.c - files of which some blocks are the upper's, and plain files that hold the same; see twins.h.
 */
#include "twins.h"

#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

void twins_mount(void)
{
	if (is_shale())
		union_mount_with(&union_by_blocks);
	else
		union_mount();
}

void bytes_fill(char *buffer, size_t size, unsigned int seed)
{
	for (size_t i = 0; i < size; i++)
		buffer[i] = (char)((i * 2654435761U + seed) >> 11 | 1);
}

void bytes_put(int fd, off_t at, size_t size, unsigned int seed)
{
	char *buffer = malloc(size);

	bytes_fill(buffer, size, seed);
	ASSERT_EQ(pwrite(fd, buffer, size, at), (ssize_t)size);
	free(buffer);
}

void twin_make(const char *path, unsigned int seed)
{
	int fd = ASSERT_OK(open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644));

	bytes_put(fd, 0, HOLE, seed);
	bytes_put(fd, HOLE_END, SIZE - HOLE_END, seed + 1);
	ASSERT_OK(fsync(fd));
	ASSERT_OK(close(fd));
}

/* From here on some of its blocks are the upper's. */
void twin_touch(const char *path)
{
	int fd = ASSERT_OK(open(path, O_WRONLY | O_CLOEXEC));

	bytes_put(fd, 2 * BLOCK, BLOCK, 100);
	bytes_put(fd, 20000, 100, 101);
	bytes_put(fd, HOLE + BLOCK, 10, 102);
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 40 * KIB, 3 * BLOCK + 5) < 0)
		ASSERT_EQ(errno, EOPNOTSUPP);
	bytes_put(fd, 64 * KIB, 8 * BLOCK, 103);
	ASSERT_OK(close(fd));
}

char *file_bytes(const char *path, size_t *ret_size)
{
	struct stat st = stat_of(path);
	char *buffer = malloc(st.st_size + 1);
	int fd = ASSERT_OK(open(path, O_RDONLY | O_CLOEXEC));
	size_t got = 0;
	ssize_t part;

	while ((part = read(fd, buffer + got, st.st_size - got)) > 0)
		got += part;
	close(fd);
	*ret_size = got;
	return buffer;
}

void expect_same_file(const char *a, const char *b)
{
	size_t a_size, b_size, at = 0;
	char *one = file_bytes(a, &a_size), *two = file_bytes(b, &b_size);

	EXPECT_EQ(a_size, b_size);
	while (at < a_size && at < b_size && one[at] == two[at])
		at++;
	if (at < a_size || at < b_size)
		ktap_fail(__FILE__, __LINE__, "%s and %s differ from %zu on", a, b, at);
	free(one);
	free(two);
}

/* Two files on the union, m/f and m/g, of which some blocks are the upper's, and their twins in p. */
void twins_setup(void)
{
	static const char *const made[] = {"l0/f", "l0/g", "p/f", "p/g"};

	lower(0, "x=1");
	ASSERT_OK(mkdir("p", 0755));
	for (size_t i = 0; i < 4; i++)
		twin_make(made[i], i % 2 ? 50 : 7);
	twins_mount();
	twin_touch("m/f");
	twin_touch("m/g");
	twin_touch("p/f");
	twin_touch("p/g");
}

void twins_expect_same(void)
{
	expect_same_file("m/f", "p/f");
	expect_same_file("m/g", "p/g");
}

void *pages_alloc(size_t count)
{
	void *at = mmap(NULL, count * BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT(at != MAP_FAILED);
	bytes_fill(at, count * BLOCK, 33);
	return at;
}
