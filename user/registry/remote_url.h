/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * URLs of object stores: where the store is, percent-encoding, and queries. A request is signed over
 * the bytes of its path and query, so these are put together once, here, and both the URL that is
 * asked for and the signature are made of the same bytes.
 */
#ifndef SHALE_REGISTRY_REMOTE_URL_H
#define SHALE_REGISTRY_REMOTE_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* RFC 1035: 253 characters of name; a port and brackets on top. */
#define REMOTE_MAX_HOST 272
/* Whatever stands in front of the keys in a URL: proxies seldom take more than 8 KiB of request line. */
#define REMOTE_MAX_BASE 1024

/* Where a store answers: scheme, host with its port unless that is the scheme's own, path without a final slash. */
struct remote_url {
	bool is_tls;
	char host[REMOTE_MAX_HOST];
	char path[REMOTE_MAX_BASE];
};

/*
 * "https://host[:port][/path]"; without a scheme it is https. A user, a query or a fragment is refused.
 * @what names the text in messages.
 */
int remote_url_parse(const char *text, const char *what, struct remote_url *ret_url,
		     struct shale_err *err);

/* "scheme://host". */
int remote_url_origin(const struct remote_url *url, struct buf *buf);

/* Appends the text with all but RFC 3986's unreserved characters encoded; with keep_slash also all but '/'. */
int remote_url_encode(struct buf *buf, const char *text, bool keep_slash);

/* One parameter of a query, not encoded. */
struct url_param {
	const char *name;
	const char *value;
};

/* A query may have this many parameters: pre-signed URLs have eight. */
#define REMOTE_MAX_PARAMS 16

/* Appends "a=1&b=2", encoded, sorted by encoded name and value. -1 with errno: ENOMEM, or E2BIG. */
int remote_url_query(struct buf *buf, const struct url_param *params, size_t count);

#endif
