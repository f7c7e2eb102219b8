// SPDX-License-Identifier: GPL-2.0-only
/*
 * Damaged blobs from where they came: a registry, by the names of the images that need them. A layer's blob is
 * downloaded as a pull does it, in parts and going on where another run stood; manifests and configs are small. What
 * comes is compared with the digest before it takes the place of anything. Called by check.c and check_repair.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "client/document.h"
#include "client/fetch.h"
#include "engine/check.h"
#include "engine/places.h"
#include "store/catalog.h"
#include "store/image.h"

/* Repositories that are asked for one blob: an image may have any number of names. */
#define CHECK_MAX_NAMES 4
/* A registry that does not answer is not waited for as long as a pull waits. */
#define CHECK_TRIES 2

/* Connections are kept from one blob to the next, which mostly comes from the same repository. */
struct check_fetcher {
	struct checking *checking;
	struct shale_registry_opts opts;
	struct web *web;
	struct ref ref;
	struct places places;
	bool is_open;
	struct shale_err why; /* the places of this name cannot be reached */
};

/* What is asked for, and what is known of it. */
struct wanted {
	const struct digest *digest;
	struct digest_text text;
	bool is_manifest;
	uint64_t size; /* of a layer's blob; 0: it is a document */
	size_t name_count;
	struct ref names[CHECK_MAX_NAMES];
};

static int poll_task(void *arg, struct shale_err *err)
{
	struct check_fetcher *fetcher = arg;
	struct shale_event event = { .kind = SHALE_EVENT_CONNECT, .name = fetcher->ref.name };

	return task_report(&fetcher->checking->task, &event, err);
}

static int report(void *arg, const struct shale_event *event, struct shale_err *err)
{
	struct check_fetcher *fetcher = arg;

	return task_report(&fetcher->checking->task, event, err);
}

static int open_fetcher(struct checking *checking, struct shale_err *err)
{
	struct check_fetcher *fetcher;
	struct web_opts web = { .poll = poll_task };

	if (checking->fetcher)
		return 0;
	fetcher = calloc(1, sizeof(*fetcher));
	if (!fetcher)
		return shale_err_errno(err, "fetching");
	fetcher->checking = checking;
	fetcher->opts = *checking->opts->registry;
	if (!fetcher->opts.tries)
		fetcher->opts.tries = CHECK_TRIES;
	web.stall_seconds = fetcher->opts.stall_seconds;
	web.arg = fetcher;
	if (web_open(&web, &fetcher->web, err) < 0) {
		free(fetcher);
		return -1;
	}
	checking->fetcher = fetcher;
	return 0;
}

void check_fetch_close(struct checking *checking)
{
	struct check_fetcher *fetcher = checking->fetcher;

	if (!fetcher)
		return;
	places_close(&fetcher->places);
	web_close(fetcher->web);
	free(fetcher);
	checking->fetcher = NULL;
}

/* The first of a name's places that answers becomes the first of them all. */
static int connect_places(struct check_fetcher *fetcher, struct shale_err *err)
{
	if (places_open(fetcher->web, &fetcher->opts, &fetcher->ref, &fetcher->places, err) < 0)
		return -1;
	while (remote_connect(&fetcher->places.remotes[0], err) < 0) {
		if (fetcher->places.count == 1 || err->code == ECANCELED)
			return -1;
		places_drop(&fetcher->places, 1);
	}
	return 0;
}

static int open_places(struct check_fetcher *fetcher, const struct ref *ref, struct shale_err *err)
{
	if (!fetcher->is_open || strcmp(ref->name, fetcher->ref.name)) {
		places_close(&fetcher->places);
		fetcher->ref = *ref;
		fetcher->why = (struct shale_err){ 0 };
		fetcher->is_open = true;
		if (connect_places(fetcher, &fetcher->why) < 0 && !fetcher->why.code)
			fetcher->why.code = EIO;
	}
	if (fetcher->why.code)
		return shale_err_set(err, fetcher->why.code, "%s", fetcher->why.msg);
	return 0;
}

/* --- what is wanted */

static int take_name(void *arg, struct sqlite3_stmt *row, struct shale_err *err)
{
	struct wanted *wanted = arg;
	const char *name = db_row_text(row, 0);
	struct ref ref;

	(void)err;
	if (wanted->name_count == CHECK_MAX_NAMES || !name || ref_parse(name, &ref, NULL) < 0)
		return 0;
	for (size_t i = 0; i < wanted->name_count; i++)
		if (!strcmp(wanted->names[i].name, ref.name))
			return 0;
	/* Its tag may stand for another image by now: what is mirrored by digest is asked for by that. */
	ref.has_digest = true;
	ref.digest = *wanted->digest;
	ref.tag[0] = '\0';
	wanted->names[wanted->name_count++] = ref;
	return 0;
}

