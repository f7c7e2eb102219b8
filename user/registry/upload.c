// SPDX-License-Identifier: GPL-2.0-only
/*
 * Uploads; see upload.h. A session is claimed by one request of this server at a time; what two servers
 * do to one session at the same time is the client's fault, and the digest finds it out. Called by
 * h_upload.c.
 */
#include "registry/upload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "registry/hold.h"
#include "registry/layout.h"
#include "registry/quota.h"
#include "registry/repo.h"

/* Seconds a request waits for another one on the same session to end: a client that lost its connection. */
#define CLAIM_SECONDS 10
/* Requests that may wait so, each on a worker; more are told at once. */
#define MAX_WAITING   4
#define READ_CHUNK    (256u << 10)
/* A saved hash is 204 bytes at most. */
#define MAX_STATE 256

struct claim {
	char id[UPLOAD_ID_LEN + 1];
	struct claim *next;
};

struct upload_claims {
	pthread_mutex_t lock;
	pthread_cond_t freed;
	struct claim *first; /* under the lock, as the next */
	unsigned int waiting;
};

struct upload_claims *upload_claims_new(void)
{
	struct upload_claims *claims = calloc(1, sizeof(*claims));

	if (!claims)
		return NULL;
	pthread_mutex_init(&claims->lock, NULL);
	pthread_cond_init(&claims->freed, NULL);
	return claims;
}

void upload_claims_free(struct upload_claims *claims)
{
	if (!claims)
		return;
	pthread_cond_destroy(&claims->freed);
	pthread_mutex_destroy(&claims->lock);
	free(claims);
}

static struct claim **claim_find_locked(struct upload_claims *claims, const char *id)
{
	struct claim **at = &claims->first;

	while (*at && strcmp((*at)->id, id))
		at = &(*at)->next;
	return at;
}

/* 0, or an errno: somebody else has it still. */
static int claim_wait_locked(struct upload_claims *claims, const char *id)
{
	struct timespec end;
	int ret = 0;

	if (!*claim_find_locked(claims, id))
		return 0;
	if (claims->waiting == MAX_WAITING)
		return EBUSY;
	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += CLAIM_SECONDS;
	claims->waiting++;
	while (!ret && *claim_find_locked(claims, id))
		ret = pthread_cond_timedwait(&claims->freed, &claims->lock, &end);
	claims->waiting--;
	return ret;
}

static int claim_take(struct upload_claims *claims, const char *id, struct shale_err *err)
{
	struct claim *claim = calloc(1, sizeof(*claim));
	int ret;

	if (!claim)
		return shale_err_set(err, EAGAIN, "no memory for an upload");
	snprintf(claim->id, sizeof(claim->id), "%s", id);
	pthread_mutex_lock(&claims->lock);
	ret = claim_wait_locked(claims, id);
	if (!ret) {
		claim->next = claims->first;
		claims->first = claim;
	}
	pthread_mutex_unlock(&claims->lock);
	if (!ret)
		return 0;
	free(claim);
	return shale_err_set(err, EBUSY, "upload %s is in use by another request", id);
}

static void claim_drop(struct upload_claims *claims, const char *id)
{
	struct claim **at;
	struct claim *claim;

	pthread_mutex_lock(&claims->lock);
	at = claim_find_locked(claims, id);
	claim = *at;
	if (claim)
		*at = claim->next;
	pthread_cond_broadcast(&claims->freed);
	pthread_mutex_unlock(&claims->lock);
	free(claim);
}

bool upload_is_free(struct reg *reg, const char *id)
{
	bool is_free;

	pthread_mutex_lock(&reg->claims->lock);
	is_free = !*claim_find_locked(reg->claims, id);
	pthread_mutex_unlock(&reg->claims->lock);
	return is_free;
}

bool upload_is_id(const char *text)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

	if (strlen(text) != UPLOAD_ID_LEN)
		return false;
	for (size_t i = 0; i < UPLOAD_ID_LEN; i++)
		if (form[i] == '-' ? text[i] != '-' : !strchr("0123456789abcdef", text[i]))
			return false;
	return true;
}

