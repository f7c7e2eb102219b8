/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What remote_http.c and remote_stream.c share and nobody else sees: curl handles of a store's
 * connections, set up as the store's options say.
 */
#ifndef SHALE_REGISTRY_REMOTE_CURL_H
#define SHALE_REGISTRY_REMOTE_CURL_H

#include <curl/curl.h>

#include "registry/remote_http.h"

/* NULL: no memory. Put back, its connection is kept for the next call. */
CURL *remote_handle_get(struct remote *remote);
void remote_handle_put(struct remote *remote, CURL *curl);
/* The same for handles of streams, which keep the connections of what they drive. */
CURLM *remote_multi_get(struct remote *remote);
void remote_multi_put(struct remote *remote, CURLM *multi);
void remote_handle_setup(const struct remote *remote, CURL *curl, const char *url,
			 const char *method);

void remote_answer_clear(struct remote_answer *answer);
/* A CURLOPT_HEADERFUNCTION; ctx is the answer. */
size_t remote_take_header(char *line, size_t size, size_t count, void *ctx);

unsigned int remote_stall_seconds(const struct remote *remote, unsigned int wanted);
/* Fills err for a failure of curl. -1. */
int remote_http_fail(CURLcode code, const char *what, const char *detail, struct shale_err *err);

#endif
