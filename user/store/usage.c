// SPDX-License-Identifier: GPL-2.0-only
/*
 * Adds up the store; see usage.h. Layers' sizes are in their rows; blobs, whole trees and writable layers are
 * looked at. Called by the engine's df and prune.
 */
#include "store/usage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/du.h"
#include "base/fs.h"
#include "store/inuse.h"
#include "store/layer.h"
#include "store/mountline.h"
#include "store/mounts.h"
#include "store/trees.h"

static const char tables[] =
	"CREATE TEMP TABLE IF NOT EXISTS mounted (diff_id BLOB PRIMARY KEY) WITHOUT ROWID;"
	"CREATE TEMP TABLE IF NOT EXISTS active (image BLOB PRIMARY KEY) WITHOUT ROWID;"
	"DELETE FROM mounted;"
	"DELETE FROM active;";

struct noting {
	struct db *db;
	struct shale_err *err;
};

static int note_mounted(void *arg, const struct digest *diff_id, const char *target)
{
	const struct noting *noting = arg;

	(void)target;
	return db_run(noting->db, noting->err, "INSERT OR IGNORE INTO mounted VALUES (?)",
		      DB_DIGEST(diff_id));
}

int usage_begin(const struct store *store, struct db *db, struct shale_err *err)
{
	struct noting noting = { db, err };

	if (db_script(db, tables, err) < 0 ||
	    mounts_each_layer(store, note_mounted, &noting, err) < 0)
		return -1;
	return db_run(db, err,
		      "INSERT INTO active SELECT digest FROM image WHERE"
		      " config IN (SELECT image FROM container)"
		      " OR (SELECT diff_id FROM image_layer WHERE image = digest"
		      "     ORDER BY position DESC LIMIT 1) IN (SELECT diff_id FROM mounted)");
}

static int sum_images(struct db *db, struct usage_sum *sum, struct shale_err *err)
{
	int64_t total = 0, active = 0, size = 0, used = 0;

	if (db_number(db, err, &total, "SELECT count(*) FROM image") < 0 ||
	    db_number(db, err, &active, "SELECT count(*) FROM active") < 0 ||
	    db_number(db, err, &size, "SELECT total(content) FROM layer") < 0 ||
	    db_number(db, err, &used,
		      "SELECT total(content) FROM layer WHERE diff_id IN (SELECT diff_id FROM mounted)"
		      " OR diff_id IN (SELECT diff_id FROM image_layer"
		      "                WHERE image IN (SELECT image FROM active))") < 0)
		return -1;
	*sum = (struct usage_sum){ total, active, size, size - used };
	return 0;
}

/* A driver's whole tree of an image is in use while all layers it was made of are. */
struct tree_sum {
	struct db *db;
	struct usage_sum *sum;
	struct shale_err *err;
};

static int is_tree_used(const struct tree_sum *trees, const struct made *made, bool *ret_used)
{
	int64_t used = 1;

	*ret_used = made;
	for (size_t i = 0; *ret_used && i < made->count; i++) {
		if (db_number(trees->db, trees->err, &used,
			      "SELECT (SELECT count(*) FROM mounted WHERE diff_id = ?1)"
			      " + (SELECT count(*) FROM image_layer WHERE diff_id = ?1"
			      "    AND image IN (SELECT image FROM active))",
			      DB_DIGEST(&made->layers[i])) < 0)
			return -1;
		*ret_used = used > 0;
	}
	return 0;
}

static int add_tree(void *arg, const struct tree *tree)
{
	const struct tree_sum *trees = arg;
	__cleanup_buf struct buf path = BUF_INIT;
	uint64_t size = 0;
	bool used;

	if (is_tree_used(trees, tree->made, &used) < 0 || buf_addf(&path, "%s/root", tree->name) < 0)
		return -1;
	/* The collector may be taking it. */
	if (du_tree(tree->dirfd, buf_str(&path), &size) < 0 && errno != ENOENT)
		return -1;
	trees->sum->size += size;
	trees->sum->reclaimable += used ? 0 : size;
	return 0;
}

struct blob_walk {
	struct db *db;
	struct usage_sum *sum;
	struct shale_err *err;
};

