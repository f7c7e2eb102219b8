// SPDX-License-Identifier: GPL-2.0-only
/*
 * The outer tar; see spool.h. Its members become numbered files: nothing an archive calls them is
 * ever used as a path on disk. Directories and what else is in there are passed over.
 */
#include "engine/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "archive/codec.h"
#include "archive/libarchive.h"
#include "archive/name.h"
#include "base/fs.h"

#define SPOOL_DIR   "spool"
#define SPOOL_CHUNK (256 << 10)

struct spool_reader {
	struct spool *spool;
	struct codec *codec;
	struct archive *archive;
	struct shale_err *err;
	bool has_err;
	char chunk[SPOOL_CHUNK];
};

static ssize_t read_archive(void *arg, void *data, size_t len, struct shale_err *err)
{
	struct spool *spool = arg;
	struct shale_event event = {
		.kind = SHALE_EVENT_READ,
		.id = spool->source->name,
		.total = spool->total,
	};
	ssize_t got;

	do
		got = read(spool->fd, data, len);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return shale_err_errno(err, "reading");
	spool->done += got;
	event.done = spool->done;
	return task_report(spool->task, &event, err) < 0 ? -1 : got;
}

static la_ssize_t read_plain(struct archive *archive, void *arg, const void **ret_data)
{
	struct spool_reader *reader = arg;
	ssize_t got = codec_read(reader->codec, reader->chunk, sizeof(reader->chunk), reader->err);

	*ret_data = reader->chunk;
	if (got >= 0)
		return got;
	reader->has_err = true;
	libarchive.set_error(archive, EIO, "reading failed");
	return ARCHIVE_FATAL;
}

static int fail_reading(struct spool_reader *reader, struct shale_err *err)
{
	const char *why = libarchive.error_string(reader->archive);

	if (reader->has_err)
		return -1;
	return shale_err_set(err, EINVAL, "not an image archive: %s", why ? why : "bad tar");
}

static struct source_file *add_file(struct source *source, const char *path, struct shale_err *err)
{
	struct source_file *files = source->files;

	if (source->file_count >= SOURCE_MAX_FILES) {
		shale_err_set(err, E2BIG, "more than %d files", SOURCE_MAX_FILES);
		return NULL;
	}
	if (source->file_count == source->file_cap) {
		files = reallocarray(files, source->file_cap * 2 + 64, sizeof(*files));
		if (!files) {
			shale_err_errno(err, "listing files");
			return NULL;
		}
		source->files = files;
		source->file_cap = source->file_cap * 2 + 64;
	}
	files += source->file_count;
	*files = (struct source_file){ .path = strdup(path) };
	if (!files->path) {
		shale_err_errno(err, "listing files");
		return NULL;
	}
	snprintf(files->spooled, sizeof(files->spooled), "%zu", source->file_count);
	source->file_count++;
	return files;
}

static int copy_data(struct spool_reader *reader, int fd, struct shale_err *err)
{
	const struct spool *spool = reader->spool;
	const void *data;
	int64_t offset;
	size_t len;
	int status;

	for (;;) {
		status = libarchive.read_data_block(reader->archive, &data, &len, &offset);
		if (status == ARCHIVE_EOF)
			return 0;
		if (status != ARCHIVE_OK)
			return fail_reading(reader, err);
		if (offset < 0 || (uint64_t)offset + len > spool->max_bytes)
			return shale_err_set(err, EFBIG, "larger than the limit of %llu bytes",
					     (unsigned long long)spool->max_bytes);
		if (lseek(fd, offset, SEEK_SET) < 0 || fs_write_full(fd, data, len) < 0)
			return shale_err_errno(err, "copying into the store");
	}
}

