/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What fetch.c and fetch_transfer.c share: the blobs that are being fetched, and one part of one of them
 * with its request.
 */
#ifndef SHALE_CLIENT_FETCH_TRANSFER_H
#define SHALE_CLIENT_FETCH_TRANSFER_H

#include "client/fetch.h"

struct fetch_transfer {
	struct fetch *fetch;
	struct fetch_blob *blob;
	struct download_part *part;
	struct web_request request;
	uint64_t due;	      /* when it is started again */
	uint64_t skip;	      /* bytes that come and are there already */
	uint64_t failed_done; /* where the part stood when it last broke */
	bool is_ranged;
	bool is_running;
	bool is_our_fault;  /* the disk's, not the registry's */
	bool has_no_ranges; /* the answer is to a request without a range */
};

enum fetch_state { FETCH_IDLE, FETCH_ACTIVE, FETCH_READY };

struct fetch_blob {
	struct digest digest;
	struct digest_text text;
	uint64_t size;
	enum fetch_state state; /* set to ready under the lock */
	uint64_t look_at;	/* an idle one that others fetch: when to look again */
	uint64_t reported;	/* bytes, in the last event */
	size_t remote;		/* which one it comes from */
	bool has_no_ranges;
	bool was_wrong;	 /* once, its digest */
	bool is_refused; /* for what came, not for want of an answer */
	struct download download;
	size_t transfer_count;
	struct fetch_transfer *transfers; /* one for each part */
};

struct fetch {
	struct fetch_opts opts;
	int dirfd;
	size_t count;
	struct fetch_blob *blobs;
	size_t held; /* whole downloads, open and locked until the end */
	bool is_out_of_room;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool has_ended;
};

/* Milliseconds of a clock that only goes forward. */
uint64_t fetch_now(void);
int fetch_report(struct fetch *fetch, struct fetch_blob *blob, enum shale_event_kind kind,
		 uint64_t done, struct shale_err *err);

void transfer_init(struct fetch_transfer *transfer, struct fetch *fetch, struct fetch_blob *blob,
		   struct download_part *part);
/* Ends what is under way; the next try is the first one of another remote. */
void transfer_reset(struct fetch_transfer *transfer);
bool transfer_is_due(const struct fetch_transfer *transfer, uint64_t now);
int transfer_start(struct fetch_transfer *transfer, struct shale_err *err);
/* Its request is done: 0 when the part is there or another try is due, -1 when it is of no use. */
int transfer_end(struct fetch_transfer *transfer, struct shale_err *err);

#endif
