/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The store's database, and the one door to SQLite: opening, transactions, statements and rows. What
 * the tables mean is known to the files that own them (catalog.c, layer.c, lease.c, container.c),
 * their shape to schema.c.
 *
 * One connection serves all threads of a process: a transaction holds it, so transactions are short
 * and never nest. Everything is read and written within one:
 *
 *	__cleanup_txn struct txn txn = TXN_NONE;
 *
 *	if (txn_begin(&txn, store->db, TXN_WRITE, err) < 0 ||
 *	    db_run(txn.db, err, "DELETE FROM layer WHERE diff_id = ?", DB_DIGEST(diff_id)) < 0)
 *		return -1;
 *	return txn_commit(&txn, err);
 */
#ifndef SHALE_STORE_DB_H
#define SHALE_STORE_DB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "store/digest.h"

struct db;
struct sqlite3_stmt;

/*
 * Opens or makes the file. On a filesystem that cannot be written to it is opened as it stands.
 * err->code EUCLEAN: it is damaged, or no database.
 */
int db_open(const char *path, struct db **ret_db, struct shale_err *err);
/* One that lasts as long as the process, for a store that has none and cannot get one. */
int db_open_memory(struct db **ret_db, struct shale_err *err);
void db_close(struct db *db);

/* SQLite's own check of the whole file; each fault it finds is told. */
typedef int (*db_fault_fn)(void *arg, const char *text);
int db_verify(struct db *db, db_fault_fn fault, void *arg, struct shale_err *err);

enum txn_mode {
	TXN_NONE_MODE,
	TXN_READ,
	TXN_WRITE, /* survives a power failure once it is committed */
	/*
	 * Survives the death of the process, but maybe no power failure: for what only matters to
	 * processes that are alive. A later TXN_WRITE makes it last.
	 */
	TXN_VOLATILE,
};

struct txn {
	struct db *db; /* NULL: none */
	enum txn_mode mode;
};

#define TXN_NONE      { 0 }
#define __cleanup_txn __attribute__((cleanup(txn_abort)))

int txn_begin(struct txn *txn, struct db *db, enum txn_mode mode, struct shale_err *err);
/* When this fails nothing was changed. */
int txn_commit(struct txn *txn, struct shale_err *err);
/* After a commit it does nothing. */
void txn_abort(struct txn *txn);

struct db_value {
	enum { DB_VALUE_END, DB_VALUE_NULL, DB_VALUE_INT, DB_VALUE_TEXT, DB_VALUE_DIGEST } kind;
	int64_t number;
	const char *text;
	const struct digest *digest;
};

#define DB_INT(n)    { .kind = DB_VALUE_INT, .number = (int64_t)(n) }
#define DB_TEXT(t)   { .kind = DB_VALUE_TEXT, .text = (t) }	  /* NULL is NULL */
#define DB_DIGEST(d) { .kind = DB_VALUE_DIGEST, .digest = (d) } /* NULL is NULL */
#define DB_VALUES(...)                                                                             \
	((const struct db_value[]){ __VA_ARGS__ __VA_OPT__(, ) { .kind = DB_VALUE_END } })

/* SQL is a literal, of one statement: prepared once and found again by its address. */
#define db_run(db, err, sql, ...) db_run_values(db, sql, DB_VALUES(__VA_ARGS__), err)
#define db_each(db, err, each, arg, sql, ...)                                                      \
	db_each_values(db, sql, DB_VALUES(__VA_ARGS__), each, arg, err)
#define db_number(db, err, ret_number, sql, ...)                                                   \
	db_number_values(db, sql, DB_VALUES(__VA_ARGS__), ret_number, err)

/* Called for each row; what it returns other than 0 ends it, with -1, and err is its business. */
typedef int (*db_row_fn)(void *arg, struct sqlite3_stmt *row, struct shale_err *err);

int db_run_values(struct db *db, const char *sql, const struct db_value *values,
		  struct shale_err *err);
int db_each_values(struct db *db, const char *sql, const struct db_value *values, db_row_fn each,
		   void *arg, struct shale_err *err);
/* The first column of the first row; as it was when there is no row. */
int db_number_values(struct db *db, const char *sql, const struct db_value *values,
		     int64_t *ret_number, struct shale_err *err);
/* Rows the last statement has changed. */
size_t db_changed(const struct db *db);

/* Columns, valid until the callback returns. */
int64_t db_row_number(struct sqlite3_stmt *row, int column);
const char *db_row_text(struct sqlite3_stmt *row, int column);
bool db_row_is_null(struct sqlite3_stmt *row, int column);
int db_row_digest(struct sqlite3_stmt *row, int column, struct digest *ret_digest,
		  struct shale_err *err);

/* For schema.c: several statements at once, without values. */
int db_script(struct db *db, const char *sql, struct shale_err *err);

#endif
