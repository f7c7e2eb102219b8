// SPDX-License-Identifier: GPL-2.0-only
/*
 * Walking trees; see walk.h. Everything is opened by its whole path from the root, beneath it and
 * through no symlink: a tree may be deeper than a process has descriptors. Called by changes.c and
 * compare.c.
 */
#include "archive/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "archive/name.h"
#include "base/cleanup.h"
#include "base/fs.h"

/* A file with several names: which of them were told of. */
struct walk_link {
	dev_t dev;
	ino_t ino;
	nlink_t nlink;
	size_t count;
	char **paths;
};

void walk_init(struct walk *walk, change_fn fn, void *arg, struct shale_err *err)
{
	*walk = (struct walk){ .fn = fn, .arg = arg, .err = err };
}

static void link_free(void *arg)
{
	struct walk_link *link = arg;

	for (size_t i = 0; i < link->count; i++)
		free(link->paths[i]);
	free(link->paths);
	free(link);
}

void walk_release(struct walk *walk)
{
	int saved = errno;

	tdestroy(walk->links, link_free);
	buf_release(&walk->path);
	errno = saved;
}

void walk_names_release(struct walk_names *names)
{
	free(names->items);
	free(names->memory);
	*names = (struct walk_names){ 0 };
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_dot(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

static int read_all(DIR *dir, struct buf *memory, size_t *ret_count)
{
	struct dirent *entry;

	while (errno = 0, (entry = readdir(dir))) {
		if (is_dot(entry->d_name))
			continue;
		if (buf_add(memory, entry->d_name, strlen(entry->d_name) + 1) < 0)
			return -1;
		if (++*ret_count > WALK_MAX_NAMES) {
			errno = EFBIG;
			return -1;
		}
	}
	return errno ? -1 : 0;
}

static int sort_names(struct buf *memory, size_t count, struct walk_names *ret_names)
{
	char *at;

	ret_names->items = calloc(count + 1, sizeof(*ret_names->items));
	ret_names->memory = buf_steal(memory);
	if (!ret_names->items || !ret_names->memory)
		return -1;
	ret_names->count = count;
	at = ret_names->memory;
	for (size_t i = 0; i < count; i++, at += strlen(at) + 1)
		ret_names->items[i] = at;
	qsort(ret_names->items, count, sizeof(*ret_names->items), compare_names);
	return 0;
}

int walk_names_read(int root_fd, const char *path, struct walk_names *ret_names,
		    struct shale_err *err)
{
	int fd = fs_open_beneath(root_fd, *path ? path : ".", O_RDONLY | O_DIRECTORY, 0);
	__cleanup_walk_names struct walk_names names = { 0 };
	__cleanup(dir_closep) DIR *dir = NULL;
	__cleanup_buf struct buf memory = BUF_INIT;
	size_t count = 0;

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		fd_closep(&fd);
		return shale_err_errno(err, "opening directory %.300s", path);
	}
	if (read_all(dir, &memory, &count) < 0 || sort_names(&memory, count, &names) < 0)
		return shale_err_errno(err, "reading directory %.300s", path);
	*ret_names = names;
	names = (struct walk_names){ 0 };
	return 0;
}

ssize_t walk_down(struct walk *walk, const char *name)
{
	size_t before = walk->path.len;

	if (before + 1 + strlen(name) > NAME_MAX_PATH)
		return shale_err_set(
			walk->err, ENAMETOOLONG,
			"a name in %.200s...: longer than the %d bytes a layer can have",
			buf_str(&walk->path), NAME_MAX_PATH);
	if ((before && buf_addc(&walk->path, '/') < 0) || buf_adds(&walk->path, name) < 0)
		return shale_err_errno(walk->err, "looking for changes");
	return before;
}

void walk_up(struct walk *walk, size_t before)
{
	walk->path.len = before;
	if (walk->path.data)
		walk->path.data[before] = '\0';
}

int walk_open(struct walk *walk, int root_fd, struct stat *ret_st)
{
	const char *path = walk->path.len ? walk->path.data : ".";
	__cleanup_fd int fd = fs_open_beneath(root_fd, path, O_PATH | O_NOFOLLOW, 0);

	if (fd < 0 || fstat(fd, ret_st) < 0)
		return shale_err_errno(walk->err, "%.300s", path);
	return steal_fd(&fd);
}

static int compare_links(const void *a, const void *b)
{
	const struct walk_link *left = a;
	const struct walk_link *right = b;

	if (left->ino != right->ino)
		return left->ino < right->ino ? -1 : 1;
	return left->dev < right->dev ? -1 : left->dev > right->dev;
}

static struct walk_link *link_find(const struct walk *walk, const struct stat *st)
{
	struct walk_link key = { .dev = st->st_dev, .ino = st->st_ino };
	struct walk_link **found = tfind(&key, &walk->links, compare_links);

	return found ? *found : NULL;
}

static struct walk_link *link_get(struct walk *walk, const struct stat *st)
{
	struct walk_link *link = link_find(walk, st);

	if (link)
		return link;
	link = calloc(1, sizeof(*link));
	if (!link)
		return NULL;
	*link = (struct walk_link){ .dev = st->st_dev, .ino = st->st_ino, .nlink = st->st_nlink };
	if (tsearch(link, &walk->links, compare_links))
		return link;
	free(link);
	return NULL;
}

static int link_add_path(struct walk_link *link, const char *path)
{
	char **paths = reallocarray(link->paths, link->count + 1, sizeof(*paths));

	if (!paths)
		return -1;
	link->paths = paths;
	paths[link->count] = strdup(path);
	if (!paths[link->count])
		return -1;
	link->count++;
	return 0;
}

static bool link_has_path(const struct walk_link *link, const char *path)
{
	for (size_t i = 0; i < link->count; i++)
		if (!strcmp(link->paths[i], path))
			return true;
	return false;
}

int walk_tell(struct walk *walk, struct change *change, const struct stat *identity)
{
	struct walk_link *link;

	change->path = buf_str(&walk->path);
	change->link = NULL;
	if (!S_ISDIR(change->st.st_mode) && identity->st_nlink > 1) {
		link = link_get(walk, identity);
		if (!link || link_add_path(link, change->path) < 0)
			return shale_err_set(walk->err, ENOMEM, "looking for changes");
		if (link->count > 1)
			change->link = link->paths[0];
	}
	return walk->fn(walk->arg, change, walk->err);
}

int walk_tell_kind(struct walk *walk, enum change_kind kind)
{
	struct change change = {
		.kind = kind,
		.path = buf_str(&walk->path),
		.fd = -1,
		.data_root = -1,
	};

	return walk->fn(walk->arg, &change, walk->err);
}

static void note_missing(const void *node, VISIT visit, void *arg)
{
	const struct walk_link *link = *(const struct walk_link *const *)node;
	struct walk *walk = arg;

	if ((visit == postorder || visit == leaf) && link->count < link->nlink)
		walk->is_incomplete = true;
}

static int search_dir(struct walk *walk, int tree_fd);

static int search_name(struct walk *walk, int tree_fd)
{
	struct change change = { .kind = CHANGE_ENTRY, .data_root = tree_fd };
	__cleanup_fd int fd = walk_open(walk, tree_fd, &change.st);
	struct walk_link *link;

	if (fd < 0)
		return -1;
	if (S_ISDIR(change.st.st_mode))
		return search_dir(walk, tree_fd);
	link = change.st.st_nlink > 1 ? link_find(walk, &change.st) : NULL;
	if (!link || link_has_path(link, buf_str(&walk->path)))
		return 0;
	change.fd = fd;
	return walk_tell(walk, &change, &change.st);
}

static int search_dir(struct walk *walk, int tree_fd)
{
	__cleanup_walk_names struct walk_names names = { 0 };
	ssize_t before;

	if (walk_names_read(tree_fd, buf_str(&walk->path), &names, walk->err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		before = walk_down(walk, names.items[i]);
		if (before < 0 || search_name(walk, tree_fd) < 0)
			return -1;
		walk_up(walk, before);
	}
	return 0;
}

int walk_tell_links(struct walk *walk, int tree_fd)
{
	twalk_r(walk->links, note_missing, walk);
	return walk->is_incomplete ? search_dir(walk, tree_fd) : 0;
}