static int make_id(char *id, struct shale_err *err)
{
	unsigned char r[16];

	if (getrandom(r, sizeof(r), 0) != sizeof(r))
		return shale_err_set(err, EIO, "no random bytes for an upload");
	/* RFC 4122's version 4. */
	r[6] = (r[6] & 0x0f) | 0x40;
	r[8] = (r[8] & 0x3f) | 0x80;
	snprintf(id, UPLOAD_ID_LEN + 1,
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", r[0], r[1],
		 r[2], r[3], r[4], r[5], r[6], r[7], r[8], r[9], r[10], r[11], r[12], r[13], r[14],
		 r[15]);
	return 0;
}

static struct layout_path path_of(const struct upload *upload, const char *what)
{
	return layout_upload(upload->repo, upload->id, what);
}

static struct layout_path state_path(const struct upload *upload, uint64_t offset)
{
	char what[64];

	snprintf(what, sizeof(what), "hashstates/%s/%llu", sum_kind_name(upload->summer.kind),
		 (unsigned long long)offset);
	return path_of(upload, what);
}

static void upload_free(struct upload *upload)
{
	claim_drop(upload->reg->claims, upload->id);
	free(upload);
}

static int upload_new(struct reg *reg, const char *repo, const char *id, enum sum_kind kind,
		      struct upload **ret_upload, struct shale_err *err)
{
	struct upload *upload = calloc(1, sizeof(*upload));

	if (!upload)
		return shale_err_set(err, EAGAIN, "no memory for an upload");
	upload->reg = reg;
	upload->loaded = UINT64_MAX;
	summer_init(&upload->summer, kind);
	snprintf(upload->repo, sizeof(upload->repo), "%s", repo);
	snprintf(upload->id, sizeof(upload->id), "%s", id);
	if (claim_take(reg->claims, id, err) < 0) {
		free(upload);
		return -1;
	}
	*ret_upload = upload;
	return 0;
}

static int save_state(struct upload *upload, uint64_t offset, struct shale_err *err)
{
	__cleanup_buf struct buf state = BUF_INIT;
	struct bucket *bucket = upload->reg->bucket;

	if (summer_save(&upload->summer, &state) < 0)
		return shale_err_set(err, EAGAIN, "no memory for an upload");
	if (bucket_put(bucket, state_path(upload, offset).text, state.data, state.len, BUCKET_SOON,
		       err) < 0)
		return -1;
	if (upload->loaded != UINT64_MAX && upload->loaded != offset)
		bucket_remove(bucket, state_path(upload, upload->loaded).text, NULL);
	return 0;
}

/* The time in the form distribution reads it to purge what is old. */
static int put_started(struct upload *upload, struct shale_err *err)
{
	time_t now = time(NULL);
	char text[32];
	struct tm tm;

	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	return bucket_put(upload->reg->bucket, path_of(upload, "startedat").text, text, strlen(text),
			  BUCKET_SOON, err);
}

int upload_make_session(struct reg *reg, const char *repo, enum sum_kind kind, char *ret_id,
			struct shale_err *err)
{
	struct upload *upload;
	int ret;

	if (quota_check_repo(reg->quota, repo, err) < 0 || make_id(ret_id, err) < 0 ||
	    upload_new(reg, repo, ret_id, kind, &upload, err) < 0)
		return -1;
	ret = put_started(upload, err);
	/* A state after nothing says which algorithm the session hashes with. */
	if (ret == 0 && kind != SUM_SHA256)
		ret = save_state(upload, 0, err);
	upload_free(upload);
	return ret;
}

int upload_create(struct reg *reg, const char *repo, enum sum_kind kind,
		  struct upload **ret_upload, struct shale_err *err)
{
	char id[UPLOAD_ID_LEN + 1];
	struct upload *upload;

	if (quota_check_repo(reg->quota, repo, err) < 0 || make_id(id, err) < 0 ||
	    upload_new(reg, repo, id, kind, &upload, err) < 0)
		return -1;
	if (bucket_append(reg->bucket, path_of(upload, "data").text, BUCKET_FRESH, &upload->writer,
			  err) < 0) {
		upload_free(upload);
		return -1;
	}
	*ret_upload = upload;
	return 0;
}

