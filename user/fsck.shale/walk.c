// SPDX-License-Identifier: GPL-2.0-only
/*
 * The walk of walk.h. Directories near the root stay open while those below them are read; deeper
 * ones are closed and opened again by "..", where reading goes on at the position it had, so that a
 * tree is never too deep for the limit of open files. Called by main.c.
 */
#include "fsck.shale/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fs.h"

/* Levels that stay open. */
#define OPEN_MAX 128
#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW)

struct level {
	DIR *dir;      /* NULL while it is closed */
	long pos;      /* where to go on then */
	dev_t dev;     /* what ".." has to be */
	ino_t ino;
	size_t path_len;
};

struct walking {
	const struct walk_calls *calls;
	struct level *levels;
	size_t nr, cap;
	struct buf path; /* of the current directory, "" for the root */
};

static void walking_release(struct walking *walking)
{
	while (walking->nr--)
		if (walking->levels[walking->nr].dir)
			closedir(walking->levels[walking->nr].dir);
	free(walking->levels);
	buf_release(&walking->path);
}

static void path_cut(struct walking *walking, size_t len)
{
	walking->path.len = len;
	if (walking->path.data)
		walking->path.data[len] = '\0';
}

static void report(struct walking *walking, const char *what)
{
	struct shale_err err = { 0 };

	shale_err_errno(&err, "%s", what);
	walking->calls->failed(walking->calls->arg, walking->path.len ? buf_str(&walking->path) : "/",
			       &err);
}

static int levels_reserve(struct walking *walking)
{
	size_t cap = walking->cap * 2 + 64;
	struct level *levels;

	if (walking->nr < walking->cap)
		return 0;
	levels = reallocarray(walking->levels, cap, sizeof(*levels));
	if (!levels)
		return -1;
	walking->levels = levels;
	walking->cap = cap;
	return 0;
}

/* Consumes fd. */
static int level_add(struct walking *walking, int fd)
{
	__cleanup_fd int held = fd;
	struct level level = { .path_len = walking->path.len };
	struct stat st;

	if (levels_reserve(walking) || fstat(fd, &st))
		return -1;
	level.dev = st.st_dev;
	level.ino = st.st_ino;
	level.dir = fdopendir(fd);
	if (!level.dir)
		return -1;
	steal_fd(&held);
	walking->levels[walking->nr++] = level;
	return 0;
}

/* The way down is open: what is closed on it is the last level but one. */
static void level_close_parent(struct walking *walking)
{
	struct level *parent = &walking->levels[walking->nr - 2];

	if (walking->nr - 1 <= OPEN_MAX)
		return;
	parent->pos = telldir(parent->dir);
	closedir(parent->dir);
	parent->dir = NULL;
}

/* A parent that somebody else moved meanwhile is not the one we were in. */
static int level_reopen(struct level *level, int child)
{
	__cleanup_fd int fd = openat(child, "..", DIR_FLAGS | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return -1;
	if (st.st_dev != level->dev || st.st_ino != level->ino) {
		errno = ESTALE;
		return -1;
	}
	level->dir = fdopendir(fd);
	if (!level->dir)
		return -1;
	steal_fd(&fd);
	seekdir(level->dir, level->pos);
	return 0;
}

static int level_remove(struct walking *walking, struct shale_err *err)
{
	struct level *level = &walking->levels[walking->nr - 1];
	struct level *parent = walking->nr > 1 ? level - 1 : NULL;
	int ret = 0;

	if (parent && !parent->dir && level_reopen(parent, dirfd(level->dir)))
		ret = shale_err_errno(err, "cannot go on in the directory above %s",
				      buf_str(&walking->path));
	closedir(level->dir);
	walking->nr--;
	if (parent)
		path_cut(walking, parent->path_len);
	return ret;
}

static bool is_dot(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

static bool entry_is_dir(int fd, const struct dirent *entry)
{
	struct stat st;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_DIR;
	return !fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) && S_ISDIR(st.st_mode);
}

static int descend(struct walking *walking, int fd, const char *name)
{
	int child = fs_open_entry(fd, name, DIR_FLAGS);

	if (child >= 0 && level_add(walking, child) == 0) {
		level_close_parent(walking);
		return 0;
	}
	if (errno == EXDEV)
		report(walking, "not checked, something is mounted on it");
	else
		report(walking, "cannot be opened");
	return -1;
}

/* Shows one entry. WALK_ON: the walk is in a new directory now. */
static enum walk_next entry_show(struct walking *walking, int fd, const struct dirent *entry,
				 struct shale_err *err)
{
	const size_t len = walking->path.len;
	struct walk_entry shown = { .dirfd = fd, .name = entry->d_name };
	enum walk_next next;

	if (buf_addc(&walking->path, '/') || buf_adds(&walking->path, entry->d_name)) {
		shale_err_errno(err, "remembering a path");
		return WALK_END;
	}
	shown.path = buf_str(&walking->path);
	shown.is_dir = entry_is_dir(fd, entry);
	next = walking->calls->entry(walking->calls->arg, &shown);
	if (next == WALK_ON && (!shown.is_dir || descend(walking, fd, entry->d_name)))
		next = WALK_PAST;
	if (next != WALK_ON)
		path_cut(walking, len);
	return next;
}

/* The current directory, up to the first one in it, or to its end. */
static enum walk_next level_read(struct walking *walking, struct shale_err *err)
{
	DIR *dir = walking->levels[walking->nr - 1].dir;
	enum walk_next next;
	struct dirent *entry;

	while (errno = 0, (entry = readdir(dir))) {
		if (is_dot(entry->d_name))
			continue;
		next = entry_show(walking, dirfd(dir), entry, err);
		if (next != WALK_PAST)
			return next;
	}
	if (errno)
		report(walking, "cannot be read");
	return WALK_PAST;
}

int walk(int fd, const struct walk_calls *calls, struct shale_err *err)
{
	__attribute__((cleanup(walking_release))) struct walking walking = { .calls = calls };
	int root = openat(fd, ".", DIR_FLAGS | O_CLOEXEC);
	enum walk_next next;

	err->code = 0;
	if (root < 0 || level_add(&walking, root))
		return shale_err_errno(err, "cannot be read");
	while (walking.nr) {
		next = level_read(&walking, err);
		if (next == WALK_END)
			return err->code ? -1 : 0;
		if (next == WALK_PAST && level_remove(&walking, err))
			return -1;
	}
	return 0;
}
