// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes and removes writable layers; see container.h. The row comes after the directory and goes
 * before it. Called by the engine's mount and umount, and by who counts and checks.
 */
#include "store/container.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "store/layer.h"

static int id_make(char id[CONTAINER_ID_TEXT], struct shale_err *err)
{
	unsigned char random[(CONTAINER_ID_TEXT - 1) / 2];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return shale_err_errno(err, "cannot make up an ID");
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(id + 2 * i, 3, "%02x", random[i]);
	return 0;
}

static char *path_make(const struct store *store, const char *id, const char *name)
{
	char *path;

	return asprintf(&path, "%s/" CONTAINER_ROOM "/%s/%s", store->path, id, name) < 0 ? NULL : path;
}

/* The union shows the upper's root as its own, so it has to be like the image's. */
static int root_like(int dirfd, const char *base, struct shale_err *err)
{
	struct stat st;

	if (stat(base, &st))
		return shale_err_errno(err, "%s", base);
	if (fchownat(dirfd, "upper", st.st_uid, st.st_gid, 0) ||
	    fchmodat(dirfd, "upper", st.st_mode & 07777, 0))
		return shale_err_errno(err, "cannot give the writable layer its owner and mode");
	return 0;
}

static int dirs_make(const struct store *store, const char *id, const char *base,
		     struct shale_err *err)
{
	__cleanup_fd int all = -1;
	__cleanup_fd int own = -1;

	if (fs_mkdir(store->dirfd, CONTAINER_ROOM, 0700))
		return shale_err_errno(err, "%s/" CONTAINER_ROOM, store->path);
	all = openat(store->dirfd, CONTAINER_ROOM, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (all < 0 || mkdirat(all, id, 0700))
		return shale_err_errno(err, "%s/" CONTAINER_ROOM "/%s", store->path, id);
	own = openat(all, id, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (own < 0 || mkdirat(own, "upper", 0700) || mkdirat(own, "work", 0700))
		return shale_err_errno(err, "%s/" CONTAINER_ROOM "/%s", store->path, id);
	return root_like(own, base, err);
}

int container_enter(struct db *db, const char *id, time_t created, struct shale_err *err)
{
	return db_run(db, err,
		      "INSERT INTO container (id, driver, created) VALUES (?, '" LAYER_DRIVER "', ?)"
		      " ON CONFLICT DO NOTHING",
		      DB_TEXT(id), DB_INT(created));
}

int container_describe(struct db *db, const char *id, const struct digest *image,
		       const char *driver, struct shale_err *err)
{
	return db_run(db, err, "UPDATE container SET image = ?, driver = ? WHERE id = ?",
		      DB_DIGEST(image), DB_TEXT(driver), DB_TEXT(id));
}

int container_leave(struct db *db, const char *id, struct shale_err *err)
{
	return db_run(db, err, "DELETE FROM container WHERE id = ?", DB_TEXT(id));
}

struct container_walk {
	container_fn each;
	void *arg;
};

static int walk_row(void *arg, struct sqlite3_stmt *stmt, struct shale_err *err)
{
	const struct container_walk *walk = arg;
	struct container_row row = {
		.id = db_row_text(stmt, 0),
		.created = db_row_number(stmt, 1),
		.has_image = !db_row_is_null(stmt, 2),
	};

	if (row.has_image && db_row_digest(stmt, 2, &row.image, err) < 0)
		return -1;
	return walk->each(walk->arg, &row, err);
}

int container_each(struct db *db, container_fn each, void *arg, struct shale_err *err)
{
	struct container_walk walk = { each, arg };

	return db_each(db, err, walk_row, &walk,
		       "SELECT id, created, image FROM container ORDER BY created, id");
}

static int row_add(const struct store *store, const char *id, const struct container_owner *owner,
		   struct shale_err *err)
{
	__cleanup_txn struct txn txn = TXN_NONE;

	if (txn_begin(&txn, store->db, TXN_WRITE, err) < 0 ||
	    container_enter(txn.db, id, time(NULL), err) < 0 ||
	    (owner && owner->enter(owner->arg, txn.db, err) < 0))
		return -1;
	return txn_commit(&txn, err);
}

static int row_remove(const struct store *store, const char *id, struct shale_err *err)
{
	__cleanup_txn struct txn txn = TXN_NONE;

	if (txn_begin(&txn, store->db, TXN_WRITE, err) < 0 || container_leave(txn.db, id, err) < 0)
		return -1;
	return txn_commit(&txn, err);
}

int container_set_image(const struct store *store, const char *id, const struct digest *image,
			const char *driver, struct shale_err *err)
{
	__cleanup_txn struct txn txn = TXN_NONE;

	if (txn_begin(&txn, store->db, TXN_VOLATILE, err) < 0 ||
	    container_describe(txn.db, id, image, driver, err) < 0)
		return -1;
	return txn_commit(&txn, err);
}

int container_create_for(const struct store *store, const char *base,
			 const struct container_owner *owner, struct container *ret_container,
			 struct shale_err *err)
{
	__cleanup_container struct container container = { .upper = NULL };

	if (owner)
		memcpy(container.id, owner->id, sizeof(container.id));
	else if (id_make(container.id, err))
		return -1;
	container.upper = path_make(store, container.id, "upper");
	container.work = path_make(store, container.id, "work");
	if (!container.upper || !container.work)
		return shale_err_set(err, ENOMEM, "out of memory");
	if (dirs_make(store, container.id, base, err) || row_add(store, container.id, owner, err)) {
		container_remove(store, container.id, NULL);
		return -1;
	}
	*ret_container = container;
	container = (struct container){ .upper = NULL };
	return 0;
}

int container_create(const struct store *store, const char *base, struct container *ret_container,
		     struct shale_err *err)
{
	return container_create_for(store, base, NULL, ret_container, err);
}

void container_release(struct container *container)
{
	free(container->upper);
	free(container->work);
	*container = (struct container){ .upper = NULL };
}

int container_remove(const struct store *store, const char *id, struct shale_err *err)
{
	char path[sizeof(CONTAINER_ROOM) + CONTAINER_ID_TEXT];

	snprintf(path, sizeof(path), CONTAINER_ROOM "/%s", id);
	if (row_remove(store, id, err) < 0)
		return -1;
	if (fs_remove_tree(store->dirfd, path))
		return shale_err_errno(err, "cannot remove %s/%s", store->path, path);
	return 0;
}

bool container_is_id(const char *text)
{
	return strlen(text) == CONTAINER_ID_TEXT - 1 &&
	       strspn(text, "0123456789abcdef") == CONTAINER_ID_TEXT - 1;
}

bool container_of_upper(const struct store *store, const char *upper,
			char ret_id[CONTAINER_ID_TEXT])
{
	size_t len = strlen(store->path);
	const char *id = upper + len + sizeof("/" CONTAINER_ROOM "/") - 1;

	if (strncmp(upper, store->path, len) ||
	    strncmp(upper + len, "/" CONTAINER_ROOM "/", sizeof("/" CONTAINER_ROOM "/") - 1))
		return false;
	if (strspn(id, "0123456789abcdef") != CONTAINER_ID_TEXT - 1 ||
	    strcmp(id + CONTAINER_ID_TEXT - 1, "/upper"))
		return false;
	memcpy(ret_id, id, CONTAINER_ID_TEXT - 1);
	ret_id[CONTAINER_ID_TEXT - 1] = '\0';
	return true;
}
