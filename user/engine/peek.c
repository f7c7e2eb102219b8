// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads the names of a tar; see peek.h. What is wrong with a broken one is said by who reads it for
 * good: here it is only something else. Called by source.c.
 */
#include "engine/peek.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/codec.h"
#include "archive/libarchive.h"
#include "archive/name.h"
#include "archive/untar.h"
#include "base/cleanup.h"

#define PEEK_CHUNK (256 << 10)

struct peeking {
	int fd;
	struct task *task;
	struct shale_event event;
	struct codec *codec;
	struct archive *archive;
	struct shale_err err; /* of reading the file, or cancelled */
	bool has_err;
	char chunk[PEEK_CHUNK];
};

static ssize_t peek_read(void *arg, void *data, size_t len, struct shale_err *err)
{
	struct peeking *peeking = arg;
	ssize_t got;

	(void)err;
	do
		got = read(peeking->fd, data, len);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		shale_err_errno(&peeking->err, "reading");
	else
		peeking->event.done += got;
	if (got >= 0 && task_report(peeking->task, &peeking->event, &peeking->err) == 0)
		return got;
	peeking->has_err = true;
	return -1;
}

static la_ssize_t peek_plain(struct archive *archive, void *arg, const void **ret_data)
{
	struct peeking *peeking = arg;
	ssize_t got = codec_read(peeking->codec, peeking->chunk, sizeof(peeking->chunk), NULL);

	*ret_data = peeking->chunk;
	if (got >= 0)
		return got;
	libarchive.set_error(archive, EIO, "reading failed");
	return ARCHIVE_FATAL;
}

static bool is_index(struct archive_entry *entry, struct buf *path)
{
	const char *name = libarchive.entry_pathname(entry);

	if (!name || libarchive.entry_filetype(entry) != S_IFREG || name_clean(name, path, NULL) < 0)
		return false;
	return !strcmp(buf_str(path), "oci-layout") || !strcmp(buf_str(path), "manifest.json");
}

static enum peek peek_names(struct peeking *peeking)
{
	__cleanup_buf struct buf path = BUF_INIT;
	struct archive_entry *entry;
	size_t count = 0;
	int status;

	if (codec_open(peek_read, peeking, &peeking->codec, NULL) < 0 ||
	    libarchive.read_support_format_tar(peeking->archive) != ARCHIVE_OK ||
	    libarchive.read_open(peeking->archive, peeking, NULL, peek_plain, NULL) != ARCHIVE_OK)
		return PEEK_OTHER;
	for (;;) {
		status = libarchive.read_next_header(peeking->archive, &entry);
		if (status == ARCHIVE_EOF)
			return count ? PEEK_ROOTFS : PEEK_OTHER;
		if (status != ARCHIVE_OK && status != ARCHIVE_WARN)
			return PEEK_OTHER;
		if (is_index(entry, &path))
			return PEEK_ARCHIVE;
		if (++count > UNTAR_MAX_ENTRIES)
			return PEEK_ROOTFS;
	}
}

static void peeking_freep(struct peeking **peeking)
{
	if (!*peeking)
		return;
	libarchive_read_free((*peeking)->archive);
	codec_close((*peeking)->codec);
	free(*peeking);
}

int peek_tar(int fd, const char *what, struct task *task, enum peek *ret_peek,
	     struct shale_err *err)
{
	__attribute__((cleanup(peeking_freep))) struct peeking *peeking = NULL;
	struct stat st;

	peeking = calloc(1, sizeof(*peeking));
	if (!peeking)
		return shale_err_errno(err, "reading");
	peeking->fd = fd;
	peeking->task = task;
	peeking->archive = libarchive_read_new(err);
	if (!peeking->archive)
		return -1;
	if (fstat(fd, &st) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return shale_err_errno(err, "reading");
	peeking->event = (struct shale_event){
		.kind = SHALE_EVENT_READ,
		.id = what,
		.total = st.st_size,
	};
	*ret_peek = peek_names(peeking);
	if (peeking->has_err)
		return shale_err_set(err, peeking->err.code, "%s", peeking->err.msg);
	if (lseek(fd, 0, SEEK_SET) < 0)
		return shale_err_errno(err, "reading");
	return 0;
}
