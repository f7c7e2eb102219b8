// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verb import: plan what the source has, bring layers in by several threads, and at the end, in
 * one step under the store's lock, make everything visible and enter the names. Until that step
 * nothing of an import can be seen, and after a failure or a kill nothing stays. pull.c uses the second
 * half, from a plan on; see import.h.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "engine/implied.h"
#include "engine/import.h"
#include "store/index.h"

/* More threads than this only fight for the disk. */
#define IMPORT_MAX_WORKERS 4

struct import {
	const struct import_input *input;
	const char *xattr_prefix;
	size_t job_count;
	struct blob_job *jobs;
	atomic_size_t next_job;
	pthread_mutex_t err_lock;
	struct shale_err first_err;
	bool has_failed;
};

static bool is_planned(const struct import *import, const struct image_layer *layer)
{
	for (size_t i = 0; i < import->job_count; i++)
		if (digest_is_equal(&import->jobs[i].layer.blob, &layer->blob) &&
		    digest_is_equal(&import->jobs[i].layer.diff_id, &layer->diff_id))
			return true;
	return false;
}

static int plan_jobs(struct import *import, struct shale_err *err)
{
	size_t total = 0;

	for (size_t i = 0; i < import->input->plan->count; i++)
		total += import->input->plan->images[i].image.layer_count;
	import->jobs = calloc(total + 1, sizeof(*import->jobs));
	if (!import->jobs)
		return shale_err_errno(err, "planning layers");
	for (size_t i = 0; i < import->input->plan->count; i++) {
		const struct plan_image *image = &import->input->plan->images[i];

		for (size_t l = 0; l < image->image.layer_count; l++) {
			if (is_planned(import, &image->image.layers[l]))
				continue;
			import->jobs[import->job_count++] = (struct blob_job){
				.task = import->input->task,
				.session = import->input->session,
				.source = import->input->source,
				.path = image->paths[l],
				.layer = image->image.layers[l],
				.max_bytes = import->input->max_bytes,
				.xattr_prefix = import->xattr_prefix,
			};
		}
	}
	return 0;
}

static void note_failure(struct import *import, const struct shale_err *err)
{
	pthread_mutex_lock(&import->err_lock);
	/* The others' "cancelled" is only the echo of the first one's failure. */
	if (!import->has_failed)
		import->first_err = *err;
	import->has_failed = true;
	pthread_mutex_unlock(&import->err_lock);
	task_stop(import->input->task);
}

static void *work(void *arg)
{
	struct import *import = arg;
	struct shale_err err = { 0 };
	size_t i;

	while (!atomic_load(&import->input->task->stopped)) {
		i = atomic_fetch_add(&import->next_job, 1);
		if (i >= import->job_count)
			break;
		if (blob_import(&import->jobs[i], &err) < 0)
			note_failure(import, &err);
	}
	return NULL;
}

static size_t worker_count(const struct import *import)
{
	cpu_set_t cpus;
	size_t count = 1;

	if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
		count = CPU_COUNT(&cpus);
	if (count > IMPORT_MAX_WORKERS)
		count = IMPORT_MAX_WORKERS;
	return count < import->job_count ? count : import->job_count;
}

/* The caller's thread works too, so that having no thread to spare costs speed only. */
static int run_jobs(struct import *import, struct shale_err *err)
{
	pthread_t threads[IMPORT_MAX_WORKERS];
	size_t wanted = worker_count(import);
	size_t started = 0;

	while (started + 1 < wanted &&
	       pthread_create(&threads[started], NULL, work, import) == 0)
		started++;
	work(import);
	while (started)
		pthread_join(threads[--started], NULL);
	if (!import->has_failed && atomic_load(&import->input->task->stopped))
		return shale_err_set(err, ECANCELED, "cancelled");
	if (!import->has_failed)
		return 0;
	return shale_err_set(err, import->first_err.code, "%s", import->first_err.msg);
}

/* The first image of several decides, so they are taken from the last. */
static int settle_implied(struct import *import, struct shale_err *err)
{
	__cleanup_fd int lock = store_lock(import->input->session->store, LOCK_EX, err);

	if (lock < 0)
		return -1;
	for (size_t i = import->input->plan->count; i--;)
		if (implied_settle_image(import->input->session, &import->input->plan->images[i].image,
					 import->xattr_prefix, err) < 0)
			return -1;
	return 0;
}

static int add_documents(struct import *import, struct shale_err *err)
{
	for (size_t i = 0; i < import->input->plan->count; i++) {
		struct plan_image *image = &import->input->plan->images[i];

		if (blob_add(import->input->session, &image->image.config, &image->config, err) < 0 ||
		    blob_add(import->input->session, &image->image.manifest, &image->manifest, err) < 0)
			return -1;
	}
	return 0;
}

/* Whose it is now, for who is told; that of an image which cannot be read is nobody's. */
static void note_taken(const struct store *store, const struct index *index, const struct plan_image *image,
		       struct plan_name *name)
{
	const struct ref_text text = ref_text(&name->ref);
	__cleanup_image struct image was = { 0 };
	struct index_entry entry;
	bool by_id;
	size_t i;

	if (image_find(store, index, text.text, &i, &by_id, NULL) < 0 || by_id ||
	    index_get(index, i, &entry, NULL) < 0 || image_load(store, &entry.digest, &was, NULL) < 0)
		return;
	name->from = was.config;
	name->is_taken = !digest_is_equal(&was.config, &image->image.config);
}

static int enter_image(const struct store *store, struct index *index, struct plan_image *image,
		       struct shale_err *err)
{
	struct index_entry entry = {
		.digest = image->image.manifest,
		.size = image->manifest.len,
		.media_type = image->media_type,
	};

