/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Leases: what keeps blobs and layers in the store while no image needs them yet, and what keeps two
 * sessions from doing the same work. A lease is a row, owned by a session; the session lives as long
 * as the lock of its directory is held (session.h), so a lease cannot be left behind by a crash. A
 * lease may name a time until which it outlives its session; it is collected by whoever begins a
 * session, or collects garbage, after that.
 *
 * Leases matter to processes that are alive. They are written without waiting for the disk, and after
 * a power failure they are all void.
 */
#ifndef SHALE_STORE_LEASE_H
#define SHALE_STORE_LEASE_H

#include <time.h>

#include "store/session.h"

enum lease_kind {
	LEASE_BLOB,
	LEASE_LAYER,
};

/*
 * Leases a digest and says who is to bring it:
 * PRESENT: it is in the store.
 * MINE:    this session brings it, and must say with lease_settle() how that ended.
 * OURS:    another thread of this session is bringing it.
 * BUSY:    another session is; ask again.
 */
enum lease_claim {
	LEASE_PRESENT,
	LEASE_MINE,
	LEASE_OURS,
	LEASE_BUSY,
};

int lease_claim(struct session *session, enum lease_kind kind, const struct digest *digest,
		enum lease_claim *ret_claim, struct shale_err *err);
/* The end of a claim: made, that is moved into the store, or given up. The lease stays. */
int lease_settle(struct session *session, enum lease_kind kind, const struct digest *digest,
		 bool is_made, struct shale_err *err);

/* The lease alone; *ret_present says whether it is in the store. */
int lease_take(struct session *session, enum lease_kind kind, const struct digest *digest,
	       bool *ret_present, struct shale_err *err);
/* Lets a lease outlive the session, whatever ends that, until a time. */
int lease_extend(struct session *session, enum lease_kind kind, const struct digest *digest,
		 time_t until, struct shale_err *err);

/* Everything the session has leased and not extended. */
int lease_drop_all(struct session *session, struct shale_err *err);

/*
 * Drops what dead sessions have leased and nobody extended, and what has expired. The caller holds the
 * store's exclusive lock.
 */
int lease_bury_dead_locked(struct store *store, struct shale_err *err);

/* Every leased digest, within the caller's transaction. */
typedef int (*lease_fn)(void *arg, const struct digest *digest, struct shale_err *err);
int lease_each(struct db *db, lease_fn each, void *arg, struct shale_err *err);
/* The layers a session has leased that are in the store without a row yet; also within a transaction. */
int lease_each_loose_layer(struct session *session, lease_fn each, void *arg,
			   struct shale_err *err);
/* Whether a layer is in the store, by its row or by the word of the live session that brought it. */
int lease_layer_is_present(struct store *store, const struct digest *diff_id, bool *ret_present,
			   struct shale_err *err);

#endif
