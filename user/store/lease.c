// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of leases; see lease.h. A digest is looked for and leased under the store's shared lock,
 * which the collector, who holds it exclusively, cannot get in between. Called by session.c, gc.c and
 * the engine's verbs that bring things in.
 */
#include "store/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "store/layer.h"

/*
 * HELD: nothing more than a lease. MAKING: the session is bringing it. MADE: it is in the store, and a
 * layer has no row yet, since that has to wait until its files are on the disk.
 */
enum lease_state { LEASE_HELD, LEASE_MAKING, LEASE_MADE };

static int is_made(struct db *db, enum lease_kind kind, const struct digest *digest,
		   bool *ret_made, struct shale_err *err)
{
	int64_t count = 0;

	if (db_number(db, err, &count,
		      "SELECT count(*) FROM lease WHERE digest = ? AND kind = ? AND state = ?",
		      DB_DIGEST(digest), DB_INT(kind), DB_INT(LEASE_MADE)) < 0)
		return -1;
	*ret_made = count > 0;
	return 0;
}

/* A layer's row may only tell of files that are on the disk; a live session's word is enough here. */
static int is_present(struct store *store, struct db *db, enum lease_kind kind,
		      const struct digest *digest, bool *ret_present, struct shale_err *err)
{
	bool is_known = false;

	if (kind == LEASE_BLOB) {
		*ret_present = store_has_blob(store, digest);
		return 0;
	}
	if (layer_is_entered(db, digest, &is_known, err) < 0 ||
	    (!is_known && is_made(db, kind, digest, &is_known, err) < 0))
		return -1;
	*ret_present = is_known && store_has_layer(store, digest);
	return 0;
}

int lease_layer_is_present(struct store *store, const struct digest *diff_id, bool *ret_present,
			   struct shale_err *err)
{
	__cleanup_txn struct txn txn = TXN_NONE;

	if (txn_begin(&txn, store->db, TXN_READ, err) < 0)
		return -1;
	return is_present(store, txn.db, LEASE_LAYER, diff_id, ret_present, err);
}

static int set_state(struct db *db, const struct session *session, enum lease_kind kind,
		     const struct digest *digest, enum lease_state state, struct shale_err *err)
{
	return db_run(db, err,
		      "INSERT INTO lease (session, kind, digest, state, expires)"
		      " VALUES (?, ?, ?, ?, 0)"
		      " ON CONFLICT DO UPDATE SET state = excluded.state",
		      DB_TEXT(session->name), DB_INT(kind), DB_DIGEST(digest), DB_INT(state));
}

struct owner_search {
	const struct session *session;
	bool is_ours;
	bool is_theirs;
};

static int note_owner(void *arg, struct sqlite3_stmt *row, struct shale_err *err)
{
	struct owner_search *search = arg;
	const char *name = db_row_text(row, 0);

	(void)err;
	if (!strcmp(name, search->session->name))
		search->is_ours = true;
	else if (session_is_alive(search->session->store, name))
		search->is_theirs = true;
	return 0;
}

/* In the transaction, so that of two who ask only one is told that it is theirs. */
static int claim_absent(struct session *session, struct db *db, enum lease_kind kind,
			const struct digest *digest, enum lease_claim *ret_claim,
			struct shale_err *err)
{
	struct owner_search search = { .session = session };

	if (db_each(db, err, note_owner, &search,
		    "SELECT session FROM lease WHERE digest = ? AND kind = ? AND state = ?",
		    DB_DIGEST(digest), DB_INT(kind), DB_INT(LEASE_MAKING)) < 0)
		return -1;
	if (search.is_ours || search.is_theirs) {
		*ret_claim = search.is_ours ? LEASE_OURS : LEASE_BUSY;
		return search.is_ours ? 0 :
					set_state(db, session, kind, digest, LEASE_HELD, err);
	}
	*ret_claim = LEASE_MINE;
	return set_state(db, session, kind, digest, LEASE_MAKING, err);
}

/* What is made by somebody else stays known as made when that session ends before ours commits. */
static int claim_present(struct session *session, struct db *db, enum lease_kind kind,
			 const struct digest *digest, struct shale_err *err)
{
	bool has_row = kind == LEASE_BLOB;

	if (kind == LEASE_LAYER && layer_is_entered(db, digest, &has_row, err) < 0)
		return -1;
	return set_state(db, session, kind, digest, has_row ? LEASE_HELD : LEASE_MADE, err);
}

int lease_claim(struct session *session, enum lease_kind kind, const struct digest *digest,
		enum lease_claim *ret_claim, struct shale_err *err)
{
	__cleanup_fd int lock = store_lock(session->store, LOCK_SH, err);
	__cleanup_txn struct txn txn = TXN_NONE;
	enum lease_claim claim = LEASE_PRESENT;
	bool present = false;

	if (lock < 0 || txn_begin(&txn, session->store->db, TXN_VOLATILE, err) < 0 ||
	    is_present(session->store, txn.db, kind, digest, &present, err) < 0)
		return -1;
	if (present ? claim_present(session, txn.db, kind, digest, err) :
		      claim_absent(session, txn.db, kind, digest, &claim, err))
		return -1;
	*ret_claim = claim;
	return txn_commit(&txn, err);
}

