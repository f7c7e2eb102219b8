/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The decision at the door: who sent a request, and may they do it. The server asks once for each
 * request, after the path has been understood and before anything is looked up, and answers with
 * the status, the challenge and the actor it gets. Safe from any thread.
 */
#ifndef SHALE_REGISTRY_ACCESS_H
#define SHALE_REGISTRY_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "registry/grant.h"
#include "registry/htpasswd.h"
#include "registry/jwk.h"
#include "registry/policy.h"

enum access_mode {
	ACCESS_OPEN, /* nobody is asked; a policy sees everybody as not logged in */
	ACCESS_HTPASSWD,
	ACCESS_TOKEN,
};

/* All is borrowed, and outlives every decision. */
struct access {
	enum access_mode mode;
	const char *realm; /* htpasswd: a text; token: a URL, or NULL: @path on this server */
	const char *path;
	const char *service;	     /* token: the audience */
	const char *issuer;	     /* token */
	unsigned int algorithms;     /* token: JWT_BIT */
	const struct jwk_ring *keys; /* token */
	struct htpasswd *htpasswd;   /* htpasswd */
	const struct policy *policy; /* may be NULL */
};

enum access_verdict {
	ACCESS_ALLOWED,
	ACCESS_UNKNOWN, /* 401 UNAUTHORIZED, with WWW-Authenticate: challenge */
	ACCESS_DENIED,	/* 403 DENIED: known, and not allowed; to ask again is no use */
	ACCESS_BUSY,	/* 503 UNAVAILABLE with Retry-After: 1 */
};

struct access_request {
	const char *authorization; /* the header's value; NULL: none */
	const char *scheme;	   /* "http" or "https", as the client sees it */
	const char *host;	   /* of the Host header */
	const struct grant *wanted;
	size_t count; /* 0: /v2/, where only who it is matters */
	time_t now;
};

struct access_answer {
	enum access_verdict verdict;
	char actor[HTPASSWD_MAX_USER + 1]; /* "": nobody */
	char *challenge;		   /* malloc'ed; NULL unless ACCESS_UNKNOWN */
	char reason[256];		   /* for the log */
};

/*
 * What a request wants, as distribution has it: GET and HEAD pull; POST, PUT and PATCH pull and
 * push; DELETE delete; @from, the source of a mount or NULL, is pulled from. A @repository of NULL
 * is the catalog. Returns the number of grants filled in, at most 2.
 */
size_t access_want(const char *method, const char *repository, const char *from,
		   struct grant ret_wanted[2]);

void access_decide(const struct access *access, const struct access_request *request,
		   struct access_answer *ret_answer);
/* Whether the decision may need a slow password hash, and so a thread that may sleep. */
bool access_may_sleep(const struct access *access, const char *authorization);
void access_answer_release(struct access_answer *answer);

#endif
