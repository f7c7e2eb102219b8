// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verb pull: asks the registry what a name stands for, fetches what the store does not have, and
 * imports it (import.c) as if it had come from a file: the import's workers unpack a layer as soon as it
 * is there, while one thread downloads the others. What is resolved is in pull_resolve.c.
 */
#include "engine/pull.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "store/index.h"
#include "store/layer.h"

/* Between two looks at an image that another process pulls. */
#define PULL_BUSY_MSEC 100

static int poll_task(void *arg, struct shale_err *err)
{
	struct pull *pull = arg;
	struct shale_event event = { .kind = SHALE_EVENT_CONNECT, .name = pull->what->name };

	return task_report(&pull->task, &event, err);
}

static int report(void *arg, const struct shale_event *event, struct shale_err *err)
{
	struct pull *pull = arg;

	return task_report(&pull->task, event, err);
}

static int bring(void *arg, const struct digest *blob, struct shale_err *err)
{
	struct pull *pull = arg;

	return fetch_wait(pull->fetch, blob, err);
}

static void *download(void *arg)
{
	struct pull *pull = arg;

	if (fetch_run(pull->fetch, &pull->fetch_err) == 0)
		return NULL;
	pull->has_fetch_failed = true;
	/* What does not wait for a layer has no reason to go on either. */
	task_stop(&pull->task);
	return NULL;
}

static void join_download(struct pull *pull)
{
	if (pull->has_thread)
		pthread_join(pull->thread, NULL);
	pull->has_thread = false;
}

static void pull_release(struct pull *pull)
{
	if (pull->has_thread)
		task_stop(&pull->task);
	join_download(pull);
	fetch_close(pull->fetch);
	download_unlock_image(pull->downloads_fd, &pull->turn, &pull->image_lock);
	fd_closep(&pull->downloads_fd);
	document_release(&pull->manifest);
	schema1_release(&pull->schema1);
	buf_release(&pull->config);
	places_close(&pull->places);
	plan_release(&pull->plan);
	source_close(&pull->source);
	session_end(&pull->session);
	store_close(&pull->store);
	web_close(pull->web);
}

/* Of several pulls of one image the first does the work. */
static int wait_turn(struct pull *pull, struct shale_err *err)
{
	struct timespec pause = { .tv_nsec = PULL_BUSY_MSEC * 1000000L };

	if (download_dir(&pull->store, &pull->downloads_fd, err) < 0)
		return -1;
	pull->turn = pull->manifest.digest;
	for (;;) {
		if (download_lock_image(pull->downloads_fd, &pull->turn, &pull->image_lock, err) < 0)
			return -1;
		if (pull->image_lock >= 0)
			return 0;
		if (poll_task(pull, err) < 0)
			return -1;
		nanosleep(&pause, NULL);
	}
}

static bool is_complete(const struct store *store, const struct digest *manifest)
{
	__cleanup_image struct image image = { 0 };
	__cleanup_txn struct txn txn = TXN_NONE;
	bool entered;

	if (image_load(store, manifest, &image, NULL) < 0 ||
	    txn_begin(&txn, store->db, TXN_READ, NULL) < 0)
		return false;
	for (size_t i = 0; i < image.layer_count; i++) {
		const struct image_layer *layer = &image.layers[i];

		/* A layer without a row may be half a layer. */
		if (!store_has_blob(store, &layer->blob) ||
		    !store_has_layer(store, &layer->diff_id) ||
		    layer_is_entered(txn.db, &layer->diff_id, &entered, NULL) < 0 || !entered)
			return false;
	}
	return true;
}

/* *ret_named: the image is there under the name already. */
static bool find_image(const struct pull *pull, const struct index *index,
		       struct index_entry *ret_entry, bool *ret_named)
{
	struct index_entry entry;
	bool found = false;
	struct ref own;

	*ret_named = false;
	for (size_t i = 0; i < index_count(index); i++) {
		if (index_get(index, i, &entry, NULL) < 0 ||
		    !digest_is_equal(&entry.digest, &pull->manifest.digest))
			continue;
		found = true;
		*ret_entry = entry;
		if (entry.name && ref_parse(entry.name, &own, NULL) == 0 &&
		    !strcmp(ref_text(&own).text, ref_text(&pull->ref).text))
			*ret_named = true;
	}
	return found && is_complete(&pull->store, &pull->manifest.digest);
}

