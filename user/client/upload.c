// SPDX-License-Identifier: GPL-2.0-only
/*
 * Uploads; see upload.h. The digest is checked by the registry when the upload is closed. Where an upload
 * goes on is the registry's to say, in Location and Range. Called by the engine's push, in threads with a
 * struct remote of their own.
 */
#include "client/upload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static unsigned int max_failures(const struct upload *upload)
{
	const struct shale_registry_opts *opts = upload->remote->opts;

	return opts->tries ? opts->tries : REMOTE_TRIES;
}

static int note_sent(struct web_request *request, uint64_t done)
{
	struct upload *upload = request->arg;

	return upload->sent ? upload->sent(upload->arg, upload->offset + done, &request->err) : 0;
}

static int ask_exists(struct upload *upload, bool *ret_exists, struct shale_err *err)
{
	__cleanup_web_request struct web_request request = WEB_REQUEST_INIT;
	struct digest_text text = digest_text(&upload->digest);

	request.method = "HEAD";
	if (remote_set_url(upload->remote, &request, err, "blobs/%s", text.text) < 0 ||
	    remote_request(upload->remote, &request, 404, err) < 0)
		return -1;
	*ret_exists = request.status != 404;
	return 0;
}

/* Where the next request of the upload goes. */
static int take_location(struct upload *upload, const struct web_request *request,
			 struct shale_err *err)
{
	const char *target = web_value(request, WEB_LOCATION);
	char *location;

	if (!target)
		return shale_err_set(err, EPROTO, "%s: does not say where to upload to",
				     upload->remote->origin.endpoint);
	location = web_resolve(request->url, target, err);
	if (!location)
		return -1;
	if (web_is_plain(location) && !upload->remote->is_insecure) {
		shale_err_set(err, EPROTO, "%s: wants an upload over plain http",
			      upload->remote->origin.endpoint);
		free(location);
		return -1;
	}
	free(upload->location);
	upload->location = location;
	return 0;
}

static int set_begin_url(const struct upload *upload, bool mount, struct web_request *request,
			 struct shale_err *err)
{
	struct digest_text text = digest_text(&upload->digest);

	if (!mount)
		return remote_set_url(upload->remote, request, err, "blobs/uploads/");
	return remote_set_url(upload->remote, request, err, "blobs/uploads/?mount=%s&from=%s",
			      text.text, upload->from);
}

/* Opens an upload, or finds the blob mounted. */
static int begin_upload(struct upload *upload, bool mount, bool *ret_mounted,
			struct shale_err *err)
{
	__cleanup_web_request struct web_request request = WEB_REQUEST_INIT;

	request.method = "POST";
	request.max_answer = WEB_MAX_ERROR_BODY;
	if (set_begin_url(upload, mount, &request, err) < 0 ||
	    remote_request(upload->remote, &request, 0, err) < 0)
		return -1;
	*ret_mounted = mount && request.status == 201;
	upload->offset = 0;
	return *ret_mounted ? 0 : take_location(upload, &request, err);
}

/* How far it has come, after something broke. *ret_gone: the registry does not know of it any more. */
static int ask_progress(struct upload *upload, bool *ret_gone, struct shale_err *err)
{
	__cleanup_web_request struct web_request request = WEB_REQUEST_INIT;
	const char *range;

	request.url = strdup(upload->location);
	request.tls = &upload->remote->tls;
	request.max_answer = WEB_MAX_ERROR_BODY;
	if (!request.url)
		return shale_err_errno(err, "uploading");
	if (remote_request(upload->remote, &request, 404, err) < 0)
		return -1;
	*ret_gone = request.status == 404;
	range = web_value(&request, WEB_RANGE);
	upload->offset = 0;
	if (*ret_gone || !range)
		return 0;
	if (!answer_parse_upload(range, &upload->offset) || upload->offset > upload->size)
		return shale_err_set(err, EPROTO, "%s: says it has '%.50s' of %llu bytes",
				     upload->remote->origin.endpoint, range,
				     (unsigned long long)upload->size);
	return web_value(&request, WEB_LOCATION) ? take_location(upload, &request, err) : 0;
}

static int fill_chunk(struct upload *upload, uint64_t len, struct web_request *request,
		      struct shale_err *err)
{
	char range[64];

	request->method = "PATCH";
	request->is_once = true;
	request->url = strdup(upload->location);
	request->tls = &upload->remote->tls;
	request->body_fd = upload->fd;
	request->body_at = upload->offset;
	request->body_len = len;
	request->max_answer = WEB_MAX_ERROR_BODY;
	request->sent = note_sent;
	request->arg = upload;
	if (!request->url)
		return shale_err_errno(err, "uploading");
	if (web_add_header(request, "Content-Type", "application/octet-stream", err) < 0)
		return -1;
	/* Without a range it is all of it: what docker sends, and every registry takes. */
	if (!upload->offset && len == upload->size)
		return 0;
	snprintf(range, sizeof(range), "%llu-%llu", (unsigned long long)upload->offset,
		 (unsigned long long)(upload->offset + len - 1));
	return web_add_header(request, "Content-Range", range, err);
}