static int is_session(struct upload *upload, struct shale_err *err)
{
	struct bucket_stat st;

	return bucket_stat(upload->reg->bucket, path_of(upload, "startedat").text, &st, err);
}

/* A session that was made and never written has no data yet. */
static int open_writer(struct upload *upload, uint64_t at, struct shale_err *err)
{
	struct bucket *bucket = upload->reg->bucket;
	struct layout_path path = path_of(upload, "data");
	struct shale_err own = { 0 };

	if (bucket_append(bucket, path.text, at, &upload->writer, &own) == 0)
		return 0;
	if (own.code == ENOENT)
		return bucket_append(bucket, path.text, BUCKET_FRESH, &upload->writer, err);
	*err = own;
	return -1;
}

struct state_search {
	uint64_t size;
	uint64_t best; /* UINT64_MAX: none */
	bool has_later;
};

static int look_at_state(void *ctx, const struct bucket_entry *entry, struct shale_err *err)
{
	struct state_search *search = ctx;
	char *end;
	uint64_t offset = strtoull(entry->name, &end, 10);

	(void)err;
	if (*end || end == entry->name)
		return 0;
	if (offset > search->size)
		search->has_later = true;
	else if (search->best == UINT64_MAX || offset > search->best)
		search->best = offset;
	return 0;
}

/*
 * 1: a state was there, 0: none. States and no bytes are what is left when we were killed between making
 * the blob and taking its session away.
 */
static int load_state_of(struct upload *upload, enum sum_kind kind, struct shale_err *err)
{
	struct state_search search = { upload->writer->size, UINT64_MAX, false };
	__cleanup_buf struct buf state = BUF_INIT;
	struct bucket *bucket = upload->reg->bucket;
	char what[32];

	snprintf(what, sizeof(what), "hashstates/%s", sum_kind_name(kind));
	if (bucket_list(bucket, path_of(upload, what).text, NULL, look_at_state, &search, err) < 0)
		return -1;
	if (search.has_later && !search.size)
		return shale_err_set(err, ENOENT, "upload %s is finished", upload->id);
	if (search.best == UINT64_MAX)
		return 0;
	summer_init(&upload->summer, kind);
	if (bucket_get(bucket, state_path(upload, search.best).text, MAX_STATE, &state, err) < 0)
		return -1;
	if (summer_load(&upload->summer, kind, search.best, state.data, state.len))
		upload->loaded = search.best;
	else
		summer_init(&upload->summer, kind);
	return 1;
}

static int load_state(struct upload *upload, struct shale_err *err)
{
	int ret = 0;

	for (int kind = 0; kind < SUM_KINDS && !ret; kind++)
		ret = load_state_of(upload, kind, err);
	return ret < 0 ? -1 : 0;
}

static int hash_object(struct bucket *bucket, const char *path, uint64_t from,
		       struct summer *summer, struct shale_err *err)
{
	char *chunk = malloc(READ_CHUNK);
	struct bucket_reader *reader = NULL;
	ssize_t got = -1;

	if (!chunk)
		shale_err_set(err, EAGAIN, "no memory to read an upload");
	else if (bucket_open_reader(bucket, path, from, &reader, err) == 0)
		while ((got = bucket_read(reader, chunk, READ_CHUNK, err)) > 0)
			summer_update(summer, chunk, got);
	bucket_close(reader);
	free(chunk);
	return got < 0 ? -1 : 0;
}

/*
 * The hash has to know every byte that is kept. Bytes behind the last state are there when a server was
 * killed: they are read, or, where they cannot be, cut off.
 */
static int catch_up(struct upload *upload, struct shale_err *err)
{
	struct bucket *bucket = upload->reg->bucket;
	uint64_t known = upload->loaded == UINT64_MAX ? 0 : upload->loaded;
	struct bucket_writer *writer = upload->writer;

	if (writer->size == known)
		return 0;
	if (bucket->ops->is_readable_unfinished)
		return hash_object(bucket, path_of(upload, "data").text, known, &upload->summer, err);
	upload->writer = NULL;
	if (bucket_keep(writer, err) < 0)
		return -1;
	return open_writer(upload, known, err);
}

