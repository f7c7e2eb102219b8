/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Uploads: a session in the bucket that takes bytes in as many requests as the client likes, from any
 * server on the bucket, and becomes a blob when its digest is right. What was acknowledged survives; the
 * hash of it is kept beside it, so that going on costs nothing.
 */
#ifndef SHALE_REGISTRY_UPLOAD_H
#define SHALE_REGISTRY_UPLOAD_H

#include "registry/reg.h"

/* A UUID's text. */
#define UPLOAD_ID_LEN 36

struct upload {
	struct reg *reg;
	char repo[NAME_MAX_REPO + 1];
	char id[UPLOAD_ID_LEN + 1];
	bool is_session; /* the client can come back to it */
	struct bucket_writer *writer;
	struct summer summer;
	uint64_t loaded; /* the offset of the hash state that was read; UINT64_MAX: none */
	uint64_t began;  /* the size when this request opened it */
	bool is_counted; /* what it brings counts for its quota already */
};

struct upload_claims *upload_claims_new(void);
void upload_claims_free(struct upload_claims *claims);

bool upload_is_id(const char *text);
/* No request of this server has it. */
bool upload_is_free(struct reg *reg, const char *id);
/* A session for later requests; its id has UPLOAD_ID_LEN characters. */
int upload_make_session(struct reg *reg, const char *repo, enum sum_kind kind, char *ret_id,
			struct shale_err *err);
/* An upload that this request begins and ends. */
int upload_create(struct reg *reg, const char *repo, enum sum_kind kind,
		  struct upload **ret_upload, struct shale_err *err);
/*
 * Goes on with a session. ENOENT: there is none. EBUSY: another request has it, and kept it for longer
 * than we wait.
 */
int upload_open(struct reg *reg, const char *repo, const char *id, struct upload **ret_upload,
		struct shale_err *err);
uint64_t upload_size(const struct upload *upload);
/*
 * What a request is about to write: bytes UINT64_MAX, it does not say how many; sum NULL, nor what it will be. A
 * quota may refuse it.
 */
int upload_expect(struct upload *upload, uint64_t bytes, const struct sum *sum,
		  struct shale_err *err);
int upload_write(struct upload *upload, const void *data, size_t len, struct shale_err *err);
/* The three ends; each frees it. keep: to be gone on with, if it is a session, else as cancel. */
int upload_keep(struct upload *upload, struct shale_err *err);
/*
 * Makes it a blob of the repository, and ends the session, whatever comes of it. EBADMSG: its digest is
 * another one.
 */
int upload_finish(struct upload *upload, const struct sum *sum, struct shale_err *err);
void upload_cancel(struct upload *upload);

#endif
