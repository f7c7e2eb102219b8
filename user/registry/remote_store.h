/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the drivers of object stores are made of. The contract of driver.h is kept once, for all of them
 * (remote_bucket, remote_writer, remote_list, remote_swap), by means of the few things an object store does, the
 * vtable below; a driver (drv_s3, drv_swift, drv_azure) knows how its store is asked for them.
 *
 * Keys are the bucket's paths below the root directory of the configuration. A component ".shale" in a
 * key is ours and never listed:
 *
 *	PATH/.shale...		an unfinished object, in pieces
 *	.shale/lock/HASH...	somebody swaps the object whose key has that hash (remote_lock.h)
 *	.shale/health		written to see whether that works
 */
#ifndef SHALE_REGISTRY_REMOTE_STORE_H
#define SHALE_REGISTRY_REMOTE_STORE_H

#include <pthread.h>

#include "registry/driver.h"
#include "registry/remote_http.h"
#include "registry/remote_stream.h"

#define REMOTE_HIDDEN ".shale"

/* S3's longest key; Azure's and Swift's are 1024 characters too. */
#define REMOTE_MAX_KEY 1024
/* An ETag with its quotes: S3's are 32 digits and the number of parts. */
#define REMOTE_MAX_ETAG 128

struct remote_info {
	uint64_t size;
	int64_t mtime;
	char etag[REMOTE_MAX_ETAG]; /* as the store writes it; "" when there is none or it does not fit */
};

/*
 * On what condition something is changed: neither, or one of the two. A change with one of these is asked
 * for once and with little patience: whether it has happened is for the caller to find out (remote_swap.c).
 */
struct remote_when {
	bool is_absent;	  /* only if there is no object */
	const char *etag; /* only if this is the object's */
};

/* A part of an unfinished object: the bytes of an object of the store. */
struct remote_piece {
	uint64_t len;
	uint64_t number; /* the driver's: what tells it from others */
};

struct remote_pieces {
	struct remote_piece *list;
	size_t count;
	size_t cap;
	uint64_t len; /* of all */
	char id[40];  /* the driver's */
};

#define __cleanup_pieces __attribute__((cleanup(remote_pieces_release)))

void remote_pieces_release(struct remote_pieces *pieces);
int remote_pieces_add(struct remote_pieces *pieces, const struct remote_piece *piece,
		      struct shale_err *err);
/* Forgets those from index on. */
void remote_pieces_drop(struct remote_pieces *pieces, size_t index);

/* An entry of a listing: a key, or with a slash at its end what many begin with. */
typedef int (*remote_key_fn)(void *ctx, const char *key, uint64_t size, int64_t mtime,
			     struct shale_err *err);

/* One page of a listing is asked for by the last key of the page before, or by the store's own marker. */
struct remote_listing {
	const char *prefix;
	const char *after; /* keys up to this one are not wanted, and may be left out; or NULL */
	bool is_deep;	   /* all keys, not only up to the next slash */
	struct buf marker; /* empty: the first page. Replaced by each page. */
	bool is_last;
};

struct remote_store;

#define REMOTE_SWAP_LOCKS 16
/* Seconds a change on condition may take; a lock is held for longer. */
#define REMOTE_ONCE_SECONDS 8

/* A call fails with the codes of driver.h. what it is about stands in the message. */
struct remote_ops {
	int (*head)(struct remote_store *store, const char *key, struct remote_info *ret_info,
		    struct shale_err *err);
	/*
	 * From offset on; EINVAL when that is behind the end. At the end, ret_stream is NULL. is_newest: of an
	 * object that may be replaced, so that an older version will not do.
	 */
	int (*open)(struct remote_store *store, const char *key, uint64_t offset, bool is_newest,
		    struct remote_info *ret_info, struct remote_stream **ret_stream,
		    struct shale_err *err);
	/* hash: of the body, in hex. when may be NULL; ESTALE when it does not hold. */
	int (*put)(struct remote_store *store, const char *key, const struct remote_body *body,
		   const char *hash, const struct remote_when *when, struct shale_err *err);
	/* What is not there may be ENOENT or success. */
	int (*remove)(struct remote_store *store, const char *key, const struct remote_when *when,
		      struct shale_err *err);
	/* Any size; ENOENT. from and to differ. */
	int (*move)(struct remote_store *store, const char *from, const char *to,
		    struct shale_err *err);
	/* The next page, in byte order of the keys. */
	int (*list)(struct remote_store *store, struct remote_listing *listing, remote_key_fn each,
		    void *ctx, struct shale_err *err);
	/* 1 with a URL, or 0. */
	int (*link)(struct remote_store *store, const char *key, const char *method,
		    unsigned int seconds, struct buf *url, struct shale_err *err);

	/* Unfinished objects. ENOENT: nothing was begun. Else the pieces without a gap. */
	int (*pieces_load)(struct remote_store *store, const char *key,
			   struct remote_pieces *ret_pieces, struct shale_err *err);
	/* Puts another behind the others and adds it; an empty one only as the first, to begin. */
	int (*pieces_put)(struct remote_store *store, const char *key, struct remote_pieces *pieces,
			  const struct remote_body *body, const char *hash, struct shale_err *err);
	/* Removes those from index on, which may be all, and from the list. The object stays begun. */
	int (*pieces_cut)(struct remote_store *store, const char *key, struct remote_pieces *pieces,
			  size_t index, struct shale_err *err);
	/* An object of all pieces, at `to`, in one step; then nothing is left at key. */
	int (*pieces_commit)(struct remote_store *store, const char *key,
			     struct remote_pieces *pieces, const char *to, struct shale_err *err);
	/* Nothing is left at key, nor was perhaps. */
	int (*pieces_discard)(struct remote_store *store, const char *key, struct shale_err *err);
	/* The key under which a piece can be read, and where in that object it begins. */
	int (*piece_key)(struct remote_store *store, const char *key,
			 const struct remote_pieces *pieces, size_t index, struct buf *ret_key,
			 uint64_t *ret_offset, struct shale_err *err);
	/* Removes a key with our component that a removed tree had; NULL: remove does. */
	int (*remove_hidden)(struct remote_store *store, const char *key, struct shale_err *err);

