// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer harness of the layer writer. Whatever the tar, it is written below its directory or
 * refused with a message: nothing appears beside the directory, and the bytes that are counted are in
 * it. Built and run by scripts/fuzz; its corpus is selftests/corpus/untar.
 */
#include "archive/untar.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
/* Small, so that the seams between pieces are met. */
#define PIECE 1000
#define BLOCK 512

struct input {
	const uint8_t *data;
	size_t left;
};

/* work/jail/layer is the layer's directory; work and work/jail must keep only these. */
static int work_fd, jail_fd;

static ssize_t input_read(void *arg, const void **ret_data, struct shale_err *err)
{
	struct input *input = arg;
	size_t len = input->left < PIECE ? input->left : PIECE;

	(void)err;
	*ret_data = input->data;
	input->data += len;
	input->left -= len;
	return len;
}

static size_t entries_count(int dirfd)
{
	DIR *dir = fdopendir(openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	size_t count = 0;

	promise(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char work[] = "/dev/shm/shale-fuzz-XXXXXX";

	(void)argc;
	(void)argv;
	promise(mkdtemp(work));
	work_fd = open(work, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	promise(mkdirat(work_fd, "jail", 0755) == 0);
	jail_fd = openat(work_fd, "jail", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return 0;
}

/* A changed header with its old checksum would say nothing about what reads the rest of it. */
static void headers_seal(uint8_t *data, size_t size)
{
	unsigned int sum;

	for (; size >= BLOCK; data += BLOCK, size -= BLOCK) {
		if (memcmp(data + 257, "ustar", 5))
			continue;
		memset(data + 148, ' ', 8);
		sum = 0;
		for (size_t i = 0; i < BLOCK; i++)
			sum += data[i];
		for (int i = 5; i >= 0; i--, sum >>= 3)
			data[148 + i] = '0' + (sum & 7);
		data[154] = '\0';
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	__cleanup_free uint8_t *copy = malloc(size + 1);
	struct input input = { copy, size };
	struct untar_opts opts = { .read = input_read, .arg = &input };
	struct untar_stats stats = { 0 };
	struct shale_err err = { 0 };

	promise(copy);
	if (size)
		memcpy(copy, data, size);
	headers_seal(copy, size);
	promise(mkdirat(jail_fd, "layer", 0755) == 0);
	opts.root_fd = openat(jail_fd, "layer", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	opts.is_root = size & 1 && geteuid() == 0;
	opts.xattr_prefix = opts.is_root ? "trusted." : "user.";
	if (untar(&opts, &stats, &err) < 0)
		promise(err.code > 0 && err.msg[0] && !strchr(err.msg, '\n'));
	else
		promise(stats.entries > 0 || entries_count(opts.root_fd) == 2);
	promise(entries_count(work_fd) == 3 && entries_count(jail_fd) == 3);
	close(opts.root_fd);
	promise(fs_remove_tree(jail_fd, "layer") == 0);
	return 0;
}
