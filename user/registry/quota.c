// SPDX-License-Identifier: GPL-2.0-only
/*
 * Quotas; see quota.h. A name's lock is held from the question whether something fits until it is booked, so that
 * of two changes one sees the other. First the account is changed, which can refuse, then the book. Called
 * by repo.c and upload.c for every change, and by the maintainer.
 */
#include "registry/quota.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "registry/entries.h"
#include "registry/layout.h"
#include "registry/log.h"
#include "registry/quota_book.h"
#include "registry/scan.h"
#include "registry/upload.h"

/* Where accounts are in the bucket; no component of a name begins with an underscore. */
#define ACCOUNTS     ".shale/quota"
#define ACCOUNT_LEAF "/_account"
/* Times a change of an account is made again because another server was first. */
#define MAX_TURNS 64

struct name {
	char text[NAME_MAX_REPO + 1];
	const struct quota_rule *rule;
	pthread_mutex_t lock;
	struct quota_account account; /* under the lock; where it is shared, as it was last seen */
	/* The count's. */
	bool is_counted;
	struct quota_account start;
	uint64_t bytes;
	uint64_t repositories;
	struct metric_series *used, *reserved, *limit, *repos, *refused;
};

struct quota {
	struct quota_rules rules;
	struct bucket *bucket;
	struct metrics *metrics;
	struct quota_book *book;
	bool is_shared; /* accounts are in the bucket */
	uint64_t server;
	pthread_mutex_t lock;
	void *names; /* a tree of struct name, under the lock; none is ever taken out */
};

int quota_load(const json_t *tree, struct quota **ret_quota, struct shale_err *err)
{
	struct quota *quota;

	*ret_quota = NULL;
	if (!tree)
		return 0;
	quota = calloc(1, sizeof(*quota));
	if (!quota)
		return shale_err_set(err, ENOMEM, "no memory for quotas");
	pthread_mutex_init(&quota->lock, NULL);
	if (quota_rules_load(tree, &quota->rules, err) < 0 || quota_book_open(&quota->book, err) < 0) {
		quota_free(quota);
		return -1;
	}
	*ret_quota = quota;
	return 0;
}

static void name_free(void *node)
{
	struct name *name = node;

	pthread_mutex_destroy(&name->lock);
	free(name);
}

void quota_free(struct quota *quota)
{
	if (!quota)
		return;
	tdestroy(quota->names, name_free);
	quota_book_close(quota->book);
	quota_rules_release(&quota->rules);
	pthread_mutex_destroy(&quota->lock);
	free(quota);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct name *)a)->text, ((const struct name *)b)->text);
}

static void find_series(struct quota *quota, struct name *name)
{
	const char *label = name->text;
	struct metrics *metrics = quota->metrics;

	if (!metrics)
		return;
	name->used = metrics_series(metrics, METRIC_QUOTA_USED, &label);
	name->reserved = metrics_series(metrics, METRIC_QUOTA_RESERVED, &label);
	name->limit = metrics_series(metrics, METRIC_QUOTA_LIMIT, &label);
	name->repos = metrics_series(metrics, METRIC_QUOTA_REPOS, &label);
	name->refused = metrics_series(metrics, METRIC_QUOTA_REFUSED, &label);
	if (name->rule->bytes != QUOTA_NO_LIMIT)
		metric_set(name->limit, name->rule->bytes);
}

/* What a server has reserved ends with time where that server may be gone without a word. */
static int64_t account_now(const struct quota *quota)
{
	return quota->is_shared ? time(NULL) : 0;
}

static void show(struct quota *quota, struct name *name)
{
	if (!name->used)
		return;
	metric_set(name->used, name->account.bytes);
	metric_set(name->reserved, quota_account_reserved(&name->account, account_now(quota)));
	metric_set(name->repos, name->account.repositories);
}

