// SPDX-License-Identifier: GPL-2.0-only
/*
 * Adds up a tree; see du.h. Directories wait in a list and are opened one at a time, so that neither
 * depth nor width costs descriptors. Called by who imports, counts and checks.
 */
#include "base/du.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fs.h"

/* A file with several names. */
struct du_link {
	dev_t dev;
	ino_t ino;
	uint64_t size;
};

struct du {
	struct buf dirs; /* paths still to be read, each with its NUL */
	size_t at;	 /* of the one that is */
	uint64_t bytes;
	size_t link_count;
	size_t link_cap;
	struct du_link *links;
};

static void du_release(struct du *du)
{
	int saved = errno;

	buf_release(&du->dirs);
	free(du->links);
	errno = saved;
}

static int add_link(struct du *du, const struct stat *st)
{
	struct du_link *links = du->links;

	if (du->link_count == du->link_cap) {
		links = reallocarray(links, du->link_cap * 2 + 64, sizeof(*links));
		if (!links)
			return -1;
		du->links = links;
		du->link_cap = du->link_cap * 2 + 64;
	}
	links[du->link_count++] = (struct du_link){ st->st_dev, st->st_ino, st->st_size };
	return 0;
}

/* The list may move while it grows: offsets stay, pointers do not. */
static int add_dir(struct du *du, const char *name)
{
	size_t base = strlen(du->dirs.data + du->at);

	if (buf_reserve(&du->dirs, base + strlen(name) + 2) < 0)
		return -1;
	return buf_add(&du->dirs, du->dirs.data + du->at, base) < 0 ||
			       buf_addc(&du->dirs, '/') < 0 ||
			       buf_add(&du->dirs, name, strlen(name) + 1) < 0 ?
		       -1 : 0;
}

static int add_entry(struct du *du, int fd, const char *name)
{
	struct stat st;

	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -1;
	if (S_ISDIR(st.st_mode))
		return add_dir(du, name);
	if (!S_ISREG(st.st_mode))
		return 0;
	if (st.st_nlink > 1)
		return add_link(du, &st);
	du->bytes += st.st_size;
	return 0;
}

static bool is_dot(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

static int read_dir(struct du *du, int dirfd)
{
	__cleanup(dir_closep) DIR *dir = NULL;
	struct dirent *entry;
	int fd = fs_open_entry(dirfd, du->dirs.data + du->at, O_RDONLY | O_DIRECTORY);

	if (fd < 0)
		return errno == EXDEV ? 0 : -1;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -1;
	}
	while (errno = 0, (entry = readdir(dir)))
		if (!is_dot(entry->d_name) && add_entry(du, fd, entry->d_name) < 0)
			return -1;
	return errno ? -1 : 0;
}

static int compare_links(const void *a, const void *b)
{
	const struct du_link *left = a, *right = b;

	if (left->dev != right->dev)
		return left->dev < right->dev ? -1 : 1;
	return left->ino == right->ino ? 0 : left->ino < right->ino ? -1 : 1;
}

static void sum_links(struct du *du)
{
	if (du->link_count)
		qsort(du->links, du->link_count, sizeof(*du->links), compare_links);
	for (size_t i = 0; i < du->link_count; i++)
		if (!i || compare_links(&du->links[i - 1], &du->links[i]))
			du->bytes += du->links[i].size;
}

int du_tree(int dirfd, const char *path, uint64_t *ret_bytes)
{
	__cleanup(du_release) struct du du = { .at = 0 };

	if (buf_add(&du.dirs, path, strlen(path) + 1) < 0)
		return -1;
	for (; du.at < du.dirs.len; du.at += strlen(du.dirs.data + du.at) + 1)
		if (read_dir(&du, dirfd) < 0)
			return -1;
	sum_links(&du);
	*ret_bytes = du.bytes;
	return 0;
}
