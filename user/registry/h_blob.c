// SPDX-License-Identifier: GPL-2.0-only
/*
 * Handlers of blobs: sent whole or in part, from the file where the storage has one, by a redirect to
 * the storage where it can, else through us; and taken out of a repository.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "registry/announce.h"
#include "registry/hold.h"
#include "registry/layout.h"
#include "registry/repo.h"

/* Seconds a client may take to follow a redirect; a long download only has to begin by then. */
#define REDIRECT_SECONDS 1200

struct blob_source {
	struct httpd_source base;
	struct bucket_reader *reader;
	uint64_t left;
};

static ssize_t source_read(struct httpd_source *base, void *data, size_t len)
{
	struct blob_source *source = (struct blob_source *)base;
	ssize_t got;

	if (len > source->left)
		len = source->left;
	if (!len)
		return 0;
	got = bucket_read(source->reader, data, len, NULL);
	if (got > 0)
		source->left -= got;
	return got;
}

static void source_close(struct httpd_source *base)
{
	struct blob_source *source = (struct blob_source *)base;

	bucket_close(source->reader);
	free(source);
}

static int look_for_blob(struct call *call, struct shale_err *err)
{
	struct reg *reg = call->reg;
	int ret;

	pthread_rwlock_rdlock(&reg->sweep_lock);
	ret = repo_has_blob(reg, call->route.repo, &call->sum, err);
	if (ret > 0)
		lease_take(reg->leases, &call->sum);
	pthread_rwlock_unlock(&reg->sweep_lock);
	return ret;
}

/* Who asks whether a blob is there is going to refer to it. */
static bool has_blob(struct call *call)
{
	struct reg *reg = call->reg;
	struct shale_err err = { 0 };
	int ret = 1;

	/* Where others share the storage that costs a little, and who only fetches it refers to nothing. */
	if (reg->bucket->ops->is_shared && httpd_is_head(call->http)) {
		ret = repo_has_blob(reg, call->route.repo, &call->sum, &err);
		if (ret > 0 && hold_sum(reg, &call->sum, &err) < 0)
			ret = -1;
	}
	if (ret > 0)
		ret = look_for_blob(call, &err);
	if (ret < 0)
		fault_send_err(call, &err, FAULT_BLOB_UNKNOWN);
	else if (!ret)
		fault_send(call, FAULT_BLOB_UNKNOWN, "%s", call->sum.text);
	return ret > 0;
}

static void add_fields(struct call *call)
{
	httpd_add_field(call->http, "Docker-Content-Digest", "%s", call->sum.text);
	httpd_add_field(call->http, "ETag", "\"%s\"", call->sum.text);
	httpd_add_field(call->http, "Cache-Control", "max-age=31536000");
}

/* A blob never changes: a client that has it has it. */
static bool is_known_to_client(struct call *call)
{
	const char *match = httpd_field(call->http, "If-None-Match");

	return match && strstr(match, call->sum.text);
}

static void announce_redirect(struct call *call)
{
	struct bucket_stat st;

	if (announce_wants_pulls(call->reg) &&
	    bucket_stat(call->reg->bucket, layout_blob(&call->sum).text, &st, NULL) == 0)
		announce_pull_blob(call, &call->sum, st.size);
}

static bool send_redirect(struct call *call)
{
	struct bucket *bucket = call->reg->bucket;
	__cleanup_buf struct buf url = BUF_INIT;
	int ret;

	if (call->reg->settings.is_redirect_disabled)
		return false;
	ret = bucket_redirect(bucket, layout_blob(&call->sum).text, httpd_method(call->http),
			      REDIRECT_SECONDS, &url, NULL);
	if (ret != 1)
		return false;
	announce_redirect(call);
	call_answer(call, 307);
	httpd_add_field(call->http, "Docker-Content-Digest", "%s", call->sum.text);
	httpd_add_field(call->http, "Location", "%s", buf_str(&url));
	return true;
}

static int send_source(struct call *call, struct bucket_reader *reader, uint64_t len)
{
	struct blob_source *source = calloc(1, sizeof(*source));

	if (!source) {
		bucket_close(reader);
		return -1;
	}
	*source = (struct blob_source){ { source_read, source_close }, reader, len };
	httpd_send_source(call->http, &source->base, len);
	return 0;
}

