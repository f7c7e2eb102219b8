// SPDX-License-Identifier: GPL-2.0-only
/*
 * Signature version 4; see sigv4.h. HMAC and SHA-256 are libcrypto's. Called by the S3 driver for each
 * request and each redirect.
 */
#include "registry/sigv4.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "store/digest.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
/* "20150830" */
#define DAY_LEN 8
/* day/region/service/aws4_request, where regions and services are short words */
#define SCOPE_MAX 256

static int no_memory(struct shale_err *err)
{
	return shale_err_set(err, ENOMEM, "signing a request: out of memory");
}

void sigv4_date(time_t when, char ret_date[SIGV4_DATE])
{
	struct tm tm;

	gmtime_r(&when, &tm);
	if (strftime(ret_date, SIGV4_DATE, "%Y%m%dT%H%M%SZ", &tm) != SIGV4_DATE - 1)
		ret_date[0] = '\0';
}

static void hex_of(const unsigned char sum[DIGEST_BYTES], char ret_hex[SIGV4_HEX])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < DIGEST_BYTES; i++) {
		*ret_hex++ = digits[sum[i] >> 4];
		*ret_hex++ = digits[sum[i] & 15];
	}
	*ret_hex = '\0';
}

int sigv4_hash(const void *data, size_t len, char ret_hex[SIGV4_HEX], struct shale_err *err)
{
	struct digest digest;

	if (digest_of(data, len, &digest, err) < 0)
		return -1;
	hex_of(digest.sum, ret_hex);
	return 0;
}

/* In place is fine: the key is read before the sum is written. */
static int hmac(const void *key, size_t key_len, const char *text, unsigned char ret_sum[DIGEST_BYTES],
		struct shale_err *err)
{
	unsigned int len = DIGEST_BYTES;

	if (HMAC(EVP_sha256(), key, key_len, (const unsigned char *)text, strlen(text), ret_sum, &len))
		return 0;
	return shale_err_set(err, ENOMEM, "libcrypto gives no HMAC");
}

/* Values lose spaces around them, and runs of spaces in them become one. */
static int add_trimmed(struct buf *text, const char *value)
{
	bool pending = false;

	while (isspace((unsigned char)*value))
		value++;
	for (; *value; value++) {
		if (isspace((unsigned char)*value)) {
			pending = true;
			continue;
		}
		if ((pending && buf_addc(text, ' ') < 0) || buf_addc(text, *value) < 0)
			return -1;
		pending = false;
	}
	return 0;
}

/* Insertion keeps equal names in their order. */
static void sort_headers(const struct sigv4_request *request, const struct sigv4_header **sorted)
{
	for (size_t i = 0; i < request->header_count; i++) {
		size_t at = i;

		while (at && strcmp(sorted[at - 1]->name, request->headers[i].name) > 0) {
			sorted[at] = sorted[at - 1];
			at--;
		}
		sorted[at] = &request->headers[i];
	}
}

static bool is_same_name(const struct sigv4_header **sorted, size_t i)
{
	return i && !strcmp(sorted[i - 1]->name, sorted[i]->name);
}

static int add_headers(struct buf *text, const struct sigv4_header **sorted, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (is_same_name(sorted, i) ? buf_addc(text, ',') < 0
					    : buf_addf(text, "%s%s:", i ? "\n" : "",
						       sorted[i]->name) < 0)
			return -1;
		if (add_trimmed(text, sorted[i]->value) < 0)
			return -1;
	}
	return count ? buf_addc(text, '\n') : 0;
}

static int add_names(struct buf *text, const struct sigv4_request *request)
{
	const struct sigv4_header *sorted[SIGV4_MAX_HEADERS];

	sort_headers(request, sorted);
	for (size_t i = 0; i < request->header_count; i++)
		if (!is_same_name(sorted, i) &&
		    buf_addf(text, "%s%s", i ? ";" : "", sorted[i]->name) < 0)
			return -1;
	return 0;
}

int sigv4_canonical(const struct sigv4_request *request, struct buf *ret_text,
		    struct shale_err *err)
{
	const struct sigv4_header *sorted[SIGV4_MAX_HEADERS];

	if (request->header_count > SIGV4_MAX_HEADERS)
		return shale_err_set(err, E2BIG, "signing a request: more than %d headers",
				     SIGV4_MAX_HEADERS);
	sort_headers(request, sorted);
	if (buf_addf(ret_text, "%s\n%s\n%s\n", request->method, request->path, request->query) < 0 ||
	    add_headers(ret_text, sorted, request->header_count) < 0 ||
	    buf_addc(ret_text, '\n') < 0 || add_names(ret_text, request) < 0 ||
	    buf_addf(ret_text, "\n%s", request->payload) < 0)
		return no_memory(err);
	return 0;
}

static int make_scope(const struct sigv4_creds *creds, const char *date, char ret_scope[SCOPE_MAX],
		      struct shale_err *err)
{
	int len = snprintf(ret_scope, SCOPE_MAX, "%.*s/%s/%s/aws4_request", DAY_LEN, date,
			   creds->region, creds->service);

	if (len < 0 || len >= SCOPE_MAX)
		return shale_err_set(err, EINVAL, "signing a request: the region '%.40s...' is too long",
				     creds->region);
	return 0;
}

