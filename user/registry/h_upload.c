// SPDX-License-Identifier: GPL-2.0-only
/*
 * Handlers of uploads: begun, or done in one request, or mounted from another repository; gone on with
 * in chunks that must be in order; asked about; finished with a digest; given up.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "registry/admit.h"
#include "registry/announce.h"
#include "registry/hold.h"
#include "registry/layout.h"
#include "registry/repo.h"
#include "registry/upload.h"

/* What a session's client is told: where to go on, and up to which byte all is there. */
static void send_session(struct call *call, unsigned int status, const char *id, uint64_t size)
{
	call_answer(call, status);
	call_add_location(call, "/v2/%s/blobs/uploads/%s", call->route.repo, id);
	httpd_add_field(call->http, "Range", "0-%llu", (unsigned long long)(size ? size - 1 : 0));
	httpd_add_field(call->http, "Docker-Upload-UUID", "%s", id);
}

static void send_blob_created(struct call *call, const struct sum *sum)
{
	call_answer(call, 201);
	call_add_location(call, "/v2/%s/blobs/%s", call->route.repo, sum->text);
	httpd_add_field(call->http, "Docker-Content-Digest", "%s", sum->text);
}

static void send_finish_error(struct call *call, const struct shale_err *err)
{
	if (err->code == EBADMSG)
		fault_send(call, FAULT_DIGEST_INVALID, "%s", err->msg);
	else
		fault_send_err(call, err, FAULT_BLOB_UPLOAD_UNKNOWN);
}

static bool finish(struct call *call)
{
	struct upload *upload = call->upload;
	struct shale_err err = { 0 };

	call->upload = NULL;
	if (upload_finish(upload, &call->sum, &err) == 0)
		return true;
	send_finish_error(call, &err);
	return false;
}

/* 1: the repository has the blob now; 0: there is nothing to mount; -1. */
static int mount(struct call *call, const struct sum *sum, uint64_t *ret_size,
		 struct shale_err *err)
{
	const char *from = target_get(&call->target, "from");
	struct bucket_stat st;
	int ret = 1;

	if (call->is_mount_denied || (from && *from && !name_is_repo(from)))
		return 0;
	/* Without a source any repository will do, if everybody may read all of them. */
	if (from && *from)
		ret = repo_has_blob(call->reg, from, sum, err);
	else if (!admit_is_open(call->reg))
		ret = 0;
	if (ret <= 0)
		return ret;
	if (hold_sum(call->reg, sum, err) < 0)
		return -1;
	pthread_rwlock_rdlock(&call->reg->sweep_lock);
	lease_take(call->reg->leases, sum);
	ret = bucket_stat(call->reg->bucket, layout_blob(sum).text, &st, err);
	if (ret == 0)
		ret = repo_link_blob(call->reg, call->route.repo, sum, st.size, NULL, err);
	pthread_rwlock_unlock(&call->reg->sweep_lock);
	*ret_size = st.size;
	if (ret == 0)
		return 1;
	return err->code == ENOENT ? 0 : -1;
}

/* True: answered. */
static bool try_mount(struct call *call)
{
	const char *digest = target_get(&call->target, "mount");
	struct shale_err err = { 0 };
	uint64_t size = 0;
	struct sum sum;
	int ret;

	if (!digest)
		return false;
	if (!call_sum(call, digest, &sum))
		return true;
	ret = mount(call, &sum, &size, &err);
	if (ret < 0)
		fault_send_err(call, &err, FAULT_BLOB_UNKNOWN);
	else if (ret && announce_mount(call, &sum, size, target_get(&call->target, "from")))
		send_blob_created(call, &sum);
	return ret;
}

static void begin_session(struct call *call)
{
	const char *algorithm = target_get(&call->target, "digest-algorithm");
	enum sum_kind kind = SUM_SHA256;
	char id[UPLOAD_ID_LEN + 1];
	struct shale_err err = { 0 };

	if (algorithm && !sum_parse_kind(algorithm, &kind)) {
		fault_send(call, FAULT_DIGEST_INVALID, "'%.50s' is not an algorithm we know",
			   algorithm);
		return;
	}
	if (upload_make_session(call->reg, call->route.repo, kind, id, &err) < 0)
		fault_send_err(call, &err, FAULT_UNKNOWN);
	else
		send_session(call, 202, id, 0);
}

static void close_session(struct call *call)
{
	upload_keep(call->upload, NULL);
	call->upload = NULL;
}

