// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files of downloads; see download.h. What the trailer says is only ever less than what is there: bytes
 * are written before it says so. After a power failure neither need be so, and the digest tells; the
 * caller then starts again. Called by fetch.c; how the trailer looks is download_trailer.c's.
 */
#include "client/download.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "client/download_trailer.h"

/* Bytes hashed in one go: the network must not wait for longer. */
#define HASH_STEP  (4u << 20)
#define HASH_CHUNK (128u << 10)

int download_dir(const struct store *store, int *ret_fd, struct shale_err *err)
{
	if (fs_mkdir(store->dirfd, DOWNLOAD_DIR, 0700) < 0)
		return shale_err_errno(err, "%s/" DOWNLOAD_DIR, store->path);
	*ret_fd = fs_open_beneath(store->dirfd, DOWNLOAD_DIR, O_RDONLY | O_DIRECTORY, 0);
	if (*ret_fd < 0)
		return shale_err_errno(err, "%s/" DOWNLOAD_DIR, store->path);
	return 0;
}

/* The file we have locked may have been deleted meanwhile, or be another's by now. */
static bool is_same_file(int fd, int dirfd, const char *name)
{
	struct stat ours;
	struct stat there;

	return fstat(fd, &ours) == 0 && fstatat(dirfd, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
}

static bool is_still_there(const struct download *download)
{
	return is_same_file(download->fd, download->dirfd, download->hex);
}

static int lock_fd(int fd, int how)
{
	while (flock(fd, how | LOCK_NB) < 0)
		if (errno != EINTR)
			return -1;
	return 0;
}

static int lock_file(const struct download *download, int how)
{
	return lock_fd(download->fd, how);
}

static void image_file(const struct digest *digest, char *ret_name, size_t len)
{
	struct digest_text text = digest_text(digest);

	snprintf(ret_name, len, "%s.image", digest_hex(&text));
}

int download_lock_image(int dirfd, const struct digest *digest, int *ret_fd, struct shale_err *err)
{
	char name[DIGEST_HEX + sizeof(".image")];
	__cleanup_fd int fd = -1;

	image_file(digest, name, sizeof(name));
	*ret_fd = -1;
	fd = openat(dirfd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return shale_err_errno(err, "locking an image");
	if (lock_fd(fd, LOCK_EX) < 0)
		return errno == EWOULDBLOCK ? 0 : shale_err_errno(err, "locking an image");
	if (is_same_file(fd, dirfd, name))
		*ret_fd = steal_fd(&fd);
	return 0;
}

void download_unlock_image(int dirfd, const struct digest *digest, int *fd)
{
	char name[DIGEST_HEX + sizeof(".image")];

	image_file(digest, name, sizeof(name));
	if (*fd >= 0)
		unlinkat(dirfd, name, 0);
	fd_closep(fd);
	*fd = -1;
}

static bool has_whole_size(const struct download *download)
{
	struct stat st;

	return fstat(download->fd, &st) == 0 && (uint64_t)st.st_size == download->size;
}

/* Exclusively; or shared, when it is whole and only used. 1: neither now. */
static int lock_any(struct download *download)
{
	if (lock_file(download, LOCK_EX) == 0)
		return is_still_there(download) ? 0 : 1;
	if (errno != EWOULDBLOCK)
		return -1;
	if (download->size && lock_file(download, LOCK_SH) == 0)
		return is_still_there(download) && has_whole_size(download) ? 0 : 1;
	return errno == EWOULDBLOCK || !download->size ? 1 : -1;
}

static void split(struct download *download, size_t parts)
{
	uint64_t step = download->size / parts;

	download->part_count = parts;
	for (size_t i = 0; i < parts; i++) {
		download->parts[i].start = download->parts[i].done = i * step;
		download->parts[i].end = i + 1 == parts ? download->size : (i + 1) * step;
	}
}

static int begin_empty(struct download *download, size_t parts, struct shale_err *err)
{
	split(download, parts);
	if (ftruncate(download->fd, 0) < 0)
		return shale_err_errno(err, "preparing a download");
	if (!download->size)
		return 0;
	return trailer_write(download, err);
}

/* What a run before us left: a whole file, or one with a trailer. */
static int take_over(struct download *download, size_t parts, struct shale_err *err)
{
	struct stat st;

	if (fstat(download->fd, &st) < 0)
		return shale_err_errno(err, "preparing a download");
	if (st.st_size && (uint64_t)st.st_size == download->size) {
		split(download, 1);
		download->parts[0].done = download->size;
		download->is_resumed = true;
		return 0;
	}
	if (st.st_size && trailer_read(download)) {
		download->is_resumed = download_done(download);
		return 0;
	}
	return begin_empty(download, parts, err);
}

int download_open(int dirfd, const struct digest *digest, uint64_t size, size_t parts,
		  struct download *ret_download, bool *ret_busy, struct shale_err *err)
{
	struct download download = DOWNLOAD_NONE;
	struct digest_text text = digest_text(digest);
	int busy;

	download.dirfd = dirfd;
	download.digest = *digest;
	download.size = size;
	memcpy(download.hex, digest_hex(&text), sizeof(download.hex));
	download.fd = openat(dirfd, download.hex, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (download.fd < 0)
		return shale_err_errno(err, "preparing a download");
	busy = lock_any(&download);
	if (busy < 0)
		shale_err_errno(err, "locking a download");
	*ret_busy = busy > 0;
	if (busy || hasher_init(&download.hasher, err) < 0 ||
	    take_over(&download, parts, err) < 0) {
		download_close(&download);
		return busy > 0 ? 0 : -1;
	}
	*ret_download = download;
	return 0;
}

void download_close(struct download *download)
{
	fd_closep(&download->fd);
	hasher_release(&download->hasher);
	*download = (struct download)DOWNLOAD_NONE;
}

void download_drop(struct download *download)
{
	/* Not another's, which may have come into its place. */
	if (download->fd >= 0 && is_still_there(download))
		unlinkat(download->dirfd, download->hex, 0);
	download_close(download);
}

int download_flatten(struct download *download, struct shale_err *err)
{
	uint64_t done = 0;

	for (size_t i = 0; i < download->part_count && download->parts[i].start == done; i++)
		done = download->parts[i].done;
	split(download, 1);
	download->parts[0].done = done;
	return trailer_write(download, err);
}

int download_write(struct download *download, struct download_part *part, const void *data,
		   size_t len, struct shale_err *err)
{
	if (len > part->end - part->done)
		return shale_err_set(err, EPROTO, "sends more bytes than it was asked for");
	if (fs_write_at(download->fd, data, len, part->done) < 0)
		return shale_err_errno(err, "writing a download");
	if (part->done == download->hashed) {
		hasher_update(&download->hasher, data, len);
		download->hashed += len;
	}
	part->done += len;
	return trailer_note(download, part, err);
}

/* Where the bytes that are there without a gap end. */
static uint64_t contiguous(const struct download *download)
{
	uint64_t end = 0;

	for (size_t i = 0; i < download->part_count; i++) {
		end = download->parts[i].done;
		if (end != download->parts[i].end)
			break;
	}
	return end;
}

int download_hash(struct download *download, bool *ret_more, struct shale_err *err)
{
	uint64_t end = contiguous(download);
	uint64_t stop = download->hashed + HASH_STEP;
	char chunk[HASH_CHUNK];

	if (stop > end)
		stop = end;
	while (download->hashed < stop) {
		uint64_t left = stop - download->hashed;
		ssize_t got = pread(download->fd, chunk, left < sizeof(chunk) ? left : sizeof(chunk),
				    download->hashed);

		if (got < 0 && errno == EINTR)
			continue;
		if (!got)
			errno = ENODATA;
		if (got <= 0)
			return shale_err_errno(err, "reading a download");
		hasher_update(&download->hasher, chunk, got);
		download->hashed += got;
	}
	*ret_more = download->hashed < end;
	return 0;
}

bool download_is_complete(const struct download *download)
{
	return download->hashed == download->size;
}

uint64_t download_done(const struct download *download)
{
	uint64_t done = 0;

	for (size_t i = 0; i < download->part_count; i++)
		done += download->parts[i].done - download->parts[i].start;
	return done;
}

int download_finish(struct download *download, struct shale_err *err)
{
	struct digest found;

	hasher_final(&download->hasher, &found);
	if (!digest_is_equal(&found, &download->digest))
		return shale_err_set(err, EBADMSG, "its bytes do not have its digest");
	/* Unless it was whole when we came: then others may be reading it. */
	if (!has_whole_size(download) && ftruncate(download->fd, download->size) < 0)
		return shale_err_errno(err, "finishing a download");
	/* Who waited may have locked it in between: to look at it, and finds it whole. */
	if (lock_file(download, LOCK_SH) < 0 && errno != EWOULDBLOCK)
		return shale_err_errno(err, "finishing a download");
	download->is_whole = true;
	return 0;
}

int download_link(const struct download *download, int blobs_fd, struct shale_err *err)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", download->fd);
	if (linkat(AT_FDCWD, path, blobs_fd, download->hex, AT_SYMLINK_FOLLOW) == 0 ||
	    errno == EEXIST)
		return 0;
	return shale_err_errno(err, "taking over a download");
}

/* Two names do not tell: the other one may be in the trash of a session that was killed. */
static bool is_stored(const struct store *store, const char *name)
{
	struct digest digest;

	return digest_parse_hex(name, &digest) && store_has_blob(store, &digest);
}

/* A blob's, and not an image's lock. */
static bool is_download(const char *name)
{
	struct digest digest;

	return digest_parse_hex(name, &digest);
}

struct pruning {
	const struct store *store;
	time_t before;
	uint64_t bytes;
};

static int prune_one(void *arg, int dirfd, const char *name)
{
	__cleanup_fd int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct pruning *pruning = arg;
	struct stat st;

	if (fd < 0 || lock_fd(fd, LOCK_EX) < 0 || fstat(fd, &st) < 0 || !is_same_file(fd, dirfd, name))
		return 0;
	if (!is_stored(pruning->store, name) && st.st_mtime >= pruning->before)
		return 0;
	if (unlinkat(dirfd, name, 0) == 0 && st.st_nlink == 1)
		pruning->bytes += st.st_blocks * 512ull;
	return 0;
}

uint64_t download_prune(const struct store *store, int dirfd, time_t before)
{
	struct pruning pruning = { store, before, 0 };

	fs_each_name(dirfd, ".", prune_one, &pruning);
	return pruning.bytes;
}

static int open_dir(const struct store *store)
{
	return fs_open_beneath(store->dirfd, DOWNLOAD_DIR, O_RDONLY | O_DIRECTORY, 0);
}

uint64_t download_prune_store(const struct store *store, time_t before)
{
	__cleanup_fd int dirfd = open_dir(store);

	return dirfd < 0 ? 0 : download_prune(store, dirfd, before);
}

static int add_one(void *arg, int dirfd, const char *name)
{
	__cleanup_fd int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct download_sum *sum = arg;
	struct stat st;
	bool idle;

	if (fd < 0 || !is_download(name) || fstat(fd, &st) < 0)
		return 0;
	/* Whoever uses one that is whole has it locked, too, shared. */
	idle = lock_fd(fd, LOCK_EX) == 0;
	sum->count++;
	sum->bytes += st.st_blocks * 512ull;
	sum->idle_count += idle;
	sum->idle_bytes += idle ? st.st_blocks * 512ull : 0;
	return 0;
}

int download_sum_up(const struct store *store, struct download_sum *ret_sum,
		    struct shale_err *err)
{
	__cleanup_fd int dirfd = open_dir(store);
	struct download_sum sum = { 0 };

	if ((dirfd < 0 && errno != ENOENT) ||
	    (dirfd >= 0 && fs_each_name(dirfd, ".", add_one, &sum) < 0))
		return shale_err_errno(err, "%s/" DOWNLOAD_DIR, store->path);
	*ret_sum = sum;
	return 0;
}
