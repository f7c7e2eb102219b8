// SPDX-License-Identifier: GPL-2.0-only
/*
 * Images and references in the database; see catalog.h. A reference's row holds the whole entry of
 * index.json, since other tools put things into it which are theirs to understand. Called by index.c,
 * gc.c and rebuild.c.
 */
#include "store/catalog.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "store/image.h"

#define SETTING_HEAD "index" /* index.json without its entries */

static int add_entry(void *arg, struct sqlite3_stmt *row, struct shale_err *err)
{
	const char *text = db_row_text(row, 0);
	json_t *json = NULL;

	if (!text || json_parse_object(text, strlen(text), "a reference's row", &json, err) < 0)
		return -1;
	if (json_array_append_new(arg, json) < 0)
		return shale_err_set(err, ENOMEM, "reading references");
	return 0;
}

static int copy_text(void *arg, struct sqlite3_stmt *row, struct shale_err *err)
{
	const char *text = db_row_text(row, 0);

	if (buf_adds(arg, text ? text : "") < 0)
		return shale_err_errno(err, "reading settings");
	return 0;
}

static int get_setting(struct db *db, const char *name, struct buf *value, struct shale_err *err)
{
	return db_each(db, err, copy_text, value, "SELECT value FROM setting WHERE name = ?",
		       DB_TEXT(name));
}

static int set_setting(struct db *db, const char *name, const char *value, struct shale_err *err)
{
	return db_run(db, err,
		      "INSERT INTO setting (name, value) VALUES (?, ?)"
		      " ON CONFLICT DO UPDATE SET value = excluded.value",
		      DB_TEXT(name), DB_TEXT(value));
}

int catalog_read(struct db *db, struct index *ret_index, struct shale_err *err)
{
	__cleanup_index struct index index = { 0 };
	__cleanup_buf struct buf head = BUF_INIT;

	if (get_setting(db, SETTING_HEAD, &head, err) < 0)
		return -1;
	if (head.len ? index_parse(head.data, head.len, "the index's row", &index, err) :
		       index_create(&index, err))
		return -1;
	if (db_each(db, err, add_entry, index.manifests,
		    "SELECT descriptor FROM ref ORDER BY id") < 0)
		return -1;
	*ret_index = index;
	index = (struct index){ 0 };
	return 0;
}

static int enter_layers(struct db *db, const struct image *image, struct shale_err *err)
{
	for (size_t i = 0; i < image->layer_count; i++) {
		const struct image_layer *layer = &image->layers[i];

		if (db_run(db, err,
			   "INSERT OR REPLACE INTO image_layer (image, position, diff_id, blob, size)"
			   " VALUES (?, ?, ?, ?, ?)",
			   DB_DIGEST(&image->manifest), DB_INT(i), DB_DIGEST(&layer->diff_id),
			   DB_DIGEST(&layer->blob), DB_INT(layer->size)) < 0)
			return -1;
	}
	return 0;
}

static int enter_blob(struct db *db, const struct digest *image, const struct digest *blob,
		      struct shale_err *err)
{
	return db_run(db, err, "INSERT OR IGNORE INTO image_blob (image, digest) VALUES (?, ?)",
		      DB_DIGEST(image), DB_DIGEST(blob));
}

static int learn_manifest(const struct store *store, struct db *db, const struct digest *digest,
			  struct shale_err *err)
{
	__cleanup_image struct image image = { 0 };

	if (image_load(store, digest, &image, err) < 0 || enter_layers(db, &image, err) < 0 ||
	    enter_blob(db, digest, &image.config, err) < 0)
		return -1;
	return db_run(db, err,
		      "UPDATE image SET is_known = 1, config = ?, created = ? WHERE digest = ?",
		      DB_DIGEST(&image.config), DB_INT(image.created), DB_DIGEST(digest));
}

/* Of an image that an index of another tool names: its layers' trees are needed when it has any. */
static int learn_child(const struct store *store, struct db *db, const struct digest *parent,
		       const struct digest *digest, struct shale_err *err)
{
	__cleanup_image struct image image = { 0 };

	if (enter_blob(db, parent, digest, err) < 0)
		return -1;
	if (!store_has_blob(store, digest))
		return 0;
	if (image_load(store, digest, &image, err) < 0 ||
	    enter_blob(db, parent, &image.config, err) < 0)
		return -1;
	for (size_t i = 0; i < image.layer_count; i++)
		if (enter_blob(db, parent, &image.layers[i].blob, err) < 0 ||
		    enter_blob(db, parent, &image.layers[i].diff_id, err) < 0)
			return -1;
	return 0;
}