/* An image that is in the store was checked when it came: it only gets the name. */
static int take_present(struct pull *pull, bool *ret_present, struct shale_err *err)
{
	__cleanup_fd int lock = store_lock(&pull->store, LOCK_EX, err);
	__cleanup_index struct index index = { 0 };
	struct index_entry entry;
	bool is_named;

	if (lock < 0 || index_load(&pull->store, &index, err) < 0)
		return -1;
	*ret_present = find_image(pull, &index, &entry, &is_named);
	if (!*ret_present || is_named)
		return 0;
	pull->is_new = true;
	/* The entry's strings are the index's, which is about to change. */
	entry.media_type = pull_media_type(entry.media_type);
	if (index_set(&index, &pull->ref, &entry, err) < 0)
		return -1;
	return index_save(&pull->store, &index, err);
}

static int plan_image(struct pull *pull, struct shale_err *err)
{
	struct plan_image *image = plan_add(&pull->plan, err);
	struct image *facts;

	if (!image)
		return -1;
	image->manifest = pull->manifest.data;
	pull->manifest.data = (struct buf)BUF_INIT;
	image->config = pull->config;
	pull->config = (struct buf)BUF_INIT;
	image->media_type = pull_media_type(pull->manifest.media_type);
	facts = &image->image;
	if (image_parse_manifest(image->manifest.data, image->manifest.len, facts, err) < 0 ||
	    image_parse_config(image->config.data, image->config.len, facts, err) < 0)
		return -1;
	facts->manifest = pull->manifest.digest;
	image->paths = calloc(facts->layer_count + 1, sizeof(*image->paths));
	if (!image->paths)
		return shale_err_errno(err, "listing layers");
	return plan_add_name(image, ref_text(&pull->ref).text, err);
}

uint64_t pull_max_bytes(const struct pull *pull)
{
	return pull->what->max_layer_bytes ? pull->what->max_layer_bytes : SHALE_MAX_LAYER_BYTES;
}

static int add_layers(struct pull *pull, const struct image *image, struct shale_err *err)
{
	uint64_t max = pull_max_bytes(pull);

	for (size_t i = 0; i < image->layer_count; i++) {
		struct digest_text text = digest_text(&image->layers[i].blob);
		struct shale_event event = {
			.kind = SHALE_EVENT_PLANNED,
			.id = text.text,
			.total = image->layers[i].size,
		};

		if (image->layers[i].size > max)
			return shale_err_set(err, EFBIG,
					     "layer %s is larger than the limit of %llu bytes",
					     text.text, (unsigned long long)max);
		if (fetch_add(pull->fetch, &image->layers[i].blob, image->layers[i].size, err) < 0 ||
		    task_report(&pull->task, &event, err) < 0)
			return -1;
	}
	return 0;
}

static int open_fetch(struct pull *pull, struct shale_err *err)
{
	struct fetch_opts opts = {
		.web = pull->web,
		.remotes = pull->places.remotes,
		.remote_count = pull->places.count,
		.session = &pull->session,
		.is_download_only = pull->what->is_download_only,
		.report = report,
		.arg = pull,
	};

	return fetch_open(&opts, &pull->fetch, err);
}

/* The network's failure is the reason of all others, unless it was only told to stop because of one of those. */
static int finish_download(struct pull *pull, int ret, struct shale_err *err)
{
	join_download(pull);
	if (!pull->has_fetch_failed)
		return ret;
	if (ret < 0 && pull->fetch_err.code == ECANCELED && err->code != ECANCELED)
		return ret;
	return shale_err_set(err, pull->fetch_err.code, "%s", pull->fetch_err.msg);
}

int pull_start(struct pull *pull, const struct image *image, struct shale_err *err)
{
	int code;

	if (open_fetch(pull, err) < 0 || add_layers(pull, image, err) < 0)
		return -1;
	pull->source.bring = bring;
	pull->source.arg = pull;
	code = pthread_create(&pull->thread, NULL, download, pull);
	if (code)
		return shale_err_set(err, code, "cannot start a thread");
	pull->has_thread = true;
	return 0;
}