int lease_settle(struct session *session, enum lease_kind kind, const struct digest *digest,
		 bool is_made, struct shale_err *err)
{
	__cleanup_txn struct txn txn = TXN_NONE;

	if (txn_begin(&txn, session->store->db, TXN_VOLATILE, err) < 0 ||
	    set_state(txn.db, session, kind, digest, is_made ? LEASE_MADE : LEASE_HELD, err) < 0)
		return -1;
	return txn_commit(&txn, err);
}

int lease_take(struct session *session, enum lease_kind kind, const struct digest *digest,
	       bool *ret_present, struct shale_err *err)
{
	__cleanup_fd int lock = store_lock(session->store, LOCK_SH, err);
	__cleanup_txn struct txn txn = TXN_NONE;

	if (lock < 0 || txn_begin(&txn, session->store->db, TXN_VOLATILE, err) < 0 ||
	    is_present(session->store, txn.db, kind, digest, ret_present, err) < 0)
		return -1;
	if (*ret_present ? claim_present(session, txn.db, kind, digest, err) :
			   db_run(txn.db, err,
				  "INSERT INTO lease (session, kind, digest, state, expires)"
				  " VALUES (?, ?, ?, ?, 0) ON CONFLICT DO NOTHING",
				  DB_TEXT(session->name), DB_INT(kind), DB_DIGEST(digest),
				  DB_INT(LEASE_HELD)))
		return -1;
	return txn_commit(&txn, err);
}

int lease_extend(struct session *session, enum lease_kind kind, const struct digest *digest,
		 time_t until, struct shale_err *err)
{
	__cleanup_txn struct txn txn = TXN_NONE;

	if (txn_begin(&txn, session->store->db, TXN_VOLATILE, err) < 0 ||
	    db_run(txn.db, err,
		   "UPDATE lease SET expires = ? WHERE session = ? AND kind = ? AND digest = ?",
		   DB_INT(until), DB_TEXT(session->name), DB_INT(kind), DB_DIGEST(digest)) < 0)
		return -1;
	if (!db_changed(txn.db))
		return shale_err_set(err, ENOENT, "extending a lease that is not held");
	return txn_commit(&txn, err);
}

int lease_drop_all(struct session *session, struct shale_err *err)
{
	__cleanup_txn struct txn txn = TXN_NONE;

	if (txn_begin(&txn, session->store->db, TXN_VOLATILE, err) < 0 ||
	    db_run(txn.db, err, "DELETE FROM lease WHERE session = ? AND expires <= ?",
		   DB_TEXT(session->name), DB_INT(time(NULL))) < 0)
		return -1;
	return txn_commit(&txn, err);
}

/* Sessions with leases, in one string after another: the rows must not change while they are read. */
static int list_name(void *arg, struct sqlite3_stmt *row, struct shale_err *err)
{
	const char *name = db_row_text(row, 0);

	if (buf_add(arg, name, strlen(name) + 1) < 0)
		return shale_err_errno(err, "looking for leases");
	return 0;
}

/*
 * What is extended keeps its lease and nothing else: nobody vouches any more for a layer that has no
 * row, since there may have been a power failure.
 */
static int bury(struct db *db, const char *session, struct shale_err *err)
{
	if (db_run(db, err, "DELETE FROM lease WHERE session = ? AND expires <= ?",
		   DB_TEXT(session), DB_INT(time(NULL))) < 0)
		return -1;
	return db_run(db, err, "UPDATE lease SET state = ? WHERE session = ? AND state <> ?",
		      DB_INT(LEASE_HELD), DB_TEXT(session), DB_INT(LEASE_HELD));
}

int lease_bury_dead_locked(struct store *store, struct shale_err *err)
{
	__cleanup_txn struct txn txn = TXN_NONE;
	__cleanup_buf struct buf names = BUF_INIT;

	if (txn_begin(&txn, store->db, TXN_VOLATILE, err) < 0 ||
	    db_each(txn.db, err, list_name, &names, "SELECT DISTINCT session FROM lease") < 0)
		return -1;
	for (const char *name = names.data; name && name < names.data + names.len;
	     name += strlen(name) + 1)
		if (!session_is_alive(store, name) && bury(txn.db, name, err) < 0)
			return -1;
	return txn_commit(&txn, err);
}

struct lease_walk {
	lease_fn each;
	void *arg;
};

static int walk_row(void *arg, struct sqlite3_stmt *row, struct shale_err *err)
{
	const struct lease_walk *walk = arg;
	struct digest digest;

	if (db_row_digest(row, 0, &digest, err) < 0)
		return -1;
	return walk->each(walk->arg, &digest, err);
}

int lease_each(struct db *db, lease_fn each, void *arg, struct shale_err *err)
{
	struct lease_walk walk = { each, arg };

	return db_each(db, err, walk_row, &walk, "SELECT DISTINCT digest FROM lease");
}

int lease_each_loose_layer(struct session *session, lease_fn each, void *arg,
			   struct shale_err *err)
{
	struct lease_walk walk = { each, arg };

	return db_each(session->store->db, err, walk_row, &walk,
		       "SELECT digest FROM lease WHERE session = ? AND kind = ? AND state = ?"
		       " AND digest NOT IN (SELECT diff_id FROM layer)",
		       DB_TEXT(session->name), DB_INT(LEASE_LAYER), DB_INT(LEASE_MADE));
}
