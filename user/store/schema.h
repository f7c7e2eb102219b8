/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The shape of the database's tables, and how an older file gets it. A version is a row of schema.c's
 * table and never changes once it was released; user_version in the file says which was reached.
 */
#ifndef SHALE_STORE_SCHEMA_H
#define SHALE_STORE_SCHEMA_H

#include "store/db.h"

/* 0: nothing is in it. ENOTSUP: a later shale made it, or it is some other program's. */
int schema_version(struct db *db, int64_t *ret_version, struct shale_err *err);
bool schema_is_current(int64_t version);

/*
 * Takes the tables from a version to the current one. The caller has a transaction open, and fills
 * tables that are new within it.
 */
int schema_migrate(struct db *db, int64_t from, struct shale_err *err);

#endif
