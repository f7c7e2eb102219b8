/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the S3 driver share: the bucket's address and keys, and how a request is made of them.
 * drv_s3.c reads the configuration, s3_call.c sends and understands, s3_object.c and s3_multipart.c are the
 * calls of remote_store.h.
 */
#ifndef SHALE_REGISTRY_S3_H
#define SHALE_REGISTRY_S3_H

#include "registry/remote_store.h"
#include "registry/remote_url.h"
#include "registry/s3_plan.h"
#include "registry/sigv4.h"

/* Answers other than lists: a part's or an object's ETag. */
#define S3_MAX_ANSWER (64u << 10)
/* The store's own work (copies, putting parts together) may take this long without a byte. */
#define S3_WORK_SECONDS 300

struct s3_store {
	struct remote_store base;
	struct remote_url url; /* its host has the bucket's name in front unless is_path_style */
	bool is_path_style;
	char *bucket;
	char *access_key;
	char *secret_key;
	char *session_token; /* NULL: none */
	char *region;
	/* Headers of what is written; NULL: none. */
	char *encryption;
	char *encryption_key;
	char *storage_class;
	char *acl;
	uint64_t copy_threshold; /* above it, an object is copied in parts */
	uint64_t copy_size;	 /* of these parts */
	time_t abandon_seconds;	 /* age at which an upload that is open belongs to a dead server */
	time_t swept;		 /* when abandoned uploads were last looked for; atomic */
};

static inline struct s3_store *s3_of(struct remote_store *store)
{
	return (struct s3_store *)store;
}

/* Headers of one call beside what each has; a NULL value is no header. */
#define S3_MAX_EXTRA 8

struct s3_call {
	struct s3_store *store;
	const char *method;
	const char *key; /* NULL: the bucket itself */
	struct url_param params[REMOTE_MAX_PARAMS];
	size_t param_count;
	struct sigv4_header extra[S3_MAX_EXTRA]; /* names in lower case */
	size_t extra_count;
	struct remote_body body;
	const char *hash; /* of the body; NULL: of an empty one */
	size_t max;
	bool is_once;
	bool is_work; /* the store has something to do */

	/* Filled by s3_call_begin(), freed by s3_call_end(). */
	struct buf path;
	struct buf query;
	struct buf url;
	struct buf what;
};

#define S3_CALL(STORE, METHOD, KEY)                                                                \
	{                                                                                          \
		.store = (STORE), .method = (METHOD), .key = (KEY), .body = REMOTE_NO_BODY,        \
		.max = S3_MAX_ANSWER,                                                              \
	}
#define __cleanup_s3_call __attribute__((cleanup(s3_call_end)))

void s3_call_param(struct s3_call *call, const char *name, const char *value);
void s3_call_header(struct s3_call *call, const char *name, const char *value);
void s3_call_when(struct s3_call *call, const struct remote_when *when);
/* The headers of what is written. */
void s3_call_for_writing(struct s3_call *call);

/* The call as remote_http.h's; its strings live as long as this one. */
int s3_call_begin(struct s3_call *call, struct remote_call *ret_call, struct shale_err *err);
void s3_call_end(struct s3_call *call);
/* -1 unless the answer is a success, with the code of driver.h. */
int s3_call_run(struct s3_call *call, struct remote_answer *ret_answer, struct shale_err *err);
/* Fills err from an answer that is no success. -1. */
int s3_answer_fail(const struct s3_call *call, const struct remote_answer *answer,
		   struct shale_err *err);
/* Size, time and ETag of an answer's headers. */
int s3_answer_info(const struct s3_call *call, const struct remote_answer *answer,
		   struct remote_info *ret_info, struct shale_err *err);
/* "2026-11-26T12:00:00.000Z"; 0 when it is not that. */
int64_t s3_parse_time(const char *text);

/* s3_object.c */
int s3_head(struct remote_store *store, const char *key, struct remote_info *ret_info,
	    struct shale_err *err);
int s3_open(struct remote_store *store, const char *key, uint64_t offset, bool is_newest,
	    struct remote_info *ret_info, struct remote_stream **ret_stream, struct shale_err *err);
int s3_put(struct remote_store *store, const char *key, const struct remote_body *body,
	   const char *hash, const struct remote_when *when, struct shale_err *err);
int s3_remove(struct remote_store *store, const char *key, const struct remote_when *when,
	      struct shale_err *err);
int s3_list(struct remote_store *store, struct remote_listing *listing, remote_key_fn each,
	    void *ctx, struct shale_err *err);
/* Reads the answer to a list. */
int s3_read_page(struct remote_listing *listing, const void *data, size_t len, remote_key_fn each,
		 void *ctx, struct shale_err *err);
int s3_link(struct remote_store *store, const char *key, const char *method, unsigned int seconds,
	    struct buf *url, struct shale_err *err);

/* s3_multipart.c: an object made of ranges of others. */
int s3_compose(struct s3_store *store, const struct s3_source *sources, size_t count,
	       const char *to, struct shale_err *err);
int s3_move(struct remote_store *store, const char *from, const char *to, struct shale_err *err);

/* s3_pieces.c */
int s3_pieces_load(struct remote_store *store, const char *key, struct remote_pieces *ret_pieces,
		   struct shale_err *err);
int s3_pieces_put(struct remote_store *store, const char *key, struct remote_pieces *pieces,
		  const struct remote_body *body, const char *hash, struct shale_err *err);
int s3_pieces_cut(struct remote_store *store, const char *key, struct remote_pieces *pieces,
		  size_t index, struct shale_err *err);
int s3_pieces_commit(struct remote_store *store, const char *key, struct remote_pieces *pieces,
		     const char *to, struct shale_err *err);
int s3_pieces_discard(struct remote_store *store, const char *key, struct shale_err *err);
int s3_piece_key(struct remote_store *store, const char *key, const struct remote_pieces *pieces,
		 size_t index, struct buf *ret_key, uint64_t *ret_offset, struct shale_err *err);

#endif
