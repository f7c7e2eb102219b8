// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verb push: what an image in the store consists of, sent to where its name says, blobs first by several
 * threads, then the manifests, and the index or the tag last, so that a registry never shows an image that is
 * not whole. What is pushed and where else the registry may have it is push_plan.c's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "client/upload.h"
#include "engine/push.h"

/* Uploads at the same time; docker has five. */
#define PUSH_MAX_WORKERS 4
/* Bytes between two events of a blob. */
#define PUSH_REPORT (512u << 10)

static int poll_task(void *arg, struct shale_err *err)
{
	struct push *push = arg;
	struct shale_event event = { .kind = SHALE_EVENT_CONNECT, .name = push->what->name };

	return task_report(&push->task, &event, err);
}

/* A thread's own connections, and who it is there. */
struct push_worker {
	struct push *push;
	struct web *web;
	struct remote remote;
};

static void worker_close(struct push_worker *worker)
{
	remote_close(&worker->remote);
	web_close(worker->web);
}

static int worker_open(struct push *push, struct push_worker *ret_worker, struct shale_err *err)
{
	struct web_opts opts = {
		.stall_seconds = push->what->registry.stall_seconds,
		.poll = poll_task,
		.arg = push,
	};
	struct push_worker worker = { .push = push };
	struct remote_wish wish = {
		.opts = &push->what->registry,
		.origin = &push->origin,
		.actions = "pull,push",
	};

	if (web_open(&opts, &worker.web, err) < 0)
		return -1;
	wish.web = worker.web;
	if (push_open_remote(push, &wish, &worker.remote, err) < 0) {
		web_close(worker.web);
		return -1;
	}
	*ret_worker = worker;
	return 0;
}

struct push_progress {
	struct push *push;
	struct shale_event event;
	uint64_t reported;
};

static int report_sent(void *arg, uint64_t done, struct shale_err *err)
{
	struct push_progress *progress = arg;

	if (done < progress->reported + PUSH_REPORT && done >= progress->reported)
		return 0;
	progress->reported = progress->event.done = done;
	return task_report(&progress->push->task, &progress->event, err);
}

static int open_pushed(struct push *push, const struct push_blob *blob, int *ret_fd,
		       struct shale_err *err)
{
	struct digest_text text = digest_text(&blob->digest);
	struct stat st;

	*ret_fd = openat(push->store.blobs_fd, digest_hex(&text), O_RDONLY | O_CLOEXEC);
	if (*ret_fd < 0 || fstat(*ret_fd, &st) < 0)
		return shale_err_errno(err, "blob %s", text.text);
	if ((uint64_t)st.st_size == blob->size)
		return 0;
	return shale_err_set(err, EIO, "blob %s in %s is corrupt", text.text, push->store.path);
}

static int push_one(struct push_worker *worker, const struct push_blob *blob,
		    struct shale_err *err)
{
	static const enum shale_event_kind ends[] = {
		[UPLOAD_SENT] = SHALE_EVENT_PUSHED,
		[UPLOAD_EXISTED] = SHALE_EVENT_PUSH_EXISTS,
		[UPLOAD_MOUNTED] = SHALE_EVENT_MOUNTED,
	};
	struct digest_text text = digest_text(&blob->digest);
	enum upload_result result = UPLOAD_SENT;
	struct push_progress progress = {
		.push = worker->push,
		.event = { .kind = SHALE_EVENT_PUSH, .id = text.text, .total = blob->size },
	};
	__cleanup_fd int fd = -1;
	struct upload upload = {
		.remote = &worker->remote,
		.digest = blob->digest,
		.size = blob->size,
		.from = blob->from,
		.sent = blob->is_layer ? report_sent : NULL,
		.arg = &progress,
	};

	if (open_pushed(worker->push, blob, &fd, err) < 0)
		return -1;
	upload.fd = fd;
	if (upload_blob(&upload, &result, err) < 0)
		return shale_err_wrap(err, "blob %s", text.text);
	if (!blob->is_layer)
		return 0;
	progress.event.kind = ends[result];
	progress.event.done = blob->size;
	progress.event.name = blob->from;
	return task_report(&worker->push->task, &progress.event, err);
}

static void note_push_failure(struct push *push, const struct shale_err *err)
{
	pthread_mutex_lock(&push->err_lock);
	if (!push->has_failed)
		push->first_err = *err;
	push->has_failed = true;
	pthread_mutex_unlock(&push->err_lock);
	task_stop(&push->task);
}

