// SPDX-License-Identifier: GPL-2.0-only
/*
 * Blobs on their way into the store; see blob.h. A blob's digest is checked before its first byte is
 * given to a decompressor, the digest of the plain tar after the last one went to disk; the session
 * is thrown away when that fails. What another session is bringing in is waited for. Called by
 * import.c's workers.
 */
#include "engine/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>

#include "archive/codec.h"
#include "archive/untar.h"
#include "base/du.h"
#include "base/fs.h"
#include "store/lease.h"

#define BLOB_CHUNK (256 << 10)
/* How often to ask whether another session is done with what we need too. */
#define CLAIM_PAUSE_NSEC 50000000

#define __cleanup_hasher __attribute__((cleanup(hasher_release)))

/* Copies one fd to another (or nowhere: -1) and hashes. */
struct copy {
	struct task *task;
	int from;
	int to;
	struct shale_event event; /* its done counts */
	struct digest digest;	  /* the result */
};

static ssize_t read_chunk(int fd, void *data, size_t len, struct shale_err *err)
{
	ssize_t got;

	do
		got = read(fd, data, len);
	while (got < 0 && errno == EINTR);
	return got < 0 ? shale_err_errno(err, "reading") : got;
}

static int copy_run(struct copy *copy, struct shale_err *err)
{
	__cleanup_hasher struct hasher hasher = { NULL };
	__cleanup_free char *chunk = malloc(BLOB_CHUNK);
	ssize_t got;

	if (!chunk)
		return shale_err_errno(err, "copying");
	if (hasher_init(&hasher, err) < 0)
		return -1;
	for (;;) {
		got = read_chunk(copy->from, chunk, BLOB_CHUNK, err);
		if (got < 0)
			return -1;
		if (!got)
			break;
		hasher_update(&hasher, chunk, got);
		if (copy->to >= 0 && fs_write_full(copy->to, chunk, got) < 0)
			return shale_err_errno(err, "copying into the store");
		copy->event.done += got;
		if (task_report(copy->task, &copy->event, err) < 0)
			return -1;
	}
	hasher_final(&hasher, &copy->digest);
	return 0;
}

static ssize_t codec_from_fd(void *arg, void *data, size_t len, struct shale_err *err)
{
	return read_chunk(*(int *)arg, data, len, err);
}

int blob_probe_xattrs(const struct session *session, const char **ret_prefix,
		      struct shale_err *err)
{
	static const struct {
		const char *prefix;
		const char *name;
	} choices[] = {
		{ "trusted.", "trusted.shale.probe" },
		{ "user.", "user.shale.probe" },
	};

	for (size_t i = 0; i < sizeof(choices) / sizeof(*choices); i++) {
		if (fsetxattr(session->fd, choices[i].name, "", 0, 0) == 0) {
			*ret_prefix = choices[i].prefix;
			return 0;
		}
		if (errno != EPERM)
			break;
	}
	return shale_err_errno(err, "the filesystem of %s cannot hold extended attributes",
			       session->store->path);
}

int blob_examine(const struct source *source, struct task *task, const char *path,
		 struct blob_facts *ret_facts, struct shale_err *err)
{
	__attribute__((cleanup(codec_closep))) struct codec *codec = NULL;
	__cleanup_fd int fd = -1;
	uint64_t size = 0;
	struct copy copy = {
		.task = task,
		.to = -1,
		.event = { .kind = SHALE_EVENT_READ, .id = path },
	};

	if (source_open_file(source, path, &fd, &size, err) < 0)
		return -1;
	copy.from = fd;
	copy.event.total = size;
	if (copy_run(&copy, err) < 0)
		return shale_err_wrap(err, "%.200s", path);
	if (lseek(fd, 0, SEEK_SET) < 0)
		return shale_err_errno(err, "%.200s", path);
	if (codec_open(codec_from_fd, &fd, &codec, err) < 0)
		return shale_err_wrap(err, "%.200s", path);
	*ret_facts = (struct blob_facts){ copy.digest, size, codec_name(codec) };
	return 0;
}

static int hash_plain(struct codec *codec, struct task *task, struct shale_event *event,
		      struct digest *ret_digest, struct shale_err *err)
{
	__cleanup_hasher struct hasher hasher = { NULL };
	__cleanup_free char *chunk = malloc(BLOB_CHUNK);
	ssize_t got;

	if (!chunk)
		return shale_err_errno(err, "reading");
	if (hasher_init(&hasher, err) < 0)
		return -1;
	while ((got = codec_read(codec, chunk, BLOB_CHUNK, err)) > 0) {
		hasher_update(&hasher, chunk, got);
		event->done += got;
		if (task_report(task, event, err) < 0)
			return -1;
	}
	if (got < 0)
		return -1;
	hasher_final(&hasher, ret_digest);
	return 0;
}

