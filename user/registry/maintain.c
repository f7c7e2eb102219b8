// SPDX-License-Identifier: GPL-2.0-only
/*
 * The maintainer; see maintain.h. Started and stopped by serve.c.
 */
#include "registry/maintain.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "registry/proxy.h"
#include "registry/quota.h"
#include "registry/scan.h"

/* What a cache keeps is looked at so often within its ttl, and at least so often. */
#define EXPIRE_TURNS   8
#define EXPIRE_SECONDS 3600

enum task_kind { TASK_HEALTH, TASK_REFRESH, TASK_PURGE, TASK_RETAIN, TASK_EXPIRE, TASK_COUNT_QUOTAS, TASK_SWEEP, TASK_COUNT };

struct task {
	bool is_enabled;
	uint64_t interval; /* seconds */
	int64_t due;	   /* under the lock */
};

struct maintainer {
	struct reg *reg;
	const struct settings *settings;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool is_stopping; /* under the lock */
	struct task tasks[TASK_COUNT];
	uint64_t failures; /* health checks in a row; the thread's own */
};

static void check_health(struct maintainer *maintainer)
{
	struct reg *reg = maintainer->reg;
	struct shale_err err = { 0 };

	if (bucket_health(reg->bucket, &err) == 0) {
		if (atomic_exchange(&reg->is_sick, false))
			log_text(LOG_LEVEL_INFO, "health", "the storage works again");
		maintainer->failures = 0;
		return;
	}
	log_text(LOG_LEVEL_ERROR, "health", "the storage failed a check: %s", err.msg);
	if (++maintainer->failures >= maintainer->settings->health_threshold)
		atomic_store(&reg->is_sick, true);
}

static void refresh(struct maintainer *maintainer)
{
	struct shale_err err = { 0 };

	if (scan_all(maintainer->reg, &err) < 0)
		log_text(LOG_LEVEL_ERROR, "index", "repositories cannot be listed: %s", err.msg);
}

static void report(void *ctx, const char *what, const char *name, uint64_t bytes)
{
	const bool *is_dry = ctx;

	(void)bytes;
	log_text(LOG_LEVEL_INFO, "gc", "%s %s %s", *is_dry ? "would take" : "took", what, name);
}

static void purge(struct maintainer *maintainer)
{
	bool is_dry = maintainer->settings->is_purge_dry;
	struct sweep_options options = {
		.age = maintainer->settings->purge_age,
		.is_dry = is_dry,
		.report = report,
		.ctx = &is_dry,
	};
	struct sweep_result result = { 0 };
	struct shale_err err = { 0 };

	if (sweep_uploads(maintainer->reg, &options, &result, &err) < 0)
		log_text(LOG_LEVEL_ERROR, "gc", "uploads cannot be purged: %s", err.msg);
}

static void report_retention(void *ctx, const char *what, const char *name, int64_t mtime)
{
	const bool *is_dry = ctx;

	(void)mtime;
	log_text(LOG_LEVEL_INFO, "retention", "%s %s %s", *is_dry ? "would take" : "took", what, name);
}

void maintain_log_retention(const struct retain_result *result, bool is_dry)
{
	log_text(LOG_LEVEL_INFO, "retention", "%llu repositories: %llu tags kept, %llu tags and %llu manifests %s",
		 (unsigned long long)result->repos, (unsigned long long)result->tags_kept,
		 (unsigned long long)result->tags_taken, (unsigned long long)result->manifests_taken,
		 is_dry ? "would be taken" : "taken");
}

static void retain(struct maintainer *maintainer)
{
	bool is_dry = maintainer->settings->is_retain_dry;
	struct retain_options options = {
		.rules = &maintainer->settings->retain_rules,
		.now = time(NULL),
		.is_dry = is_dry,
		.is_tags_only = maintainer->reg->bucket->ops->is_shared,
		.report = report_retention,
		.ctx = &is_dry,
	};
	struct retain_result result;
	struct shale_err err = { 0 };

	if (retain_run(maintainer->reg, &options, &result, &err) < 0)
		log_text(LOG_LEVEL_ERROR, "retention", "retention failed: %s", err.msg);
	else
		maintain_log_retention(&result, is_dry);
}