static void push_blobs(struct push_worker *worker)
{
	struct push *push = worker->push;
	struct shale_err err = { 0 };

	while (!atomic_load(&push->task.stopped)) {
		size_t i = atomic_fetch_add(&push->next_blob, 1);

		if (i >= push->blob_count)
			return;
		if (push_one(worker, &push->blobs[i], &err) < 0)
			note_push_failure(push, &err);
	}
}

static void *push_work(void *arg)
{
	struct push *push = arg;
	struct push_worker worker;
	struct shale_err err = { 0 };

	if (worker_open(push, &worker, &err) < 0) {
		note_push_failure(push, &err);
		return NULL;
	}
	push_blobs(&worker);
	worker_close(&worker);
	return NULL;
}

/* The caller's thread, which has a connection already, works too. */
static int run_push_workers(struct push_worker *worker, struct shale_err *err)
{
	struct push *push = worker->push;
	pthread_t threads[PUSH_MAX_WORKERS];
	size_t started = 0;

	while (started + 1 < PUSH_MAX_WORKERS && started + 1 < push->blob_count &&
	       pthread_create(&threads[started], NULL, push_work, push) == 0)
		started++;
	push_blobs(worker);
	while (started)
		pthread_join(threads[--started], NULL);
	if (push->has_failed)
		return shale_err_set(err, push->first_err.code, "%s", push->first_err.msg);
	return task_report(&push->task, &(struct shale_event){ .kind = SHALE_EVENT_CONNECT }, err);
}

/* Manifests by their digest, and the last one, which is what the name stands for, by the tag. */
static int push_documents(struct push_worker *worker, struct shale_err *err)
{
	struct push *push = worker->push;

	for (size_t i = 0; i < push->document_count; i++) {
		const struct push_document *document = &push->documents[i];
		struct digest_text text = digest_text(&document->digest);
		bool is_last = i + 1 == push->document_count;
		struct upload_document upload = {
			.reference = is_last && *push->ref.tag ? push->ref.tag : text.text,
			.media_type = document->media_type,
			.data = document->data.data,
			.len = document->data.len,
			.digest = document->digest,
		};

		if (upload_document(&worker->remote, &upload, err) < 0)
			return shale_err_wrap(err, "manifest %s", text.text);
	}
	return 0;
}

static int push_run(struct push *push, struct shale_err *err)
{
	__attribute__((cleanup(worker_close))) struct push_worker worker = { 0 };

	if (session_begin(&push->store, &push->session, err) < 0 || push_plan(push, err) < 0)
		return -1;
	if (worker_open(push, &worker, err) < 0)
		return -1;
	for (size_t i = 0; i < push->blob_count; i++) {
		struct digest_text text = digest_text(&push->blobs[i].digest);
		struct shale_event event = { .kind = SHALE_EVENT_PREPARED, .id = text.text };

		if (push->blobs[i].is_layer && task_report(&push->task, &event, err) < 0)
			return -1;
	}
	if (run_push_workers(&worker, err) < 0)
		return -1;
	return push_documents(&worker, err);
}

static void push_release(struct push *push)
{
	push_plan_release(push);
	session_end(&push->session);
	store_close(&push->store);
}

int shale_push(const struct shale_opts *opts, const struct shale_push_opts *what,
	       struct shale_pushed *ret_pushed, struct shale_err *err)
{
	__attribute__((cleanup(push_release))) struct push push = {
		.what = what,
		.task = TASK_INIT(opts),
		.store = STORE_CLOSED,
		.session = SESSION_NONE,
		.err_lock = PTHREAD_MUTEX_INITIALIZER,
	};
	const struct push_document *last;
	struct digest_text text;

	if (ref_parse(what->name, &push.ref, err) < 0 ||
	    origin_of_ref(&push.ref, &push.origin, err) < 0)
		return -1;
	if (store_open(opts->root, false, &push.store, err) < 0)
		return -1;
	if (push_run(&push, err) < 0)
		return shale_err_wrap(err, "cannot push %s", what->name);
	last = &push.documents[push.document_count - 1];
	text = digest_text(&last->digest);
	memcpy(ret_pushed->digest, text.text, sizeof(text.text));
	ret_pushed->size = last->data.len;
	return 0;
}
