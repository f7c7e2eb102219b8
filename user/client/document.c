// SPDX-License-Identifier: GPL-2.0-only
/*
 * Manifests and configs from a registry; see document.h. A type that header and document do not agree on is
 * refused: what one reader takes for a manifest must not be an index for another. Called by the engine.
 */
#include "client/document.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "client/jws.h"
#include "client/schema1.h"
#include "store/image.h"

static const char *const accepted[] = {
	"application/vnd.oci.image.manifest.v1+json",
	"application/vnd.oci.image.index.v1+json",
	"application/vnd.docker.distribution.manifest.v2+json",
	"application/vnd.docker.distribution.manifest.list.v2+json",
};

void document_release(struct document *document)
{
	buf_release(&document->data);
}

int document_type(const char *header, const struct buf *data, char *ret_type,
		  struct shale_err *err)
{
	char type[DOCUMENT_MAX_TYPE] = "";
	__cleanup_json json_t *json = NULL;
	const char *own = NULL;

	if (header)
		answer_media_type(header, type, sizeof(type));
	if (image_kind(type) == IMAGE_UNKNOWN)
		return shale_err_set(err, EPROTO, "answers with content type '%.100s', which is no manifest",
				     type);
	if (json_parse_object(buf_str(data), data->len, "manifest", &json, err) < 0 ||
	    json_get_text(json, "mediaType", true, "manifest", &own, err) < 0)
		return -1;
	if (own && strcmp(own, type))
		return shale_err_set(err, EPROTO,
				     "answers with content type '%.100s', and the manifest says '%.100s'",
				     type, own);
	memcpy(ret_type, type, sizeof(type));
	return 0;
}

static int check_digest(const struct web_request *request, const struct buf *data,
			const struct digest *wanted, struct digest *ret_digest,
			struct shale_err *err)
{
	const char *told = web_value(request, WEB_DIGEST);
	struct digest claimed;

	if (digest_of(buf_str(data), data->len, ret_digest, err) < 0)
		return -1;
	if (wanted && !digest_is_equal(wanted, ret_digest))
		return shale_err_set(err, EBADMSG, "sends a manifest that does not have its digest");
	if (!told || strncmp(told, "sha256:", 7))
		return 0;
	if (digest_parse(told, "Docker-Content-Digest", &claimed, err) < 0)
		return -1;
	if (digest_is_equal(&claimed, ret_digest))
		return 0;
	return shale_err_set(err, EBADMSG, "sends a manifest that is not %s", told);
}

static int ask(struct remote *remote, struct web_request *request, const char *reference,
	       struct shale_err *err)
{
	for (size_t i = 0; i < sizeof(accepted) / sizeof(*accepted); i++)
		if (web_add_header(request, "Accept", accepted[i], err) < 0)
			return -1;
	if (remote->takes_schema1 && web_add_header(request, "Accept", SCHEMA1_SIGNED, err) < 0)
		return -1;
	request->max_answer = DOCUMENT_MAX_BYTES;
	if (remote_set_url(remote, request, err, "manifests/%s", reference) < 0)
		return -1;
	return remote_request(remote, request, 0, err);
}

static bool is_schema1(const struct web_request *request)
{
	const char *header = web_value(request, WEB_CONTENT_TYPE);
	char type[DOCUMENT_MAX_TYPE] = "";

	if (header)
		answer_media_type(header, type, sizeof(type));
	return schema1_is_type(type);
}

/* What is signed takes the place of what came; its digest is the manifest's. */
static int open_schema1(const struct remote *remote, const struct web_request *request,
			struct document *document, struct shale_err *err)
{
	if (!remote->takes_schema1)
		return shale_err_set(err, EPROTONOSUPPORT,
				     "has it in docker's schema 1 only, which is taken with --schema1, "
				     "or with 'schema1 = true' for the registry in registries.conf");
	memcpy(document->media_type, SCHEMA1_PLAIN, sizeof(SCHEMA1_PLAIN));
	return jws_open(buf_str(&request->answer), request->answer.len, &document->data, err);
}

static int take_document(const struct remote *remote, struct web_request *request,
			 const struct digest *wanted, struct document *document,
			 struct shale_err *err)
{
	if (is_schema1(request)) {
		if (open_schema1(remote, request, document, err) < 0)
			return -1;
		return check_digest(request, &document->data, wanted, &document->digest, err);
	}
	if (check_digest(request, &request->answer, wanted, &document->digest, err) < 0 ||
	    document_type(web_value(request, WEB_CONTENT_TYPE), &request->answer,
			  document->media_type, err) < 0)
		return -1;
	document->data = request->answer;
	request->answer = (struct buf)BUF_INIT;
	return 0;
}

int document_fetch(struct remote *remote, const char *reference, const struct digest *digest,
		   struct document *ret_document, struct shale_err *err)
{
	__cleanup_web_request struct web_request request = WEB_REQUEST_INIT;
	__cleanup_document struct document document = { .data = BUF_INIT };

	if (ask(remote, &request, reference, err) < 0)
		return -1;
	if (take_document(remote, &request, digest, &document, err) < 0)
		return shale_err_wrap(err, "%s", remote->origin.endpoint);
	*ret_document = document;
	document.data = (struct buf)BUF_INIT;
	return 0;
}

int document_blob_size(struct remote *remote, const struct digest *digest, uint64_t *ret_size,
		       struct shale_err *err)
{
	__cleanup_web_request struct web_request request = WEB_REQUEST_INIT;
	struct digest_text text = digest_text(digest);
	curl_off_t length = -1;

	request.method = "HEAD";
	if (remote_set_url(remote, &request, err, "blobs/%s", text.text) < 0 ||
	    remote_request(remote, &request, 0, err) < 0)
		return -1;
	curl_easy_getinfo(request.easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	if (length < 0)
		return shale_err_set(err, EPROTO, "%s: does not say how long %s is",
				     remote->origin.endpoint, text.text);
	*ret_size = length;
	return 0;
}

int document_fetch_blob(struct remote *remote, const struct digest *digest, uint64_t size,
			struct buf *ret_data, struct shale_err *err)
{
	__cleanup_web_request struct web_request request = WEB_REQUEST_INIT;
	struct digest_text text = digest_text(digest);
	struct digest found;

	if (size > DOCUMENT_MAX_BYTES)
		return shale_err_set(err, EFBIG, "%s is larger than %u bytes", text.text,
				     DOCUMENT_MAX_BYTES);
	request.max_answer = size;
	if (remote_set_url(remote, &request, err, "blobs/%s", text.text) < 0 ||
	    remote_request(remote, &request, 0, err) < 0)
		return -1;
	if (request.answer.len != size)
		return shale_err_set(err, EPROTO, "%s: sends %zu bytes of %s instead of %llu",
				     remote->origin.endpoint, request.answer.len, text.text,
				     (unsigned long long)size);
	if (digest_of(buf_str(&request.answer), size, &found, err) < 0)
		return -1;
	if (!digest_is_equal(&found, digest))
		return shale_err_set(err, EBADMSG, "%s: %s does not have its digest",
				     remote->origin.endpoint, text.text);
	*ret_data = request.answer;
	request.answer = (struct buf)BUF_INIT;
	return 0;
}