static int is_used(struct db *db, const struct digest *blob, int64_t *ret_count,
		   struct shale_err *err)
{
	return db_number(db, err, ret_count,
			 "SELECT count(*) FROM active WHERE image = ?1"
			 " OR image IN (SELECT image FROM image_layer WHERE blob = ?1)"
			 " OR image IN (SELECT image FROM image_blob WHERE digest = ?1)",
			 DB_DIGEST(blob));
}

static int is_needed(struct db *db, const struct digest *blob, int64_t *ret_count,
		     struct shale_err *err)
{
	return db_number(db, err, ret_count,
			 "SELECT (SELECT count(*) FROM image WHERE digest = ?1)"
			 " + (SELECT count(*) FROM image_layer WHERE blob = ?1)"
			 " + (SELECT count(*) FROM image_blob WHERE digest = ?1)",
			 DB_DIGEST(blob));
}

static int add_blob(void *arg, int dirfd, const char *name)
{
	struct blob_walk *walk = arg;
	int64_t used = 0, needed = 0;
	struct digest digest;
	struct stat st;

	if (!digest_parse_hex(name, &digest) || fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (is_used(walk->db, &digest, &used, walk->err) < 0 ||
	    is_needed(walk->db, &digest, &needed, walk->err) < 0)
		return -1;
	walk->sum->total++;
	walk->sum->active += needed > 0;
	walk->sum->size += st.st_size;
	walk->sum->reclaimable += used ? 0 : st.st_size;
	return 0;
}

int usage_of_container(const struct store *store, const char *id, uint64_t *ret_size,
		       struct shale_err *err)
{
	char path[sizeof(CONTAINER_ROOM "//upper") + CONTAINER_ID_TEXT];

	snprintf(path, sizeof(path), CONTAINER_ROOM "/%.12s/upper", id);
	*ret_size = 0;
	if (du_tree(store->dirfd, path, ret_size) < 0 && errno != ENOENT)
		return shale_err_errno(err, "%s/%s", store->path, path);
	return 0;
}

/* A driver without a union mounts the directory itself, which its root in mountinfo tells. */
struct bind_search {
	char wanted[sizeof("/" CONTAINER_ROOM "//upper") + CONTAINER_ID_TEXT];
	bool found;
};

static int look_at_root(void *arg, const char *line, const char *root_dir)
{
	__cleanup_free char *root = mountline_field(line, MOUNTLINE_ROOT);
	struct bind_search *search = arg;

	(void)root_dir;
	if (!root)
		return -1;
	mountline_unescape(root);
	search->found |= strstr(root, search->wanted) != NULL;
	return 0;
}

static int is_bound(const char *id, bool *ret_bound, struct shale_err *err)
{
	struct bind_search search = { .found = false };

	snprintf(search.wanted, sizeof(search.wanted), "/" CONTAINER_ROOM "/%.12s/upper", id);
	if (mounts_each_line(look_at_root, &search, err) < 0)
		return -1;
	*ret_bound = search.found;
	return 0;
}

int usage_is_mounted(const struct store *store, const char *id, bool *ret_mounted,
		     struct shale_err *err)
{
	char path[sizeof(CONTAINER_ROOM "//upper") + CONTAINER_ID_TEXT];
	__cleanup_inuse_dir struct inuse_dir dir = { 0 };
	__cleanup_free char *target = NULL;
	enum inuse use = INUSE_NOT;
	__cleanup_fd int fd = -1;

	snprintf(path, sizeof(path), CONTAINER_ROOM "/%.12s/upper", id);
	fd = fs_open_beneath(store->dirfd, path, O_PATH | O_DIRECTORY, 0);
	*ret_mounted = false;
	if (fd < 0)
		return errno == ENOENT ? 0 : shale_err_errno(err, "%s/%s", store->path, path);
	if (inuse_dir_get(fd, &dir, err) < 0 || inuse_find(&dir, &use, &target, err) < 0)
		return shale_err_wrap(err, "%s/%s", store->path, path);
	*ret_mounted = use != INUSE_NOT;
	return *ret_mounted ? 0 : is_bound(id, ret_mounted, err);
}

struct container_sum {
	const struct store *store;
	struct usage_sum *sum;
};

static int add_container(void *arg, const struct container_row *row, struct shale_err *err)
{
	const struct container_sum *walk = arg;
	uint64_t size = 0;
	bool mounted = false;

	if (usage_of_container(walk->store, row->id, &size, err) < 0 ||
	    usage_is_mounted(walk->store, row->id, &mounted, err) < 0)
		return -1;
	walk->sum->total++;
	walk->sum->active += mounted;
	walk->sum->size += size;
	walk->sum->reclaimable += mounted ? 0 : size;
	return 0;
}

int usage_sum_up(const struct store *store, struct db *db, struct usage *ret_usage,
		 struct shale_err *err)
{
	struct usage usage = { 0 };
	struct shale_err why = { 0 };
	struct blob_walk blobs = { db, &usage.blobs, &why };
	struct container_sum containers = { store, &usage.containers };
	struct tree_sum trees = { db, &usage.images, &why };

	if (sum_images(db, &usage.images, err) < 0 ||
	    container_each(db, add_container, &containers, err) < 0)
		return -1;
	if (trees_each(store, add_tree, &trees) < 0)
		return why.code ? shale_err_set(err, why.code, "%s", why.msg) :
				  shale_err_errno(err, "looking at the trees of %s", store->path);
	if (fs_each_name(store->blobs_fd, ".", add_blob, &blobs) < 0)
		return why.code ? shale_err_set(err, why.code, "%s", why.msg) :
				  shale_err_errno(err, "looking at the blobs of %s", store->path);
	*ret_usage = usage;
	return 0;
}

struct image_walk {
	usage_image_fn each;
	void *arg;
};

static int walk_image(void *arg, struct sqlite3_stmt *row, struct shale_err *err)
{
	const struct image_walk *walk = arg;
	struct usage_image image = {
		.shared = db_row_number(row, 1),
		.unique = db_row_number(row, 2),
		.containers = db_row_number(row, 3),
		.is_active = db_row_number(row, 4) > 0,
	};

	if (db_row_digest(row, 0, &image.image, err) < 0)
		return -1;
	return walk->each(walk->arg, &image, err);
}

int usage_each_image(struct db *db, usage_image_fn each, void *arg, struct shale_err *err)
{
	struct image_walk walk = { each, arg };

	return db_each(db, err, walk_image, &walk,
		       "WITH use AS (SELECT diff_id, count(DISTINCT image) AS images"
		       "             FROM image_layer GROUP BY diff_id),"
		       " have AS (SELECT DISTINCT i.image, i.diff_id, l.content, u.images"
		       "          FROM image_layer i JOIN layer l USING (diff_id) JOIN use u USING (diff_id))"
		       " SELECT digest,"
		       "  (SELECT total(content) FROM have WHERE image = digest AND images > 1),"
		       "  (SELECT total(content) FROM have WHERE image = digest AND images = 1),"
		       "  (SELECT count(*) FROM container WHERE image = config),"
		       "  digest IN (SELECT image FROM active)"
		       " FROM image ORDER BY digest");
}

struct unused_walk {
	usage_unused_fn each;
	void *arg;
};

static int walk_unused(void *arg, struct sqlite3_stmt *row, struct shale_err *err)
{
	const struct unused_walk *walk = arg;
	struct digest image, id;

	if (db_row_digest(row, 0, &image, err) < 0 || db_row_digest(row, 1, &id, err) < 0)
		return -1;
	return walk->each(walk->arg, &image, &id, err);
}

int usage_each_unused(struct db *db, bool is_all, time_t before, usage_unused_fn each, void *arg,
		      struct shale_err *err)
{
	struct unused_walk walk = { each, arg };

	return db_each(db, err, walk_unused, &walk,
		       "SELECT digest, ifnull(config, digest) FROM image WHERE digest NOT IN (SELECT image FROM active)"
		       " AND created < ?1 AND (?2 OR NOT EXISTS"
		       " (SELECT 1 FROM ref WHERE image = digest AND name IS NOT NULL))"
		       " ORDER BY created, digest",
		       DB_INT(before), DB_INT(is_all));
}