void maintain_log_sweep(const struct sweep_result *result, bool is_dry)
{
	log_text(LOG_LEVEL_INFO, "gc",
		 "%llu repositories: %llu manifests kept, %llu %s; %llu blobs kept, %llu %s, %llu bytes",
		 (unsigned long long)result->repos, (unsigned long long)result->manifests_kept,
		 (unsigned long long)result->manifests_taken, is_dry ? "would be taken" : "taken",
		 (unsigned long long)result->blobs_kept, (unsigned long long)result->blobs_taken,
		 is_dry ? "would be taken" : "taken", (unsigned long long)result->bytes_taken);
}

static void sweep_with(struct maintainer *maintainer, uint64_t age, bool is_untagged)
{
	bool is_dry = false;
	struct sweep_options options = {
		.age = age,
		.is_untagged = is_untagged && !maintainer->reg->bucket->ops->is_shared,
		.report = report,
		.ctx = &is_dry,
	};
	struct sweep_result result;
	struct shale_err err = { 0 };

	if (sweep_run(maintainer->reg, &options, &result, &err) == 0)
		maintain_log_sweep(&result, false);
	else if (err.code == EBUSY)
		log_text(LOG_LEVEL_INFO, "gc", "the collector ends early: %s", err.msg);
	else
		log_text(LOG_LEVEL_ERROR, "gc", "the collector failed: %s", err.msg);
}

static void sweep(struct maintainer *maintainer)
{
	const struct settings *settings = maintainer->settings;

	sweep_with(maintainer, settings->sweep_age, settings->is_sweeping_untagged);
}

/* Where all is an upstream's, the bytes go as well; else that is the collector's, by its own age. */
static void expire(struct maintainer *maintainer)
{
	struct reg *reg = maintainer->reg;
	struct shale_err err = { 0 };

	if (proxy_expire(reg->proxy, time(NULL), &err) < 0)
		log_text(LOG_LEVEL_ERROR, "proxy", "what is old cannot be taken: %s", err.msg);
	else if (proxy_has_all(reg->proxy))
		sweep_with(maintainer, proxy_ttl(reg->proxy), false);
}

/* Where others change what counts, too. */
static void count_quotas(struct maintainer *maintainer)
{
	struct shale_err err = { 0 };

	if (quota_recount(maintainer->reg->quota, &err) < 0)
		log_text(LOG_LEVEL_ERROR, "quota", "what counts cannot be counted: %s", err.msg);
}

static void run_task(struct maintainer *maintainer, enum task_kind kind)
{
	static void (*const runs[TASK_COUNT])(struct maintainer *) = {
		[TASK_HEALTH] = check_health,
		[TASK_REFRESH] = refresh,
		[TASK_PURGE] = purge,
		[TASK_RETAIN] = retain,
		[TASK_EXPIRE] = expire,
		[TASK_COUNT_QUOTAS] = count_quotas,
		[TASK_SWEEP] = sweep,
	};

	runs[kind](maintainer);
}

/* The task that is due first; how long until then. */
static enum task_kind next_task_locked(const struct maintainer *maintainer, int64_t *ret_due)
{
	enum task_kind next = TASK_HEALTH;

	*ret_due = INT64_MAX;
	for (int kind = 0; kind < TASK_COUNT; kind++)
		if (maintainer->tasks[kind].due < *ret_due) {
			*ret_due = maintainer->tasks[kind].due;
			next = kind;
		}
	return next;
}

static void wait_locked(struct maintainer *maintainer, int64_t seconds)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += seconds < 3600 ? seconds : 3600;
	pthread_cond_timedwait(&maintainer->wake, &maintainer->lock, &end);
}

