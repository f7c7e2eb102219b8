// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rows of containers; see instance.h. Called by the engine's verbs about containers, and by who makes the database
 * anew.
 */
#include "store/instance.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#define ID_DIGITS "0123456789abcdef"

bool instance_is_name(const char *text)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	static const char rest[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
	size_t len = strlen(text);

	return len >= 2 && len <= INSTANCE_MAX_NAME && strchr(first, *text) && strspn(text, rest) == len;
}

int instance_make_id(char ret_id[INSTANCE_ID_TEXT], struct shale_err *err)
{
	unsigned char random[(INSTANCE_ID_TEXT - 1) / 2];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return shale_err_errno(err, "cannot make up an ID");
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(ret_id + 2 * i, 3, "%02x", random[i]);
	return 0;
}

void instance_layer(const char *id, char ret_layer[CONTAINER_ID_TEXT])
{
	snprintf(ret_layer, CONTAINER_ID_TEXT, "%s", id);
}

static int copy_text(void *arg, struct sqlite3_stmt *row, struct shale_err *err)
{
	(void)err;
	snprintf(arg, INSTANCE_ID_TEXT, "%s", db_row_text(row, 0));
	return 0;
}

static int check_free(struct db *db, const char *name, struct shale_err *err)
{
	char id[INSTANCE_ID_TEXT] = "";

	if (db_each(db, err, copy_text, id, "SELECT id FROM instance WHERE name = ?", DB_TEXT(name)) < 0)
		return -1;
	return id[0] ? shale_err_set(err, EEXIST, "%s", id) : 0;
}

int instance_enter(struct db *db, const char *id, const char *name, bool is_ready,
		   struct shale_err *err)
{
	char layer[CONTAINER_ID_TEXT];

	instance_layer(id, layer);
	if (check_free(db, name, err) < 0)
		return -1;
	return db_run(db, err, "INSERT INTO instance (id, layer, name, is_ready) VALUES (?, ?, ?, ?)",
		      DB_TEXT(id), DB_TEXT(layer), DB_TEXT(name), DB_INT(is_ready));
}

int instance_set_ready(struct db *db, const char *id, struct shale_err *err)
{
	return db_run(db, err, "UPDATE instance SET is_ready = 1 WHERE id = ?", DB_TEXT(id));
}

int instance_rename(struct db *db, const char *id, const char *name, struct shale_err *err)
{
	if (check_free(db, name, err) < 0)
		return -1;
	return db_run(db, err, "UPDATE instance SET name = ? WHERE id = ?", DB_TEXT(name), DB_TEXT(id));
}

struct instance_walk {
	instance_fn each;
	void *arg;
};

static int walk_row(void *arg, struct sqlite3_stmt *stmt, struct shale_err *err)
{
	const struct instance_walk *walk = arg;
	struct instance_row row = {
		.id = db_row_text(stmt, 0),
		.name = db_row_text(stmt, 1),
		.is_ready = db_row_number(stmt, 2),
	};

	return walk->each(walk->arg, &row, err);
}

int instance_each(struct db *db, instance_fn each, void *arg, struct shale_err *err)
{
	struct instance_walk walk = { each, arg };

	return db_each(db, err, walk_row, &walk,
		       "SELECT instance.id, name, is_ready FROM instance JOIN container ON layer = container.id"
		       " ORDER BY container.created DESC, instance.rowid DESC");
}

int instance_of_image(struct db *db, const struct digest *image, char ret_id[INSTANCE_ID_TEXT],
		      struct shale_err *err)
{
	ret_id[0] = '\0';
	return db_each(db, err, copy_text, ret_id,
		       "SELECT instance.id FROM instance JOIN container ON layer = container.id WHERE image = ?",
		       DB_DIGEST(image));
}

int instance_has_layer(struct db *db, const char *layer, bool *ret_has, struct shale_err *err)
{
	int64_t count = 0;

	if (db_number(db, err, &count, "SELECT count(*) FROM instance WHERE layer = ?", DB_TEXT(layer)) < 0)
		return -1;
	*ret_has = count;
	return 0;
}

struct search {
	char *id;
	char *name;
	size_t count;
};

static int note_found(void *arg, struct sqlite3_stmt *row, struct shale_err *err)
{
	struct search *search = arg;

	(void)err;
	snprintf(search->id, INSTANCE_ID_TEXT, "%s", db_row_text(row, 0));
	snprintf(search->name, INSTANCE_MAX_NAME + 1, "%s", db_row_text(row, 1));
	search->count++;
	return 0;
}

static int find_exact(struct db *db, const char *text, struct search *search, struct shale_err *err)
{
	return db_each(db, err, note_found, search,
		       "SELECT id, name FROM instance WHERE is_ready AND (id = ?1 OR name = ?1)"
		       " ORDER BY id != ?1 DESC",
		       DB_TEXT(text));
}

/* Hex digits only: nothing in them is a wildcard. */
static int find_beginning(struct db *db, const char *text, struct search *search, struct shale_err *err)
{
	char pattern[INSTANCE_ID_TEXT + 1];

	snprintf(pattern, sizeof(pattern), "%s*", text);
	return db_each(db, err, note_found, search,
		       "SELECT id, name FROM instance WHERE is_ready AND id GLOB ? LIMIT 2",
		       DB_TEXT(pattern));
}

int instance_find(struct db *db, const char *text, char ret_id[INSTANCE_ID_TEXT],
		  char ret_name[INSTANCE_MAX_NAME + 1], struct shale_err *err)
{
	struct search search = { ret_id, ret_name, 0 };
	size_t len;

	text += *text == '/';
	len = strlen(text);
	if (find_exact(db, text, &search, err) < 0)
		return -1;
	if (search.count)
		return 0;
	if (len && len < INSTANCE_ID_TEXT && strspn(text, ID_DIGITS) == len &&
	    find_beginning(db, text, &search, err) < 0)
		return -1;
	if (search.count > 1)
		return shale_err_set(err, ENOTUNIQ, "Multiple IDs found with provided prefix: %.100s", text);
	return search.count ? 0 : shale_err_set(err, ENOENT, "No such container: %.300s", text);
}
