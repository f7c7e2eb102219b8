// SPDX-License-Identifier: GPL-2.0-only
/*
 * The scheduler of downloads; see fetch.h. A blob goes from idle through being fetched (or being fetched
 * by another process, which is waited for) to ready. Each of its parts is a transfer, one request at a
 * time, which goes on after a failure from where it stood. What a single transfer does is in
 * fetch_transfer.c. Called by the engine's pull.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "client/fetch_transfer.h"

/* Between two looks at a blob that another process fetches. */
#define FETCH_BUSY_MSEC 100

int fetch_open(const struct fetch_opts *opts, struct fetch **ret_fetch, struct shale_err *err)
{
	struct fetch *fetch = calloc(1, sizeof(*fetch));

	if (!fetch)
		return shale_err_errno(err, "preparing downloads");
	fetch->opts = *opts;
	pthread_mutex_init(&fetch->lock, NULL);
	pthread_cond_init(&fetch->changed, NULL);
	if (download_dir(opts->session->store, &fetch->dirfd, err) < 0) {
		free(fetch);
		return -1;
	}
	download_prune(opts->session->store, fetch->dirfd, time(NULL) - DOWNLOAD_KEEP_SECONDS);
	*ret_fetch = fetch;
	return 0;
}

static void forget_transfers(struct fetch_blob *blob)
{
	for (size_t i = 0; i < blob->transfer_count; i++)
		web_request_release(&blob->transfers[i].request);
	free(blob->transfers);
	blob->transfers = NULL;
	blob->transfer_count = 0;
}

/*
 * A full disk is not kept full by what could not be finished, and bytes of a registry that breaks the rules
 * are not worth keeping.
 */
static bool is_useless(const struct fetch *fetch, const struct fetch_blob *blob)
{
	if (blob->state == FETCH_READY)
		return false;
	return fetch->is_out_of_room || blob->is_refused || !download_done(&blob->download);
}

void fetch_close(struct fetch *fetch)
{
	if (!fetch)
		return;
	for (size_t i = 0; i < fetch->count; i++) {
		forget_transfers(&fetch->blobs[i]);
		if (is_useless(fetch, &fetch->blobs[i]))
			download_drop(&fetch->blobs[i].download);
		download_close(&fetch->blobs[i].download);
	}
	free(fetch->blobs);
	fd_closep(&fetch->dirfd);
	pthread_cond_destroy(&fetch->changed);
	pthread_mutex_destroy(&fetch->lock);
	free(fetch);
}

void fetch_discard(struct fetch *fetch)
{
	for (size_t i = 0; i < fetch->count; i++)
		if (fetch->blobs[i].download.is_whole)
			download_drop(&fetch->blobs[i].download);
}

static struct fetch_blob *find_blob(struct fetch *fetch, const struct digest *digest)
{
	for (size_t i = 0; i < fetch->count; i++)
		if (digest_is_equal(&fetch->blobs[i].digest, digest))
			return &fetch->blobs[i];
	return NULL;
}

int fetch_add(struct fetch *fetch, const struct digest *digest, uint64_t size,
	      struct shale_err *err)
{
	struct fetch_blob *blobs;

	if (find_blob(fetch, digest))
		return 0;
	blobs = reallocarray(fetch->blobs, fetch->count + 1, sizeof(*blobs));
	if (!blobs)
		return shale_err_errno(err, "preparing downloads");
	fetch->blobs = blobs;
	blobs[fetch->count++] = (struct fetch_blob){
		.digest = *digest,
		.size = size,
		.text = digest_text(digest),
		.download = DOWNLOAD_NONE,
	};
	return 0;
}

uint64_t fetch_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

int fetch_report(struct fetch *fetch, struct fetch_blob *blob, enum shale_event_kind kind,
		 uint64_t done, struct shale_err *err)
{
	struct shale_event event = {
		.kind = kind,
		.id = blob->text.text,
		.done = done,
		.total = blob->size,
	};

	return fetch->opts.report ? fetch->opts.report(fetch->opts.arg, &event, err) : 0;
}

/* Told first: who waits for it may else have told of its end before. */
static int set_ready(struct fetch *fetch, struct fetch_blob *blob, enum shale_event_kind why,
		     struct shale_err *err)
{
	if (fetch_report(fetch, blob, why, blob->size, err) < 0)
		return -1;
	forget_transfers(blob);
	pthread_mutex_lock(&fetch->lock);
	blob->state = FETCH_READY;
	pthread_cond_broadcast(&fetch->changed);
	pthread_mutex_unlock(&fetch->lock);
	return 0;
}

static size_t parts_of(const struct fetch_blob *blob)
{
	uint64_t parts = blob->size / FETCH_MIN_PART;

	if (blob->has_no_ranges || blob->was_wrong || !parts)
		return 1;
	return parts < FETCH_MAX_PARTS ? parts : FETCH_MAX_PARTS;
}