int blob_diff_id(const struct source *source, struct task *task, const char *path,
		 struct digest *ret_digest, struct shale_err *err)
{
	__attribute__((cleanup(codec_closep))) struct codec *codec = NULL;
	struct shale_event event = { .kind = SHALE_EVENT_READ, .id = path };
	__cleanup_fd int fd = -1;
	uint64_t size = 0;

	if (source_open_file(source, path, &fd, &size, err) < 0)
		return -1;
	if (codec_open(codec_from_fd, &fd, &codec, err) < 0 ||
	    hash_plain(codec, task, &event, ret_digest, err) < 0)
		return shale_err_wrap(err, "%.200s", path);
	return 0;
}

/* A spooled file is in the session already: a second name for it is enough. */
static int open_target(const struct blob_job *job, int from, const char *hex, int *ret_fd,
		       struct shale_err *err)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", from);
	if (job->source->is_spooled) {
		*ret_fd = -1;
		if (linkat(AT_FDCWD, path, job->session->blobs_fd, hex, AT_SYMLINK_FOLLOW) == 0 ||
		    errno == EEXIST)
			return 0;
		return shale_err_errno(err, "copying into the store");
	}
	fd = openat(job->session->blobs_fd, hex, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return shale_err_errno(err, "copying into the store");
	*ret_fd = fd;
	return 0;
}

static int fail_size(const struct blob_job *job, uint64_t found, struct shale_err *err)
{
	return shale_err_set(err, EINVAL, "it has %llu bytes instead of %llu",
			     (unsigned long long)found, (unsigned long long)job->layer.size);
}

static int copy_blob(const struct blob_job *job, const struct digest_text *text,
		     struct shale_err *err)
{
	__cleanup_fd int from = -1;
	__cleanup_fd int to = -1;
	uint64_t size = 0;
	struct copy copy = {
		.task = job->task,
		.event = { .kind = SHALE_EVENT_COPY, .id = text->text },
	};

	if (source_open_file(job->source, job->path, &from, &size, err) < 0)
		return -1;
	if (size != job->layer.size)
		return fail_size(job, size, err);
	if (open_target(job, from, digest_hex(text), &to, err) < 0)
		return -1;
	copy.from = from;
	copy.to = to;
	copy.event.total = size;
	if (copy_run(&copy, err) < 0)
		return -1;
	if (!digest_is_equal(&copy.digest, &job->layer.blob))
		return shale_err_set(err, EINVAL, "it does not have its digest");
	if (fsync(to >= 0 ? to : from) < 0)
		return shale_err_errno(err, "syncing it");
	return 0;
}

/* A plain stream that counts, hashes and reports. */
struct plain {
	const struct blob_job *job;
	struct codec *codec;
	struct hasher hasher;
	int fd;
	uint64_t bytes;
	struct shale_event event;
	char chunk[BLOB_CHUNK];
};

static void plain_freep(struct plain **plain)
{
	if (!*plain)
		return;
	codec_close((*plain)->codec);
	hasher_release(&(*plain)->hasher);
	fd_closep(&(*plain)->fd);
	free(*plain);
}

static ssize_t plain_from_fd(void *arg, void *data, size_t len, struct shale_err *err)
{
	struct plain *plain = arg;
	ssize_t got = read_chunk(plain->fd, data, len, err);

	if (got > 0)
		plain->event.done += got;
	return got;
}

static ssize_t plain_read(void *arg, const void **ret_data, struct shale_err *err)
{
	struct plain *plain = arg;
	ssize_t got = codec_read(plain->codec, plain->chunk, sizeof(plain->chunk), err);

	if (got < 0 || task_report(plain->job->task, &plain->event, err) < 0)
		return -1;
	plain->bytes += got;
	if (plain->bytes > plain->job->max_bytes)
		return shale_err_set(err, EFBIG,
				     "its plain tar is larger than the limit of %llu bytes",
				     (unsigned long long)plain->job->max_bytes);
	hasher_update(&plain->hasher, plain->chunk, got);
	*ret_data = plain->chunk;
	return got;
}