	void (*release)(struct remote_store *store);
};

/* Embedded at the start of the driver's own; filled by it before remote_bucket_open(). */
struct remote_store {
	struct bucket bucket;
	const struct remote_ops *ops;
	struct remote *remote;
	const char *name;     /* of the driver */
	char *root;	      /* in front of all keys, with its slash; or "" */
	char *spool_dir;      /* where pieces gather before they are sent */
	uint64_t piece_size;  /* of a piece, unless the object is very large */
	uint64_t piece_limit; /* pieces an object may have */
	unsigned int threads; /* calls made at once for one task */
	unsigned int page;    /* names asked for in one list */
	bool is_readonly;

	/* A listing shows every object whose writer was answered before, or so many milliseconds before. */
	bool has_exact_lists;
	unsigned int lag_ms;
	/* What the store can do on condition: found out by remote_swap_probe(). */
	bool can_put_absent;
	bool can_put_match;
	bool can_remove_match;
	/* Order swaps of this process where the store cannot, each some of the paths. */
	pthread_mutex_t swap_locks[REMOTE_SWAP_LOCKS];
};

/* The parameters all object stores take, for a driver's list of those it knows. */
#define REMOTE_PARAMS                                                                              \
	"rootdirectory", "chunksize", "tmpdir", "cacert", "skipverify", "retries", "timeout",      \
		"connecttimeout", "useragent", "concurrency", "pagesize", "conditional",           \
		BUCKET_PARAM_READONLY

/*
 * Reads them and fills the store's fields; then a driver reads its own. root stands for a rootdirectory that is
 * not given, piece_min is the smallest chunksize. After a failure, remote_store_release() is still due.
 */
int remote_store_init(struct remote_store *store, const struct bucket_params *params,
		      const char *name, const char *root, uint64_t piece_min, uint64_t piece_size,
		      struct shale_err *err);
/* Finds out what the store can do, and gives the bucket its vtable: the last step of a driver's opener. */
int remote_store_ready(struct remote_store *store, const struct bucket_params *params,
		       struct shale_err *err);
/* All but the driver's own. */
void remote_store_release(struct remote_store *store);

static inline struct remote_store *remote_store_of(struct bucket *bucket)
{
	return (struct remote_store *)bucket;
}

/* root and path; for messages the path alone is better. */
int remote_store_key(const struct remote_store *store, const char *path, struct buf *ret_key,
		     struct shale_err *err);
/* Whether one of a key's components is ours. */
bool remote_key_is_hidden(const char *key);
/* A key's path: without the root. */
const char *remote_store_path(const struct remote_store *store, const char *key);

/*
 * Makes count calls, up to store->threads at once; stops at the first that fails and gives its error.
 */
int remote_store_parallel(const struct remote_store *store, size_t count,
			  int (*call)(void *ctx, size_t index, struct shale_err *err), void *ctx,
			  struct shale_err *err);

/* remote_swap.c */
int remote_swap(struct bucket *bucket, const char *path, const char *old, const char *new,
		struct shale_err *err);
/* A put of an object that is swapped too. */
int remote_put_swapped(struct remote_store *store, const char *key, const struct remote_body *body,
		       const char *hash, struct shale_err *err);
/* Changes and removes an object only if it is as it was read: then a swap is one request. */
bool remote_compares_etags(const struct remote_store *store);
int remote_swap_probe(struct remote_store *store, struct shale_err *err);
/* 1 with the content of a small object and its ETag, 0 when there is no object. */
int remote_read_text(struct remote_store *store, const char *key, struct buf *ret_text,
		     struct remote_info *ret_info, struct shale_err *err);
int remote_put_text(struct remote_store *store, const char *key, const char *text,
		    const struct remote_when *when, struct shale_err *err);

/* remote_writer.c */
int remote_append(struct bucket *bucket, const char *path, uint64_t at,
		  struct bucket_writer **ret_writer, struct shale_err *err);
int remote_write(struct bucket_writer *writer, const void *data, size_t len,
		 struct shale_err *err);
int remote_keep(struct bucket_writer *writer, struct shale_err *err);
int remote_commit(struct bucket_writer *writer, const char *to, struct shale_err *err);
void remote_cancel(struct bucket_writer *writer);

/* remote_list.c */
int remote_list(struct bucket *bucket, const char *prefix, const char *after, bucket_entry_fn each,
		void *ctx, struct shale_err *err);
int remote_walk(struct bucket *bucket, const char *prefix, bucket_entry_fn each, void *ctx,
		struct shale_err *err);
int remote_remove_tree(struct bucket *bucket, const char *prefix, struct shale_err *err);

/* One page after another, until there is none. */
int remote_list_pages(struct remote_store *store, struct remote_listing *listing,
		      remote_key_fn each, void *ctx, struct shale_err *err);
/* Removes keys, many at once; what is not there is no failure. */
int remote_remove_keys(struct remote_store *store, char *const *keys, size_t count,
		       struct shale_err *err);

#endif