/* NULL without an error: no rule has it. */
static struct name *name_get(struct quota *quota, const char *repo, struct shale_err *err)
{
	struct name *name = calloc(1, sizeof(*name));
	struct name **found = NULL;

	if (!name) {
		shale_err_set(err, EAGAIN, "no memory for quotas");
		return NULL;
	}
	name->rule = quota_rules_find(&quota->rules, repo, name->text);
	if (!name->rule) {
		free(name);
		return NULL;
	}
	pthread_mutex_init(&name->lock, NULL);
	pthread_mutex_lock(&quota->lock);
	found = tsearch(name, &quota->names, compare_names);
	if (found && *found == name)
		find_series(quota, name);
	pthread_mutex_unlock(&quota->lock);
	if (!found || *found != name)
		name_free(name);
	if (!found)
		shale_err_set(err, EAGAIN, "no memory for quotas");
	return found ? *found : NULL;
}

static void account_path(const struct name *name, struct layout_path *path)
{
	snprintf(path->text, sizeof(path->text), ACCOUNTS "/%s" ACCOUNT_LEAF, name->text);
}

/* text NULL: there is no account yet. One that cannot be understood is begun anew by the next count. */
static int read_account(struct quota *quota, struct name *name, struct quota_account *ret_account,
			struct buf *text, bool *ret_there, struct shale_err *err)
{
	struct layout_path path;
	struct shale_err own = { 0 };

	*ret_account = (struct quota_account){ 0 };
	*ret_there = false;
	buf_clear(text);
	account_path(name, &path);
	if (bucket_get(quota->bucket, path.text, QUOTA_MAX_ACCOUNT, text, &own) < 0) {
		if (own.code == ENOENT)
			return 0;
		if (err)
			*err = own;
		return -1;
	}
	*ret_there = true;
	if (!quota_account_parse(buf_str(text), ret_account))
		log_text(LOG_LEVEL_ERROR, "quota", "%s: is no account", path.text);
	return 0;
}

typedef int (*account_fn)(struct name *name, struct quota_account *account, const void *ctx,
			  struct shale_err *err);

/* One change of an account that others change as well. The name's lock is held. */
static int change_shared(struct quota *quota, struct name *name, account_fn change, const void *ctx,
			 struct shale_err *err)
{
	__cleanup_buf struct buf old = BUF_INIT;
	struct quota_account account;
	struct shale_err own = { 0 };
	struct layout_path path;
	bool is_there;

	account_path(name, &path);
	for (int i = 0; i < MAX_TURNS; i++) {
		__cleanup_buf struct buf new = BUF_INIT;

		if (read_account(quota, name, &account, &old, &is_there, err) < 0 ||
		    change(name, &account, ctx, err) < 0)
			return -1;
		if (quota_account_print(&account, &new) < 0)
			return shale_err_set(err, EAGAIN, "no memory for quotas");
		if (bucket_swap(quota->bucket, path.text, is_there ? buf_str(&old) : NULL, buf_str(&new),
				&own) == 0) {
			name->account = account;
			return 0;
		}
		if (own.code != ESTALE)
			return shale_err_set(err, EAGAIN, "the account of '%s': %s", name->text, own.msg);
		/* The other one has made its change; a little apart we do not meet again. */
		nanosleep(&(struct timespec){ .tv_nsec = (1 + quota->server % 7 + i) * 1000000 }, NULL);
	}
	return shale_err_set(err, EAGAIN, "the account of '%s' changes all the time", name->text);
}

static int change_account(struct quota *quota, struct name *name, account_fn change,
			  const void *ctx, struct shale_err *err)
{
	int ret = quota->is_shared ? change_shared(quota, name, change, ctx, err) :
				     change(name, &name->account, ctx, err);

	show(quota, name);
	return ret;
}

static int apply(struct name *name, struct quota_account *account, const void *ctx,
		 struct shale_err *err)
{
	const struct quota_change *change = ctx;

	return quota_account_apply(account, change, name->rule, name->text, err);
}

