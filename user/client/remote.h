/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A repository on a registry, as requests see it: how the host is reached (https, or http where that is
 * allowed), who we are to it, and whether a request that failed is worth another try. What is asked for is
 * pull's and push's business.
 */
#ifndef SHALE_CLIENT_REMOTE_H
#define SHALE_CLIENT_REMOTE_H

#include "client/answer.h"
#include "client/creds.h"
#include "client/origin.h"
#include "client/tlsdir.h"
#include "client/web.h"

/* Tries of a request that fails for no fault of its own, unless the caller says otherwise. */
#define REMOTE_TRIES 5
/* The first wait between two tries; it doubles up to the longest. */
#define REMOTE_FIRST_WAIT_MSEC 500
#define REMOTE_MAX_WAIT_MSEC   30000
/* The longest wait a server may ask for with Retry-After; who asks for more is believed, and left. */
#define REMOTE_MAX_RETRY_AFTER 300
/* A token is not used any more when it is good for less than these seconds. */
#define REMOTE_TOKEN_MARGIN 10
/* Times one request may be told 401 and be sent again. */
#define REMOTE_MAX_CHALLENGES 2
/* Repositories a push may ask rights for at once. */
#define REMOTE_MAX_SCOPES 8192

struct remote {
	struct web *web;
	const struct shale_registry_opts *opts;
	struct origin origin;
	char *base; /* https://host:port */
	bool is_insecure;
	bool takes_schema1;
	struct tlsdir tlsdir;
	struct web_tls tls;

	struct answer_challenge challenge;
	struct creds creds;
	bool has_creds; /* they were looked for */
	struct buf scopes;
	char *authorization;
	bool wants_refresh;  /* for who logs in: to be kept instead of the password */
	char *refresh_token; /* what came of that, or NULL */
	time_t expires; /* CLOCK_MONOTONIC; 0: never */
};

#define __cleanup_remote __attribute__((cleanup(remote_close)))

/*
 * Finds out how the registry is reached and what it wants to know. @actions: "pull" or "pull,push".
 * @is_insecure: plain http and untrusted certificates will do; on this machine itself they always do.
 * @takes_schema1: docker's first kind of manifest will do.
 */
struct remote_wish {
	struct web *web;
	const struct shale_registry_opts *opts;
	const struct origin *origin;
	const char *actions; /* NULL: no repository is meant, only the registry */
	bool is_insecure;
	bool takes_schema1;
};
int remote_open(const struct remote_wish *wish, struct remote *ret_remote, struct shale_err *err);
/* The same in two steps: without a word to anybody, and what was left out, once it is needed. */
int remote_init(const struct remote_wish *wish, struct remote *ret_remote, struct shale_err *err);
int remote_connect(struct remote *remote, struct shale_err *err);
void remote_close(struct remote *remote);
/* Another repository whose blobs are to be read, for the next token. */
int remote_add_scope(struct remote *remote, const char *repository, const char *actions,
		     struct shale_err *err);

/* "BASE/v2/REPOSITORY/...": the URL of a request, whatever it had before. */
int remote_set_url(const struct remote *remote, struct web_request *request,
		   struct shale_err *err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* The three steps of a request. Makes it ready to be sent: with credentials, if they are wanted. */
int remote_prepare(struct remote *remote, struct web_request *request, struct shale_err *err);
/*
 * What to make of a request that is done: its answer is there (status 2xx, or @accepted), it can be tried
 * again after *ret_msec, or -1: err says why not.
 */
enum remote_verdict { REMOTE_GOOD, REMOTE_AGAIN };
int remote_judge(struct remote *remote, struct web_request *request, long accepted,
		 enum remote_verdict *ret_verdict, uint64_t *ret_msec, struct shale_err *err);

/* All three, until there is a verdict. */
int remote_request(struct remote *remote, struct web_request *request, long accepted,
		   struct shale_err *err);

/* Why a request failed, in words: what the connection met with, or what the registry says. */
int remote_fail(const struct web_request *request, struct shale_err *err);

#endif
