/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fetches the blobs of an image, several at once and big ones in parts, into the store's downloads and
 * from there into a session. One thread runs it, which owns the struct web and the remotes meanwhile;
 * others wait for the blob they need.
 */
#ifndef SHALE_CLIENT_FETCH_H
#define SHALE_CLIENT_FETCH_H

#include <pthread.h>

#include "client/download.h"
#include "client/remote.h"
#include "store/session.h"

/* Transfers at the same time: enough to fill a line, and what registries let one client have. */
#define FETCH_MAX_TRANSFERS 6
/* A blob is fetched in parts of at least this many bytes... */
#define FETCH_MIN_PART (32ull << 20)
/* ...and in so many of them at most. */
#define FETCH_MAX_PARTS 4
/* Whole downloads kept locked, so that a pull which fails later finds them again; a file each. */
#define FETCH_MAX_HELD 128
/* Bytes after which a transfer that broke counts as one that does work, and its tries start anew. */
#define FETCH_PROGRESS (1u << 20)

struct fetch_opts {
	struct web *web;
	struct remote *remotes; /* the first that has it: mirrors, then the registry */
	size_t remote_count;
	struct session *session;
	bool is_download_only; /* into downloads/, where the next run finds it */
	/* Each layer's events of downloading, from fetch_run()'s thread; -1 with err ends it. */
	int (*report)(void *arg, const struct shale_event *event, struct shale_err *err);
	void *arg;
};

struct fetch;

int fetch_open(const struct fetch_opts *opts, struct fetch **ret_fetch, struct shale_err *err);
/* One more blob; twice the same is once. */
int fetch_add(struct fetch *fetch, const struct digest *digest, uint64_t size,
	      struct shale_err *err);
/* Until all are there, or one cannot be had; err is not NULL. */
int fetch_run(struct fetch *fetch, struct shale_err *err);
/* Until a blob is in the session or the store; -1 when fetch_run() has ended without it. */
int fetch_wait(struct fetch *fetch, const struct digest *digest, struct shale_err *err);
/* What was downloaded is in the store now: its file here can go. */
void fetch_discard(struct fetch *fetch);
void fetch_close(struct fetch *fetch);

#endif
