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
#include <sys/xattr.h>

#include "engine/implied.h"
#include "engine/import.h"
#include "store/index.h"

/* More threads than this only fight for the disk. */
#define IMPORT_MAX_WORKERS 4

static uint64_t max_bytes(const struct import *import)
{
	return import->opts->max_layer_bytes ? import->opts->max_layer_bytes :
					       SHALE_MAX_LAYER_BYTES;
}

/* Which private xattrs this process can write on this filesystem. */
static int probe_xattrs(struct import *import, struct shale_err *err)
{
	static const struct {
		const char *prefix;
		const char *name;
	} choices[] = {
		{ "trusted.", "trusted.shale.probe" },
		{ "user.", "user.shale.probe" },
	};

	for (size_t i = 0; i < sizeof(choices) / sizeof(*choices); i++) {
		if (fsetxattr(import->session.fd, choices[i].name, "", 0, 0) == 0) {
			import->xattr_prefix = choices[i].prefix;
			return 0;
		}
		if (errno != EPERM)
			break;
	}
	return shale_err_errno(err, "the filesystem of %s cannot hold extended attributes",
			       import->store.path);
}

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

	for (size_t i = 0; i < import->plan.count; i++)
		total += import->plan.images[i].image.layer_count;
	import->jobs = calloc(total + 1, sizeof(*import->jobs));
	if (!import->jobs)
		return shale_err_errno(err, "planning layers");
	for (size_t i = 0; i < import->plan.count; i++) {
		const struct plan_image *image = &import->plan.images[i];

		for (size_t l = 0; l < image->image.layer_count; l++) {
			if (is_planned(import, &image->image.layers[l]))
				continue;
			import->jobs[import->job_count++] = (struct blob_job){
				.task = &import->task,
				.session = &import->session,
				.source = &import->source,
				.path = image->paths[l],
				.layer = image->image.layers[l],
				.max_bytes = max_bytes(import),
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
	task_stop(&import->task);
}

static void *work(void *arg)
{
	struct import *import = arg;
	struct shale_err err = { 0 };
	size_t i;

	while (!atomic_load(&import->task.stopped)) {
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
	if (!import->has_failed && atomic_load(&import->task.stopped))
		return shale_err_set(err, ECANCELED, "cancelled");
	if (!import->has_failed)
		return 0;
	return shale_err_set(err, import->first_err.code, "%s", import->first_err.msg);
}

/* The job that has unpacked a layer; NULL when the store had it. */
static const struct blob_job *find_job(const struct import *import, const struct digest *diff_id)
{
	for (size_t i = 0; i < import->job_count; i++)
		if (import->jobs[i].implied.count &&
		    digest_is_equal(&import->jobs[i].layer.diff_id, diff_id))
			return &import->jobs[i];
	return NULL;
}

static int settle_implied(struct import *import, struct shale_err *err)
{
	for (size_t i = 0; i < import->plan.count; i++) {
		const struct image *image = &import->plan.images[i].image;

		for (size_t l = 0; l < image->layer_count; l++) {
			const struct blob_job *job = find_job(import, &image->layers[l].diff_id);

			if (job && implied_settle(&import->session, image, l, job, err) < 0)
				return -1;
		}
	}
	return 0;
}

static int add_documents(struct import *import, struct shale_err *err)
{
	for (size_t i = 0; i < import->plan.count; i++) {
		struct plan_image *image = &import->plan.images[i];

		if (blob_add(&import->session, &image->image.config, &image->config, err) < 0 ||
		    blob_add(&import->session, &image->image.manifest, &image->manifest, err) < 0)
			return -1;
	}
	return 0;
}

static int enter_image(struct index *index, const struct plan_image *image,
		       struct shale_err *err)
{
	struct index_entry entry = {
		.digest = image->image.manifest,
		.size = image->manifest.len,
		.media_type = image->media_type,
	};

	if (!image->name_count)
		return index_set(index, NULL, &entry, err);
	for (size_t i = 0; i < image->name_count; i++)
		if (index_set(index, &image->names[i], &entry, err) < 0)
			return -1;
	return 0;
}

static int commit(struct import *import, struct shale_err *err)
{
	__cleanup_index struct index index = { 0 };
	__cleanup_fd int lock = -1;

	if (session_sync(&import->session, err) < 0)
		return -1;
	lock = store_lock(&import->store, LOCK_EX, err);
	if (lock < 0 || index_load(&import->store, &index, err) < 0)
		return -1;
	for (size_t i = 0; i < import->plan.count; i++)
		if (enter_image(&index, &import->plan.images[i], err) < 0)
			return -1;
	if (session_commit_locked(&import->session, err) == 0 &&
	    index_save(&import->store, &index, err) == 0)
		return 0;
	session_revert_locked(&import->session);
	return -1;
}

static int rename_image(struct import *import, struct shale_err *err)
{
	if (!import->opts->name)
		return 0;
	if (import->plan.count != 1)
		return shale_err_set(err, EINVAL,
				     "it has %zu images, which cannot all be called '%s'",
				     import->plan.count, import->opts->name);
	import->plan.images[0].name_count = 0;
	return plan_add_name(&import->plan.images[0], import->opts->name, err);
}

static void name_image(const struct ref *ref, char *out, size_t len)
{
	struct digest_text text = digest_text(&ref->digest);

	snprintf(out, len, "%s%c%s", ref_familiar(ref), *ref->tag ? ':' : '@',
		 *ref->tag ? ref->tag : text.text);
}

/* The import is done: a wish to cancel it comes too late. */
static void report_images(struct import *import)
{
	for (size_t i = 0; i < import->plan.count; i++) {
		const struct plan_image *image = &import->plan.images[i];
		struct digest_text id = digest_text(&image->image.config);
		struct shale_event event = { .kind = SHALE_EVENT_IMAGE, .id = id.text };
		char name[sizeof(struct ref_text)];

		if (!image->name_count)
			task_report(&import->task, &event, NULL);
		for (size_t n = 0; n < image->name_count; n++) {
			name_image(&image->names[n], name, sizeof(name));
			event.name = name;
			task_report(&import->task, &event, NULL);
		}
	}
}

int import_begin(struct import *import, struct shale_err *err)
{
	if (session_begin(&import->store, &import->session, err) < 0)
		return -1;
	return probe_xattrs(import, err);
}

int import_bring(struct import *import, struct shale_err *err)
{
	if (plan_jobs(import, err) < 0)
		return -1;
	if (run_jobs(import, err) < 0)
		return shale_err_wrap(err, "%s", import->source.name);
	if (settle_implied(import, err) < 0 || add_documents(import, err) < 0 ||
	    commit(import, err) < 0)
		return -1;
	report_images(import);
	return 0;
}

static int import_run(struct import *import, struct shale_err *err)
{
	if (import_begin(import, err) < 0)
		return -1;
	if (source_open(import->opts->source, &import->session, &import->task, max_bytes(import),
			&import->source, err) < 0)
		return -1;
	if (plan_make(&import->source, &import->task, &import->plan, err) < 0 ||
	    rename_image(import, err) < 0)
		return shale_err_wrap(err, "%s", import->opts->source);
	return import_bring(import, err);
}

void import_release(struct import *import)
{
	for (size_t i = 0; i < import->job_count; i++)
		blob_paths_release(&import->jobs[i].implied);
	free(import->jobs);
	plan_release(&import->plan);
	source_close(&import->source);
	session_end(&import->session);
	store_close(&import->store);
}

static int check_name(const char *name, struct shale_err *err)
{
	struct ref ref;

	if (!name)
		return 0;
	if (ref_parse(name, &ref, err) < 0)
		return -1;
	if (ref.has_digest)
		return shale_err_set(err, EINVAL, "'%s': an image cannot be given a digest", name);
	return 0;
}

int shale_import(const struct shale_opts *opts, const struct shale_import_opts *what,
		 struct shale_err *err)
{
	__attribute__((cleanup(import_release))) struct import import = IMPORT_INIT(what, opts);

	if (check_name(what->name, err) < 0)
		return -1;
	if (store_open(opts->root, true, &import.store, err) < 0)
		return -1;
	return import_run(&import, err);
}