/* The key of one day, region and service. */
static int derive_key(const struct sigv4_creds *creds, const char *date,
		      unsigned char ret_key[DIGEST_BYTES], struct shale_err *err)
{
	__cleanup_buf struct buf secret = BUF_INIT;
	char day[DAY_LEN + 1] = { 0 };
	int status;

	memcpy(day, date, DAY_LEN);
	if (buf_addf(&secret, "AWS4%s", creds->secret_key) < 0)
		return no_memory(err);
	status = hmac(secret.data, secret.len, day, ret_key, err);
	explicit_bzero(secret.data, secret.len);
	if (status < 0 || hmac(ret_key, DIGEST_BYTES, creds->region, ret_key, err) < 0 ||
	    hmac(ret_key, DIGEST_BYTES, creds->service, ret_key, err) < 0)
		return -1;
	return hmac(ret_key, DIGEST_BYTES, "aws4_request", ret_key, err);
}

static int sign_canonical(const struct sigv4_creds *creds, const char *date, const char *scope,
			  const struct buf *canonical, char ret_signature[SIGV4_HEX],
			  struct shale_err *err)
{
	__cleanup_buf struct buf text = BUF_INIT;
	unsigned char sum[DIGEST_BYTES];
	char hash[SIGV4_HEX];

	if (sigv4_hash(canonical->data, canonical->len, hash, err) < 0)
		return -1;
	if (buf_addf(&text, ALGORITHM "\n%s\n%s\n%s", date, scope, hash) < 0)
		return no_memory(err);
	if (derive_key(creds, date, sum, err) < 0 ||
	    hmac(sum, sizeof(sum), buf_str(&text), sum, err) < 0)
		return -1;
	hex_of(sum, ret_signature);
	return 0;
}

int sigv4_authorize(const struct sigv4_creds *creds, const struct sigv4_request *request,
		    struct buf *ret_value, struct shale_err *err)
{
	__cleanup_buf struct buf canonical = BUF_INIT;
	char signature[SIGV4_HEX];
	char scope[SCOPE_MAX];
	char date[SIGV4_DATE];

	sigv4_date(request->when, date);
	if (make_scope(creds, date, scope, err) < 0 ||
	    sigv4_canonical(request, &canonical, err) < 0 ||
	    sign_canonical(creds, date, scope, &canonical, signature, err) < 0)
		return -1;
	if (buf_addf(ret_value, ALGORITHM " Credential=%s/%s, SignedHeaders=", creds->access_key,
		     scope) < 0 ||
	    add_names(ret_value, request) < 0 ||
	    buf_addf(ret_value, ", Signature=%s", signature) < 0)
		return no_memory(err);
	return 0;
}

/* All parameters of the link but the signature, sorted and encoded. */
static int link_query(const struct sigv4_creds *creds, const struct sigv4_link *link,
		      const char *date, const char *scope, struct buf *ret_query,
		      struct shale_err *err)
{
	struct url_param all[REMOTE_MAX_PARAMS];
	__cleanup_free char *credential = NULL;
	char expires[16];
	const struct url_param own[] = {
		{ "X-Amz-Algorithm", ALGORITHM },    { "X-Amz-Credential", NULL },
		{ "X-Amz-Date", date },		     { "X-Amz-Expires", expires },
		{ "X-Amz-SignedHeaders", "host" },
	};
	const size_t own_count = sizeof(own) / sizeof(*own);

	if (link->param_count + own_count > REMOTE_MAX_PARAMS)
		return shale_err_set(err, E2BIG, "signing a URL: more than %d parameters",
				     REMOTE_MAX_PARAMS);
	snprintf(expires, sizeof(expires), "%u", link->expires);
	if (asprintf(&credential, "%s/%s", creds->access_key, scope) < 0)
		return no_memory(err);
	memcpy(all, own, sizeof(own));
	all[1].value = credential;
	if (link->param_count)
		memcpy(all + own_count, link->params, link->param_count * sizeof(*all));
	if (remote_url_query(ret_query, all, own_count + link->param_count) < 0)
		return no_memory(err);
	return 0;
}

int sigv4_presign(const struct sigv4_creds *creds, const struct sigv4_link *link,
		  struct buf *ret_query, struct shale_err *err)
{
	const struct sigv4_header host = { "host", link->host };
	__cleanup_buf struct buf canonical = BUF_INIT;
	__cleanup_buf struct buf query = BUF_INIT;
	char signature[SIGV4_HEX];
	char scope[SCOPE_MAX];
	char date[SIGV4_DATE];

	if (!link->expires || link->expires > SIGV4_MAX_EXPIRES)
		return shale_err_set(err, EINVAL, "signing a URL: good for %u seconds, not 1 to %u",
				     link->expires, SIGV4_MAX_EXPIRES);
	sigv4_date(link->when, date);
	if (make_scope(creds, date, scope, err) < 0 ||
	    link_query(creds, link, date, scope, &query, err) < 0)
		return -1;
	const struct sigv4_request request = {
		.method = link->method,
		.path = link->path,
		.query = buf_str(&query),
		.headers = &host,
		.header_count = 1,
		.payload = SIGV4_UNSIGNED,
	};
	if (sigv4_canonical(&request, &canonical, err) < 0 ||
	    sign_canonical(creds, date, scope, &canonical, signature, err) < 0)
		return -1;
	if (buf_addf(ret_query, "%s&X-Amz-Signature=%s", buf_str(&query), signature) < 0)
		return no_memory(err);
	return 0;
}
