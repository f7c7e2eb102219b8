// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files as the rooms above use them; see fs.h. No policy about where things live: that is the
 * store's. Called from store, archive, kapi and the programs.
 */
#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

#define FS_READ_CHUNK 65536

static int open_resolved(int dirfd, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.mode = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? mode : 0,
		.resolve = resolve,
	};
	long fd;

	do
		fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
	while (fd < 0 && (errno == EAGAIN || errno == EINTR));
	return fd;
}

int fs_open_beneath(int dirfd, const char *path, int flags, mode_t mode)
{
	return open_resolved(dirfd, path, flags, mode,
			     RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

int fs_open_entry(int dirfd, const char *name, int flags)
{
	return open_resolved(dirfd, name, flags, 0,
			     RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
}

int fs_read_full(int fd, void *data, size_t len)
{
	char *at = data;
	ssize_t got;

	while (len) {
		got = read(fd, at, len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (!got) {
			errno = ENODATA;
			return -1;
		}
		at += got;
		len -= got;
	}
	return 0;
}

int fs_write_full(int fd, const void *data, size_t len)
{
	const char *at = data;
	ssize_t put;

	while (len) {
		put = write(fd, at, len);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -1;
		at += put;
		len -= put;
	}
	return 0;
}

int fs_write_at(int fd, const void *data, size_t len, off_t offset)
{
	const char *at = data;
	ssize_t put;

	while (len) {
		put = pwrite(fd, at, len, offset);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -1;
		at += put;
		len -= put;
		offset += put;
	}
	return 0;
}

static int read_to_end(int fd, size_t max, struct buf *buf)
{
	size_t start = buf->len;
	ssize_t got;

	for (;;) {
		if (buf_reserve(buf, FS_READ_CHUNK) < 0)
			return -1;
		got = read(fd, buf->data + buf->len, FS_READ_CHUNK);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got;
		buf->len += got;
		buf->data[buf->len] = '\0';
		if (buf->len - start > max) {
			errno = EFBIG;
			return -1;
		}
	}
}

int fs_read_file(int dirfd, const char *path, size_t max, struct buf *buf, struct shale_err *err)
{
	size_t start = buf->len;
	__cleanup_fd int fd = -1;
	struct stat st;

	/* O_NONBLOCK: a fifo put in the place of a file must not stop us. */
	fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return shale_err_errno(err, "%s", path);
	if (!S_ISREG(st.st_mode))
		return shale_err_set(err, EINVAL, "%s: not a regular file", path);
	if (read_to_end(fd, max, buf) == 0)
		return 0;
	shale_err_errno(err, "%s", path);
	if (errno == EFBIG)
		shale_err_set(err, EFBIG, "%s: larger than %zu bytes", path, max);
	if (buf->data)
		buf->data[start] = '\0';
	buf->len = start;
	return -1;
}

int fs_write_synced(int dirfd, const char *path, const void *data, size_t len)
{
	__cleanup_fd int fd = -1;

	fd = openat(dirfd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return -1;
	if (fs_write_full(fd, data, len) < 0)
		return -1;
	return fsync(fd);
}

int fs_replace_file(int dirfd, const char *path, const void *data, size_t len,
		    struct shale_err *err)
{
	__cleanup_buf struct buf temp = BUF_INIT;

	if (buf_addf(&temp, "%s.new", path) < 0)
		return shale_err_errno(err, "replacing %s", path);
	if (fs_write_synced(dirfd, buf_str(&temp), data, len) < 0 ||
	    renameat(dirfd, buf_str(&temp), dirfd, path) < 0 || fs_sync_dir(dirfd) < 0) {
		shale_err_errno(err, "replacing %s", path);
		unlinkat(dirfd, buf_str(&temp), 0);
		return -1;
	}
	return 0;
}

int fs_each_name(int dirfd, const char *path, fs_name_fn each, void *arg)
{
	__cleanup(dir_closep) DIR *dir = NULL;
	struct dirent *entry;
	int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -1;
	}
	while (errno = 0, (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && each(arg, fd, entry->d_name) < 0)
			return -1;
	return errno ? -1 : 0;
}

int fs_mkdir(int dirfd, const char *path, mode_t mode)
{
	struct stat st;

	if (mkdirat(dirfd, path, mode) == 0)
		return 0;
	if (errno != EEXIST)
		return -1;
	if (fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	if (S_ISDIR(st.st_mode))
		return 0;
	errno = ENOTDIR;
	return -1;
}

int fs_mkdir_parent(int dirfd, const char *path, mode_t mode)
{
	const char *slash = strrchr(path, '/');
	char parent[PATH_MAX];

	if (!slash || slash == path)
		return 0;
	if (slash - path >= PATH_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
	return fs_mkdir(dirfd, parent, mode);
}

int fs_sync_dir(int dirfd)
{
	__cleanup_fd int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	return fsync(fd);
}

static bool is_dot(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

/*
 * Removal holds one directory open however deep the tree is: it goes down by name and up by "..",
 * which is safe in a tree that only its remover still uses.
 */
struct removal {
	int fd;
	char **names;
	size_t depth;
	size_t cap;
};

/* Without privilege a directory lacking its owner's rwx bits cannot be emptied as it is. */
static int open_to_empty(int dirfd, const char *name)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
	const uint64_t resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
	__cleanup_fd int fd = open_resolved(dirfd, name, flags, 0, resolve);
	struct stat st;

	if (fd < 0 && errno == EACCES && fchmodat(dirfd, name, 0700, 0) == 0)
		fd = open_resolved(dirfd, name, flags, 0, resolve);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	if ((st.st_mode & 0700) != 0700 && fchmod(fd, 0700) < 0)
		return -1;
	return steal_fd(&fd);
}

static int removal_descend(struct removal *rm, const char *name)
{
	char **names;
	int fd;

	if (rm->depth == rm->cap) {
		names = realloc(rm->names, (rm->cap + 64) * sizeof(*names));
		if (!names)
			return -1;
		rm->names = names;
		rm->cap += 64;
	}
	fd = open_to_empty(rm->fd, name);
	if (fd < 0)
		return -1;
	rm->names[rm->depth] = strdup(name);
	if (!rm->names[rm->depth]) {
		close(fd);
		return -1;
	}
	rm->depth++;
	close(rm->fd);
	rm->fd = fd;
	return 0;
}

static int removal_ascend(struct removal *rm)
{
	__cleanup_free char *name = rm->names[--rm->depth];
	int up = openat(rm->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (up < 0)
		return -1;
	close(rm->fd);
	rm->fd = up;
	return unlinkat(rm->fd, name, AT_REMOVEDIR);
}

static int remove_one(int dirfd, const char *name)
{
	if (unlinkat(dirfd, name, 0) == 0)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -1;
	return unlinkat(dirfd, name, AT_REMOVEDIR);
}

/* Empties the current directory up to the first non-empty subdirectory: 1 when it went into that. */
static int removal_scan(struct removal *rm)
{
	__cleanup(dir_closep) DIR *dir = NULL;
	struct dirent *entry;
	int fd = dup(rm->fd);

	if (fd < 0)
		return -1;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -1;
	}
	rewinddir(dir);
	while (errno = 0, (entry = readdir(dir))) {
		if (is_dot(entry->d_name) || remove_one(rm->fd, entry->d_name) == 0)
			continue;
		if (errno != ENOTEMPTY && errno != EEXIST && errno != EACCES)
			return -1;
		return removal_descend(rm, entry->d_name) < 0 ? -1 : 1;
	}
	return errno ? -1 : 0;
}

static void removal_release(struct removal *rm)
{
	int saved = errno;

	while (rm->depth)
		free(rm->names[--rm->depth]);
	free(rm->names);
	if (rm->fd >= 0)
		close(rm->fd);
	errno = saved;
}

int fs_remove_tree(int dirfd, const char *path)
{
	__cleanup(removal_release) struct removal rm = { .fd = -1 };
	int went;

	if (remove_one(dirfd, path) == 0 || errno == ENOENT)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST && errno != EACCES)
		return -1;
	rm.fd = open_to_empty(dirfd, path);
	if (rm.fd < 0)
		return -1;
	for (;;) {
		went = removal_scan(&rm);
		if (went < 0)
			return -1;
		if (went)
			continue;
		if (!rm.depth)
			return unlinkat(dirfd, path, AT_REMOVEDIR);
		if (removal_ascend(&rm) < 0)
			return -1;
	}
}