static void *maintain(void *arg)
{
	struct maintainer *maintainer = arg;
	enum task_kind kind;
	struct task *task;
	int64_t due;

	pthread_mutex_lock(&maintainer->lock);
	while (!maintainer->is_stopping) {
		kind = next_task_locked(maintainer, &due);
		if (due > clock_seconds()) {
			wait_locked(maintainer, due - clock_seconds());
			continue;
		}
		task = &maintainer->tasks[kind];
		task->due = task->is_enabled ? clock_seconds() + (int64_t)task->interval : INT64_MAX;
		pthread_mutex_unlock(&maintainer->lock);
		run_task(maintainer, kind);
		pthread_mutex_lock(&maintainer->lock);
	}
	pthread_mutex_unlock(&maintainer->lock);
	return NULL;
}

static void set_task(struct maintainer *maintainer, enum task_kind kind, bool is_enabled,
		     uint64_t interval)
{
	struct task *task = &maintainer->tasks[kind];

	task->is_enabled = is_enabled && interval;
	task->interval = interval;
	task->due = task->is_enabled ? clock_seconds() + (int64_t)interval : INT64_MAX;
}

/* Often enough that little stays much longer than it should. */
static uint64_t expire_interval(uint64_t ttl)
{
	uint64_t interval = ttl / EXPIRE_TURNS;

	return interval < 1 ? 1 : interval > EXPIRE_SECONDS ? EXPIRE_SECONDS : interval;
}

static void set_tasks(struct maintainer *maintainer)
{
	const struct settings *settings = maintainer->settings;
	const struct reg *reg = maintainer->reg;
	bool may_change = !settings->reg.is_readonly;

	set_task(maintainer, TASK_HEALTH, settings->has_health_check, settings->health_interval);
	set_task(maintainer, TASK_REFRESH, reg->bucket->ops->is_shared, settings->refresh_seconds);
	set_task(maintainer, TASK_PURGE, settings->is_purging && may_change, settings->purge_interval);
	set_task(maintainer, TASK_RETAIN, settings->is_retaining && may_change,
		 settings->retain_interval);
	set_task(maintainer, TASK_EXPIRE, proxy_ttl(reg->proxy) && may_change,
		 expire_interval(proxy_ttl(reg->proxy)));
	set_task(maintainer, TASK_COUNT_QUOTAS, reg->quota && reg->bucket->ops->is_shared,
		 QUOTA_COUNT_SECONDS);
	set_task(maintainer, TASK_SWEEP, settings->is_sweeping && may_change, settings->sweep_interval);
}

int maintain_start(struct reg *reg, const struct settings *settings,
		   struct maintainer **ret_maintainer, struct shale_err *err)
{
	struct maintainer *maintainer = calloc(1, sizeof(*maintainer));

	if (!maintainer)
		return shale_err_set(err, ENOMEM, "no memory for the maintainer");
	maintainer->reg = reg;
	maintainer->settings = settings;
	pthread_mutex_init(&maintainer->lock, NULL);
	pthread_cond_init(&maintainer->wake, NULL);
	set_tasks(maintainer);
	if (pthread_create(&maintainer->thread, NULL, maintain, maintainer)) {
		free(maintainer);
		return shale_err_set(err, EAGAIN, "cannot start the maintainer's thread");
	}
	*ret_maintainer = maintainer;
	return 0;
}

void maintain_sweep_now(struct maintainer *maintainer)
{
	pthread_mutex_lock(&maintainer->lock);
	maintainer->tasks[TASK_SWEEP].due = 0;
	pthread_cond_signal(&maintainer->wake);
	pthread_mutex_unlock(&maintainer->lock);
}

void maintain_stop(struct maintainer *maintainer)
{
	if (!maintainer)
		return;
	pthread_mutex_lock(&maintainer->lock);
	maintainer->is_stopping = true;
	pthread_cond_signal(&maintainer->wake);
	pthread_mutex_unlock(&maintainer->lock);
	pthread_join(maintainer->thread, NULL);
	pthread_cond_destroy(&maintainer->wake);
	pthread_mutex_destroy(&maintainer->lock);
	free(maintainer);
}
