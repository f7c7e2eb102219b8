/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The store's directory, its lock, and where things are in it:
 *
 *	store.db				what is here: images, references, layers, containers and
 *						leases (schema.c)
 *	oci-layout index.json blobs/sha256/HEX	an OCI image layout, which other tools can read
 *	layers/sha256/HEX/diff			a layer's tree, by the digest of its plain tar
 *	layers/sha256/HEX/size			bytes of file content in it, as decimal text
 *	containers/ID/				writable layers (container.h)
 *	volumes/NAME/				volumes (volume.h)
 *	tmp/SESSION/				what a verb at work has not finished (session.h)
 *	lock					taken with flock(2), never written
 *
 * The lock is held shared while something is looked up and must not vanish meanwhile, exclusively
 * while names are moved into or out of the store. Both are short: bytes are written and deleted in
 * sessions, outside the lock. Whatever no row needs and no session leases is garbage.
 *
 * What comes in is written and synced, then its row; what goes loses its row first. So a row is never
 * without its files, and files without a row are what a crash has left.
 */
#ifndef SHALE_STORE_STORE_H
#define SHALE_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/file.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "store/digest.h"

struct db;

struct store {
	char *path; /* absolute, without symlinks */
	int dirfd;
	int blobs_fd;
	int layers_fd;
	int tmp_fd;
	struct db *db; /* NULL: opened with store_open_files() */
};

/*
 * An absent store is ENOENT unless create, which also makes the directories above it. One without a
 * database gets it, filled from what is there.
 */
int store_open(const char *root, bool create, struct store *ret_store, struct shale_err *err);
/* Without its database, for who has to mend that. */
int store_open_files(const char *root, struct store *ret_store, struct shale_err *err);
/*
 * Puts a damaged database aside as STORE_DB_DAMAGED and fills a new one from what is there. The caller
 * holds the exclusive lock.
 */
#define STORE_DB	 "store.db"
#define STORE_DB_DAMAGED "store.db.damaged"
int store_replace_db_locked(struct store *store, struct shale_err *err);
void store_close(struct store *store);
#define __cleanup_store __attribute__((cleanup(store_close)))
#define STORE_CLOSED	{ .dirfd = -1, .blobs_fd = -1, .layers_fd = -1, .tmp_fd = -1 }

/* LOCK_SH or LOCK_EX; closing the fd it returns unlocks. -1 with err. */
int store_lock(const struct store *store, int how, struct shale_err *err);

/* Make every rename into the store since the last call survive a crash. */
int store_sync_names(const struct store *store, struct shale_err *err);

bool store_has_blob(const struct store *store, const struct digest *digest);
bool store_has_layer(const struct store *store, const struct digest *diff_id);

/* The directory of a layer's tree, absolute; NULL when out of memory. */
char *store_layer_path(const struct store *store, const struct digest *diff_id);
/* Bytes of file content in a layer; ENOENT: it is not in the store. */
int store_layer_size(const struct store *store, const struct digest *diff_id, uint64_t *ret_size,
		     struct shale_err *err);

/* What the layer's size file says. */
int store_read_layer_size(const struct store *store, const struct digest *diff_id,
			  uint64_t *ret_size, struct shale_err *err);

/* A small blob (JSON_MAX_BYTES), verified against its digest. */
int store_read_blob(const struct store *store, const struct digest *digest, struct buf *buf,
		    struct shale_err *err);

#endif
