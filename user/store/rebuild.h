/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fills an empty database from what is on the disk: for a store that is older than its database, or
 * has lost it.
 */
#ifndef SHALE_STORE_REBUILD_H
#define SHALE_STORE_REBUILD_H

#include "store/store.h"

/*
 * Within the caller's transaction on db. @is_forgiving: without a readable index.json, which is
 * otherwise an error unless there is no image at all, every manifest among the blobs becomes an
 * image without a name.
 */
int rebuild_rows(const struct store *store, struct db *db, bool is_forgiving,
		 struct shale_err *err);

#endif
