/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Signature version 4 of AWS, which S3 and all that speak its language verify: over a request's
 * headers, or within a URL that anybody may use for a while. Own, since libcurl's signer neither sorts a
 * query nor makes URLs. The description is public: "Authenticating Requests (AWS Signature Version 4)".
 */
#ifndef SHALE_REGISTRY_SIGV4_H
#define SHALE_REGISTRY_SIGV4_H

#include <stddef.h>
#include <time.h>

#include "base/buf.h"
#include "base/err.h"
#include "registry/remote_url.h"

/* What stands for the payload's hash where it is not signed. */
#define SIGV4_UNSIGNED "UNSIGNED-PAYLOAD"
/* "20150830T123600Z" with its NUL. */
#define SIGV4_DATE     17
/* Lower-case hex of SHA-256 with its NUL. */
#define SIGV4_HEX      65
/* Signed headers of one request. */
#define SIGV4_MAX_HEADERS 16
/* A signed URL is good for at most a week, says AWS. */
#define SIGV4_MAX_EXPIRES (7 * 24 * 3600)

struct sigv4_creds {
	const char *access_key;
	const char *secret_key;
	const char *region;
	const char *service;
};

/* Names in lower case, in any order; the same name twice is two values, in their order. */
struct sigv4_header {
	const char *name;
	const char *value;
};

/*
 * @path:    encoded, as it stands in the URL.
 * @query:   as remote_url_query() makes it, "" without one.
 * @headers: what is signed: host, and all that begin with x-amz-.
 * @payload: the body's SHA-256 in hex, or SIGV4_UNSIGNED.
 */
struct sigv4_request {
	const char *method;
	const char *path;
	const char *query;
	const struct sigv4_header *headers;
	size_t header_count;
	const char *payload;
	time_t when;
};

void sigv4_date(time_t when, char ret_date[SIGV4_DATE]);
int sigv4_hash(const void *data, size_t len, char ret_hex[SIGV4_HEX], struct shale_err *err);

/* The text of which the hash is signed; for tests and for those who debug a refusal. */
int sigv4_canonical(const struct sigv4_request *request, struct buf *ret_text,
		    struct shale_err *err);

/* The value of the header Authorization. x-amz-date must be among the headers, and be sigv4_date(when). */
int sigv4_authorize(const struct sigv4_creds *creds, const struct sigv4_request *request,
		    struct buf *ret_value, struct shale_err *err);

/*
 * The query that makes a URL of path a signed one, good for so many seconds. params are the caller's own;
 * with a session token it is one of them (X-Amz-Security-Token). host is all that is signed besides.
 */
struct sigv4_link {
	const char *method;
	const char *host;
	const char *path;
	const struct url_param *params;
	size_t param_count;
	unsigned int expires;
	time_t when;
};

int sigv4_presign(const struct sigv4_creds *creds, const struct sigv4_link *link,
		  struct buf *ret_query, struct shale_err *err);

#endif
