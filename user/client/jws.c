// SPDX-License-Identifier: GPL-2.0-only
/*
 * Signed documents; see jws.h. Each signature is over its protected header and the payload, both in base64.
 * Called by document.c.
 */
#include "client/jws.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "client/base64.h"
#include "client/jws_key.h"
#include "store/json.h"

/* What a protected header says: where the payload ends, and its last bytes. */
struct jws_format {
	uint64_t length;
	struct buf tail;
};

static int parse_format(const char *text, struct jws_format *format, struct shale_err *err)
{
	__cleanup_buf struct buf plain = BUF_INIT;
	__cleanup_json json_t *json = NULL;
	const char *tail = NULL;

	if (!base64_decode_url(text, strlen(text), &plain))
		return shale_err_set(err, EINVAL, "field 'protected' is not base64");
	if (json_parse_object(buf_str(&plain), plain.len, "field 'protected'", &json, err) < 0 ||
	    json_get_size(json, "formatLength", "field 'protected'", &format->length, err) < 0 ||
	    json_get_text(json, "formatTail", false, "field 'protected'", &tail, err) < 0)
		return -1;
	buf_clear(&format->tail);
	if (!base64_decode_url(tail, strlen(tail), &format->tail))
		return shale_err_set(err, EINVAL, "field 'formatTail' is not base64");
	return 0;
}

/* All signatures are of one payload. */
static int take_payload(const struct buf *document, const struct jws_format *format, size_t index,
			struct buf *payload, struct shale_err *err)
{
	size_t length = format->length;

	if (format->length > document->len)
		return shale_err_set(err, EINVAL, "its payload is longer than the document");
	if (!index) {
		if (buf_add(payload, document->data, length) < 0 ||
		    buf_add(payload, buf_str(&format->tail), format->tail.len) < 0)
			return shale_err_errno(err, "reading it");
		return 0;
	}
	if (payload->len != length + format->tail.len ||
	    memcmp(payload->data, document->data, length) ||
	    memcmp(payload->data + length, buf_str(&format->tail), format->tail.len))
		return shale_err_set(err, EINVAL, "it is of another payload than the first one");
	return 0;
}

static int parse_key(const json_t *header, struct jws_key *key, struct shale_err *err)
{
	json_t *chain = NULL;
	json_t *jwk = NULL;

	if (json_get_array(header, "x5c", JWS_MAX_SIGNATURES, true, "header", &chain, err) < 0 ||
	    json_get_object(header, "jwk", true, "header", &jwk, err) < 0)
		return -1;
	if (json_array_size(chain)) {
		const char *first = json_string_value(json_array_get(chain, 0));

		return jws_key_of_certificate(first ? first : "", key, err);
	}
	if (jwk)
		return jws_key_parse(jwk, key, err);
	return shale_err_set(err, EINVAL, "header: it has no key");
}

/* "PROTECTED.PAYLOAD", in base64 for URLs without padding. */
static int signed_text(const char *protected, const struct buf *payload, struct buf *text,
		       struct shale_err *err)
{
	if (buf_addf(text, "%s.", protected) < 0 ||
	    base64_encode_url(buf_str(payload), payload->len, text) < 0)
		return shale_err_errno(err, "reading it");
	return 0;
}

static int check_signature(const json_t *json, const struct buf *document, size_t index,
			   struct buf *payload, struct shale_err *err)
{
	__attribute__((cleanup(jws_key_release))) struct jws_key key = { 0 };
	__cleanup_buf struct buf signature = BUF_INIT;
	__cleanup_buf struct buf text = BUF_INIT;
	struct jws_format format = { .tail = BUF_INIT };
	const char *protected = NULL;
	const char *value = NULL;
	const char *alg = NULL;
	json_t *header = NULL;
	int ret;

	if (json_get_text(json, "protected", false, "it", &protected, err) < 0 ||
	    json_get_text(json, "signature", false, "it", &value, err) < 0 ||
	    json_get_object(json, "header", false, "it", &header, err) < 0 ||
	    json_get_text(header, "alg", false, "header", &alg, err) < 0)
		return -1;
	ret = parse_format(protected, &format, err);
	if (!ret)
		ret = take_payload(document, &format, index, payload, err);
	buf_release(&format.tail);
	if (ret < 0 || parse_key(header, &key, err) < 0 ||
	    signed_text(protected, payload, &text, err) < 0)
		return -1;
	if (!base64_decode_url(value, strlen(value), &signature))
		return shale_err_set(err, EINVAL, "field 'signature' is not base64");
	return jws_key_verify(&key, alg, &text, &signature, err);
}

int jws_open(const void *data, size_t len, struct buf *ret_payload, struct shale_err *err)
{
	struct buf document = { .data = (char *)data, .len = len };
	__cleanup_buf struct buf payload = BUF_INIT;
	__cleanup_json json_t *json = NULL;
	json_t *signatures = NULL;

	if (json_parse_object(data, len, "manifest", &json, err) < 0 ||
	    json_get_array(json, "signatures", JWS_MAX_SIGNATURES, true, "manifest", &signatures,
			   err) < 0)
		return -1;
	if (!json_array_size(signatures))
		return shale_err_set(err, EINVAL, "manifest: it is not signed");
	for (size_t i = 0; i < json_array_size(signatures); i++) {
		const json_t *one = json_array_get(signatures, i);

		if (!json_is_object(one))
			return shale_err_set(err, EINVAL, "manifest: signatures[%zu] is not an object", i);
		if (check_signature(one, &document, i, &payload, err) < 0)
			return shale_err_wrap(err, "manifest: signatures[%zu]", i);
	}
	*ret_payload = payload;
	payload = (struct buf)BUF_INIT;
	return 0;
}