static int make_transfers(struct fetch *fetch, struct fetch_blob *blob, struct shale_err *err)
{
	forget_transfers(blob);
	blob->transfers = calloc(blob->download.part_count, sizeof(*blob->transfers));
	if (!blob->transfers)
		return shale_err_errno(err, "preparing downloads");
	blob->transfer_count = blob->download.part_count;
	for (size_t i = 0; i < blob->transfer_count; i++)
		transfer_init(&blob->transfers[i], fetch, blob, &blob->download.parts[i]);
	return 0;
}

/* *ret_present: the store has it, and keeps it. */
static int take_present(struct fetch *fetch, struct fetch_blob *blob, bool *ret_present,
			struct shale_err *err)
{
	if (session_lease_blob(fetch->opts.session, &blob->digest, ret_present, err) < 0)
		return -1;
	if (!*ret_present)
		return 0;
	download_drop(&blob->download);
	return set_ready(fetch, blob, SHALE_EVENT_EXISTS, err);
}

/* It is in the store, somebody is at it, or it is ours to fetch. */
static int begin_blob(struct fetch *fetch, struct fetch_blob *blob, struct shale_err *err)
{
	bool is_present = false;
	bool is_busy = false;
	int ret = take_present(fetch, blob, &is_present, err);

	if (ret < 0 || is_present)
		return ret;
	if (download_open(fetch->dirfd, &blob->digest, blob->size, parts_of(blob),
			  &blob->download, &is_busy, err) < 0)
		return -1;
	if (is_busy) {
		blob->look_at = fetch_now() + FETCH_BUSY_MSEC;
		return fetch_report(fetch, blob, SHALE_EVENT_WAIT, 0, err);
	}
	/* Who was at it may have put it into the store, and taken its file away, since we looked. */
	if (!download_done(&blob->download))
		ret = take_present(fetch, blob, &is_present, err);
	if (ret < 0 || is_present)
		return ret;
	blob->state = FETCH_ACTIVE;
	if (make_transfers(fetch, blob, err) < 0)
		return -1;
	return fetch_report(fetch, blob, SHALE_EVENT_DOWNLOAD, download_done(&blob->download), err);
}

static size_t count_state(const struct fetch *fetch, enum fetch_state state)
{
	size_t count = 0;

	for (size_t i = 0; i < fetch->count; i++)
		count += fetch->blobs[i].state == state;
	return count;
}

static size_t count_running(const struct fetch *fetch)
{
	size_t count = 0;

	for (size_t i = 0; i < fetch->count; i++)
		for (size_t t = 0; t < fetch->blobs[i].transfer_count; t++)
			count += fetch->blobs[i].transfers[t].is_running;
	return count;
}

static int begin_blobs(struct fetch *fetch, struct shale_err *err)
{
	uint64_t now = fetch_now();

	for (size_t i = 0; i < fetch->count; i++) {
		struct fetch_blob *blob = &fetch->blobs[i];

		if (blob->state != FETCH_IDLE || blob->look_at > now)
			continue;
		if (count_state(fetch, FETCH_ACTIVE) >= FETCH_MAX_TRANSFERS)
			return 0;
		if (begin_blob(fetch, blob, err) < 0)
			return shale_err_wrap(err, "layer %s", blob->text.text);
	}
	return 0;
}

static int start_transfers(struct fetch *fetch, struct shale_err *err)
{
	size_t running = count_running(fetch);
	uint64_t now = fetch_now();

	for (size_t i = 0; i < fetch->count; i++) {
		struct fetch_blob *blob = &fetch->blobs[i];

		for (size_t t = 0; t < blob->transfer_count; t++) {
			struct fetch_transfer *transfer = &blob->transfers[t];

			if (running >= FETCH_MAX_TRANSFERS)
				return 0;
			if (!transfer_is_due(transfer, now))
				continue;
			if (transfer_start(transfer, err) < 0)
				return shale_err_wrap(err, "layer %s", blob->text.text);
			running++;
		}
	}
	return 0;
}

/*
 * Bytes that an earlier run, or a mirror, has left may be the reason: then everything is fetched once more,
 * the next time by nobody but us and the registry itself.
 */
static int retry_wrong(struct fetch *fetch, struct fetch_blob *blob)
{
	bool is_excused = blob->download.is_resumed || blob->remote + 1 < fetch->opts.remote_count;

	download_drop(&blob->download);
	forget_transfers(blob);
	if (blob->was_wrong || !is_excused)
		return -1;
	blob->was_wrong = true;
	blob->remote = fetch->opts.remote_count - 1;
	blob->state = FETCH_IDLE;
	return 0;
}