static int book_change(struct quota *quota, struct name *name, int64_t bytes, int64_t repositories,
		       int64_t reserved, struct shale_err *err)
{
	const struct quota_change change = { bytes, repositories, reserved, quota->server,
					     account_now(quota) };
	struct shale_err own = { 0 };

	if (!bytes && !repositories && !reserved)
		return 0;
	if (change_account(quota, name, apply, &change, &own) == 0)
		return 0;
	if (own.code == QUOTA_EXCEEDED && name->refused)
		metric_add(name->refused, 1);
	if (err)
		*err = own;
	return -1;
}

int quota_check_repo(struct quota *quota, const char *repo, struct shale_err *err)
{
	struct shale_err own = { 0 };
	struct name *name;
	bool is_full;

	name = quota ? name_get(quota, repo, &own) : NULL;
	if (!name || quota_book_has_repo(quota->book, repo)) {
		if (own.code && err)
			*err = own;
		return own.code ? -1 : 0;
	}
	pthread_mutex_lock(&name->lock);
	is_full = name->account.repositories >= name->rule->repositories;
	pthread_mutex_unlock(&name->lock);
	if (!is_full)
		return 0;
	if (name->refused)
		metric_add(name->refused, 1);
	return shale_err_set(err, QUOTA_EXCEEDED, "the quota of '%s' is %" PRIu64 " repositories, and '%s' would be one more",
			     name->text, name->rule->repositories, repo);
}

bool quota_has(struct quota *quota, const char *repo, const struct sum *sum)
{
	struct name *name = quota ? name_get(quota, repo, NULL) : NULL;

	return name && quota_book_has(quota->book, name->text, sum->text);
}

static int reserve_locked(struct quota *quota, struct name *name, const char *upload,
			  uint64_t bytes, uint64_t old, struct shale_err *err)
{
	if (book_change(quota, name, 0, 0, (int64_t)(bytes - old), err) < 0)
		return -1;
	return quota_book_set_upload(quota->book, upload, name->text, bytes, time(NULL), err);
}

int quota_reserve(struct quota *quota, const char *repo, const char *upload, uint64_t bytes,
		  struct shale_err *err)
{
	struct shale_err own = { 0 };
	struct name *name;
	uint64_t old;
	int ret = 0;

	if (bytes > QUOTA_MAX_BYTES)
		bytes = QUOTA_MAX_BYTES;
	if (!quota || (quota_book_upload(quota->book, upload, &old) && old >= bytes))
		return 0;
	name = name_get(quota, repo, &own);
	if (!name) {
		if (own.code && err)
			*err = own;
		return own.code ? -1 : 0;
	}
	pthread_mutex_lock(&name->lock);
	quota_book_upload(quota->book, upload, &old);
	if (bytes > old)
		ret = reserve_locked(quota, name, upload, bytes, old, err);
	pthread_mutex_unlock(&name->lock);
	return ret;
}

void quota_release(struct quota *quota, const char *upload)
{
	char text[NAME_MAX_REPO + 1];
	struct name *name;
	uint64_t old;

	if (!quota || !quota_book_upload_name(quota->book, upload, text, sizeof(text)))
		return;
	name = name_get(quota, text, NULL);
	if (!name)
		return;
	pthread_mutex_lock(&name->lock);
	if (quota_book_upload(quota->book, upload, &old) &&
	    quota_book_set_upload(quota->book, upload, NULL, 0, 0, NULL) == 0)
		book_change(quota, name, 0, 0, -(int64_t)old, NULL);
	pthread_mutex_unlock(&name->lock);
}