static int upload_begin(struct upload *upload, struct shale_err *err)
{
	if (is_session(upload, err) < 0 || open_writer(upload, BUCKET_ALL, err) < 0)
		return -1;
	if (load_state(upload, err) < 0 || catch_up(upload, err) < 0)
		return -1;
	upload->began = upload->writer->size;
	upload->is_session = true;
	return 0;
}

int upload_open(struct reg *reg, const char *repo, const char *id, struct upload **ret_upload,
		struct shale_err *err)
{
	struct upload *upload;

	if (!upload_is_id(id))
		return shale_err_set(err, ENOENT, "there is no such upload");
	if (upload_new(reg, repo, id, SUM_SHA256, &upload, err) < 0)
		return -1;
	if (upload_begin(upload, err) < 0) {
		if (upload->writer)
			bucket_keep(upload->writer, NULL);
		upload_free(upload);
		return -1;
	}
	*ret_upload = upload;
	return 0;
}

uint64_t upload_size(const struct upload *upload)
{
	return upload->writer->size;
}

/*
 * Where the account is another server's, too, it is asked for more at once; what does not fit then is asked for as
 * it is.
 */
static int reserve(struct upload *upload, uint64_t more, struct shale_err *err)
{
	struct reg *reg = upload->reg;
	uint64_t bytes = upload->writer->size + more;
	uint64_t steps = (bytes + QUOTA_STEP - 1) / QUOTA_STEP * QUOTA_STEP;

	if (!reg->quota || upload->is_counted)
		return 0;
	if (reg->bucket->ops->is_shared &&
	    quota_reserve(reg->quota, upload->repo, upload->id, steps, NULL) == 0)
		return 0;
	return quota_reserve(reg->quota, upload->repo, upload->id, bytes, err);
}

int upload_expect(struct upload *upload, uint64_t bytes, const struct sum *sum,
		  struct shale_err *err)
{
	struct reg *reg = upload->reg;
	uint64_t size = upload->writer->size;

	upload->is_counted = sum && quota_has(reg->quota, upload->repo, sum);
	if (upload->is_counted || bytes == UINT64_MAX)
		return 0;
	bytes = bytes > UINT64_MAX - size ? UINT64_MAX : size + bytes;
	return quota_reserve(reg->quota, upload->repo, upload->id, bytes, err);
}

int upload_write(struct upload *upload, const void *data, size_t len, struct shale_err *err)
{
	if (reserve(upload, len, err) < 0)
		return -1;
	if (bucket_write(upload->writer, data, len, err) < 0)
		return -1;
	summer_update(&upload->summer, data, len);
	return 0;
}

/*
 * First what makes it a session: were we killed before that is gone and after its bytes are, it would look like one
 * that nothing was ever written to.
 */
static void drop_session(struct upload *upload)
{
	struct bucket *bucket = upload->reg->bucket;

	if (upload->is_session && !bucket->ops->removes_at_once)
		bucket_remove(bucket, path_of(upload, "startedat").text, NULL);
	bucket_remove_tree(bucket, path_of(upload, NULL).text, NULL);
	quota_release(upload->reg->quota, upload->id);
	upload_free(upload);
}

void upload_cancel(struct upload *upload)
{
	if (!upload)
		return;
	bucket_cancel(upload->writer);
	drop_session(upload);
}

/* First the bytes: a state must never be ahead of them. */
int upload_keep(struct upload *upload, struct shale_err *err)
{
	uint64_t size = upload->writer->size;
	int ret;

	if (!upload->is_session) {
		upload_cancel(upload);
		return 0;
	}
	ret = bucket_keep(upload->writer, err);
	if (ret == 0 && size && (size != upload->began || upload->loaded != size))
		ret = save_state(upload, size, err);
	upload_free(upload);
	return ret;
}

static int wrong_digest(const struct sum *got, const struct sum *want, struct shale_err *err)
{
	return shale_err_set(err, EBADMSG, "the digest is %s, not %.16s...", got->text, want->text);
}