static int spool_file(struct spool_reader *reader, const char *path, struct shale_err *err)
{
	struct source *source = reader->spool->source;
	struct source_file *file = add_file(source, path, err);
	__cleanup_fd int fd = -1;

	if (!file)
		return -1;
	fd = openat(source->dirfd, file->spooled, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return shale_err_errno(err, "copying into the store");
	return copy_data(reader, fd, err);
}

/* "../ID/layer.tar" of the directory the link is in; a target outside leads to no file. */
static int resolve_link(const char *path, const char *target, struct buf *out,
			struct shale_err *err)
{
	size_t keep = name_base(path) - path;

	while (!strncmp(target, "../", 3)) {
		target += 3;
		if (keep)
			keep--;
		while (keep && path[keep - 1] != '/')
			keep--;
	}
	buf_clear(out);
	if (buf_add(out, path, keep) < 0 || buf_adds(out, target) < 0)
		return shale_err_errno(err, "listing files");
	return 0;
}

static int spool_link(struct spool_reader *reader, const char *path, const char *target,
		      struct shale_err *err)
{
	__cleanup_buf struct buf clean = BUF_INIT;
	struct source_file *file;

	if (name_clean(target, &clean, err) < 0)
		return -1;
	file = add_file(reader->spool->source, path, err);
	if (!file)
		return -1;
	file->link = buf_steal(&clean);
	return file->link ? 0 : shale_err_errno(err, "listing files");
}

static int spool_entry(struct spool_reader *reader, struct archive_entry *entry, const char *name,
		       struct shale_err *err)
{
	__cleanup_buf struct buf target = BUF_INIT;
	__cleanup_buf struct buf path = BUF_INIT;
	const char *hard = libarchive.entry_hardlink(entry);
	const char *soft = libarchive.entry_symlink(entry);

	if (name_clean(name, &path, err) < 0)
		return -1;
	if (hard)
		return spool_link(reader, buf_str(&path), hard, err);
	if (libarchive.entry_filetype(entry) == S_IFLNK && soft) {
		if (resolve_link(buf_str(&path), soft, &target, err) < 0)
			return -1;
		return spool_link(reader, buf_str(&path), buf_str(&target), err);
	}
	if (libarchive.entry_filetype(entry) != S_IFREG)
		return 0;
	return spool_file(reader, buf_str(&path), err);
}

static int spool_entries(struct spool_reader *reader, struct shale_err *err)
{
	struct archive_entry *entry;
	const char *name;
	int status;

	for (;;) {
		status = libarchive.read_next_header(reader->archive, &entry);
		if (status == ARCHIVE_EOF)
			return 0;
		if (status != ARCHIVE_OK && status != ARCHIVE_WARN)
			return fail_reading(reader, err);
		name = libarchive.entry_pathname(entry);
		if (!name)
			return shale_err_set(err, EINVAL, "an entry without a name");
		if (spool_entry(reader, entry, name, err) < 0)
			return shale_err_wrap(err, "'%.300s'", name);
	}
}

static int open_dir(struct spool *spool, struct shale_err *err)
{
	if (spool->source->dirfd >= 0)
		return 0;
	if (mkdirat(spool->session->fd, SPOOL_DIR, 0700) < 0)
		return shale_err_errno(err, "copying into the store");
	spool->source->dirfd =
		openat(spool->session->fd, SPOOL_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (spool->source->dirfd < 0)
		return shale_err_errno(err, "copying into the store");
	return 0;
}

static void reader_freep(struct spool_reader **reader)
{
	if (!*reader)
		return;
	libarchive_read_free((*reader)->archive);
	codec_close((*reader)->codec);
	free(*reader);
}

int spool_fill(struct spool *spool, struct shale_err *err)
{
	__attribute__((cleanup(reader_freep))) struct spool_reader *reader = NULL;

	reader = calloc(1, sizeof(*reader));
	if (!reader)
		return shale_err_errno(err, "reading");
	reader->spool = spool;
	reader->err = err;
	reader->archive = libarchive_read_new(err);
	if (!reader->archive)
		return -1;
	if (open_dir(spool, err) < 0 || codec_open(read_archive, spool, &reader->codec, err) < 0)
		return -1;
	if (libarchive.read_support_format_tar(reader->archive) != ARCHIVE_OK ||
	    libarchive.read_open(reader->archive, reader, NULL, read_plain, NULL) != ARCHIVE_OK)
		return fail_reading(reader, err);
	return spool_entries(reader, err);
}

static int copy_whole(struct spool *spool, int to, struct shale_err *err)
{
	__cleanup_free char *chunk = malloc(SPOOL_CHUNK);
	ssize_t got;

	if (!chunk)
		return shale_err_errno(err, "reading");
	for (;;) {
		got = read_archive(spool, chunk, SPOOL_CHUNK, err);
		if (got <= 0)
			return got;
		if (spool->done > spool->max_bytes)
			return shale_err_set(err, EFBIG, "larger than the limit of %llu bytes",
					     (unsigned long long)spool->max_bytes);
		if (fs_write_full(to, chunk, got) < 0)
			return shale_err_errno(err, "copying into the store");
	}
}

int spool_whole(struct spool *spool, const char *path, struct shale_err *err)
{
	struct source_file *file;
	__cleanup_fd int to = -1;

	if (open_dir(spool, err) < 0)
		return -1;
	file = add_file(spool->source, path, err);
	if (!file)
		return -1;
	to = openat(spool->source->dirfd, file->spooled, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		    0644);
	if (to < 0)
		return shale_err_errno(err, "copying into the store");
	return copy_whole(spool, to, err);
}
