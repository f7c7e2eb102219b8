/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the Azure driver share: the account and its key, and how a request is made. drv_azure.c
 * reads the configuration, azure_call.c signs, sends and understands, azure_object.c and azure_pieces.c are the
 * calls of remote_store.h.
 */
#ifndef SHALE_REGISTRY_AZURE_H
#define SHALE_REGISTRY_AZURE_H

#include "registry/remote_store.h"
#include "registry/remote_url.h"

/* Azure's keys are 64 bytes. */
#define AZURE_MAX_KEY 256
/* One request puts at most 5000 MiB as a blob and 4000 MiB as a block; a blob has at most 50,000 blocks. */
#define AZURE_MAX_BLOCK	 (4000ull << 20)
#define AZURE_MAX_BLOCKS 50000
/* Answers other than lists. */
#define AZURE_MAX_ANSWER (64u << 10)
/* Base64 of SHA-256, with its NUL. */
#define AZURE_SIGNATURE 45

struct azure_store {
	struct remote_store base;
	struct remote_url url; /* of the account */
	char *account;
	char *container;
	unsigned char key[AZURE_MAX_KEY];
	size_t key_len;
	/* How long a copy is waited for. */
	unsigned int poll_ms;
	unsigned int poll_count;
};

static inline struct azure_store *azure_of(struct remote_store *store)
{
	return (struct azure_store *)store;
}

#define AZURE_MAX_HEADERS 6

struct azure_header {
	const char *name; /* in lower case */
	const char *value;
};

struct azure_call {
	struct azure_store *store;
	const char *method;
	const char *key; /* NULL: the container */
	struct url_param params[REMOTE_MAX_PARAMS];
	size_t param_count;
	struct azure_header headers[AZURE_MAX_HEADERS];
	size_t header_count;
	struct remote_body body;
	size_t max;
	bool is_once;

	/* Filled by azure_call_begin(), freed by azure_call_end(). */
	struct buf path;
	struct buf query;
	struct buf url;
	struct buf what;
};

#define AZURE_CALL(STORE, METHOD, KEY)                                                             \
	{                                                                                          \
		.store = (STORE), .method = (METHOD), .key = (KEY), .body = REMOTE_NO_BODY,        \
		.max = AZURE_MAX_ANSWER,                                                           \
	}
#define __cleanup_azure_call __attribute__((cleanup(azure_call_end)))

/* A NULL value is none. */
void azure_call_param(struct azure_call *call, const char *name, const char *value);
void azure_call_header(struct azure_call *call, const char *name, const char *value);
void azure_call_when(struct azure_call *call, const struct remote_when *when);
int azure_call_begin(struct azure_call *call, struct remote_call *ret_call, struct shale_err *err);
void azure_call_end(struct azure_call *call);
int azure_call_run(struct azure_call *call, struct remote_answer *ret_answer,
		   struct shale_err *err);
int azure_answer_fail(const struct azure_call *call, const struct remote_answer *answer,
		      struct shale_err *err);
int azure_answer_info(const struct azure_call *call, const struct remote_answer *answer,
		      struct remote_info *ret_info, struct shale_err *err);
/* Whether the blob is a copy that is not finished, or will not be. */
bool azure_answer_is_partial(const struct remote_answer *answer);
/* HMAC-SHA256 by the account's key, in base64. */
int azure_sign(const struct azure_store *store, const struct buf *text,
	       char ret_signature[AZURE_SIGNATURE], struct shale_err *err);

/* azure_object.c */
int azure_head(struct remote_store *store, const char *key, struct remote_info *ret_info,
	       struct shale_err *err);
int azure_open(struct remote_store *store, const char *key, uint64_t offset, bool is_newest,
	       struct remote_info *ret_info, struct remote_stream **ret_stream,
	       struct shale_err *err);
int azure_put(struct remote_store *store, const char *key, const struct remote_body *body,
	      const char *hash, const struct remote_when *when, struct shale_err *err);
int azure_remove(struct remote_store *store, const char *key, const struct remote_when *when,
		 struct shale_err *err);
int azure_move(struct remote_store *store, const char *from, const char *to,
	       struct shale_err *err);
int azure_list(struct remote_store *store, struct remote_listing *listing, remote_key_fn each,
	       void *ctx, struct shale_err *err);
/* Reads the answer to a list. */
int azure_read_page(struct remote_listing *listing, const void *data, size_t len,
		    remote_key_fn each, void *ctx, struct shale_err *err);
int azure_link(struct remote_store *store, const char *key, const char *method,
	       unsigned int seconds, struct buf *url, struct shale_err *err);

/* azure_pieces.c */
/* Reads the answer to a question for blocks. */
int azure_read_blocks(const void *data, size_t len, struct remote_pieces *ret_pieces,
		      struct shale_err *err);
int azure_pieces_load(struct remote_store *store, const char *key,
		      struct remote_pieces *ret_pieces, struct shale_err *err);
int azure_pieces_put(struct remote_store *store, const char *key, struct remote_pieces *pieces,
		     const struct remote_body *body, const char *hash, struct shale_err *err);
int azure_pieces_cut(struct remote_store *store, const char *key, struct remote_pieces *pieces,
		     size_t index, struct shale_err *err);
int azure_pieces_commit(struct remote_store *store, const char *key, struct remote_pieces *pieces,
			const char *to, struct shale_err *err);
int azure_pieces_discard(struct remote_store *store, const char *key, struct shale_err *err);
int azure_piece_key(struct remote_store *store, const char *key, const struct remote_pieces *pieces,
		    size_t index, struct buf *ret_key, uint64_t *ret_offset, struct shale_err *err);

#endif
