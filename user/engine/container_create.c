// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verbs that make and rename containers. The writable layer's row and the container's come together, marked as not
 * ready; the mark goes when everything is in its place. Whoever makes one holds its lock, so that one whose maker has
 * died is known by that (containers.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "container/create.h"
#include "container/mounts.h"
#include "engine/container_volumes.h"
#include "engine/containers.h"
#include "engine/mounting.h"
#include "store/json.h"

#define NAME_TRIES 16

struct creation {
	struct shale_containers *containers;
	struct mounting mounting;
	json_t *body;
	json_t *image; /* its config */
	json_t *record;
	char id[INSTANCE_ID_TEXT];
	char name[INSTANCE_MAX_NAME + 1];
	int dir;
	int lock;
};

static void creation_release(struct creation *creation)
{
	mounting_release(&creation->mounting);
	json_decref(creation->body);
	json_decref(creation->image);
	json_decref(creation->record);
	fd_closep(&creation->lock);
	fd_closep(&creation->dir);
}

static int read_body(struct creation *creation, const char *body, struct shale_err *err)
{
	const json_t *image;

	if (json_parse_object(body, strlen(body), "the body", &creation->body, err) < 0) {
		err->code = EINVAL;
		return -1;
	}
	image = json_object_get(creation->body, "Image");
	if (!json_string_length(image))
		return shale_err_set(err, EINVAL, "no image is named");
	return 0;
}

static int open_image(struct creation *creation, struct shale_err *err)
{
	const char *image = json_string_value(json_object_get(creation->body, "Image"));
	struct shale_containers *containers = creation->containers;
	struct mounting *mounting = &creation->mounting;
	struct shale_err why = { 0 };

	if (mounting_open(mounting, &containers->opts, image, containers->driver, &why) < 0) {
		if (why.code == ENOENT)
			return shale_err_set(err, ENOENT, "No such image: %.300s", image);
		return shale_err_set(err, why.code, "%s", why.msg);
	}
	return found_config(&mounting->found.store, &mounting->found.image, &creation->image, err);
}

/* One that is named and is not there is said now; where there is none at all, that is said at the start. */
static int check_runtime(const struct creation *creation, struct shale_err *err)
{
	const char *name = json_text(json_object_get(creation->record, "HostConfig"), "Runtime");
	struct runtime runtime;
	struct shale_err why = { 0 };

	if (!*name || runtime_find(name, &runtime, &why) == 0)
		return 0;
	return shale_err_set(err, EINVAL, "%s", why.msg);
}

static int make_record(struct creation *creation, struct shale_err *err)
{
	struct digest_text image = digest_text(&creation->mounting.found.image.config);
	const json_t *config = json_object_get(creation->image, "config");
	const struct create_input input = {
		.body = creation->body,
		.image = json_is_object(config) ? config : NULL,
		.id = creation->id,
		.name = creation->name,
		.image_id = image.text,
		.driver = creation->mounting.driver->name,
		.runtime = creation->containers->runtime.name ?: "",
	};

	if (create_record(&input, &creation->record, err) < 0 || check_runtime(creation, err) < 0)
		return -1;
	return mounts_take(creation->record, err);
}

/* Within the transaction of the layer's row, when its directory is there: nobody else can have the lock yet. */
static int enter(void *arg, struct db *db, struct shale_err *err)
{
	struct creation *creation = arg;
	char layer[CONTAINER_ID_TEXT];

	/* Of a try whose name was another's. */
	fd_closep(&creation->lock);
	fd_closep(&creation->dir);
	instance_layer(creation->id, layer);
	creation->lock = -1;
	creation->dir = opened_dir(&creation->mounting.found.store, layer, err);
	if (creation->dir < 0)
		return -1;
	creation->lock = record_hold(creation->dir, RECORD_LOCK, false, err);
	return creation->lock < 0 ? -1 : instance_enter(db, creation->id, creation->name, false, err);
}

static int make_files(struct creation *creation, struct shale_err *err)
{
	if (fs_mkdir(creation->dir, RECORD_ROOTFS, 0700) < 0)
		return shale_err_errno(err, "making a container");
	return record_write_config(creation->dir, creation->record, err);
}

static int set_ready(struct creation *creation, struct shale_err *err)
{
	__cleanup_txn struct txn txn = TXN_NONE;

	if (txn_begin(&txn, creation->mounting.found.store.db, TXN_WRITE, err) < 0 ||
	    instance_set_ready(txn.db, creation->id, err) < 0)
		return -1;
	return txn_commit(&txn, err);
}

static int make_layer(struct creation *creation, struct shale_err *err)
{
	struct container_owner owner = { .enter = enter, .arg = creation };
	struct driver_work work;

	instance_layer(creation->id, owner.id);
	if (mounting_layer(&creation->mounting, &owner, &work, err) == 0 &&
	    container_volumes_name(&creation->mounting.found.store, creation->record, err) == 0 &&
	    make_files(creation, err) == 0 &&
	    container_volumes_make(creation->containers, creation->record, err) == 0 &&
	    container_volumes_fill(&creation->mounting, creation->record, err) == 0 &&
	    set_ready(creation, err) == 0)
		return 0;
	if (creation->mounting.container.id[0]) {
		container_volumes_drop(creation->containers, creation->record);
		mounting_undo(&creation->mounting);
	}
	return -1;
}

static int name_taken(const struct creation *creation, const struct shale_err *why, struct shale_err *err)
{
	return shale_err_set(err, EEXIST,
			     "Conflict. The container name \"/%.100s\" is already in use by container \"%.64s\". You have to remove (or rename) that container to be able to reuse that name.",
			     creation->name, why->msg);
}

static bool is_name_taken(const struct shale_err *why)
{
	return why->code == EEXIST && strlen(why->msg) == INSTANCE_ID_TEXT - 1;
}

static int check_name(const char *name, struct shale_err *err)
{
	if (instance_is_name(name))
		return 0;
	return shale_err_set(err, EINVAL,
			     "Invalid container name (%.100s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", name);
}

static int make_named(struct creation *creation, const char *name, struct shale_err *err)
{
	struct shale_err why = { 0 };

	snprintf(creation->name, sizeof(creation->name), "%s", name);
	if (make_record(creation, err) < 0)
		return -1;
	if (make_layer(creation, &why) == 0)
		return 0;
	return is_name_taken(&why) ? name_taken(creation, &why, err) : shale_err_set(err, why.code, "%s", why.msg);
}

/* One of the names that are made up may be another's. */
static int make_unnamed(struct creation *creation, struct shale_err *err)
{
	char name[INSTANCE_MAX_NAME + 1];
	int ret = -1;

	for (int i = 0; ret < 0 && i < NAME_TRIES; i++) {
		container_name_make(name);
		json_decref(creation->record);
		creation->record = NULL;
		ret = make_named(creation, name, err);
		if (ret < 0 && err->code != EEXIST)
			break;
	}
	return ret;
}

static void tell_created(struct creation *creation)
{
	struct opened opened = { .record = creation->record };

	memcpy(opened.id, creation->id, sizeof(opened.id));
	memcpy(opened.name, creation->name, sizeof(opened.name));
	containers_tell(creation->containers, &opened, "create", NULL, NULL);
}

int shale_container_create(struct shale_containers *containers, const char *name, const char *body,
			   char ret_id[SHALE_CONTAINER_ID_TEXT], struct shale_err *err)
{
	__attribute__((cleanup(creation_release))) struct creation creation = {
		.containers = containers,
		.mounting = MOUNTING_NONE,
		.dir = -1,
		.lock = -1,
	};

	if (name)
		name += *name == '/';
	if ((name && check_name(name, err) < 0) || read_body(&creation, body, err) < 0 ||
	    open_image(&creation, err) < 0 || instance_make_id(creation.id, err) < 0)
		return -1;
	if (name ? make_named(&creation, name, err) < 0 : make_unnamed(&creation, err) < 0)
		return -1;
	tell_created(&creation);
	memcpy(ret_id, creation.id, SHALE_CONTAINER_ID_TEXT);
	return 0;
}
