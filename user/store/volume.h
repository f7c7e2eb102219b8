/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Volumes: directories with a name, which outlive what is mounted with them. volumes/NAME/_data is what users write
 * to, volumes/NAME/volume.json what was said at its making; and a row. As elsewhere in the store the row comes
 * last and goes first, so that a directory with such a note and no row is what a crash has left. One without a
 * note is somebody else's and is left alone.
 */
#ifndef SHALE_STORE_VOLUME_H
#define SHALE_STORE_VOLUME_H

#include <time.h>

#include "store/db.h"
#include "store/session.h"

#define VOLUME_ROOM "volumes"
#define VOLUME_DATA "_data"
#define VOLUME_NOTE "volume.json"
/* A file's name may have 255, and in the trash it is "volume-NAME". */
#define VOLUME_MAX_NAME 240
/* Labels as JSON; a row, and part of each answer about it. */
#define VOLUME_MAX_LABELS 65536

/* docker's rule: two or more of letters, digits, '_', '.' and '-', of which the first is a letter or digit. */
bool volume_is_name(const char *text);

struct volume_row {
	const char *name; /* valid within the callback, as the labels */
	const char *labels; /* a JSON object, or NULL */
	time_t created;
};

typedef int (*volume_fn)(void *arg, const struct volume_row *row, struct shale_err *err);
/* By name, within the caller's transaction. */
int volume_each(struct db *db, volume_fn each, void *arg, struct shale_err *err);
int volume_has(struct db *db, const char *name, bool *ret_has, struct shale_err *err);
int volume_enter(struct db *db, const struct volume_row *row, struct shale_err *err);
int volume_leave(struct db *db, const char *name, struct shale_err *err);

/* Makes one that is not there; the caller holds the exclusive lock. EEXIST: something else has its place. */
int volume_create_locked(struct session *session, const char *name, const char *labels,
			 struct shale_err *err);
/* Its files go with the session. ENOENT: there is none. */
int volume_remove_locked(struct session *session, const char *name, struct shale_err *err);

/* The name and note of a directory there, for who makes rows from files; false: it is no volume. */
bool volume_read_note(int dirfd, const char *name, struct buf *labels, bool *ret_has_labels,
		      time_t *ret_created);
/* Writes it anew, for who mends. */
int volume_write_note(const struct store *store, const struct volume_row *row,
		      struct shale_err *err);
/* ROOT/volumes/NAME/_data; NULL when out of memory. */
char *volume_path(const struct store *store, const char *name);

#endif
