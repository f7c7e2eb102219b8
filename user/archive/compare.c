// SPDX-License-Identifier: GPL-2.0-only
/*
 * The changes between two whole trees; see changes.h. Called by the storage drivers that keep no
 * upper.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "archive/attr.h"
#include "archive/changes.h"
#include "archive/name.h"
#include "archive/walk.h"
#include "base/cleanup.h"
#include "base/fs.h"

#define COMPARE_CHUNK (256 << 10)

/* A directory on the way down. It is told of before the first change in it, as an upper would have
 * it. */
struct frame {
	struct frame *up;
	size_t len; /* of its path */
	bool is_told;
};

struct comparison {
	const struct changes_trees *trees;
	struct walk walk;
	char *chunks; /* two */
};

/* One name in both trees. */
struct pair {
	int base, tree; /* O_PATH */
	struct stat base_st, tree_st;
};

static void pair_release(struct pair *pair)
{
	fd_closep(&pair->base);
	fd_closep(&pair->tree);
}

static int tell_entry(struct comparison *comparison, int fd, const struct stat *st)
{
	struct change change = {
		.kind = CHANGE_ENTRY,
		.fd = fd,
		.st = *st,
		.data_root = comparison->trees->tree_fd,
	};

	return walk_tell(&comparison->walk, &change, st);
}

/* Tells of the directories down to here that were not yet; the path is as before afterwards. */
static int tell_frames(struct comparison *comparison, struct frame *frame)
{
	struct walk *walk = &comparison->walk;
	__cleanup_free char *rest = NULL;
	__cleanup_fd int fd = -1;
	size_t before = walk->path.len;
	struct stat st;
	int ret;

	if (!frame || frame->is_told)
		return 0;
	if (tell_frames(comparison, frame->up) < 0)
		return -1;
	frame->is_told = true;
	rest = strdup(walk->path.data + frame->len);
	if (!rest)
		return shale_err_errno(walk->err, "looking for changes");
	walk_up(walk, frame->len);
	fd = walk_open(walk, comparison->trees->tree_fd, &st);
	ret = fd < 0 ? -1 : tell_entry(comparison, fd, &st);
	/* It fits: it was that long. */
	buf_adds(&walk->path, rest);
	return ret || walk->path.len != before ? -1 : 0;
}

static int read_some(int fd, char *data, off_t at)
{
	size_t done = 0;
	ssize_t got;

	while (done < COMPARE_CHUNK) {
		got = pread(fd, data + done, COMPARE_CHUNK - done, at + done);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (!got)
			break;
		done += got;
	}
	return done;
}

static int has_same_content(struct comparison *comparison)
{
	const char *path = buf_str(&comparison->walk.path);
	__cleanup_fd int base = fs_open_beneath(comparison->trees->base_fd, path, O_RDONLY, 0);
	__cleanup_fd int tree = fs_open_beneath(comparison->trees->tree_fd, path, O_RDONLY, 0);
	char *left = comparison->chunks, *right = comparison->chunks + COMPARE_CHUNK;
	int len = 1, other;

	if (base < 0 || tree < 0)
		return -1;
	for (off_t at = 0; len; at += len) {
		len = read_some(base, left, at);
		other = read_some(tree, right, at);
		if (len < 0 || other < 0)
			return -1;
		if (len != other || memcmp(left, right, len))
			return 0;
	}
	return 1;
}

static int has_same_target(const struct pair *pair)
{
	char left[NAME_MAX_PATH + 1], right[NAME_MAX_PATH + 1];
	ssize_t len = readlinkat(pair->base, "", left, sizeof(left));

	if (len < 0 || readlinkat(pair->tree, "", right, sizeof(right)) != len)
		return len < 0 ? -1 : 0;
	return !memcmp(left, right, len);
}

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

/* Without a look into it: nobody touched it since the tree was made, or it is a snapshot's very file.
 */
static bool is_untouched(const struct comparison *comparison, const struct pair *pair)
{
	const struct stat *base = &pair->base_st, *tree = &pair->tree_st;

	if (is_before(&tree->st_ctim, &comparison->trees->since))
		return true;
	return base->st_ino == tree->st_ino && is_same_time(&base->st_ctim, &tree->st_ctim);
}

static bool has_same_stat(const struct stat *base, const struct stat *tree)
{
	return base->st_mode == tree->st_mode && base->st_uid == tree->st_uid &&
	       base->st_gid == tree->st_gid && is_same_time(&base->st_mtim, &tree->st_mtim) &&
	       (!S_ISREG(tree->st_mode) || base->st_size == tree->st_size);
}

static int is_same(struct comparison *comparison, const struct pair *pair)
{
	const struct stat *base = &pair->base_st, *tree = &pair->tree_st;
	int same;

	if (!has_same_stat(base, tree))
		return 0;
	if (is_untouched(comparison, pair))
		return 1;
	same = attr_is_same(pair->base, base, pair->tree, tree, comparison->walk.err);
	if (same <= 0)
		return same;
	if (S_ISREG(tree->st_mode))
		same = has_same_content(comparison);
	else if (S_ISLNK(tree->st_mode))
		same = has_same_target(pair);
	else if (S_ISCHR(tree->st_mode) || S_ISBLK(tree->st_mode))
		same = base->st_rdev == tree->st_rdev;
	if (same < 0)
		return shale_err_errno(comparison->walk.err, "comparing %.300s",
				       buf_str(&comparison->walk.path));
	return same;
}

static int compare_dir(struct comparison *comparison, struct frame *up, bool is_told);
static int tell_new_dir(struct comparison *comparison);

