/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A blob on its way from a registry, as a file in the store's directory downloads/ that outlives the
 * process: killed at any moment, the next one goes on where this one stood. The file downloads/HEX has
 * the blob's bytes in their places and, while some are missing, a trailer after them that says which
 * are there. It is locked by who works on it: exclusively until it is whole, shared after that.
 *
 * Bytes are hashed in order, as they come or as soon as those before them are there, and the hash is
 * compared before anybody else sees the file. Nothing a run before us wrote is taken on trust: it is
 * hashed as well.
 */
#ifndef SHALE_CLIENT_DOWNLOAD_H
#define SHALE_CLIENT_DOWNLOAD_H

#include <stdint.h>
#include <sys/types.h>

#include "store/store.h"

#define DOWNLOAD_DIR "downloads"
/* Parts of one blob that can be fetched at the same time. */
#define DOWNLOAD_MAX_PARTS 8
/* Seconds after which what nobody came back for is deleted: a week, as registries keep uploads. */
#define DOWNLOAD_KEEP_SECONDS (168 * 3600)

/* [start, end) of the blob, of which [start, done) is there. */
struct download_part {
	uint64_t start;
	uint64_t end;
	uint64_t done;
};

struct download {
	int dirfd; /* borrowed */
	int fd;
	struct digest digest;
	char hex[DIGEST_HEX + 1];
	uint64_t size;
	size_t part_count;
	struct download_part parts[DOWNLOAD_MAX_PARTS];
	struct hasher hasher;
	uint64_t hashed; /* bytes from the start */
	bool is_resumed; /* a run before us wrote some of it */
	bool is_whole;	 /* its digest was right */
};

#define DOWNLOAD_NONE { .dirfd = -1, .fd = -1 }

/* The store's directory for downloads, made if it is not there. */
int download_dir(const struct store *store, int *ret_fd, struct shale_err *err);

/*
 * Takes the file over, with what is in it, or begins one in @parts equal parts. *ret_busy: somebody else
 * is at work on it, and nothing was opened.
 */
int download_open(int dirfd, const struct digest *digest, uint64_t size, size_t parts,
		  struct download *ret_download, bool *ret_busy, struct shale_err *err);
/* Unlocks; the file stays. */
void download_close(struct download *download);
/* Deletes the file as well. */
void download_drop(struct download *download);

/* Bytes of a part, at its done. */
int download_write(struct download *download, struct download_part *part, const void *data,
		   size_t len, struct shale_err *err);
/* One part, of which what is there without a gap remains: the server knows no ranges. */
int download_flatten(struct download *download, struct shale_err *err);

/* Hashes some of what is there and not hashed yet: *ret_more, there is more of it. */
int download_hash(struct download *download, bool *ret_more, struct shale_err *err);
/* Every byte is there and hashed. */
bool download_is_complete(const struct download *download);
/* The sum of bytes that are there. */
uint64_t download_done(const struct download *download);
/*
 * Compares the digest of what is complete: EBADMSG when it is another. Otherwise the file is whole now, and
 * others may use it too.
 */
int download_finish(struct download *download, struct shale_err *err);
/* Another name for a whole file, as a blob in a session. */
int download_link(const struct download *download, int blobs_fd, struct shale_err *err);

/*
 * One process at a time pulls an image: a lock of its manifest's digest, beside the downloads. ret_fd is -1
 * while another has it. Unlocking deletes it.
 */
int download_lock_image(int dirfd, const struct digest *digest, int *ret_fd, struct shale_err *err);
void download_unlock_image(int dirfd, const struct digest *digest, int *fd);

/*
 * Deletes what nobody works on, and is in the store already or was last written before a time. Returns how many bytes
 * of disk that gives back.
 */
uint64_t download_prune(const struct store *store, int dirfd, time_t before);

/* What there is in a store's directory, and how much of it nobody works on; without the directory nothing. */
struct download_sum {
	uint64_t count;
	uint64_t bytes; /* of disk: where bytes are missing there is a hole */
	uint64_t idle_count;
	uint64_t idle_bytes;
};
int download_sum_up(const struct store *store, struct download_sum *ret_sum,
		    struct shale_err *err);
/* The same of a whole store: how many bytes, 0 without the directory. */
uint64_t download_prune_store(const struct store *store, time_t before);

#endif