/* NEEDER is the blob itself, or an image of which the database does not know yet what it needs. */
static int describe(const struct checking *checking, const struct digest *digest,
		    const struct digest *needer, struct wanted *wanted, struct shale_err *err)
{
	__cleanup_txn struct txn txn = TXN_NONE;
	int64_t manifests = 0, size = 0;

	*wanted = (struct wanted){ .digest = digest, .text = digest_text(digest) };
	if (txn_begin(&txn, checking->store.db, TXN_READ, err) < 0 ||
	    db_number(txn.db, err, &manifests, "SELECT count(*) FROM image WHERE digest = ?",
		      DB_DIGEST(digest)) < 0 ||
	    db_number(txn.db, err, &size,
		      "SELECT ifnull(max(size), 0) FROM image_layer WHERE blob = ?",
		      DB_DIGEST(digest)) < 0 ||
	    db_each(txn.db, err, take_name, wanted,
		    "SELECT name FROM ref WHERE name IS NOT NULL AND (image = ?1"
		    " OR image IN (SELECT image FROM image_layer WHERE blob = ?1)"
		    " OR image IN (SELECT image FROM image_blob WHERE digest = ?1)) ORDER BY id",
		    DB_DIGEST(needer)) < 0)
		return -1;
	wanted->is_manifest = manifests > 0;
	wanted->size = size;
	return 0;
}

/* --- documents */

static int ask_blob(struct remote *remote, const struct wanted *wanted, struct buf *ret_data,
		    struct shale_err *err)
{
	__cleanup_web_request struct web_request request = WEB_REQUEST_INIT;
	struct digest found;

	request.max_answer = DOCUMENT_MAX_BYTES;
	if (remote_set_url(remote, &request, err, "blobs/%s", wanted->text.text) < 0 ||
	    remote_request(remote, &request, 0, err) < 0 ||
	    digest_of(buf_str(&request.answer), request.answer.len, &found, err) < 0)
		return -1;
	if (!digest_is_equal(&found, wanted->digest))
		return shale_err_set(err, EBADMSG, "%s: sends a blob that does not have its digest",
				     remote->origin.endpoint);
	*ret_data = request.answer;
	request.answer = (struct buf)BUF_INIT;
	return 0;
}

static int ask_manifest(struct remote *remote, const struct wanted *wanted, struct buf *ret_data,
			struct shale_err *err)
{
	struct document document = { .data = BUF_INIT };

	if (document_fetch(remote, wanted->text.text, wanted->digest, &document, err) < 0)
		return -1;
	*ret_data = document.data;
	return 0;
}

static int ask_places(struct check_fetcher *fetcher, const struct wanted *wanted,
		      struct buf *ret_data, struct shale_err *err)
{
	for (size_t i = 0; i < fetcher->places.count; i++) {
		struct remote *remote = &fetcher->places.remotes[i];

		if (remote_connect(remote, err) == 0 &&
		    (wanted->is_manifest ? ask_manifest(remote, wanted, ret_data, err) :
					   ask_blob(remote, wanted, ret_data, err)) == 0)
			return 0;
		if (err->code == ECANCELED)
			return -1;
	}
	return -1;
}

static int fetch_document(struct check_fetcher *fetcher, const struct wanted *wanted,
			  struct buf *ret_data, struct shale_err *err)
{
	for (size_t i = 0; i < wanted->name_count; i++) {
		if (open_places(fetcher, &wanted->names[i], err) == 0 &&
		    ask_places(fetcher, wanted, ret_data, err) == 0)
			return 0;
		if (err->code == ECANCELED)
			return -1;
	}
	return -1;
}

/* --- layers */

static int download(struct check_fetcher *fetcher, const struct wanted *wanted,
		    struct shale_err *err)
{
	struct fetch_opts opts = {
		.web = fetcher->web,
		.remotes = fetcher->places.remotes,
		.remote_count = fetcher->places.count,
		.session = &fetcher->checking->session,
		.report = report,
		.arg = fetcher,
	};
	struct fetch *fetch = NULL;
	int ret;

	if (fetch_open(&opts, &fetch, err) < 0)
		return -1;
	ret = fetch_add(fetch, wanted->digest, wanted->size, err);
	if (!ret)
		ret = fetch_run(fetch, err);
	/* What stands at fetch_close() goes on from there the next time; a blob that is in the session needs none. */
	if (!ret)
		fetch_discard(fetch);
	fetch_close(fetch);
	return ret;
}