/* From the store, or from the session when it has just been copied there. */
static int open_blob(const struct blob_job *job, const char *hex)
{
	int fd = openat(job->session->blobs_fd, hex, O_RDONLY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		fd = openat(job->session->store->blobs_fd, hex, O_RDONLY | O_CLOEXEC);
	return fd;
}

static int plain_open(const struct blob_job *job, const struct digest_text *text,
		      struct plain **ret_plain, struct shale_err *err)
{
	__attribute__((cleanup(plain_freep))) struct plain *plain = calloc(1, sizeof(*plain));
	struct stat st;

	if (!plain)
		return shale_err_errno(err, "unpacking");
	plain->job = job;
	plain->event = (struct shale_event){
		.kind = SHALE_EVENT_UNPACK,
		.id = text->text,
		.total = job->layer.size,
	};
	plain->fd = open_blob(job, digest_hex(text));
	if (plain->fd < 0 || fstat(plain->fd, &st) < 0)
		return shale_err_errno(err, "opening it");
	if ((uint64_t)st.st_size != job->layer.size)
		return fail_size(job, st.st_size, err);
	if (hasher_init(&plain->hasher, err) < 0 ||
	    codec_open(plain_from_fd, plain, &plain->codec, err) < 0)
		return -1;
	*ret_plain = plain;
	plain = NULL;
	return 0;
}

int blob_diff_id_here(const struct blob_job *job, struct digest *ret_diff_id,
		      const char **ret_codec, struct shale_err *err)
{
	__attribute__((cleanup(plain_freep))) struct plain *plain = NULL;
	struct digest_text text = digest_text(&job->layer.blob);
	const void *data;
	ssize_t got;

	if (plain_open(job, &text, &plain, err) < 0)
		return shale_err_wrap(err, "layer %s", text.text);
	plain->event.kind = SHALE_EVENT_VERIFY;
	do
		got = plain_read(plain, &data, err);
	while (got > 0);
	if (got < 0)
		return shale_err_wrap(err, "layer %s", text.text);
	hasher_final(&plain->hasher, ret_diff_id);
	*ret_codec = codec_name(plain->codec);
	return 0;
}

static int plain_check(struct plain *plain, struct shale_err *err)
{
	struct digest_text wanted = digest_text(&plain->job->layer.diff_id);
	struct digest found;
	const void *data;
	ssize_t got;

	/* A tar may end before its stream does. */
	do
		got = plain_read(plain, &data, err);
	while (got > 0);
	if (got < 0)
		return -1;
	hasher_final(&plain->hasher, &found);
	if (digest_is_equal(&found, &plain->job->layer.diff_id))
		return 0;
	return shale_err_set(err, EINVAL, "its plain tar does not have the diff id %s",
			     wanted.text);
}

/* What the tar had and then replaced is not there; without privilege not everything can be looked at. */
static int write_size(int dirfd, uint64_t bytes)
{
	char text[32];
	uint64_t found;
	__cleanup_fd int fd = openat(dirfd, "size", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0)
		return -1;
	if (du_tree(dirfd, "diff", &found) == 0)
		bytes = found;
	else if (errno != EACCES)
		return -1;
	snprintf(text, sizeof(text), "%llu\n", (unsigned long long)bytes);
	return fs_write_full(fd, text, strlen(text));
}

static int add_implied(void *arg, const char *path)
{
	return buf_add(arg, path, strlen(path) + 1);
}

/* For implied.c, whoever calls it: the session that commits an image need not be the one that unpacked its layers. */
static int write_implied(int dirfd, const struct buf *implied)
{
	__cleanup_fd int fd = -1;

	if (!implied->len)
		return 0;
	fd = openat(dirfd, BLOB_IMPLIED, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	return fd < 0 ? -1 : fs_write_full(fd, implied->data, implied->len);
}

static int unpack_into(struct blob_job *job, struct plain *plain, int dirfd,
		       struct shale_err *err)
{
	__cleanup_buf struct buf implied = BUF_INIT;
	struct untar_stats stats = { 0 };
	__cleanup_fd int root = -1;
	struct untar_opts opts = {
		.xattr_prefix = job->xattr_prefix,
		.is_root = geteuid() == 0,
		.read = plain_read,
		.arg = plain,
		.implied = add_implied,
		.implied_arg = &implied,
	};

	if (mkdirat(dirfd, "diff", 0755) < 0)
		return shale_err_errno(err, "making its directory");
	root = openat(dirfd, "diff", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0 || fchmod(root, 0755) < 0)
		return shale_err_errno(err, "making its directory");
	opts.root_fd = root;
	if (untar(&opts, &stats, err) < 0)
		return -1;
	if (write_size(dirfd, stats.bytes) < 0 || write_implied(dirfd, &implied) < 0)
		return shale_err_errno(err, "writing its size");
	return plain_check(plain, err);
}

/* Asks until it is decided who brings it; another session may take as long as it needs. */
static int claim(struct blob_job *job, enum lease_kind kind, const struct digest *digest,
		 enum lease_claim *ret_claim, struct shale_err *err)
{
	static const struct timespec pause = { .tv_nsec = CLAIM_PAUSE_NSEC };
	struct digest_text text = digest_text(&job->layer.blob);
	struct shale_event event = { .kind = SHALE_EVENT_WAIT, .id = text.text };

	for (;;) {
		if (lease_claim(job->session, kind, digest, ret_claim, err) < 0)
			return -1;
		if (*ret_claim == LEASE_PRESENT || *ret_claim == LEASE_MINE)
			return 0;
		/* A layer of ours is only verified. */
		if (kind == LEASE_LAYER && *ret_claim == LEASE_OURS)
			return 0;
		if (task_report(job->task, &event, err) < 0)
			return -1;
		nanosleep(&pause, NULL);
	}
}

static int bring_blob(struct blob_job *job, const struct digest_text *text, struct shale_err *err)
{
	const struct source *source = job->source;
	enum lease_claim whose;

	/* Who fetches it has leased it, and knows of others who do. */
	if (source->bring)
		return source->bring(source->arg, &job->layer.blob, err);
	if (claim(job, LEASE_BLOB, &job->layer.blob, &whose, err) < 0)
		return -1;
	if (whose == LEASE_PRESENT)
		return 0;
	if (copy_blob(job, text, err) == 0)
		return session_publish_blob(job->session, &job->layer.blob, err);
	lease_settle(job->session, LEASE_BLOB, &job->layer.blob, false, NULL);
	return -1;
}

static int unpack(struct blob_job *job, struct plain *plain, struct shale_err *err)
{
	struct digest_text diff_id = digest_text(&job->layer.diff_id);
	__cleanup_fd int dirfd = -1;

	if (mkdirat(job->session->layers_fd, digest_hex(&diff_id), 0700) < 0) {
		if (errno == EEXIST)
			return plain_check(plain, err);
		return shale_err_errno(err, "making its directory");
	}
	dirfd = openat(job->session->layers_fd, digest_hex(&diff_id),
		       O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return shale_err_errno(err, "making its directory");
	return unpack_into(job, plain, dirfd, err);
}

int blob_unpack_again(struct blob_job *job, struct shale_err *err)
{
	__attribute__((cleanup(plain_freep))) struct plain *plain = NULL;
	struct digest_text text = digest_text(&job->layer.blob);

	if (plain_open(job, &text, &plain, err) < 0 || unpack(job, plain, err) < 0)
		return shale_err_wrap(err, "layer %s", text.text);
	return 0;
}

/* What depends on the layers below waits for who commits an image (implied.h), not what is to be unpacked. */
static int make_layer(struct blob_job *job, struct plain *plain, struct shale_err *err)
{
	if (unpack(job, plain, err) < 0)
		return -1;
	return session_publish_layer(job->session, &job->layer.diff_id, err);
}

static int bring_layer(struct blob_job *job, const struct digest_text *text, struct shale_err *err)
{
	__attribute__((cleanup(plain_freep))) struct plain *plain = NULL;
	enum lease_claim whose;

	if (claim(job, LEASE_LAYER, &job->layer.diff_id, &whose, err) < 0)
		return -1;
	/* Two blobs may hold the same tar: the second is only checked. */
	if (plain_open(job, text, &plain, err) == 0 &&
	    (whose == LEASE_MINE ? make_layer(job, plain, err) : plain_check(plain, err)) == 0)
		return 0;
	if (whose == LEASE_MINE)
		lease_settle(job->session, LEASE_LAYER, &job->layer.diff_id, false, NULL);
	return -1;
}

int blob_import(struct blob_job *job, struct shale_err *err)
{
	struct digest_text text = digest_text(&job->layer.blob);
	struct shale_event done = {
		.kind = SHALE_EVENT_LAYER_DONE,
		.id = text.text,
		.done = job->layer.size,
		.total = job->layer.size,
	};

	if (bring_blob(job, &text, err) < 0 || bring_layer(job, &text, err) < 0)
		return shale_err_wrap(err, "layer %s", text.text);
	return task_report(job->task, &done, err);
}

int blob_add(struct session *session, const struct digest *digest, const struct buf *data,
	     struct shale_err *err)
{
	struct digest_text text = digest_text(digest);
	__cleanup_fd int fd = -1;
	bool present = false;

	if (session_lease_blob(session, digest, &present, err) < 0)
		return -1;
	if (present)
		return 0;
	fd = openat(session->blobs_fd, digest_hex(&text), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
		    0644);
	if (fd < 0 || fs_write_full(fd, buf_str(data), data->len) < 0)
		return shale_err_errno(err, "copying %s into the store", text.text);
	return 0;
}