/* What an index of another tool names belongs to that index; one level is all there is in use. */
static int learn_index(const struct store *store, struct db *db, const struct digest *digest,
		       struct shale_err *err)
{
	__cleanup_index struct index index = { 0 };
	__cleanup_buf struct buf text = BUF_INIT;
	struct index_entry entry;

	if (store_read_blob(store, digest, &text, err) < 0 ||
	    index_parse(text.data, text.len, "image index", &index, err) < 0)
		return -1;
	for (size_t i = 0; i < index_count(&index); i++)
		if (index_get(&index, i, &entry, err) < 0 ||
		    learn_child(store, db, digest, &entry.digest, err) < 0)
			return -1;
	return db_run(db, err, "UPDATE image SET is_known = 1 WHERE digest = ?",
		      DB_DIGEST(digest));
}

static int learn(const struct store *store, struct db *db, const struct digest *digest,
		 const char *media_type, struct shale_err *err)
{
	return image_kind(media_type) == IMAGE_INDEX ? learn_index(store, db, digest, err) :
						       learn_manifest(store, db, digest, err);
}

static int enter_image(const struct store *store, struct db *db, const struct index_entry *entry,
		       struct shale_err *err)
{
	struct shale_err why = { 0 };

	if (db_run(db, err,
		   "INSERT OR IGNORE INTO image"
		   " (digest, media_type, is_known, created, entered) VALUES (?, ?, 0, 0, ?)",
		   DB_DIGEST(&entry->digest), DB_TEXT(entry->media_type),
		   DB_INT(time(NULL))) < 0)
		return -1;
	if (!db_changed(db) || learn(store, db, &entry->digest, entry->media_type, &why) == 0)
		return 0;
	/* It is the manifest's fault, or the database's own. */
	return why.code == ENOSPC || why.code == ENOMEM ? shale_err_set(err, why.code, "%s", why.msg) : 0;
}

/* Of two entries that mean the same name the first has it, as for everybody who reads index.json. */
static int enter_ref(struct db *db, const struct index_entry *entry, const char *descriptor,
		     struct shale_err *err)
{
	struct ref_text name;
	struct ref ref;
	bool named = entry->name && ref_parse(entry->name, &ref, NULL) == 0 && *ref.tag;

	if (named)
		name = ref_text(&ref);
	return db_run(db, err,
		      "INSERT INTO ref (name, image, descriptor) VALUES"
		      " ((SELECT ?1 WHERE NOT EXISTS (SELECT 1 FROM ref WHERE name = ?1)), ?2, ?3)"
		      " ON CONFLICT (descriptor) DO NOTHING",
		      DB_TEXT(named ? name.text : NULL), DB_DIGEST(&entry->digest),
		      DB_TEXT(descriptor));
}

/* Descriptors there are, each with its row's number; what is left over in the end has gone. */
static int note_descriptor(void *arg, struct sqlite3_stmt *row, struct shale_err *err)
{
	const char *text = db_row_text(row, 1);

	if (!text || json_object_set_new(arg, text, json_integer(db_row_number(row, 0))) < 0)
		return shale_err_set(err, ENOMEM, "reading references");
	return 0;
}

static char *dump_entry(const struct index *index, size_t i)
{
	return json_dumps(json_array_get(index->manifests, i), JSON_COMPACT);
}

static int split_entries(const struct index *index, json_t *gone, json_t *added,
			 struct shale_err *err)
{
	for (size_t i = 0; i < index_count(index); i++) {
		__cleanup_free char *text = dump_entry(index, i);

		if (!text)
			return shale_err_set(err, ENOMEM, "writing references");
		if (json_object_del(gone, text) < 0 &&
		    json_array_append_new(added, json_integer(i)) < 0)
			return shale_err_set(err, ENOMEM, "writing references");
	}
	return 0;
}

static int remove_gone(struct db *db, json_t *gone, struct shale_err *err)
{
	const char *text;
	json_t *id;

	json_object_foreach(gone, text, id) {
		if (db_run(db, err, "DELETE FROM ref WHERE id = ?",
			   DB_INT(json_integer_value(id))) < 0)
			return -1;
	}
	return 0;
}