	if (!image->name_count)
		return index_set(index, NULL, &entry, err);
	for (size_t i = 0; i < image->name_count; i++) {
		note_taken(store, index, image, &image->names[i]);
		if (index_set(index, &image->names[i].ref, &entry, err) < 0)
			return -1;
	}
	return 0;
}

static int commit(struct import *import, struct shale_err *err)
{
	struct session *session = import->input->session;
	__cleanup_index struct index index = { 0 };
	__cleanup_fd int lock = -1;

	if (session_sync(session, err) < 0)
		return -1;
	lock = store_lock(session->store, LOCK_EX, err);
	if (lock < 0 || index_load(session->store, &index, err) < 0)
		return -1;
	for (size_t i = 0; i < import->input->plan->count; i++)
		if (enter_image(session->store, &index, &import->input->plan->images[i], err) < 0)
			return -1;
	if (session_commit_locked(session, err) == 0 &&
	    index_save(session->store, &index, err) == 0)
		return 0;
	session_revert_locked(session);
	return -1;
}

static void import_release(struct import *import)
{
	free(import->jobs);
}

int import_planned(const struct import_input *input, struct shale_err *err)
{
	__attribute__((cleanup(import_release))) struct import import = {
		.input = input,
		.err_lock = PTHREAD_MUTEX_INITIALIZER,
	};

	if (blob_probe_xattrs(input->session, &import.xattr_prefix, err) < 0 || plan_jobs(&import, err) < 0 ||
	    run_jobs(&import, err) < 0)
		return -1;
	if (settle_implied(&import, err) < 0 || add_documents(&import, err) < 0)
		return -1;
	return commit(&import, err);
}

/* The verb: from the source to the plan, and what is said at the end. */
struct verb {
	const struct shale_import_opts *opts;
	struct task task;
	struct store store;
	struct session session;
	struct source source;
	struct plan plan;
};

static uint64_t max_bytes(const struct verb *verb)
{
	return verb->opts->max_layer_bytes ? verb->opts->max_layer_bytes : SHALE_MAX_LAYER_BYTES;
}

static int rename_image(struct verb *verb, struct shale_err *err)
{
	if (!verb->opts->name)
		return 0;
	if (verb->plan.count != 1)
		return shale_err_set(err, EINVAL,
				     "it has %zu images, which cannot all be called '%s'",
				     verb->plan.count, verb->opts->name);
	verb->plan.images[0].name_count = 0;
	return plan_add_name(&verb->plan.images[0], verb->opts->name, err);
}

static void report_name(struct verb *verb, const struct plan_name *name, const char *id)
{
	const struct ref_text shown = ref_shown(&name->ref);
	const struct digest_text from = digest_text(&name->from);
	struct shale_event event = { .kind = SHALE_EVENT_TAKEN, .id = from.text, .name = shown.text };

	if (name->is_taken)
		task_report(&verb->task, &event, NULL);
	event.kind = SHALE_EVENT_IMAGE;
	event.id = id;
	task_report(&verb->task, &event, NULL);
}

/* The import is done: a wish to cancel it comes too late. */
static void report_images(struct verb *verb)
{
	for (size_t i = 0; i < verb->plan.count; i++) {
		const struct plan_image *image = &verb->plan.images[i];
		struct digest_text id = digest_text(&image->image.config);
		struct shale_event event = { .kind = SHALE_EVENT_IMAGE, .id = id.text };

		if (verb->source.is_rootfs) {
			event.kind = SHALE_EVENT_MADE;
			task_report(&verb->task, &event, NULL);
			continue;
		}
		if (!image->name_count)
			task_report(&verb->task, &event, NULL);
		for (size_t n = 0; n < image->name_count; n++)
			report_name(verb, &image->names[n], id.text);
	}
}

static int verb_run(struct verb *verb, struct shale_err *err)
{
	struct plan_opts plan_opts = {
		.only_images = verb->opts->only_images,
		.message = verb->opts->message,
		.platform = verb->opts->platform,
		.changes = verb->opts->changes,
		.change_count = verb->opts->change_count,
	};
	struct import_input input = {
		.task = &verb->task,
		.session = &verb->session,
		.source = &verb->source,
		.plan = &verb->plan,
		.max_bytes = max_bytes(verb),
	};

	if (session_begin(&verb->store, &verb->session, err) < 0)
		return -1;
	if (source_open(verb->opts->source, verb->opts->has_fd ? verb->opts->fd : -1, &verb->session, &verb->task, max_bytes(verb),
			&verb->source, err) < 0)
		return -1;
	if (plan_make(&verb->source, &verb->task, &plan_opts, &verb->plan, err) < 0 ||
	    rename_image(verb, err) < 0 || import_planned(&input, err) < 0)
		return shale_err_wrap(err, "%s", verb->opts->source);
	report_images(verb);
	return 0;
}

static void verb_release(struct verb *verb)
{
	plan_release(&verb->plan);
	source_close(&verb->source);
	session_end(&verb->session);
	store_close(&verb->store);
}

int shale_import(const struct shale_opts *opts, const struct shale_import_opts *what,
		 struct shale_err *err)
{
	__attribute__((cleanup(verb_release))) struct verb verb = {
		.opts = what,
		.task = TASK_INIT(opts),
		.store = STORE_CLOSED,
		.session = SESSION_NONE,
		.source = { .dirfd = -1 },
	};
	struct ref ref;

	if (what->name && ref_parse_new(what->name, &ref, err) < 0)
		return -1;
	if (store_open(opts->root, true, &verb.store, err) < 0)
		return -1;
	return verb_run(&verb, err);
}
