// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sources; see source.h. A tar is spooled into the session first, because its index may come last;
 * a layer's blob has to be copied into the store anyway, and is linked from the spool instead.
 */
#include "engine/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "engine/peek.h"
#include "engine/spool.h"
#include "store/json.h"

void source_close(struct source *source)
{
	for (size_t i = 0; i < source->file_count; i++) {
		free(source->files[i].path);
		free(source->files[i].link);
	}
	free(source->files);
	free(source->name);
	fd_closep(&source->dirfd);
	*source = (struct source){ .dirfd = -1 };
}

/* A pipe is read once, so it becomes a file first. */
static int take_stream(struct spool *spool, int *fd, struct shale_err *err)
{
	struct source *source = spool->source;
	int copy;

	if (spool_whole(spool, SOURCE_ROOTFS, err) < 0)
		return -1;
	copy = openat(source->dirfd, source->files[0].spooled, O_RDONLY | O_CLOEXEC);
	if (copy < 0)
		return shale_err_errno(err, "copying into the store");
	close(*fd);
	*fd = copy;
	return 0;
}

/* The copy of a pipe that turned out to be an archive: its members take its place. */
static int drop_copy(struct source *source, struct shale_err *err)
{
	if (!source->file_count)
		return 0;
	if (unlinkat(source->dirfd, source->files[0].spooled, 0) < 0)
		return shale_err_errno(err, "copying into the store");
	free(source->files[0].path);
	source->file_count = 0;
	return 0;
}

static int open_tar(struct spool *spool, bool is_stream, struct shale_err *err)
{
	struct source *source = spool->source;
	enum peek peek;

	source->is_spooled = true;
	if (is_stream && take_stream(spool, &spool->fd, err) < 0)
		return -1;
	if (peek_tar(spool->fd, source->name, spool->task, &peek, err) < 0)
		return -1;
	source->is_rootfs = peek == PEEK_ROOTFS;
	spool->done = 0;
	if (!source->is_rootfs)
		return drop_copy(source, err) < 0 ? -1 : spool_fill(spool, err);
	return source->file_count ? 0 : spool_whole(spool, SOURCE_ROOTFS, err);
}

static int open_file(struct spool *spool, int fd, const struct stat *st, struct shale_err *err)
{
	bool is_stream = !S_ISREG(st->st_mode);
	int ret;

	spool->fd = fd;
	spool->total = is_stream ? 0 : st->st_size;
	ret = open_tar(spool, is_stream, err);
	fd_closep(&spool->fd);
	return ret;
}

/* What is given stays the caller's; a copy of the descriptor reads on where it stands. */
static int open_source(const char *path, int given_fd)
{
	if (given_fd >= 0)
		return fcntl(given_fd, F_DUPFD_CLOEXEC, 0);
	return open(strcmp(path, "-") ? path : "/dev/stdin", O_RDONLY | O_CLOEXEC);
}

int source_open(const char *path, int given_fd, struct session *session, struct task *task, uint64_t max_bytes,
		struct source *ret_source, struct shale_err *err)
{
	__cleanup_source struct source source = { .dirfd = -1 };
	struct spool spool = {
		.session = session,
		.task = task,
		.source = &source,
		.max_bytes = max_bytes,
	};
	__cleanup_fd int fd = open_source(path, given_fd);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return shale_err_errno(err, "cannot open %s", path);
	source.name = strdup(path);
	if (!source.name)
		return shale_err_errno(err, "opening %s", path);
	if (S_ISDIR(st.st_mode))
		source.dirfd = steal_fd(&fd);
	else if (open_file(&spool, steal_fd(&fd), &st, err) < 0)
		return shale_err_wrap(err, "reading %s", path);
	*ret_source = source;
	source = (struct source){ .dirfd = -1 };
	return 0;
}

/* The last member of a name counts, as when a tar is unpacked. */
static const struct source_file *find(const struct source *source, const char *path)
{
	const struct source_file *file;
	int links = 0;
	size_t i;

	for (i = source->file_count; i--;) {
		file = &source->files[i];
		if (strcmp(file->path, path))
			continue;
		if (!file->link)
			return file;
		if (++links > SOURCE_MAX_LINKS)
			return NULL;
		path = file->link;
		i = source->file_count;
	}
	return NULL;
}

bool source_has(const struct source *source, const char *path)
{
	if (source->is_spooled)
		return find(source, path);
	return !faccessat(source->dirfd, path, F_OK, 0);
}

static int open_path(const struct source *source, const char *path)
{
	const struct source_file *file;

	/* O_NONBLOCK: a fifo put in the place of a file must not stop us. */
	if (!source->is_spooled)
		return fs_open_beneath(source->dirfd, path, O_RDONLY | O_NONBLOCK, 0);
	file = find(source, path);
	if (!file) {
		errno = ENOENT;
		return -1;
	}
	return openat(source->dirfd, file->spooled, O_RDONLY | O_CLOEXEC);
}

int source_open_file(const struct source *source, const char *path, int *ret_fd, uint64_t *ret_size,
		     struct shale_err *err)
{
	__cleanup_fd int fd = open_path(source, path);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return shale_err_errno(err, "%.200s in %s", path, source->name);
	if (!S_ISREG(st.st_mode))
		return shale_err_set(err, EINVAL, "%.200s in %s is not a regular file", path,
				     source->name);
	*ret_fd = steal_fd(&fd);
	*ret_size = st.st_size;
	return 0;
}

int source_read(const struct source *source, const char *path, struct buf *buf,
		struct shale_err *err)
{
	__cleanup_fd int fd = -1;
	uint64_t size = 0;

	if (source_open_file(source, path, &fd, &size, err) < 0)
		return -1;
	if (size > JSON_MAX_BYTES)
		return shale_err_set(err, EFBIG, "%.200s in %s is larger than %u bytes", path,
				     source->name, JSON_MAX_BYTES);
	if (buf_reserve(buf, size) < 0 || fs_read_full(fd, buf->data + buf->len, size) < 0)
		return shale_err_errno(err, "reading %.200s in %s", path, source->name);
	buf->len += size;
	buf->data[buf->len] = '\0';
	return 0;
}
