/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the registry keeps its state in: a bucket of objects under paths. One vtable, one file per
 * kind of storage (drv_*.c); handlers call the bucket_*() functions of driver.c, which check paths
 * and then ask the driver. Everything the registry knows is in the bucket; what it keeps elsewhere
 * can be rebuilt from it.
 *
 * Paths are relative, of components separated by single slashes, without "." and "..": see
 * bucket_path_is_valid(). There are no directories, only common beginnings of paths: an object's
 * parents need not be made, and vanish with their last object.
 *
 * Every call may block; it is called on a thread that may wait. A bucket is used by many threads at
 * once; a reader or writer by one at a time, though not always the same one. Failures are -1 and an
 * err whose code says what happened:
 *
 *	ENOENT		there is no such object
 *	ESTALE		the object is not as the caller said (swap)
 *	ENOSPC, EDQUOT	no room
 *	EFBIG		larger than the caller wanted
 *	EAGAIN		the storage is too busy or cannot be reached: the same call may work later
 *	EACCES		the storage refuses us
 *	EIO		anything else that went wrong with it
 */
#ifndef SHALE_REGISTRY_DRIVER_H
#define SHALE_REGISTRY_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* The longest path: a repository of 255 bytes, its parts of the layout, a digest of 128 digits. */
#define BUCKET_MAX_PATH 1023
/* An object read or written whole: a manifest of the largest size a registry takes, and some room. */
#define BUCKET_MAX_SMALL (16u << 20)

struct bucket;

struct bucket_stat {
	uint64_t size;
	int64_t mtime; /* seconds since 1970 when it was written; of a renamed file when it was finished */
};

/* What list and walk report. */
struct bucket_entry {
	const char *name; /* list: one component; walk: the whole path */
	bool is_prefix;	  /* objects below it, none itself; size and mtime are 0. walk reports none. */
	uint64_t size;
	int64_t mtime;
};

/* 0 goes on, 1 ends the call with success, -1 ends it with the error that was set. */
typedef int (*bucket_entry_fn)(void *ctx, const struct bucket_entry *entry, struct shale_err *err);

/* Embedded at the start of the driver's own. */
struct bucket_reader {
	struct bucket *bucket;
	/*
	 * Set by drivers whose objects are local files: an fd to sendfile from, whole object, any offset.
	 * Still the reader's: dup it to keep it. -1: only bucket_read() works.
	 */
	int fd;
	uint64_t size; /* of the whole object, not of what is left behind the offset */
	int64_t mtime;
};

/* Embedded at the start of the driver's own. */
struct bucket_writer {
	struct bucket *bucket;
	uint64_t size; /* bytes written so far, resumed ones included; the driver keeps it true */
};

/* Where an unfinished object is gone on with. */
#define BUCKET_FRESH 0		/* from nothing: what a writer left unfinished there is discarded */
#define BUCKET_ALL   UINT64_MAX /* behind all that is there */

/* put: need not survive a crash of the machine, only one of this process. */
#define BUCKET_SOON 1
/* put: the object is also swapped. A storage that makes a swap of more than one step puts between none of them. */
#define BUCKET_SWAPPED 2

struct bucket_ops {
	const char *name; /* of the driver, as the configuration says it */

	/* Calls do not wait for a network: short ones may be made where waiting is bad. */
	bool is_local;
	/* Others may change the same bucket while we use it, so that listings cannot be remembered. */
	bool is_shared;
	/*
	 * swap is one step also beside other servers. Where false it is one step in this process only,
	 * and several servers on one bucket may lose one of two changes made at the same time.
	 */
	bool has_swap;

	/* ENOENT also for a path that only has objects below it. */
	int (*stat)(struct bucket *bucket, const char *path, struct bucket_stat *ret_stat,
		    struct shale_err *err);

	/* Appends the whole object to buf. More than max bytes: EFBIG, buf as it was. */
	int (*get)(struct bucket *bucket, const char *path, size_t max, struct buf *buf,
		   struct shale_err *err);

	/*
	 * Makes or replaces an object: afterwards (and after a crash) it is there whole; before, and on
	 * failure, what was there is. Readers see the old or the new one. flags: BUCKET_SOON, BUCKET_SWAPPED.
	 */
	int (*put)(struct bucket *bucket, const char *path, const void *data, size_t len,
		   unsigned int flags, struct shale_err *err);