/* The blob is there already: nothing of ours is needed. Its age starts again by the lease. */
static bool is_known_blob(struct upload *upload, const struct sum *sum)
{
	struct bucket_stat st;

	return bucket_stat(upload->reg->bucket, layout_blob(sum).text, &st, NULL) == 0 &&
	       st.size == upload->writer->size;
}

static int place_blob(struct upload *upload, const struct sum *sum, struct shale_err *err)
{
	struct bucket_writer *writer = upload->writer;

	if (is_known_blob(upload, sum)) {
		upload->writer = NULL;
		bucket_cancel(writer);
		return 0;
	}
	upload->writer = NULL;
	return bucket_commit(writer, layout_blob(sum).text, err);
}

static int hash_again(struct upload *upload, const char *path, const struct sum *sum, struct shale_err *err)
{
	struct summer summer;
	struct sum got;

	summer_init(&summer, sum->kind);
	if (hash_object(upload->reg->bucket, path, 0, &summer, err) < 0)
		return -1;
	summer_final(&summer, &got);
	return sum_is_equal(&got, sum) ? 0 : wrong_digest(&got, sum, err);
}

/* Nothing is moved before all is known to be right: a client whose server dies over that goes on. */
static int place_reread(struct upload *upload, const struct sum *sum, struct shale_err *err)
{
	struct layout_path data = path_of(upload, "data");
	struct bucket_writer *writer = upload->writer;
	const uint64_t size = writer->size;

	upload->writer = NULL;
	if (bucket_keep(writer, err) < 0 || hash_again(upload, data.text, sum, err) < 0 ||
	    repo_link_blob(upload->reg, upload->repo, sum, size, upload->id, err) < 0 ||
	    bucket_append(upload->reg->bucket, data.text, BUCKET_ALL, &upload->writer, err) < 0)
		return -1;
	return place_blob(upload, sum, err);
}

/* Where what is unfinished cannot be read, that client begins again. */
static int place_moved(struct upload *upload, const struct sum *sum, struct shale_err *err)
{
	struct layout_path whole = path_of(upload, "whole");
	struct bucket *bucket = upload->reg->bucket;
	struct bucket_writer *writer = upload->writer;
	const uint64_t size = writer->size;

	upload->writer = NULL;
	if (bucket_commit(writer, whole.text, err) < 0 || hash_again(upload, whole.text, sum, err) < 0 ||
	    repo_link_blob(upload->reg, upload->repo, sum, size, upload->id, err) < 0)
		return -1;
	return bucket_move(bucket, whole.text, layout_blob(sum).text, err);
}

/* The client names another algorithm only now: the bytes are read once more. */
static int place_rehashed(struct upload *upload, const struct sum *sum, struct shale_err *err)
{
	if (upload->reg->bucket->ops->is_readable_unfinished)
		return place_reread(upload, sum, err);
	return place_moved(upload, sum, err);
}

static int place_checked(struct upload *upload, const struct sum *sum, struct shale_err *err)
{
	struct sum got;

	if (sum->kind != upload->summer.kind)
		return place_rehashed(upload, sum, err);
	summer_final(&upload->summer, &got);
	if (!sum_is_equal(&got, sum))
		return wrong_digest(&got, sum, err);
	if (repo_link_blob(upload->reg, upload->repo, sum, upload->writer->size, upload->id, err) < 0)
		return -1;
	return place_blob(upload, sum, err);
}

int upload_finish(struct upload *upload, const struct sum *sum, struct shale_err *err)
{
	struct reg *reg = upload->reg;
	int ret;

	/*
	 * The lease and the link come before the bytes: so the collector never sees these without, and a
	 * client whose answer we did not live to send finds either the session or the blob.
	 */
	ret = hold_sum(reg, sum, err);
	if (ret == 0) {
		pthread_rwlock_rdlock(&reg->sweep_lock);
		lease_take(reg->leases, sum);
		ret = place_checked(upload, sum, err);
		pthread_rwlock_unlock(&reg->sweep_lock);
	}
	bucket_cancel(upload->writer);
	drop_session(upload);
	return ret;
}