static int finish_blob(struct fetch *fetch, struct fetch_blob *blob, struct shale_err *err)
{
	if (download_finish(&blob->download, err) < 0)
		return err->code == EBADMSG ? retry_wrong(fetch, blob) : -1;
	if (!fetch->opts.is_download_only &&
	    download_link(&blob->download, fetch->opts.session->blobs_fd, err) < 0)
		return -1;
	if (++fetch->held > FETCH_MAX_HELD)
		download_close(&blob->download);
	return set_ready(fetch, blob, SHALE_EVENT_DOWNLOADED, err);
}

/* What came out of order, or from an earlier run, is hashed in steps, so that nothing else waits. */
static int hash_blob(struct fetch *fetch, struct fetch_blob *blob, bool *more,
		     struct shale_err *err)
{
	bool has_more = false;

	if (download_hash(&blob->download, &has_more, err) < 0)
		return -1;
	*more |= has_more;
	if (download_is_complete(&blob->download))
		return finish_blob(fetch, blob, err);
	if (has_more && download_done(&blob->download) == blob->size)
		return fetch_report(fetch, blob, SHALE_EVENT_VERIFY, blob->download.hashed, err);
	return 0;
}

static int hash_blobs(struct fetch *fetch, bool *more, struct shale_err *err)
{
	for (size_t i = 0; i < fetch->count; i++) {
		struct fetch_blob *blob = &fetch->blobs[i];

		if (blob->state == FETCH_ACTIVE && hash_blob(fetch, blob, more, err) < 0)
			return shale_err_wrap(err, "layer %s", blob->text.text);
	}
	return 0;
}

/* The server sends all of it whatever it is asked for. */
static int take_no_ranges(struct fetch *fetch, struct fetch_blob *blob, struct shale_err *err)
{
	blob->has_no_ranges = true;
	forget_transfers(blob);
	if (download_flatten(&blob->download, err) < 0)
		return -1;
	return make_transfers(fetch, blob, err);
}

/* From the next one that may have it. */
static int change_remote(struct fetch *fetch, struct fetch_blob *blob)
{
	if (blob->remote + 1 >= fetch->opts.remote_count)
		return -1;
	blob->remote++;
	blob->has_no_ranges = false;
	for (size_t i = 0; i < blob->transfer_count; i++)
		transfer_reset(&blob->transfers[i]);
	return 0;
}

static int end_transfer(struct fetch *fetch, struct fetch_transfer *transfer,
			struct shale_err *err)
{
	struct fetch_blob *blob = transfer->blob;

	if (transfer_end(transfer, err) == 0)
		return 0;
	if (transfer->has_no_ranges)
		return take_no_ranges(fetch, blob, err);
	if (transfer->is_our_fault) {
		fetch->is_out_of_room = err->code == ENOSPC || err->code == EDQUOT;
		return -1;
	}
	blob->is_refused = !transfer->request.may_succeed && transfer->request.has_failed;
	return change_remote(fetch, blob);
}

static int step(struct fetch *fetch, struct shale_err *err)
{
	struct web_request *done = NULL;
	struct fetch_transfer *transfer;
	bool more = false;

	if (begin_blobs(fetch, err) < 0 || start_transfers(fetch, err) < 0 ||
	    hash_blobs(fetch, &more, err) < 0)
		return -1;
	if (count_state(fetch, FETCH_READY) == fetch->count)
		return 0;
	if (web_wait(fetch->opts.web, more ? 0 : FETCH_BUSY_MSEC, &done, err) < 0)
		return -1;
	for (; done; done = web_next_done(fetch->opts.web)) {
		transfer = done->arg;
		if (end_transfer(fetch, transfer, err) < 0)
			return shale_err_wrap(err, "layer %s", transfer->blob->text.text);
	}
	return 0;
}

int fetch_run(struct fetch *fetch, struct shale_err *err)
{
	int ret = 0;

	while (!ret && count_state(fetch, FETCH_READY) < fetch->count)
		ret = step(fetch, err);
	for (size_t i = 0; i < fetch->count; i++)
		forget_transfers(&fetch->blobs[i]);
	pthread_mutex_lock(&fetch->lock);
	fetch->has_ended = true;
	pthread_cond_broadcast(&fetch->changed);
	pthread_mutex_unlock(&fetch->lock);
	return ret;
}

int fetch_wait(struct fetch *fetch, const struct digest *digest, struct shale_err *err)
{
	struct fetch_blob *blob = find_blob(fetch, digest);
	bool is_ready;

	if (!blob)
		return shale_err_set(err, ENOENT, "it was not asked for");
	pthread_mutex_lock(&fetch->lock);
	while (blob->state != FETCH_READY && !fetch->has_ended)
		pthread_cond_wait(&fetch->changed, &fetch->lock);
	is_ready = blob->state == FETCH_READY;
	pthread_mutex_unlock(&fetch->lock);
	return is_ready ? 0 : shale_err_set(err, ECANCELED, "it could not be fetched");
}