	/*
	 * put or remove (new NULL) on the condition that the object's content is old (NULL: there is no
	 * object), as one step. ESTALE when it is not, and nothing has changed. Texts of at most a few
	 * hundred bytes: links of tags.
	 */
	int (*swap)(struct bucket *bucket, const char *path, const char *old, const char *new,
		    struct shale_err *err);

	/*
	 * Opens a finished object for reading from offset on (at most its size; behind it EINVAL). What is
	 * read is one version of the object even when it is replaced or removed meanwhile, or EIO.
	 * Unfinished objects may be readable (is_readable_unfinished), else ENOENT.
	 */
	int (*open)(struct bucket *bucket, const char *path, uint64_t offset,
		    struct bucket_reader **ret_reader, struct shale_err *err);
	/* The next 1 to len bytes; 0 at the end. An object that ends before its size is EIO, never 0. */
	ssize_t (*read)(struct bucket_reader *reader, void *data, size_t len,
			struct shale_err *err);
	void (*close)(struct bucket_reader *reader);
	/* open works on what a writer left unfinished. */
	bool is_readable_unfinished;

	/*
	 * A writer of an unfinished object at path. at: BUCKET_FRESH, BUCKET_ALL, or the number of bytes
	 * to keep: what lies behind is discarded; EINVAL when the driver cannot cut there (it can at 0 and
	 * wherever keep was called) or there are fewer. Going on where nothing was begun: ENOENT.
	 * One writer for a path at a time is the caller's duty. An unfinished object is seen by remove_tree,
	 * by no other call (stat and list may show it).
	 */
	int (*append)(struct bucket *bucket, const char *path, uint64_t at,
		      struct bucket_writer **ret_writer, struct shale_err *err);
	/* All of data, or -1. After a failure the writer can be cancelled or, at an earlier size, kept. */
	int (*write)(struct bucket_writer *writer, const void *data, size_t len,
		     struct shale_err *err);
	/*
	 * The three ends of a writer; each frees it, whatever it returns.
	 * keep: what was written survives a crash and can be gone on with, also by another server.
	 * commit: the object is whole at `to` (put's promise) and nothing is left at the writer's path.
	 * cancel: nothing is left at the writer's path.
	 */
	int (*keep)(struct bucket_writer *writer, struct shale_err *err);
	int (*commit)(struct bucket_writer *writer, const char *to, struct shale_err *err);
	void (*cancel)(struct bucket_writer *writer);

	/*
	 * Entries directly below a prefix ("" is the root), by byte order of their names, those behind
	 * `after` only (NULL: all). A name that is both object and prefix may be reported twice. Nothing
	 * below it is success without entries. What is changed meanwhile may be reported or not. The
	 * callback may call the bucket.
	 */
	int (*list)(struct bucket *bucket, const char *prefix, const char *after,
		    bucket_entry_fn each, void *ctx, struct shale_err *err);
	/* All objects below a prefix, in any order; otherwise as list. */
	int (*walk)(struct bucket *bucket, const char *prefix, bucket_entry_fn each, void *ctx,
		    struct shale_err *err);

	/* ENOENT when there was none. Readers that are open go on, or get EIO. */
	int (*remove)(struct bucket *bucket, const char *path, struct shale_err *err);
	/* Everything below a prefix, and unfinished objects too; nothing there is success. */
	int (*remove_tree)(struct bucket *bucket, const char *prefix, struct shale_err *err);
	/* remove_tree is one step: whoever looks, and a crash, finds all of it or nothing. Else it is in any order. */
	bool removes_at_once;

	/* Renames or copies and removes; any size; replaces what is at `to`. Never neither of the two. */
	int (*move)(struct bucket *bucket, const char *from, const char *to,
		    struct shale_err *err);

	/*
	 * A URL from which a client gets the object itself, valid for some seconds, appended to url.
	 * method is GET or HEAD. 1: there is one; 0: this storage has none, the caller sends the bytes.
	 */
	int (*redirect)(struct bucket *bucket, const char *path, const char *method,
			unsigned int seconds, struct buf *url, struct shale_err *err);

	/* Whether the storage can be reached and written; called every some seconds. */
	int (*health)(struct bucket *bucket, struct shale_err *err);

	/* No reader or writer is open any more. */
	void (*release)(struct bucket *bucket);
};

/* Who wants to know how long calls take; set before the bucket is used. @action: its name in distribution. */
struct bucket_watch {
	void (*note)(void *ctx, const char *action, uint64_t ns);
	void *ctx;
};