static int tell_new(struct comparison *comparison)
{
	struct stat st;
	__cleanup_fd int fd = walk_open(&comparison->walk, comparison->trees->tree_fd, &st);

	if (fd < 0)
		return -1;
	if (S_ISSOCK(st.st_mode))
		return 0;
	if (tell_entry(comparison, fd, &st) < 0)
		return -1;
	return S_ISDIR(st.st_mode) ? tell_new_dir(comparison) : 0;
}

static int tell_new_dir(struct comparison *comparison)
{
	__cleanup_walk_names struct walk_names names = { 0 };
	ssize_t before;

	if (walk_names_read(comparison->trees->tree_fd, buf_str(&comparison->walk.path), &names,
			    comparison->walk.err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		before = walk_down(&comparison->walk, names.items[i]);
		if (before < 0 || tell_new(comparison) < 0)
			return -1;
		walk_up(&comparison->walk, before);
	}
	return 0;
}

static int compare_pair(struct comparison *comparison, struct frame *frame)
{
	__attribute__((cleanup(pair_release))) struct pair pair = { -1, -1, { 0 }, { 0 } };
	bool is_dir;
	int same;

	pair.base = walk_open(&comparison->walk, comparison->trees->base_fd, &pair.base_st);
	pair.tree = walk_open(&comparison->walk, comparison->trees->tree_fd, &pair.tree_st);
	if (pair.base < 0 || pair.tree < 0)
		return -1;
	if (S_ISSOCK(pair.tree_st.st_mode))
		return S_ISSOCK(pair.base_st.st_mode)
			       ? 0
			       : walk_tell_kind(&comparison->walk, CHANGE_WHITEOUT);
	is_dir = S_ISDIR(pair.base_st.st_mode) && S_ISDIR(pair.tree_st.st_mode);
	same = is_same(comparison, &pair);
	if (same < 0)
		return -1;
	if (!same && (tell_frames(comparison, frame) < 0 ||
		      tell_entry(comparison, pair.tree, &pair.tree_st) < 0))
		return -1;
	if (is_dir)
		return compare_dir(comparison, frame, !same);
	return S_ISDIR(pair.tree_st.st_mode) ? tell_new_dir(comparison) : 0;
}

/* BASE is before TREE, or after it, or the same name; NULL is after all. */
static int compare_order(const char *base, const char *tree)
{
	if (!base || !tree)
		return base ? -1 : 1;
	return strcmp(base, tree);
}

static int compare_name(struct comparison *comparison, struct frame *frame, const char *name,
			int order)
{
	ssize_t before = walk_down(&comparison->walk, name);
	int ret;

	if (before < 0)
		return -1;
	if (!order)
		ret = compare_pair(comparison, frame);
	else if (tell_frames(comparison, frame) < 0)
		ret = -1;
	else
		ret = order < 0 ? walk_tell_kind(&comparison->walk, CHANGE_WHITEOUT)
				: tell_new(comparison);
	walk_up(&comparison->walk, before);
	return ret;
}

static int compare_dir(struct comparison *comparison, struct frame *up, bool is_told)
{
	struct frame frame = { .up = up, .len = comparison->walk.path.len, .is_told = is_told };
	__cleanup_walk_names struct walk_names base = { 0 };
	__cleanup_walk_names struct walk_names tree = { 0 };
	const char *path = buf_str(&comparison->walk.path);
	size_t b = 0, t = 0;
	int order;

	if (walk_names_read(comparison->trees->base_fd, path, &base, comparison->walk.err) < 0 ||
	    walk_names_read(comparison->trees->tree_fd, path, &tree, comparison->walk.err) < 0)
		return -1;
	while (b < base.count || t < tree.count) {
		order = compare_order(base.items[b], tree.items[t]);
		if (compare_name(comparison, &frame, order > 0 ? tree.items[t] : base.items[b],
				 order) < 0)
			return -1;
		b += order <= 0;
		t += order >= 0;
	}
	return 0;
}

static int compare_root(struct comparison *comparison)
{
	__attribute__((cleanup(pair_release))) struct pair pair = { -1, -1, { 0 }, { 0 } };
	int same;

	pair.base = walk_open(&comparison->walk, comparison->trees->base_fd, &pair.base_st);
	pair.tree = walk_open(&comparison->walk, comparison->trees->tree_fd, &pair.tree_st);
	if (pair.base < 0 || pair.tree < 0)
		return -1;
	same = attr_is_same(pair.base, &pair.base_st, pair.tree, &pair.tree_st,
			    comparison->walk.err);
	if (same < 0 || (!same && tell_entry(comparison, pair.tree, &pair.tree_st) < 0))
		return -1;
	return compare_dir(comparison, NULL, true);
}

int changes_between(const struct changes_trees *trees, change_fn fn, void *arg,
		    struct shale_err *err)
{
	struct comparison comparison = { .trees = trees };
	int ret = -1;

	walk_init(&comparison.walk, fn, arg, err);
	comparison.chunks = malloc(2 * COMPARE_CHUNK);
	if (!comparison.chunks)
		shale_err_errno(err, "looking for changes");
	else if (compare_root(&comparison) == 0)
		ret = walk_tell_links(&comparison.walk, trees->tree_fd);
	walk_release(&comparison.walk);
	free(comparison.chunks);
	return ret;
}

int changes_all(int tree_fd, change_fn fn, void *arg, struct shale_err *err)
{
	const struct changes_trees trees = { .base_fd = -1, .tree_fd = tree_fd };
	struct comparison comparison = { .trees = &trees };
	int ret = -1;

	walk_init(&comparison.walk, fn, arg, err);
	if (tell_new_dir(&comparison) == 0)
		ret = walk_tell_links(&comparison.walk, tree_fd);
	walk_release(&comparison.walk);
	return ret;
}
