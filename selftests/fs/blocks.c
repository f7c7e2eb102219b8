// SPDX-License-Identifier: GPL-2.0-only
/*
 * blocks.c - see blocks.h. Linked into every program of the rooms fs and uapi.
 */
#include "blocks.h"

#include "union.h"

#include <linux/shale.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>

void block_fill(char *block, char letter)
{
	memset(block, letter == '.' ? 0 : letter, BLOCK);
}

static void block_put(int fd, int number, char letter)
{
	char block[BLOCK];

	block_fill(block, letter);
	ASSERT_EQ(pwrite(fd, block, BLOCK, (off_t)number * BLOCK), BLOCK);
}

void blocks_make(const char *path, const char *letters)
{
	int fd = ASSERT_OK(open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644));

	for (int i = 0; letters[i]; i++)
		if (letters[i] != '_')
			block_put(fd, i, letters[i]);
	ASSERT_OK(ftruncate(fd, (off_t)strlen(letters) * BLOCK));
	ASSERT_OK(close(fd));
}

void block_write(const char *path, int number, char letter)
{
	int fd = ASSERT_OK(open(path, O_WRONLY | O_CLOEXEC));

	block_put(fd, number, letter);
	ASSERT_OK(close(fd));
}

char block_letter(const char *block)
{
	for (int i = 1; i < BLOCK; i++)
		if (block[i] != block[0])
			return '?';
	return block[0] ? block[0] : '.';
}

const char *blocks_of_fd(int fd)
{
	static char letters[BLOCKS_MAX + 1];
	char block[BLOCK];
	ssize_t ret = 1;
	int nr;

	for (nr = 0; nr < BLOCKS_MAX; nr++) {
		ret = pread(fd, block, BLOCK, (off_t)nr * BLOCK);
		if (ret <= 0)
			break;
		letters[nr] = ret == BLOCK ? block_letter(block) : '?';
	}
	letters[nr] = '\0';
	return ret < 0 ? strerrorname_np(errno) : letters;
}

const char *blocks_of(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	const char *letters = fd < 0 ? strerrorname_np(errno) : blocks_of_fd(fd);

	if (fd >= 0)
		close(fd);
	return letters;
}

static int run_print(char *text, size_t size, const struct shale_file_run *run, __u64 offset)
{
	const char *gap = offset ? " " : "";

	if (run->offset != offset)
		return snprintf(text, size, "%snot at %llu", gap, (unsigned long long)run->offset);
	if (run->length % BLOCK)
		return snprintf(text, size, "%s%llub@%u", gap, (unsigned long long)run->length,
				run->layer);
	return snprintf(text, size, "%s%llu@%u", gap, (unsigned long long)run->length / BLOCK, run->layer);
}

const char *runs_of(const char *path)
{
	static char text[2048];
	struct shale_file_run runs[128];
	struct shale_ioc_file_map map = {
		.size = sizeof(map),
		.runs_ptr = (uintptr_t)runs,
		.count = sizeof(runs) / sizeof(runs[0]),
	};
	int fd = ASSERT_OK(open(path, O_RDONLY | O_CLOEXEC));
	__u64 offset = 0;
	size_t at = 0;

	ASSERT_OK(ioctl(fd, SHALE_IOC_FILE_MAP, &map));
	close(fd);
	ASSERT(!(map.state & SHALE_FILE_MORE));
	text[0] = '\0';
	for (__u32 i = 0; i < map.count; i++) {
		at += run_print(text + at, sizeof(text) - at, &runs[i], offset);
		offset += runs[i].length;
	}
	EXPECT_EQ(offset, map.file_size);
	EXPECT_EQ(map.owned + map.shared, offset);
	return text;
}
