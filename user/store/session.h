/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A verb at work in the store. Its directory tmp/PID.RANDOM is locked (flock) for as long as the
 * process lives, which is how the next one tells a session at work from one that was killed:
 *
 *	blobs/HEX layers/HEX/	not yet in the store
 *	trash/			what gc.c took out of the store, deleted with the session
 *
 * Its leases are rows (lease.h). What is finished moves into the store with session_publish_*(), so
 * that other sessions need not make it too, or at the latest with session_commit_locked(). Nothing
 * needs it there but the session's lease, until a reference does.
 *
 * Killed at any moment, a session leaves its directory, and in the store things nothing needs.
 * session_begin() cleans both up.
 */
#ifndef SHALE_STORE_SESSION_H
#define SHALE_STORE_SESSION_H

#include <stdatomic.h>

#include "store/store.h"

struct session {
	struct store *store;
	char name[40];
	int fd; /* holds the flock */
	int blobs_fd;
	int layers_fd;
	int trash_fd;
	atomic_bool owes_collection; /* there may be something in the store that nothing needs */
};

#define SESSION_NONE                                                                               \
	{ .fd = -1, .blobs_fd = -1, .layers_fd = -1, .trash_fd = -1 }
#define __cleanup_session __attribute__((cleanup(session_end)))

/* Also cleans up after sessions whose process is gone, and sees to index.json. */
int session_begin(struct store *store, struct session *ret_session, struct shale_err *err);
/* Deletes what was not committed. The caller does not hold the store's lock. */
void session_end(struct session *session);
/* Whether the session of this name has a process. */
bool session_is_alive(const struct store *store, const char *name);

/*
 * Keep a digest's blob or layer from being collected while the session lives, whether it is in the
 * store already or not. *ret_present says whether it is.
 */
int session_lease_blob(struct session *session, const struct digest *digest, bool *ret_present,
		       struct shale_err *err);
int session_lease_layer(struct session *session, const struct digest *diff_id, bool *ret_present,
			struct shale_err *err);

/*
 * Move a finished blob or layer, which is leased, into the store. A blob's bytes must be on the disk;
 * a layer's need not, its row waits for session_commit_locked().
 */
int session_publish_blob(struct session *session, const struct digest *digest,
			 struct shale_err *err);
int session_publish_layer(struct session *session, const struct digest *diff_id,
			  struct shale_err *err);

/* Syncs what the session wrote; without the lock, since it may take long. */
int session_sync(struct session *session, struct shale_err *err);
/*
 * Moves what is left in blobs/ and layers/ into the store and enters the rows of layers. The caller
 * holds the exclusive lock and has synced. When this, or the caller's writing of the index afterwards,
 * fails, session_revert_locked() takes out again what the index does not need.
 */
int session_commit_locked(struct session *session, struct shale_err *err);
void session_revert_locked(struct session *session);

/*
 * For repair: what the session has takes the place of what the store has, whatever that is; synced, and
 * with the exclusive lock held. A layer gets its row anew.
 */
int session_replace_blob_locked(struct session *session, const struct digest *digest,
				struct shale_err *err);
int session_replace_layer_locked(struct session *session, const struct digest *diff_id,
				 struct shale_err *err);

#endif
