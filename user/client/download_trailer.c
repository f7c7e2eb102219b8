// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trailers; see download_trailer.h. A part's progress is one aligned write of eight bytes. Called by
 * download.c.
 */
#include "client/download_trailer.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define TRAILER_PAGE  4096
#define TRAILER_MAGIC "shaledl\1"

struct trailer {
	char magic[8];
	uint64_t size;
	uint64_t count;
	struct download_part parts[DOWNLOAD_MAX_PARTS];
};

_Static_assert(sizeof(struct trailer) == TRAILER_BYTES, "no padding");

static uint64_t place(const struct download *download)
{
	return (download->size + TRAILER_PAGE - 1) / TRAILER_PAGE * TRAILER_PAGE;
}

static int put(const struct download *download, const void *data, size_t len, uint64_t offset,
	       struct shale_err *err)
{
	ssize_t done;

	do
		done = pwrite(download->fd, data, len, offset);
	while (done < 0 && errno == EINTR);
	if (done >= 0 && (size_t)done < len)
		errno = ENOSPC;
	return done == (ssize_t)len ? 0 : shale_err_errno(err, "writing a download");
}

int trailer_write(struct download *download, struct shale_err *err)
{
	struct trailer trailer = {
		.magic = TRAILER_MAGIC,
		.size = htole64(download->size),
		.count = htole64(download->part_count),
	};

	for (size_t i = 0; i < download->part_count; i++)
		trailer.parts[i] = (struct download_part){
			htole64(download->parts[i].start),
			htole64(download->parts[i].end),
			htole64(download->parts[i].done),
		};
	return put(download, &trailer, sizeof(trailer), place(download), err);
}

int trailer_note(struct download *download, const struct download_part *part,
		 struct shale_err *err)
{
	size_t i = part - download->parts;
	uint64_t done = htole64(part->done);

	return put(download, &done, sizeof(done),
		   place(download) + offsetof(struct trailer, parts) +
			   i * sizeof(struct download_part) + offsetof(struct download_part, done),
		   err);
}

/* They lie one behind the other and cover the blob. */
bool trailer_parse(const void *data, size_t len, uint64_t size, struct download_part *ret_parts,
		   size_t *ret_count)
{
	struct trailer trailer;
	uint64_t end = 0;
	uint64_t count;

	if (len != sizeof(trailer))
		return false;
	memcpy(&trailer, data, sizeof(trailer));
	count = le64toh(trailer.count);
	if (memcmp(trailer.magic, TRAILER_MAGIC, sizeof(trailer.magic)) ||
	    le64toh(trailer.size) != size || !count || count > DOWNLOAD_MAX_PARTS)
		return false;
	for (size_t i = 0; i < count; i++) {
		struct download_part part = {
			le64toh(trailer.parts[i].start),
			le64toh(trailer.parts[i].end),
			le64toh(trailer.parts[i].done),
		};

		if (part.start != end || part.end <= part.start || part.done < part.start ||
		    part.done > part.end)
			return false;
		end = part.end;
		ret_parts[i] = part;
	}
	*ret_count = count;
	return end == size;
}

bool trailer_read(struct download *download)
{
	struct download_part parts[DOWNLOAD_MAX_PARTS];
	char data[TRAILER_BYTES];
	struct stat st;
	size_t count;

	if (fstat(download->fd, &st) < 0 ||
	    (uint64_t)st.st_size != place(download) + sizeof(data) ||
	    pread(download->fd, data, sizeof(data), place(download)) != sizeof(data) ||
	    !trailer_parse(data, sizeof(data), download->size, parts, &count))
		return false;
	memcpy(download->parts, parts, count * sizeof(*parts));
	download->part_count = count;
	return true;
}