/*
 * After a failure: waits, asks how far it has come, and begins anew when the registry has forgotten. Progress
 * makes up for failures, by the MiB.
 */
static int recover(struct upload *upload, uint64_t before, uint64_t msec, struct shale_err *err)
{
	bool is_gone = false;
	bool is_mounted;

	if (web_sleep(upload->remote->web, msec, err) < 0 ||
	    ask_progress(upload, &is_gone, err) < 0)
		return -1;
	if (is_gone)
		return begin_upload(upload, false, &is_mounted, err);
	if (upload->offset >= before + (1u << 20))
		upload->failures = 0;
	return 0;
}

static int send_chunk(struct upload *upload, struct shale_err *err)
{
	__cleanup_web_request struct web_request request = WEB_REQUEST_INIT;
	uint64_t left = upload->size - upload->offset;
	uint64_t len = left < UPLOAD_CHUNK ? left : UPLOAD_CHUNK;
	enum remote_verdict verdict = REMOTE_AGAIN;
	uint64_t before = upload->offset;
	uint64_t msec = 0;

	request.tries = upload->failures;
	if (fill_chunk(upload, len, &request, err) < 0 ||
	    remote_prepare(upload->remote, &request, err) < 0 ||
	    web_perform(upload->remote->web, &request, err) < 0)
		return -1;
	/* 416: it has not what we think it has; 404: it has forgotten. */
	if (!request.has_failed && (request.status == 416 || request.status == 404) &&
	    ++upload->failures < max_failures(upload))
		return recover(upload, before, 0, err);
	if (remote_judge(upload->remote, &request, 0, &verdict, &msec, err) < 0)
		return -1;
	upload->failures = request.tries;
	if (verdict == REMOTE_AGAIN)
		return recover(upload, before, msec, err);
	upload->offset += len;
	return take_location(upload, &request, err);
}

static int close_upload(struct upload *upload, struct shale_err *err)
{
	__cleanup_web_request struct web_request request = WEB_REQUEST_INIT;
	struct digest_text text = digest_text(&upload->digest);
	__cleanup_buf struct buf url = BUF_INIT;

	if (buf_addf(&url, "%s%cdigest=%s", upload->location,
		     strchr(upload->location, '?') ? '&' : '?', text.text) < 0)
		return shale_err_errno(err, "uploading");
	request.method = "PUT";
	request.url = buf_steal(&url);
	request.tls = &upload->remote->tls;
	request.max_answer = WEB_MAX_ERROR_BODY;
	return remote_request(upload->remote, &request, 0, err);
}

static int run_upload(struct upload *upload, enum upload_result *ret_result,
		      struct shale_err *err)
{
	bool is_there = false;

	*ret_result = UPLOAD_EXISTED;
	if (ask_exists(upload, &is_there, err) < 0 || is_there)
		return is_there ? 0 : -1;
	*ret_result = UPLOAD_MOUNTED;
	if (begin_upload(upload, upload->from, &is_there, err) < 0 || is_there)
		return is_there ? 0 : -1;
	*ret_result = UPLOAD_SENT;
	while (upload->offset < upload->size)
		if (send_chunk(upload, err) < 0)
			return -1;
	return close_upload(upload, err);
}

int upload_blob(struct upload *upload, enum upload_result *ret_result, struct shale_err *err)
{
	int ret = run_upload(upload, ret_result, err);

	free(upload->location);
	upload->location = NULL;
	return ret;
}

int upload_document(struct remote *remote, const struct upload_document *document,
		    struct shale_err *err)
{
	__cleanup_web_request struct web_request request = WEB_REQUEST_INIT;
	const char *told;
	struct digest found;

	request.method = "PUT";
	request.body = document->data;
	request.body_len = document->len;
	request.max_answer = WEB_MAX_ERROR_BODY;
	if (web_add_header(&request, "Content-Type", document->media_type, err) < 0 ||
	    remote_set_url(remote, &request, err, "manifests/%s", document->reference) < 0 ||
	    remote_request(remote, &request, 0, err) < 0)
		return -1;
	told = web_value(&request, WEB_DIGEST);
	if (!told || strncmp(told, "sha256:", 7))
		return 0;
	if (digest_parse(told, "Docker-Content-Digest", &found, err) == 0 &&
	    digest_is_equal(&found, &document->digest))
		return 0;
	return shale_err_set(err, EBADMSG, "%s: has made another manifest of it, %.80s",
			     remote->origin.endpoint, told);
}