static int send_file(struct call *call, struct bucket_reader *reader, uint64_t from, uint64_t len)
{
	int fd = fcntl(reader->fd, F_DUPFD_CLOEXEC, 0);

	bucket_close(reader);
	if (fd < 0)
		return -1;
	httpd_send_fd(call->http, fd, from, len);
	return 0;
}

/* The reader is used up in any case. */
static void send_bytes(struct call *call, struct bucket_reader *reader, uint64_t from, uint64_t len)
{
	int ret = reader->fd >= 0 ? send_file(call, reader, from, len) :
				    send_source(call, reader, len);

	if (ret < 0)
		fault_send(call, FAULT_UNAVAILABLE, NULL);
}

static void send_bad_range(struct call *call, uint64_t size)
{
	fault_send(call, FAULT_RANGE_INVALID, NULL);
	httpd_add_field(call->http, "Content-Range", "bytes */%llu", (unsigned long long)size);
}

/* What the range is of is only known when the blob is open; a storage without fds opens it again there. */
static int reopen(struct call *call, struct bucket_reader **reader, uint64_t from,
		  struct shale_err *err)
{
	if ((*reader)->fd >= 0 || !from)
		return 0;
	bucket_close(*reader);
	*reader = NULL;
	return bucket_open_reader(call->reg->bucket, layout_blob(&call->sum).text, from, reader, err);
}

static void add_body_fields(struct call *call)
{
	add_fields(call);
	httpd_add_field(call->http, "Accept-Ranges", "bytes");
	httpd_add_field(call->http, "Content-Type", "application/octet-stream");
}

static void send_head(struct call *call)
{
	struct bucket_stat st;
	struct shale_err err = { 0 };

	if (bucket_stat(call->reg->bucket, layout_blob(&call->sum).text, &st, &err) < 0) {
		fault_send_err(call, &err, FAULT_BLOB_UNKNOWN);
		return;
	}
	call_answer(call, 200);
	add_body_fields(call);
	httpd_send_length(call->http, st.size);
}

static void send_blob(struct call *call, struct bucket_reader *reader)
{
	const char *range = httpd_field(call->http, "Range");
	const uint64_t size = reader->size;
	struct shale_err err = { 0 };
	uint64_t first = 0;
	uint64_t last = 0;
	enum range_answer answer = range_parse(range, size, &first, &last);

	if (answer == RANGE_BAD) {
		bucket_close(reader);
		send_bad_range(call, size);
		return;
	}
	if (reopen(call, &reader, first, &err) < 0) {
		fault_send_err(call, &err, FAULT_BLOB_UNKNOWN);
		return;
	}
	/* A download that goes on was told when it began. */
	if (!first)
		announce_pull_blob(call, &call->sum, size);
	call_answer(call, answer == RANGE_PART ? 206 : 200);
	add_body_fields(call);
	if (answer == RANGE_PART)
		httpd_add_field(call->http, "Content-Range", "bytes %llu-%llu/%llu",
				(unsigned long long)first, (unsigned long long)last,
				(unsigned long long)size);
	send_bytes(call, reader, first, answer == RANGE_PART ? last - first + 1 : size);
}

void h_blob_get(struct call *call)
{
	struct bucket_reader *reader;
	struct shale_err err = { 0 };

	if (!call_sum(call, call->route.last, &call->sum) || !has_blob(call))
		return;
	if (is_known_to_client(call)) {
		call_answer(call, 304);
		add_fields(call);
		return;
	}
	if (httpd_is_head(call->http)) {
		send_head(call);
		return;
	}
	if (send_redirect(call))
		return;
	if (bucket_open_reader(call->reg->bucket, layout_blob(&call->sum).text, 0, &reader, &err) < 0)
		fault_send_err(call, &err, FAULT_BLOB_UNKNOWN);
	else
		send_blob(call, reader);
}

void h_blob_delete(struct call *call)
{
	struct shale_err err = { 0 };

	if (!call->reg->settings.is_delete_enabled) {
		fault_send(call, FAULT_UNSUPPORTED, "deletion is not enabled (storage.delete.enabled)");
		return;
	}
	if (!call_sum(call, call->route.last, &call->sum))
		return;
	if (repo_unlink_blob(call->reg, call->route.repo, &call->sum, &err) < 0) {
		fault_send_err(call, &err, FAULT_BLOB_UNKNOWN);
		return;
	}
	if (!announce_delete(call, &call->sum, NULL))
		return;
	call_answer(call, 202);
	httpd_add_field(call->http, "Docker-Content-Digest", "%s", call->sum.text);
}
