// SPDX-License-Identifier: GPL-2.0-only
/*
 * The part of the verb check that is about volumes: a row without its directory is dropped, and a note that is
 * missing or damaged is written again from the row. What users put into a volume is not looked at. Called by
 * check.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/check.h"
#include "store/volume.h"

/* Name, time, labels or "", each with its NUL. */
static int note_volume(void *arg, const struct volume_row *row, struct shale_err *err)
{
	struct buf *text = arg;

	if (buf_addf(text, "%s%c%lld%c%s%c", row->name, '\0', (long long)row->created, '\0',
		     row->labels ? row->labels : "", '\0') < 0)
		return shale_err_errno(err, "checking");
	return 0;
}

static int list_rows(struct checking *checking, struct buf *text, struct shale_err *err)
{
	__cleanup_txn struct txn txn = TXN_NONE;

	if (txn_begin(&txn, checking->store.db, TXN_READ, err) < 0)
		return -1;
	return volume_each(txn.db, note_volume, text, err);
}

static bool has_data(const struct checking *checking, const char *name)
{
	char path[VOLUME_PATH];

	volume_data_path(name, path);
	return faccessat(checking->store.dirfd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool has_good_note(const struct checking *checking, const char *name)
{
	__cleanup_fd int room = openat(checking->store.dirfd, VOLUME_ROOM,
				       O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return volume_has_note(room, name);
}

static int drop_row(struct checking *checking, const char *name, struct shale_err *err)
{
	__cleanup_txn struct txn txn = TXN_NONE;

	if (txn_begin(&txn, checking->store.db, TXN_WRITE, err) < 0 ||
	    volume_leave(txn.db, name, err) < 0)
		return -1;
	return txn_commit(&txn, err);
}

static int check_one(struct checking *checking, const struct volume_row *row, struct shale_err *err)
{
	bool is_repairing = checking->opts->is_repairing;

	if (!has_data(checking, row->name)) {
		if (is_repairing && drop_row(checking, row->name, err) < 0)
			return -1;
		check_report(checking, "volume", row->name, "its directory is missing",
			     is_repairing ? SHALE_FINDING_DROPPED : SHALE_FINDING_FOUND);
	} else if (!has_good_note(checking, row->name)) {
		if (is_repairing && volume_write_note(&checking->store, row, err) < 0)
			return -1;
		check_report(checking, "volume", row->name, VOLUME_NOTE " is missing or damaged",
			     is_repairing ? SHALE_FINDING_REPAIRED : SHALE_FINDING_FOUND);
	}
	return 0;
}

/* Under the lock, so that none is made or removed meanwhile. */
int check_volumes(struct checking *checking, struct shale_err *err)
{
	__cleanup_fd int lock = store_lock(&checking->store, LOCK_EX, err);
	__cleanup_buf struct buf text = BUF_INIT;
	const char *at, *end;

	if (lock < 0 || list_rows(checking, &text, err) < 0)
		return -1;
	end = buf_str(&text) + text.len;
	for (at = text.data; at && at < end;) {
		struct volume_row row = { .name = at };

		at += strlen(at) + 1;
		row.created = strtoll(at, NULL, 10);
		at += strlen(at) + 1;
		row.labels = *at ? at : NULL;
		at += strlen(at) + 1;
		if (check_one(checking, &row, err) < 0)
			return -1;
	}
	return 0;
}
