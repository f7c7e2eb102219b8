/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The book of quotas: which link of which repository counts for which name, and what uploads have reserved. A
 * database of the process, made anew with each start; beyond what fits its cache it is in a file without
 * a name. Knows no limits and no bucket.
 */
#ifndef SHALE_REGISTRY_QUOTA_BOOK_H
#define SHALE_REGISTRY_QUOTA_BOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct quota_book;

int quota_book_open(struct quota_book **ret_book, struct shale_err *err);
void quota_book_close(struct quota_book *book);

struct quota_link {
	const char *name;
	const char *repo;
	int kind;
	const char *digest;
	uint64_t size;
};

/* What a link adds: false when it is there; bytes 0 when the name has the blob, repositories 0 or 1. */
bool quota_book_would_add(struct quota_book *book, const struct quota_link *link,
			  uint64_t *ret_bytes, uint64_t *ret_repositories);
bool quota_book_has(struct quota_book *book, const char *name, const char *digest);
bool quota_book_has_repo(struct quota_book *book, const char *repo);
int quota_book_add(struct quota_book *book, const struct quota_link *link, struct shale_err *err);
/* As would_add(), of what is less then. */
bool quota_book_remove(struct quota_book *book, const struct quota_link *link,
		       uint64_t *ret_bytes, uint64_t *ret_repositories);

/*
 * A count: what is added from here on is of it, and what was not seen until its end is forgotten. each is
 * called at the end for every name, with what it holds; it calls no book.
 */
int quota_book_count_begin(struct quota_book *book, struct shale_err *err);
typedef void (*quota_book_fn)(void *ctx, const char *name, uint64_t bytes, uint64_t repositories);
int quota_book_count_end(struct quota_book *book, quota_book_fn each, void *ctx,
			 struct shale_err *err);

/* What an upload has reserved, and for which name; false: nothing. Bytes 0 forget it. */
bool quota_book_upload(struct quota_book *book, const char *upload, uint64_t *ret_bytes);
int quota_book_set_upload(struct quota_book *book, const char *upload, const char *name,
			  uint64_t bytes, int64_t now, struct shale_err *err);
bool quota_book_upload_name(struct quota_book *book, const char *upload, char *name, size_t size);
/* One that was set before that time, to be forgotten by the caller; false: none. */
bool quota_book_old_upload(struct quota_book *book, int64_t before, char *upload, size_t size);
uint64_t quota_book_reserved(struct quota_book *book, const char *name);

#endif
