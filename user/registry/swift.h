/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the Swift driver share: the account, its token, and how a request is made. drv_swift.c
 * reads the configuration, swift_auth.c gets tokens, swift_call.c sends and understands, swift_object.c and
 * swift_pieces.c are the calls of remote_store.h.
 *
 * An object that was written in pieces stays in pieces: it is a static large object (SLO), whose manifest
 * names segments .shale/segments/ID/NUMBER. What is written is never copied.
 */
#ifndef SHALE_REGISTRY_SWIFT_H
#define SHALE_REGISTRY_SWIFT_H

#include "registry/remote_store.h"
#include "registry/remote_url.h"

/* A token of Keystone's older kind (PKI) takes kilobytes; a header has 8 KiB. */
#define SWIFT_MAX_TOKEN 8000
/* Answers other than lists: /info, an error, a deletion's report. */
#define SWIFT_MAX_ANSWER (256u << 10)
/* A token is replaced so many seconds before it ends. */
#define SWIFT_TOKEN_MARGIN 60
/* The store's own work: copies, and looking at all segments of a manifest. */
#define SWIFT_WORK_SECONDS 300
#define SWIFT_SEGMENTS	   REMOTE_HIDDEN "/segments/"

/* What the configuration says; strings are ours, NULL where it says nothing. */
struct swift_login {
	unsigned int version; /* 1 or 3 */
	char *url;
	char *user;
	char *password;
	char *user_domain;
	char *user_domain_id;
	char *project;
	char *project_id;
	char *project_domain;
	char *project_domain_id;
	char *trust_id;
	char *region;
	char *interface; /* "public"... */
};

/* One success of logging in. */
struct swift_session {
	char token[SWIFT_MAX_TOKEN + 1];
	struct remote_url url; /* of the account */
	time_t until;	       /* 0: not known */
};

struct swift_store {
	struct remote_store base;
	struct swift_login login;
	char *container;
	char *dynamic_root; /* in front of the segments of dynamic large objects that are ours to remove */
	char *link_key;	    /* of signed URLs; NULL: there are none */
	pthread_mutex_t lock;
	struct swift_session session; /* under the lock; no token: none */
	uint64_t max_segments;	      /* of one manifest */
};

static inline struct swift_store *swift_of(struct remote_store *store)
{
	return (struct swift_store *)store;
}

/* swift_auth.c */

/* The session that is there, or a new one. */
int swift_session_get(struct swift_store *store, struct swift_session *ret_session,
		      struct shale_err *err);
/* Its token has been refused. */
void swift_session_drop(struct swift_store *store, const char *token);

/* swift_call.c */

#define SWIFT_MAX_HEADERS 6

struct swift_header {
	const char *name;
	const char *value;
};

struct swift_call {
	struct swift_store *store;
	const char *method;
	const char *key; /* NULL: the container */
	bool is_info;	 /* neither: what the server can do */
	struct url_param params[REMOTE_MAX_PARAMS];
	size_t param_count;
	struct swift_header headers[SWIFT_MAX_HEADERS];
	size_t header_count;
	struct remote_body body;
	size_t max;
	bool is_once;
	bool is_work;

	/* Filled by swift_call_begin(), freed by swift_call_end(). */
	struct buf url;
	struct buf what;
	char *token; /* that was last sent */
};

#define SWIFT_CALL(STORE, METHOD, KEY)                                                             \
	{                                                                                          \
		.store = (STORE), .method = (METHOD), .key = (KEY), .body = REMOTE_NO_BODY,        \
		.max = SWIFT_MAX_ANSWER,                                                           \
	}
#define __cleanup_swift_call __attribute__((cleanup(swift_call_end)))

void swift_call_param(struct swift_call *call, const char *name, const char *value);
void swift_call_header(struct swift_call *call, const char *name, const char *value);
int swift_call_begin(struct swift_call *call, struct remote_call *ret_call, struct shale_err *err);
void swift_call_end(struct swift_call *call);
int swift_call_run(struct swift_call *call, struct remote_answer *ret_answer,
		   struct shale_err *err);
int swift_answer_fail(const struct swift_call *call, const struct remote_answer *answer,
		      struct shale_err *err);
int swift_answer_info(const struct swift_call *call, const struct remote_answer *answer,
		      struct remote_info *ret_info, struct shale_err *err);

/* swift_object.c */
int swift_head(struct remote_store *store, const char *key, struct remote_info *ret_info,
	       struct shale_err *err);
int swift_open(struct remote_store *store, const char *key, uint64_t offset, bool is_newest,
	       struct remote_info *ret_info, struct remote_stream **ret_stream,
	       struct shale_err *err);
int swift_put(struct remote_store *store, const char *key, const struct remote_body *body,
	      const char *hash, const struct remote_when *when, struct shale_err *err);
int swift_remove(struct remote_store *store, const char *key, const struct remote_when *when,
		 struct shale_err *err);
int swift_move(struct remote_store *store, const char *from, const char *to,
	       struct shale_err *err);
int swift_list(struct remote_store *store, struct remote_listing *listing, remote_key_fn each,
	       void *ctx, struct shale_err *err);
/* Reads the answer to a list. */
int swift_read_page(struct remote_listing *listing, unsigned int page_size, const struct buf *body,
		    remote_key_fn each, void *ctx, struct shale_err *err);
int swift_link(struct remote_store *store, const char *key, const char *method,
	       unsigned int seconds, struct buf *url, struct shale_err *err);

/* swift_pieces.c */

/* The id whose segments a large object at key has; "" when there is none, or they are not ours. */
int swift_segments_of(struct swift_store *store, const char *key, char ret_id[40],
		      struct shale_err *err);
int swift_segments_remove(struct swift_store *store, const char *id, struct shale_err *err);
/* Reads what PATH/.shale says of pieces, and the key they are being committed to. */
int swift_read_pointer(const struct buf *text, const char *what, struct remote_pieces *pieces,
		       struct buf *ret_to, struct shale_err *err);
int swift_pieces_load(struct remote_store *store, const char *key,
		      struct remote_pieces *ret_pieces, struct shale_err *err);
int swift_pieces_put(struct remote_store *store, const char *key, struct remote_pieces *pieces,
		     const struct remote_body *body, const char *hash, struct shale_err *err);
int swift_pieces_cut(struct remote_store *store, const char *key, struct remote_pieces *pieces,
		     size_t index, struct shale_err *err);
int swift_pieces_commit(struct remote_store *store, const char *key, struct remote_pieces *pieces,
			const char *to, struct shale_err *err);
int swift_pieces_discard(struct remote_store *store, const char *key, struct shale_err *err);
int swift_piece_key(struct remote_store *store, const char *key, const struct remote_pieces *pieces,
		    size_t index, struct buf *ret_key, uint64_t *ret_offset, struct shale_err *err);
int swift_remove_hidden(struct remote_store *store, const char *key, struct shale_err *err);

#endif