/* For the download what is damaged must not be there. */
static int put_aside(const struct checking *checking, const struct wanted *wanted,
		     struct shale_err *err)
{
	if (renameat(checking->store.blobs_fd, digest_hex(&wanted->text), checking->session.trash_fd,
		     digest_hex(&wanted->text)) == 0 || errno == ENOENT)
		return 0;
	return shale_err_errno(err, "putting %s aside", wanted->text.text);
}

/* Another command may have brought it meanwhile. */
static void put_back(const struct checking *checking, const struct wanted *wanted)
{
	renameat2(checking->session.trash_fd, digest_hex(&wanted->text), checking->store.blobs_fd,
		  digest_hex(&wanted->text), RENAME_NOREPLACE);
}

static int fetch_layer(struct check_fetcher *fetcher, const struct wanted *wanted,
		       struct shale_err *err)
{
	if (put_aside(fetcher->checking, wanted, err) < 0)
		return -1;
	for (size_t i = 0; i < wanted->name_count; i++) {
		if (open_places(fetcher, &wanted->names[i], err) == 0 &&
		    download(fetcher, wanted, err) == 0)
			return 0;
		if (err->code == ECANCELED || err->code == ENOSPC || err->code == EDQUOT)
			break;
	}
	put_back(fetcher->checking, wanted);
	return -1;
}

/* --- the two of them */

static int prepare(struct checking *checking, const struct digest *digest,
		   const struct digest *needer, struct wanted *wanted, struct shale_err *err)
{
	if (describe(checking, digest, needer, wanted, err) < 0)
		return -1;
	if (!wanted->name_count)
		return shale_err_set(err, ENOENT, "no image that needs it has a name to ask a registry by");
	return open_fetcher(checking, err);
}

static int save_document(const struct checking *checking, const struct wanted *wanted,
			 const struct buf *data, struct shale_err *err)
{
	if (fs_write_synced(checking->session.blobs_fd, digest_hex(&wanted->text), buf_str(data),
			    data->len) < 0)
		return shale_err_errno(err, "writing %s", wanted->text.text);
	return 0;
}

int check_fetch(struct checking *checking, const struct digest *digest, struct shale_err *err)
{
	__cleanup_buf struct buf data = BUF_INIT;
	struct wanted wanted;

	if (prepare(checking, digest, digest, &wanted, err) < 0)
		return -1;
	if (wanted.size)
		return fetch_layer(checking->fetcher, &wanted, err);
	if (fetch_document(checking->fetcher, &wanted, &data, err) < 0)
		return -1;
	return save_document(checking, &wanted, &data, err);
}

static bool is_whole(const struct checking *checking, const struct digest *digest,
		     struct buf *ret_data)
{
	return store_read_blob(&checking->store, digest, ret_data, NULL) == 0;
}

/* Into its place at once, since there is no session: cut off by a kill it is as damaged as it was. */
static int replace_document(struct checking *checking, const struct digest *image,
			    const struct digest *digest, struct buf *ret_data, struct shale_err *err)
{
	__cleanup_fd int lock = -1;
	struct wanted wanted;

	if (prepare(checking, digest, image, &wanted, err) < 0 ||
	    fetch_document(checking->fetcher, &wanted, ret_data, err) < 0)
		return -1;
	lock = store_lock(&checking->store, LOCK_EX, err);
	if (lock < 0)
		return -1;
	if (unlinkat(checking->store.blobs_fd, digest_hex(&wanted.text), 0) < 0 && errno != ENOENT)
		return shale_err_errno(err, "replacing %s", wanted.text.text);
	if (fs_write_synced(checking->store.blobs_fd, digest_hex(&wanted.text), buf_str(ret_data),
			    ret_data->len) < 0)
		return shale_err_errno(err, "writing %s", wanted.text.text);
	return store_sync_names(&checking->store, err);
}

int check_fetch_image(struct checking *checking, const struct digest *digest,
		      struct shale_err *err)
{
	__cleanup_image struct image image = { 0 };
	__cleanup_buf struct buf manifest = BUF_INIT;
	__cleanup_buf struct buf config = BUF_INIT;

	if (!is_whole(checking, digest, &manifest)) {
		buf_clear(&manifest);
		if (replace_document(checking, digest, digest, &manifest, err) < 0)
			return -1;
	}
	/* An image index has no config. */
	if (image_parse_manifest(manifest.data, manifest.len, &image, NULL) < 0 ||
	    is_whole(checking, &image.config, &config))
		return 0;
	buf_clear(&config);
	return replace_document(checking, digest, &image.config, &config, err);
}
