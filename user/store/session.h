/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A verb at work in the store. Its directory tmp/PID.RANDOM is locked (flock) for as long as the
 * process lives, which is how the next one tells a session at work from one that was killed:
 *
 *	blobs/HEX layers/HEX/	finished but not yet in the store
 *	leases/HEX		blobs and layers in the store that this session needs to stay
 *	trash/			what gc.c took out of the store, deleted with the session
 *
 * Killed at any moment, a session leaves its directory and, if it was moving things into the store,
 * things no index entry reaches. session_begin() cleans both up.
 */
#ifndef SHALE_STORE_SESSION_H
#define SHALE_STORE_SESSION_H

#include "store/store.h"

struct session {
	struct store *store;
	char name[40];
	int fd; /* holds the flock */
	int blobs_fd;
	int layers_fd;
	int leases_fd;
	int trash_fd;
};

#define SESSION_NONE                                                                               \
	{ .fd = -1, .blobs_fd = -1, .layers_fd = -1, .leases_fd = -1, .trash_fd = -1 }
#define __cleanup_session __attribute__((cleanup(session_end)))

/* Also cleans up after sessions whose process is gone. */
int session_begin(struct store *store, struct session *ret_session, struct shale_err *err);
/* Deletes what was not committed. */
void session_end(struct session *session);

/*
 * Keep a digest's blob or layer from being collected while the session lives, whether it is in the
 * store already or not. *ret_present says whether it is.
 */
int session_lease_blob(struct session *session, const struct digest *digest, bool *ret_present,
		       struct shale_err *err);
int session_lease_layer(struct session *session, const struct digest *diff_id, bool *ret_present,
			struct shale_err *err);

/* Syncs what the session wrote; without the lock, since it may take long. */
int session_sync(struct session *session, struct shale_err *err);
/*
 * Moves blobs/ and layers/ into the store. The caller holds the exclusive lock and has synced. When
 * this, or the caller's writing of the index afterwards, fails, session_revert_locked() takes out
 * again what the index does not need.
 */
int session_commit_locked(struct session *session, struct shale_err *err);
void session_revert_locked(struct session *session);

#endif
