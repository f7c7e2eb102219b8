// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verb commit: what changed in a writable layer becomes a layer's tar, and that, on top of the image below, a new
 * image. The tar is written into the session and then imported like any other, so what is in the store
 * afterwards does not depend on the storage driver. Its blob is not compressed: its digest is the
 * diff id, and follows from the changes alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "archive/difftar.h"
#include "base/clock.h"
#include "base/fs.h"
#include "engine/blob.h"
#include "engine/change.h"
#include "engine/found.h"
#include "engine/import.h"
#include "engine/work.h"

#define LAYER_PATH "layer.tar"
#define SPOOL_DIR  "commit"

/* What a config says of the machine it was made on, or of the one image it was made for. */
static const char *const dropped_fields[] = { "container", "container_config", "docker_version",
					      "id", "parent", "parent_id", "comment" };

struct commit {
	const struct shale_commit_opts *opts;
	struct task task;
	struct work work;
	struct source source;
	struct plan plan;
	struct image parent;
	json_t *config;	 /* of the new image */
	json_t *manifest; /* of the parent */
	/* The layer's tar. */
	int tar_fd;
	struct hasher hasher;
	uint64_t written;
	uint64_t entries;
	bool is_empty;
	struct blob_facts facts;
};

static void commit_release(struct commit *commit)
{
	json_decref(commit->config);
	json_decref(commit->manifest);
	hasher_release(&commit->hasher);
	fd_closep(&commit->tar_fd);
	plan_release(&commit->plan);
	image_release(&commit->parent);
	source_close(&commit->source);
	work_release(&commit->work);
}

static int take_tar(void *arg, const void *data, size_t len, struct shale_err *err)
{
	struct commit *commit = arg;
	struct shale_event event = { .kind = SHALE_EVENT_COPY, .id = LAYER_PATH };

	hasher_update(&commit->hasher, data, len);
	if (fs_write_full(commit->tar_fd, data, len) < 0)
		return shale_err_errno(err, "copying into the store");
	commit->written += len;
	event.done = commit->written;
	return task_report(&commit->task, &event, err);
}