static int link_locked(struct quota *quota, struct name *name, const struct quota_link *link,
		       const char *upload, struct shale_err *err)
{
	uint64_t bytes, repositories, reserved = 0;
	bool is_new = quota_book_would_add(quota->book, link, &bytes, &repositories);

	if (upload)
		quota_book_upload(quota->book, upload, &reserved);
	if (book_change(quota, name, bytes, repositories, -(int64_t)reserved, err) < 0)
		return -1;
	if (reserved)
		quota_book_set_upload(quota->book, upload, NULL, 0, 0, NULL);
	return is_new ? quota_book_add(quota->book, link, err) : 0;
}

int quota_link(struct quota *quota, const char *repo, enum quota_kind kind, const struct sum *sum,
	       uint64_t size, const char *upload, struct shale_err *err)
{
	struct shale_err own = { 0 };
	struct quota_link link = { NULL, repo, kind, sum->text, size };
	struct name *name = quota ? name_get(quota, repo, &own) : NULL;
	int ret;

	if (!name) {
		if (own.code && err)
			*err = own;
		return own.code ? -1 : 0;
	}
	link.name = name->text;
	pthread_mutex_lock(&name->lock);
	ret = link_locked(quota, name, &link, upload, err);
	pthread_mutex_unlock(&name->lock);
	return ret;
}

/* Another server may have linked the blob beside us: where it is shared, only a count gives back. */
void quota_unlink(struct quota *quota, const char *repo, enum quota_kind kind,
		  const struct sum *sum)
{
	struct quota_link link = { NULL, repo, kind, sum->text, 0 };
	struct name *name = quota ? name_get(quota, repo, NULL) : NULL;
	uint64_t bytes, repositories;

	if (!name)
		return;
	link.name = name->text;
	pthread_mutex_lock(&name->lock);
	if (quota_book_remove(quota->book, &link, &bytes, &repositories) && !quota->is_shared)
		book_change(quota, name, -(int64_t)bytes, -(int64_t)repositories, 0, NULL);
	pthread_mutex_unlock(&name->lock);
}

/* --- counting */

struct count {
	struct quota *quota;
	const char *repo;
	struct name *name;
	enum quota_kind kind;
};

/* Before the first of its repositories is read: what changes from here on is seen by comparison. */
static int begin_name(struct quota *quota, struct name *name, struct shale_err *err)
{
	__cleanup_buf struct buf text = BUF_INIT;
	bool is_there;

	if (name->is_counted)
		return 0;
	name->is_counted = true;
	name->bytes = name->repositories = 0;
	if (!quota->is_shared)
		return 0;
	return read_account(quota, name, &name->start, &text, &is_there, err);
}

static int count_sum(struct count *count, const struct sum *sum, struct shale_err *err)
{
	struct quota_link link = { count->name->text, count->repo, count->kind, sum->text, 0 };
	struct bucket_stat st;

	if (bucket_stat(count->quota->bucket, layout_blob(sum).text, &st, err) < 0)
		return err->code == ENOENT ? 0 : -1;
	link.size = st.size;
	return quota_book_add(count->quota->book, &link, err);
}

static int collect_entry(void *ctx, const struct bucket_entry *entry, struct shale_err *err)
{
	return entries_add(ctx, entry, strlen(entry->name), err);
}

static int count_links(struct count *count, const char *what, struct shale_err *err)
{
	for (int kind = 0; kind < SUM_KINDS; kind++) {
		__cleanup_entries struct entries entries = { 0 };
		char text[SUM_MAX_TEXT + 2];
		char path[64];
		struct sum sum;

		snprintf(path, sizeof(path), "%s/%s", what, sum_kind_name(kind));
		if (bucket_list(count->quota->bucket, layout_repo(count->repo, path).text, NULL,
				collect_entry, &entries, err) < 0)
			return -1;
		for (size_t i = 0; i < entries.count; i++) {
			snprintf(text, sizeof(text), "%s:%s", sum_kind_name(kind), entries.list[i].name);
			if (sum_parse(text, &sum) && count_sum(count, &sum, err) < 0)
				return -1;
		}
	}
	return 0;
}