static int convert(struct pull *pull, struct shale_err *err)
{
	int ret = pull_convert_schema1(pull, err);

	if (ret < 0)
		task_stop(&pull->task);
	return finish_download(pull, ret, err);
}

static int bring_image(struct pull *pull, struct shale_err *err)
{
	struct import_input input = {
		.task = &pull->task,
		.session = &pull->session,
		.source = &pull->source,
		.plan = &pull->plan,
		.max_bytes = pull_max_bytes(pull),
	};

	/* Of schema 1 both are done. */
	if (!pull->plan.count && (plan_image(pull, err) < 0 ||
				  pull_start(pull, &pull->plan.images[0].image, err) < 0))
		return -1;
	if (finish_download(pull, import_planned(&input, err), err) < 0)
		return -1;
	fetch_discard(pull->fetch);
	pull->is_new = true;
	return 0;
}

static int download_image(struct pull *pull, struct shale_err *err)
{
	__cleanup_image struct image image = { 0 };

	if ((pull->schema1.count ? pull_measure_schema1(pull, &image, err) :
				   image_parse_manifest(pull->manifest.data.data,
							pull->manifest.data.len, &image, err)) < 0 ||
	    open_fetch(pull, err) < 0 || add_layers(pull, &image, err) < 0)
		return -1;
	pull->is_new = true;
	return fetch_run(pull->fetch, err);
}

static int pull_resolved(struct pull *pull, struct shale_err *err)
{
	bool is_present = false;

	if (wait_turn(pull, err) < 0)
		return -1;
	if (pull->schema1.count && !pull->what->is_download_only && convert(pull, err) < 0)
		return -1;
	if (take_present(pull, &is_present, err) < 0 || is_present)
		return is_present ? 0 : -1;
	if (pull->what->is_download_only)
		return download_image(pull, err);
	return bring_image(pull, err);
}

static int pull_run(struct pull *pull, struct shale_err *err)
{
	struct web_opts web = {
		.stall_seconds = pull->what->registry.stall_seconds,
		.poll = poll_task,
		.arg = pull,
	};

	if (session_begin(&pull->store, &pull->session, err) < 0 || web_open(&web, &pull->web, err) < 0)
		return -1;
	pull->source.name = strdup(pull->what->name);
	if (!pull->source.name)
		return shale_err_errno(err, "pulling");
	if (pull_resolve(pull, err) < 0)
		return -1;
	return pull_resolved(pull, err);
}

static void fill_result(const struct pull *pull, struct shale_pulled *ret_pulled)
{
	struct digest_text top = digest_text(&pull->top);
	struct digest_text id = digest_text(&pull->id);

	memcpy(ret_pulled->digest, top.text, sizeof(top.text));
	memcpy(ret_pulled->id, id.text, sizeof(id.text));
	ret_pulled->is_new = pull->is_new;
}

int shale_pull(const struct shale_opts *opts, const struct shale_pull_opts *what,
	       struct shale_pulled *ret_pulled, struct shale_err *err)
{
	__attribute__((cleanup(pull_release))) struct pull pull = {
		.what = what,
		.task = TASK_INIT(opts),
		.store = STORE_CLOSED,
		.session = SESSION_NONE,
		.source = { .dirfd = -1 },
		.downloads_fd = -1,
		.image_lock = -1,
	};
	struct shale_err unread;

	/* What went wrong also decides what is tried next. */
	err = err ? err : &unread;
	if (ref_parse(what->name, &pull.ref, err) < 0 ||
	    platform_parse(what->platform, &pull.platform, err) < 0)
		return -1;
	/* A digest says more than a tag beside it. */
	if (pull.ref.has_digest)
		pull.ref.tag[0] = '\0';
	if (store_open(opts->root, true, &pull.store, err) < 0)
		return -1;
	if (pull_run(&pull, err) < 0)
		return shale_err_wrap(err, "cannot pull %s", what->name);
	fill_result(&pull, ret_pulled);
	return 0;
}