/* The source of the import that follows: one file in the session. */
static int open_source(struct commit *commit, struct shale_err *err)
{
	struct source *source = &commit->source;
	int session_fd = commit->work.session.fd;

	if (mkdirat(session_fd, SPOOL_DIR, 0700) < 0)
		return shale_err_errno(err, "copying into the store");
	source->dirfd = openat(session_fd, SPOOL_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	source->name = strdup("commit");
	source->files = calloc(1, sizeof(*source->files));
	if (source->dirfd < 0 || !source->name || !source->files)
		return shale_err_errno(err, "copying into the store");
	source->is_spooled = true;
	source->file_count = 1;
	source->files[0].path = strdup(LAYER_PATH);
	snprintf(source->files[0].spooled, sizeof(source->files[0].spooled), "0");
	commit->tar_fd = openat(source->dirfd, "0", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (commit->tar_fd < 0 || !source->files[0].path)
		return shale_err_errno(err, "copying into the store");
	return 0;
}

/* What a container's runtime has made to mount on it, and nobody has used since. */
static bool is_skipped(const struct shale_commit_opts *opts, const struct change *change)
{
	if (change->kind != CHANGE_ENTRY || (!S_ISDIR(change->st.st_mode) && change->st.st_size))
		return false;
	for (size_t i = 0; i < opts->skipped_count; i++)
		if (!strcmp(change->path, opts->skipped[i]))
			return true;
	return false;
}

struct layer_writing {
	const struct shale_commit_opts *opts;
	struct difftar difftar;
};

static int count_change(void *arg, const struct change *change, struct shale_err *err)
{
	struct layer_writing *writing = arg;
	struct difftar *difftar = &writing->difftar;

	if (is_skipped(writing->opts, change))
		return 0;
	/* Whiteouts are changes, too. */
	if (change->kind != CHANGE_ENTRY)
		difftar->entries++;
	return difftar_add(difftar, change, err);
}

static void writing_release(struct layer_writing *writing)
{
	difftar_release(&writing->difftar);
}

static int write_layer(struct commit *commit, struct shale_err *err)
{
	__attribute__((cleanup(writing_release))) struct layer_writing writing = { .opts = commit->opts };
	struct work *work = &commit->work;

	if (open_source(commit, err) < 0 || hasher_init(&commit->hasher, err) < 0 ||
	    work_view(work, err) < 0 || difftar_init(&writing.difftar, take_tar, commit, err) < 0)
		return -1;
	if (work->driver->diff(&work->driver_work, work->base_fd, work->view_fd, count_change,
			       &writing, err) < 0 ||
	    difftar_finish(&writing.difftar, err) < 0)
		return -1;
	commit->is_empty = !writing.difftar.entries;
	commit->facts = (struct blob_facts){ .size = commit->written, .codec = "none" };
	hasher_final(&commit->hasher, &commit->facts.digest);
	return 0;
}

static int load_parent(struct commit *commit, struct shale_err *err)
{
	const struct store *store = &commit->work.store;
	__cleanup_buf struct buf text = BUF_INIT;
	bool present;

	if (!commit->work.made.has_image)
		return shale_err_set(err, EINVAL, "nobody knows the image below it");
	if (session_lease_blob(&commit->work.session, &commit->work.made.image, &present, err) < 0)
		return -1;
	if (!present)
		return shale_err_set(err, ENOENT, "the image below it is not in the store any more");
	if (image_load(store, &commit->work.made.image, &commit->parent, err) < 0 ||
	    session_lease_blob(&commit->work.session, &commit->parent.config, &present, err) < 0 ||
	    found_config(store, &commit->parent, &commit->config, err) < 0 ||
	    store_read_blob(store, &commit->parent.manifest, &text, err) < 0)
		return -1;
	return json_parse_object(text.data, text.len, "manifest", &commit->manifest, err);
}

static json_t *history_entry(const struct commit *commit, const char *now)
{
	const struct shale_commit_opts *opts = commit->opts;
	json_t *entry = json_pack("{s:s, s:s*, s:s*, s:s*}", "created", now, "created_by",
				  opts->created_by, "author", opts->author, "comment",
				  opts->message);

	if (entry && commit->is_empty && json_object_set_new(entry, "empty_layer", json_true())) {
		json_decref(entry);
		return NULL;
	}
	return entry;
}

static json_t *get_or_make(json_t *object, const char *key, json_t *(*make)(void))
{
	json_t *value = json_object_get(object, key);

	if (value && !json_is_null(value))
		return value;
	return json_object_set_new(object, key, make()) ? NULL : json_object_get(object, key);
}

/* What a container says of how it runs; its host's name and what it was attached to were its own. */
static int take_config(json_t *run, const char *text, struct shale_err *err)
{
	static const char *const fields[] = { "Env",  "Cmd",	"Entrypoint",	"User",	      "WorkingDir",
					      "Labels", "Volumes", "ExposedPorts", "StopSignal" };
	__cleanup_json json_t *config = NULL;

	if (!text)
		return 0;
	if (json_parse_object(text, strlen(text), "the container's configuration", &config, err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		json_t *value = json_object_get(config, fields[i]);

		if (!value || json_is_null(value))
			json_object_del(run, fields[i]);
		else if (json_object_set(run, fields[i], value))
			return shale_err_set(err, ENOMEM, "writing a config");
	}
	return 0;
}

static int apply_changes(struct commit *commit, struct shale_err *err)
{
	json_t *run = get_or_make(commit->config, "config", json_object);
	struct change_state state = { 0 };

	if (!json_is_object(run))
		return shale_err_set(err, EINVAL, "the image's config is not an object");
	if (take_config(run, commit->opts->config, err) < 0)
		return -1;
	for (size_t i = 0; i < commit->opts->change_count; i++)
		if (change_apply(run, commit->opts->changes[i], &state, err) < 0)
			return -1;
	return 0;
}

static int change_config(struct commit *commit, struct shale_err *err)
{
	json_t *history = get_or_make(commit->config, "history", json_array);
	json_t *rootfs = json_object_get(commit->config, "rootfs");
	struct digest_text layer = digest_text(&commit->facts.digest);
	char now[CLOCK_TEXT];

	clock_print_now(now);
	for (size_t i = 0; i < sizeof(dropped_fields) / sizeof(*dropped_fields); i++)
		json_object_del(commit->config, dropped_fields[i]);
	if (json_object_set_new(commit->config, "created", json_string(now)) ||
	    (commit->opts->author &&
	     json_object_set_new(commit->config, "author", json_string(commit->opts->author))) ||
	    json_array_append_new(history, history_entry(commit, now)))
		return shale_err_set(err, EINVAL, "author, message or history are not UTF-8");
	if (!commit->is_empty &&
	    json_array_append_new(json_object_get(rootfs, "diff_ids"), json_string(layer.text)))
		return shale_err_set(err, ENOMEM, "writing a config");
	return apply_changes(commit, err);
}

/* The parent's blobs are in the store: their paths are never read. */
static int list_paths(struct plan_image *image, struct shale_err *err)
{
	image->paths = calloc(image->image.layer_count + 1, sizeof(*image->paths));
	for (size_t i = 0; image->paths && i < image->image.layer_count; i++)
		image->paths[i] = strdup(LAYER_PATH);
	return image->paths ? 0 : shale_err_errno(err, "listing layers");
}

static int make_plan(struct commit *commit, struct shale_err *err)
{
	struct plan_image *image = plan_add(&commit->plan, err);
	json_t *layers = json_object_get(commit->manifest, "layers");
	__cleanup_free char *text = json_dumps(commit->config, JSON_COMPACT);

	if (!image)
		return -1;
	if (!text || buf_adds(&image->config, text) < 0)
		return shale_err_set(err, ENOMEM, "writing a config");
	if (!commit->is_empty && json_array_append_new(layers, plan_layer(&commit->facts)))
		return shale_err_set(err, ENOMEM, "writing a manifest");
	if (plan_write_manifest(image, layers, err) < 0 || list_paths(image, err) < 0)
		return -1;
	return commit->opts->name ? plan_add_name(image, commit->opts->name, err) : 0;
}

static int commit_run(struct commit *commit, const struct shale_opts *opts, struct shale_err *err)
{
	struct import_input input = {
		.task = &commit->task,
		.session = &commit->work.session,
		.source = &commit->source,
		.plan = &commit->plan,
		.max_bytes = UINT64_MAX,
	};

	if (work_open(opts, commit->opts->container, &commit->work, err) < 0 ||
	    load_parent(commit, err) < 0)
		return -1;
	if (write_layer(commit, err) < 0 || change_config(commit, err) < 0 ||
	    make_plan(commit, err) < 0)
		return -1;
	return import_planned(&input, err);
}

int shale_commit(const struct shale_opts *opts, const struct shale_commit_opts *what,
		 char ret_id[SHALE_DIGEST_TEXT], struct shale_err *err)
{
	__attribute__((cleanup(commit_release))) struct commit commit = {
		.opts = what,
		.task = TASK_INIT(opts),
		.work = WORK_NONE,
		.source = { .dirfd = -1 },
		.tar_fd = -1,
	};
	struct digest_text id;
	struct ref ref;

	if (what->name && ref_parse_new(what->name, &ref, err) < 0)
		return -1;
	if (commit_run(&commit, opts, err) < 0)
		return -1;
	id = digest_text(&commit.plan.images[0].image.config);
	memcpy(ret_id, id.text, SHALE_DIGEST_TEXT);
	return 0;
}