static int add_size(void *ctx, const struct bucket_entry *entry, struct shale_err *err)
{
	(void)err;
	*(uint64_t *)ctx += entry->size;
	return 0;
}

/* What uploads have brought that are not finished: reserved, as it was before the server ended. */
static int count_uploads(struct count *count, struct shale_err *err)
{
	__cleanup_entries struct entries uploads = { 0 };
	struct bucket *bucket = count->quota->bucket;

	if (bucket_list(bucket, layout_repo(count->repo, "_uploads").text, NULL, collect_entry, &uploads,
			err) < 0)
		return -1;
	for (size_t i = 0; i < uploads.count; i++) {
		const char *id = uploads.list[i].name;
		uint64_t bytes = 0;

		if (!upload_is_id(id))
			continue;
		if (bucket_walk(bucket, layout_upload(count->repo, id, NULL).text, add_size, &bytes, err) < 0 ||
		    quota_book_set_upload(count->quota->book, id, count->name->text, bytes, time(NULL), err) < 0)
			return -1;
	}
	return 0;
}

static int count_repo(void *ctx, const char *repo, struct shale_err *err)
{
	struct quota *quota = ctx;
	struct count count = { .quota = quota, .repo = repo };
	struct shale_err own = { 0 };

	count.name = name_get(quota, repo, &own);
	if (!count.name)
		return own.code ? shale_err_set(err, own.code, "%s", own.msg) : 0;
	if (begin_name(quota, count.name, err) < 0)
		return -1;
	if (!quota->is_shared && count_uploads(&count, err) < 0)
		return -1;
	count.kind = QUOTA_BLOB;
	if (count_links(&count, "_layers", err) < 0)
		return -1;
	count.kind = QUOTA_MANIFEST;
	return count_links(&count, "_manifests/revisions", err);
}

/* Names that hold nothing any more have accounts, too. */
static int count_account(void *ctx, const struct bucket_entry *entry, struct shale_err *err)
{
	const size_t front = sizeof(ACCOUNTS), back = sizeof(ACCOUNT_LEAF) - 1;
	size_t len = strlen(entry->name);
	char text[NAME_MAX_REPO + 1];
	struct name *name;

	if (len <= front + back || len - front - back > NAME_MAX_REPO ||
	    strcmp(entry->name + len - back, ACCOUNT_LEAF))
		return 0;
	snprintf(text, sizeof(text), "%.*s", (int)(len - front - back), entry->name + front);
	if (!name_is_repo(text))
		return 0;
	name = name_get(ctx, text, NULL);
	return name && !strcmp(name->text, text) ? begin_name(ctx, name, err) : 0;
}

static void note_total(void *ctx, const char *text, uint64_t bytes, uint64_t repositories)
{
	struct name *name = name_get(ctx, text, NULL);

	if (!name)
		return;
	name->bytes = bytes;
	name->repositories = repositories;
}

static uint64_t moved(uint64_t counted, uint64_t now, uint64_t start)
{
	return now >= start ? counted + (now - start) : counted > start - now ? counted - (start - now) : 0;
}

struct counted {
	struct quota *quota;
};

/* What was booked since the count began may have been seen by it, too: rather twice than not at all. */
static int settle(struct name *name, struct quota_account *account, const void *ctx,
		  struct shale_err *err)
{
	const struct counted *counted = ctx;
	struct quota *quota = counted->quota;
	uint64_t own = quota_book_reserved(quota->book, name->text);
	const struct quota_change change = { .reserved = (int64_t)own, .server = quota->server,
					     .now = account_now(quota) };
	static const struct quota_rule all = { NULL, QUOTA_NO_LIMIT, QUOTA_NO_LIMIT };

	if (quota->is_shared && account->generation != name->start.generation)
		return 0;
	account->bytes = moved(name->bytes, account->bytes, name->start.bytes);
	account->repositories = moved(name->repositories, account->repositories, name->start.repositories);
	account->generation++;
	for (size_t i = 0; i < account->server_count; i++)
		if (account->servers[i].id == quota->server)
			account->servers[i].reserved = 0;
	return quota_account_apply(account, &change, &all, name->text, err);
}