/* As much as the body says it will have is reserved before any of it is written. */
static bool expect(struct call *call, const struct sum *sum)
{
	struct shale_err err = { 0 };

	if (upload_expect(call->upload, httpd_body_length(call->http), sum, &err) == 0)
		return true;
	close_session(call);
	fault_send_err(call, &err, FAULT_UNKNOWN);
	return false;
}

void h_upload_post(struct call *call)
{
	const char *digest = target_get(&call->target, "digest");
	struct shale_err err = { 0 };

	if (try_mount(call))
		return;
	if (!digest) {
		begin_session(call);
		return;
	}
	if (!call_sum(call, digest, &call->sum))
		return;
	if (upload_create(call->reg, call->route.repo, call->sum.kind, &call->upload, &err) < 0)
		fault_send_err(call, &err, FAULT_UNKNOWN);
	else
		expect(call, &call->sum);
}

void h_upload_post_end(struct call *call)
{
	uint64_t size = upload_size(call->upload);

	if (finish(call) && announce_push_blob(call, &call->sum, size))
		send_blob_created(call, &call->sum);
}

void h_upload_body(struct call *call, const void *data, size_t len)
{
	struct shale_err err = { 0 };

	if (upload_write(call->upload, data, len, &err) < 0)
		fault_send_err(call, &err, FAULT_BLOB_UPLOAD_UNKNOWN);
}

static bool open_session(struct call *call)
{
	struct shale_err err = { 0 };

	if (upload_open(call->reg, call->route.repo, call->route.last, &call->upload, &err) == 0)
		return true;
	fault_send_err(call, &err, FAULT_BLOB_UPLOAD_UNKNOWN);
	return false;
}

/* Closes the session before the answer is sent, for the client may come back at once. */
static void send_out_of_order(struct call *call)
{
	uint64_t size = upload_size(call->upload);
	char id[UPLOAD_ID_LEN + 1];

	snprintf(id, sizeof(id), "%s", call->upload->id);
	upload_keep(call->upload, NULL);
	call->upload = NULL;
	fault_send(call, FAULT_RANGE_INVALID, "the upload has %llu bytes", (unsigned long long)size);
	call_add_location(call, "/v2/%s/blobs/uploads/%s", call->route.repo, id);
	httpd_add_field(call->http, "Range", "0-%llu", (unsigned long long)(size ? size - 1 : 0));
	httpd_add_field(call->http, "Docker-Upload-UUID", "%s", id);
}

/* A chunk says where it belongs, or is simply what comes next. */
static bool check_chunk(struct call *call)
{
	const char *range = httpd_field(call->http, "Content-Range");
	uint64_t length = httpd_body_length(call->http);
	uint64_t first, last;

	if (!range)
		return true;
	if (!range_parse_content(range, &first, &last)) {
		close_session(call);
		fault_send(call, FAULT_RANGE_INVALID, "'%.100s' is not a range", range);
		return false;
	}
	if (first != upload_size(call->upload)) {
		send_out_of_order(call);
		return false;
	}
	if (length == UINT64_MAX || length == last - first + 1)
		return true;
	close_session(call);
	fault_send(call, FAULT_SIZE_INVALID, "the range %.100s has not the length of the body", range);
	return false;
}

void h_upload_patch(struct call *call)
{
	if (open_session(call) && check_chunk(call))
		expect(call, NULL);
}

void h_upload_patch_end(struct call *call)
{
	struct upload *upload = call->upload;
	uint64_t size = upload_size(upload);
	char id[UPLOAD_ID_LEN + 1];
	struct shale_err err = { 0 };

	snprintf(id, sizeof(id), "%s", upload->id);
	call->upload = NULL;
	if (upload_keep(upload, &err) < 0)
		fault_send_err(call, &err, FAULT_BLOB_UPLOAD_UNKNOWN);
	else
		send_session(call, 202, id, size);
}

void h_upload_put(struct call *call)
{
	const char *digest = target_get(&call->target, "digest");

	if (call_sum(call, digest, &call->sum) && open_session(call) && check_chunk(call))
		expect(call, &call->sum);
}

void h_upload_put_end(struct call *call)
{
	h_upload_post_end(call);
}

void h_upload_get(struct call *call)
{
	uint64_t size;

	if (!open_session(call))
		return;
	size = upload_size(call->upload);
	close_session(call);
	send_session(call, 204, call->route.last, size);
}

void h_upload_delete(struct call *call)
{
	if (!open_session(call))
		return;
	upload_cancel(call->upload);
	call->upload = NULL;
	call_answer(call, 204);
}
