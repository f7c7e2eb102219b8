// SPDX-License-Identifier: GPL-2.0-only
/*
 * What drivers of object stores share besides the vtable's calls: their common parameters, keys, lists of
 * pieces, and doing many calls at once; see remote_store.h. Called by the drivers.
 */
#include "registry/remote_store.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

#define PIECE_MAX   (5ull << 30)
#define THREADS_MAX 64
/* S3 gives no more. */
#define PAGE_MAX 1000

void remote_pieces_release(struct remote_pieces *pieces)
{
	free(pieces->list);
	*pieces = (struct remote_pieces){ 0 };
}

int remote_pieces_add(struct remote_pieces *pieces, const struct remote_piece *piece,
		      struct shale_err *err)
{
	size_t cap = pieces->cap ? 2 * pieces->cap : 16;
	struct remote_piece *list;

	if (pieces->count == pieces->cap) {
		list = reallocarray(pieces->list, cap, sizeof(*list));
		if (!list)
			return shale_err_set(err, ENOMEM, "no memory for an object's pieces");
		pieces->list = list;
		pieces->cap = cap;
	}
	pieces->list[pieces->count++] = *piece;
	pieces->len += piece->len;
	return 0;
}

void remote_pieces_drop(struct remote_pieces *pieces, size_t index)
{
	while (pieces->count > index)
		pieces->len -= pieces->list[--pieces->count].len;
}

int remote_store_key(const struct remote_store *store, const char *path, struct buf *ret_key,
		     struct shale_err *err)
{
	if (buf_addf(ret_key, "%s%s", store->root, path) < 0)
		return shale_err_errno(err, "%s", path);
	if (ret_key->len > REMOTE_MAX_KEY)
		return shale_err_set(err, EINVAL, "%.200s...: longer than %d bytes with the root directory",
				     path, REMOTE_MAX_KEY);
	return 0;
}

const char *remote_store_path(const struct remote_store *store, const char *key)
{
	size_t len = strlen(store->root);

	return strncmp(key, store->root, len) ? key : key + len;
}

bool remote_key_is_hidden(const char *key)
{
	const size_t len = sizeof(REMOTE_HIDDEN) - 1;

	for (const char *at = key; at; at = strchr(at, '/')) {
		at += *at == '/';
		if (!strncmp(at, REMOTE_HIDDEN, len) && (at[len] == '/' || !at[len]))
			return true;
	}
	return false;
}

/* Slashes around it and twice within would make keys that no path has. */
static char *clean_root(const char *text)
{
	__cleanup_buf struct buf root = BUF_INIT;
	size_t len;

	for (; *text; text += len) {
		text += strspn(text, "/");
		len = strcspn(text, "/");
		if (len && buf_addf(&root, "%.*s/", (int)len, text) < 0)
			return NULL;
	}
	return root.data ? buf_steal(&root) : strdup("");
}

static int init_root(struct remote_store *store, const char *text, struct shale_err *err)
{
	store->root = clean_root(text);
	if (!store->root)
		return shale_err_errno(err, "storage: rootdirectory");
	if (strlen(store->root) > REMOTE_MAX_KEY / 2 ||
	    (store->root[0] && !bucket_path_is_valid(text + strspn(text, "/")) && text[strlen(text) - 1] != '/'))
		return shale_err_set(err, EINVAL, "storage: rootdirectory: '%.100s' is no path", text);
	return 0;
}

static int init_remote(struct remote_store *store, const struct bucket_params *params,
		       struct shale_err *err)
{
	struct remote_options options = {
		.ca_file = bucket_param_text(params, "cacert", NULL),
		.user_agent = bucket_param_text(params, "useragent", "shale-registry/" SHALE_VERSION),
	};
	uint64_t connect, stall, retries;