struct walk {
	struct name **list;
	size_t count;
	size_t cap;
	bool has_failed;
};

static void collect_name(const void *node, VISIT which, void *ctx)
{
	struct walk *walk = ctx;
	struct name **list;

	if (which != postorder && which != leaf)
		return;
	if (walk->count == walk->cap) {
		walk->cap = walk->cap ? 2 * walk->cap : 64;
		list = reallocarray(walk->list, walk->cap, sizeof(*list));
		walk->has_failed = walk->has_failed || !list;
		if (!list)
			return;
		walk->list = list;
	}
	walk->list[walk->count++] = *(struct name *const *)node;
}

/* Names are never taken out, so the list is good without the lock. */
static int list_names(struct quota *quota, struct walk *walk, struct shale_err *err)
{
	pthread_mutex_lock(&quota->lock);
	twalk_r(quota->names, collect_name, walk);
	pthread_mutex_unlock(&quota->lock);
	if (!walk->has_failed)
		return 0;
	free(walk->list);
	return shale_err_set(err, ENOMEM, "no memory for quotas");
}

static int settle_all(struct quota *quota, struct shale_err *err)
{
	struct counted counted = { quota };
	struct walk walk = { 0 };
	int ret = 0;

	if (list_names(quota, &walk, err) < 0)
		return -1;
	for (size_t i = 0; i < walk.count && ret == 0; i++) {
		struct name *name = walk.list[i];

		if (!name->is_counted)
			continue;
		pthread_mutex_lock(&name->lock);
		ret = change_account(quota, name, settle, &counted, err);
		pthread_mutex_unlock(&name->lock);
		name->is_counted = false;
	}
	free(walk.list);
	return ret;
}

/* Uploads that nobody goes on with. */
static void release_old(struct quota *quota)
{
	char id[64];

	while (quota_book_old_upload(quota->book, time(NULL) - QUOTA_UPLOAD_SECONDS, id, sizeof(id)))
		quota_release(quota, id);
}

int quota_recount(struct quota *quota, struct shale_err *err)
{
	if (!quota)
		return 0;
	if (quota->is_shared) {
		release_old(quota);
		if (bucket_walk(quota->bucket, ACCOUNTS, count_account, quota, err) < 0)
			return -1;
	}
	if (quota_book_count_begin(quota->book, err) < 0 ||
	    scan_repos(quota->bucket, false, count_repo, quota, err) < 0 ||
	    quota_book_count_end(quota->book, note_total, quota, err) < 0)
		return shale_err_wrap(err, "counting for quotas");
	return settle_all(quota, err);
}

int quota_open(struct quota *quota, struct bucket *bucket, bool is_readonly,
	       struct metrics *metrics, struct shale_err *err)
{
	if (!quota)
		return 0;
	quota->bucket = bucket;
	quota->metrics = metrics;
	quota->is_shared = bucket->ops->is_shared && !is_readonly;
	if (getrandom(&quota->server, sizeof(quota->server), 0) != sizeof(quota->server))
		return shale_err_set(err, EIO, "no random bytes for quotas");
	return quota_recount(quota, err);
}

void quota_report(struct quota *quota, quota_report_fn each, void *ctx)
{
	struct walk walk = { 0 };

	if (!quota || list_names(quota, &walk, NULL) < 0)
		return;
	for (size_t i = 0; i < walk.count; i++) {
		struct name *name = walk.list[i];

		pthread_mutex_lock(&name->lock);
		each(ctx, name->text, name->rule, name->account.bytes,
		     quota_account_reserved(&name->account, account_now(quota)), name->account.repositories);
		pthread_mutex_unlock(&name->lock);
	}
	free(walk.list);
}