static int enter_added(const struct store *store, struct db *db, const struct index *index,
		       const json_t *added, struct shale_err *err)
{
	struct index_entry entry;
	json_t *at;
	size_t i;

	json_array_foreach(added, i, at) {
		__cleanup_free char *text = dump_entry(index, json_integer_value(at));

		if (!text)
			return shale_err_set(err, ENOMEM, "writing references");
		if (index_get(index, json_integer_value(at), &entry, err) < 0 ||
		    enter_image(store, db, &entry, err) < 0 ||
		    enter_ref(db, &entry, text, err) < 0)
			return -1;
	}
	return 0;
}

static int write_head(struct db *db, const struct index *index, struct shale_err *err)
{
	__cleanup_json json_t *head = json_copy(index->root);
	__cleanup_free char *text = NULL;

	if (head && json_object_set_new(head, "manifests", json_array()) == 0)
		text = json_dumps(head, JSON_COMPACT);
	if (!text)
		return shale_err_set(err, ENOMEM, "writing references");
	return set_setting(db, SETTING_HEAD, text, err);
}

int catalog_write(const struct store *store, struct db *db, const struct index *index,
		  struct shale_err *err)
{
	__cleanup_json json_t *gone = json_object();
	__cleanup_json json_t *added = json_array();

	if (!gone || !added)
		return shale_err_set(err, ENOMEM, "writing references");
	if (db_each(db, err, note_descriptor, gone, "SELECT id, descriptor FROM ref") < 0 ||
	    split_entries(index, gone, added, err) < 0 || remove_gone(db, gone, err) < 0 ||
	    enter_added(store, db, index, added, err) < 0 || write_head(db, index, err) < 0)
		return -1;
	return db_run(db, err, "DELETE FROM image WHERE digest NOT IN (SELECT image FROM ref)");
}

struct completion {
	const struct store *store;
	struct db *db;
};

static int complete_one(void *arg, struct sqlite3_stmt *row, struct shale_err *err)
{
	const struct completion *completion = arg;
	const char *media_type = db_row_text(row, 1);
	struct digest digest;

	if (db_row_digest(row, 0, &digest, err) < 0)
		return -1;
	return learn(completion->store, completion->db, &digest, media_type ? media_type : "", err);
}

int catalog_complete(const struct store *store, struct db *db, struct shale_err *err)
{
	struct completion completion = { store, db };

	return db_each(db, err, complete_one, &completion,
		       "SELECT digest, media_type FROM image WHERE NOT is_known");
}

struct catalog_walk {
	catalog_fn each;
	void *arg;
};

static int walk_row(void *arg, struct sqlite3_stmt *row, struct shale_err *err)
{
	const struct catalog_walk *walk = arg;
	struct digest digest;

	if (db_row_digest(row, 0, &digest, err) < 0)
		return -1;
	return walk->each(walk->arg, &digest, err);
}

int catalog_each_needed(struct db *db, catalog_fn each, void *arg, struct shale_err *err)
{
	struct catalog_walk walk = { each, arg };

	return db_each(db, err, walk_row, &walk,
		       "SELECT digest FROM image"
		       " UNION SELECT digest FROM image_blob"
		       " UNION SELECT blob FROM image_layer"
		       " UNION SELECT diff_id FROM image_layer");
}

int catalog_each_layer_of_others(struct db *db, const struct digest *image, catalog_fn each,
				 void *arg, struct shale_err *err)
{
	struct catalog_walk walk = { each, arg };

	return db_each(db, err, walk_row, &walk,
		       "SELECT DISTINCT diff_id FROM image_layer WHERE image <> ?1"
		       " UNION SELECT digest FROM image_blob WHERE image <> ?1",
		       DB_DIGEST(image));
}

int catalog_get_mark(struct db *db, const char *name, struct digest *ret_mark,
		     struct shale_err *err)
{
	__cleanup_buf struct buf value = BUF_INIT;

	if (get_setting(db, name, &value, err) < 0)
		return -1;
	if (!digest_parse_hex(buf_str(&value), ret_mark))
		*ret_mark = (struct digest){ { 0 } };
	return 0;
}

int catalog_set_mark(struct db *db, const char *name, const struct digest *mark,
		     struct shale_err *err)
{
	struct digest_text text = digest_text(mark);

	return set_setting(db, name, digest_hex(&text), err);
}