/* Embedded at the start of the driver's own. */
struct bucket {
	const struct bucket_ops *ops;
	struct bucket_watch watch;
};

/* Parameters of a driver: the keys below storage.NAME of the configuration; nested ones joined by '.'. */
struct bucket_param {
	const char *key;
	const char *value;
};

struct bucket_params {
	const struct bucket_param *list;
	size_t count;
};

/*
 * What a program says to a driver that is only going to be read, beside the configuration: a driver that
 * would otherwise keep others out, or write when it is opened, does not.
 */
#define BUCKET_PARAM_READONLY "shale-readonly"

/* Opens the named driver. A parameter it does not know is EINVAL and named. */
int bucket_open(const char *driver, const struct bucket_params *params, struct bucket **ret_bucket,
		struct shale_err *err);
void bucket_release(struct bucket *bucket);

/* For drivers. The value, or the default when it is absent (or empty); EINVAL names the parameter. */
const char *bucket_param_text(const struct bucket_params *params, const char *key,
			      const char *absent);
int bucket_param_number(const struct bucket_params *params, const char *key, uint64_t min,
			uint64_t max, uint64_t absent, uint64_t *ret_value, struct shale_err *err);
int bucket_param_bool(const struct bucket_params *params, const char *key, bool absent,
		      bool *ret_value, struct shale_err *err);
/* known ends with NULL. */
int bucket_params_check(const struct bucket_params *params, const char *driver,
			const char *const *known, struct shale_err *err);

/* 1 to BUCKET_MAX_PATH bytes, components of 1 to 255 bytes, none of them . or .., no control characters. */
bool bucket_path_is_valid(const char *path);

/* The calls of the vtable, their paths checked: EINVAL. */
int bucket_stat(struct bucket *bucket, const char *path, struct bucket_stat *ret_stat,
		struct shale_err *err);
int bucket_get(struct bucket *bucket, const char *path, size_t max, struct buf *buf,
	       struct shale_err *err);
int bucket_put(struct bucket *bucket, const char *path, const void *data, size_t len,
	       unsigned int flags, struct shale_err *err);
int bucket_swap(struct bucket *bucket, const char *path, const char *old, const char *new,
		struct shale_err *err);
int bucket_open_reader(struct bucket *bucket, const char *path, uint64_t offset,
		       struct bucket_reader **ret_reader, struct shale_err *err);
ssize_t bucket_read(struct bucket_reader *reader, void *data, size_t len, struct shale_err *err);
void bucket_close(struct bucket_reader *reader);
int bucket_append(struct bucket *bucket, const char *path, uint64_t at,
		  struct bucket_writer **ret_writer, struct shale_err *err);
int bucket_write(struct bucket_writer *writer, const void *data, size_t len,
		 struct shale_err *err);
int bucket_keep(struct bucket_writer *writer, struct shale_err *err);
int bucket_commit(struct bucket_writer *writer, const char *to, struct shale_err *err);
void bucket_cancel(struct bucket_writer *writer);
int bucket_list(struct bucket *bucket, const char *prefix, const char *after, bucket_entry_fn each,
		void *ctx, struct shale_err *err);
int bucket_walk(struct bucket *bucket, const char *prefix, bucket_entry_fn each, void *ctx,
		struct shale_err *err);
int bucket_remove(struct bucket *bucket, const char *path, struct shale_err *err);
int bucket_remove_tree(struct bucket *bucket, const char *prefix, struct shale_err *err);
int bucket_move(struct bucket *bucket, const char *from, const char *to, struct shale_err *err);
int bucket_redirect(struct bucket *bucket, const char *path, const char *method,
		    unsigned int seconds, struct buf *url, struct shale_err *err);
int bucket_health(struct bucket *bucket, struct shale_err *err);

/* Each driver's opener, a row in driver.c's table. */
int drv_file_open(const struct bucket_params *params, struct bucket **ret_bucket,
		  struct shale_err *err);
int drv_memory_open(const struct bucket_params *params, struct bucket **ret_bucket,
		    struct shale_err *err);
int drv_s3_open(const struct bucket_params *params, struct bucket **ret_bucket,
		struct shale_err *err);
int drv_swift_open(const struct bucket_params *params, struct bucket **ret_bucket,
		   struct shale_err *err);
int drv_azure_open(const struct bucket_params *params, struct bucket **ret_bucket,
		   struct shale_err *err);

#endif