	if (bucket_param_bool(params, "insecureskipverify", false, &options.skip_verify, err) < 0 ||
	    bucket_param_bool(params, "skipverify", options.skip_verify, &options.skip_verify, err) < 0 ||
	    bucket_param_number(params, "connecttimeout", 1, 300, 10, &connect, err) < 0 ||
	    bucket_param_number(params, "timeout", 1, 3600, 30, &stall, err) < 0 ||
	    bucket_param_number(params, "retries", 0, REMOTE_MAX_RETRIES, 5, &retries, err) < 0)
		return -1;
	if (options.ca_file && access(options.ca_file, R_OK) < 0)
		return shale_err_errno(err, "storage: cacert: %s", options.ca_file);
	options.connect_seconds = connect;
	options.stall_seconds = stall;
	options.retries = retries;
	return remote_http_open(&options, &store->remote, err);
}

int remote_store_init(struct remote_store *store, const struct bucket_params *params,
		      const char *name, const char *root, uint64_t piece_min, uint64_t piece_size,
		      struct shale_err *err)
{
	const char *dir = getenv("TMPDIR");
	uint64_t threads, page;

	store->name = name;
	for (size_t i = 0; i < REMOTE_SWAP_LOCKS; i++)
		pthread_mutex_init(&store->swap_locks[i], NULL);
	store->spool_dir = strdup(bucket_param_text(params, "tmpdir", dir && *dir ? dir : "/var/tmp"));
	if (!store->spool_dir)
		return shale_err_errno(err, "storage: tmpdir");
	if (access(store->spool_dir, W_OK) < 0)
		return shale_err_errno(err, "storage: tmpdir: %s", store->spool_dir);
	if (bucket_param_number(params, "chunksize", piece_min, PIECE_MAX, piece_size,
				&store->piece_size, err) < 0 ||
	    bucket_param_number(params, "concurrency", 1, THREADS_MAX, 8, &threads, err) < 0 ||
	    bucket_param_number(params, "pagesize", 1, PAGE_MAX, PAGE_MAX, &page, err) < 0 ||
	    bucket_param_bool(params, BUCKET_PARAM_READONLY, false, &store->is_readonly, err) < 0)
		return -1;
	store->threads = threads;
	store->page = page;
	if (init_root(store, bucket_param_text(params, "rootdirectory", root), err) < 0)
		return -1;
	return init_remote(store, params, err);
}

void remote_store_release(struct remote_store *store)
{
	for (size_t i = 0; store->name && i < REMOTE_SWAP_LOCKS; i++)
		pthread_mutex_destroy(&store->swap_locks[i]);
	remote_release(store->remote);
	free(store->spool_dir);
	free(store->root);
}

struct parallel {
	size_t count;
	int (*call)(void *ctx, size_t index, struct shale_err *err);
	void *ctx;
	pthread_mutex_t lock;
	size_t next; /* under the lock, as what follows */
	bool has_failed;
	struct shale_err err;
};

static size_t parallel_next(struct parallel *work)
{
	size_t index;

	pthread_mutex_lock(&work->lock);
	index = work->has_failed ? work->count : work->next;
	work->next += index < work->count;
	pthread_mutex_unlock(&work->lock);
	return index;
}

static void *parallel_run(void *arg)
{
	struct parallel *work = arg;
	struct shale_err err = { 0 };
	size_t index;

	while ((index = parallel_next(work)) < work->count) {
		if (work->call(work->ctx, index, &err) == 0)
			continue;
		pthread_mutex_lock(&work->lock);
		if (!work->has_failed)
			work->err = err;
		work->has_failed = true;
		pthread_mutex_unlock(&work->lock);
	}
	return NULL;
}

int remote_store_parallel(const struct remote_store *store, size_t count,
			  int (*call)(void *ctx, size_t index, struct shale_err *err), void *ctx,
			  struct shale_err *err)
{
	struct parallel work = { .count = count, .call = call, .ctx = ctx };
	size_t wanted = count < store->threads ? count : store->threads;
	pthread_t threads[THREADS_MAX];
	size_t started = 0;

	pthread_mutex_init(&work.lock, NULL);
	/* This thread is one of them, and all where no other can be had. */
	while (started + 1 < wanted &&
	       pthread_create(&threads[started], NULL, parallel_run, &work) == 0)
		started++;
	parallel_run(&work);
	while (started)
		pthread_join(threads[--started], NULL);
	pthread_mutex_destroy(&work.lock);
	if (!work.has_failed)
		return 0;
	if (err)
		*err = work.err;
	return -1;
}
