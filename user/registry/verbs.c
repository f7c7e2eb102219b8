// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verbs check, gc, index, migrate, quota and retention; see verbs.h. Called by main.c.
 */
#include "registry/verbs.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "registry/migrate.h"
#include "registry/notify.h"
#include "registry/quota.h"
#include "registry/retain.h"
#include "registry/scan.h"
#include "registry/serve.h"
#include "registry/sweep.h"
#include "registry/verify.h"

typedef unsigned long long ull;

/* How long the verb waits for endpoints; what they do not take is told when the next server starts. */
#define EVENTS_MSEC 5000

static void print_fault(const char *what)
{
	printf("%s\n", what);
}

int verb_check(const struct settings *settings, const struct verb_options *options,
	       struct shale_err *err)
{
	struct verify_result result;
	struct reg reg;
	int ret = serve_open(settings, true, &reg, err);

	if (ret == 0)
		ret = verify_run(&reg, options->is_quick, print_fault, &result, err);
	serve_close(&reg);
	if (ret < 0)
		return -1;
	printf("%llu repositories, %llu tags, %llu manifests, %llu blobs of %llu bytes: %llu faults\n",
	       (ull)result.repos, (ull)result.tags, (ull)result.manifests, (ull)result.blobs,
	       (ull)result.bytes, (ull)result.faults);
	return result.faults ? 1 : 0;
}

static void print_taken(void *ctx, const char *what, const char *name, uint64_t bytes)
{
	(void)bytes;
	printf("%s %s %s\n", *(bool *)ctx ? "would take" : "took", what, name);
}

static int collect(struct reg *reg, const struct settings *settings,
		   const struct verb_options *options, struct shale_err *err)
{
	bool is_dry = options->is_dry;
	bool is_beside = reg->bucket->ops->is_shared && !options->is_alone;
	struct sweep_options sweep = {
		.age = settings->sweep_age,
		.is_untagged = options->is_untagged || (settings->is_sweeping_untagged && !is_beside),
		.is_alone = options->is_alone,
		.is_dry = is_dry,
		.report = print_taken,
		.ctx = &is_dry,
	};
	struct sweep_result result;
	struct sweep_result uploads = { 0 };

	if (options->is_untagged && is_beside)
		return shale_err_set(err, EINVAL, "servers share this storage: --delete-untagged needs --alone, when none runs");
	if (sweep_run(reg, &sweep, &result, err) < 0)
		return -1;
	sweep.age = settings->purge_age;
	if (settings->is_purging && sweep_uploads(reg, &sweep, &uploads, err) < 0)
		return -1;
	printf("%llu repositories: %llu manifests kept, %llu %s; %llu blobs kept, %llu %s: %llu bytes; "
	       "%llu links, %llu uploads\n",
	       (ull)result.repos, (ull)result.manifests_kept, (ull)result.manifests_taken,
	       is_dry ? "would be taken" : "taken", (ull)result.blobs_kept, (ull)result.blobs_taken,
	       is_dry ? "would be taken" : "taken", (ull)result.bytes_taken, (ull)result.links_taken,
	       (ull)uploads.uploads_taken);
	return 0;
}

int verb_gc(const struct settings *settings, const struct verb_options *options,
	    struct shale_err *err)
{
	struct reg reg;
	int ret = serve_open(settings, false, &reg, err);

	if (ret == 0)
		ret = collect(&reg, settings, options, err);
	serve_close(&reg);
	return ret;
}

int verb_index(const struct settings *settings, const struct verb_options *options,
	       struct shale_err *err)
{
	struct reg reg;
	int ret = serve_open(settings, false, &reg, err);

	(void)options;
	if (ret == 0)
		ret = scan_all(&reg, err);
	serve_close(&reg);
	if (ret == 0)
		printf("the index is made anew\n");
	return ret;
}

static void print_retained(void *ctx, const char *what, const char *name, int64_t mtime)
{
	const time_t then = mtime;
	char text[32] = "";
	struct tm tm;

	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&then, &tm));
	printf("%s %s %s, pushed %s\n", *(bool *)ctx ? "would take" : "took", what, name, text);
}

static int retain(struct reg *reg, const struct settings *settings, bool is_dry,
		  struct shale_err *err)
{
	struct retain_options retain = {
		.rules = &settings->retain_rules,
		.now = time(NULL),
		.is_dry = is_dry,
		.report = print_retained,
		.ctx = &is_dry,
	};
	struct retain_result result;

	if (retain_run(reg, &retain, &result, err) < 0)
		return -1;
	printf("%llu repositories: %llu tags kept, %llu tags and %llu manifests %s\n", (ull)result.repos,
	       (ull)result.tags_kept, (ull)result.tags_taken, (ull)result.manifests_taken,
	       is_dry ? "would be taken" : "taken");
	return 0;
}

/* A dry run may be made beside a server. */
int verb_retention(const struct settings *settings, const struct verb_options *options,
		   struct shale_err *err)
{
	bool is_dry = options->is_dry || settings->is_retain_dry;
	struct reg reg;
	int ret;

	if (!settings->retain_rules.count)
		return shale_err_set(err, EINVAL, "the configuration has no shale.retention.rules");
	ret = serve_open(settings, is_dry, &reg, err);
	if (ret == 0 && !is_dry)
		ret = serve_open_queue(settings, &reg, err);
	if (ret == 0)
		ret = retain(&reg, settings, is_dry, err);
	notify_close(reg.notify, EVENTS_MSEC);
	serve_close(&reg);
	return ret;
}

static void print_limit(uint64_t limit)
{
	if (limit == QUOTA_NO_LIMIT)
		printf(" %20s", "-");
	else
		printf(" %20llu", (ull)limit);
}

static void print_quota(void *ctx, const char *name, const struct quota_rule *rule, uint64_t bytes,
			uint64_t reserved, uint64_t repositories)
{
	(void)ctx, (void)reserved;
	printf("%-32s %20llu", name, (ull)bytes);
	print_limit(rule->bytes);
	printf(" %12llu", (ull)repositories);
	print_limit(rule->repositories);
	putchar('\n');
}

/* Counts by itself, and may do so beside a server. */
int verb_quota(const struct settings *settings, const struct verb_options *options,
	       struct shale_err *err)
{
	struct reg reg;
	int ret = serve_open(settings, true, &reg, err);

	(void)options;
	if (ret == 0 && !reg.quota)
		ret = shale_err_set(err, EINVAL, "the configuration has no shale.quotas");
	if (ret == 0)
		ret = quota_open(reg.quota, reg.bucket, true, NULL, err);
	if (ret == 0) {
		printf("%-32s %20s %20s %12s %20s\n", "NAMESPACE", "BYTES", "LIMIT", "REPOSITORIES", "LIMIT");
		quota_report(reg.quota, print_quota, NULL);
	}
	serve_close(&reg);
	return ret;
}

static int copy(const struct settings *from, const struct settings *to, struct shale_err *err)
{
	struct migrate_result result;
	struct reg source, target;
	int ret = serve_open(from, true, &source, err);

	if (ret == 0) {
		ret = serve_open(to, false, &target, err);
		if (ret == 0)
			ret = migrate_run(source.bucket, target.bucket, &result, err);
		if (ret == 0)
			ret = scan_all(&target, err);
		serve_close(&target);
	}
	serve_close(&source);
	if (ret == 0)
		printf("%llu blobs of %llu bytes copied, %llu were there; %llu links\n",
		       (ull)result.blobs_copied, (ull)result.bytes, (ull)result.blobs_there,
		       (ull)result.links);
	return ret;
}

int verb_migrate(const struct settings *settings, const struct verb_options *options,
		 struct shale_err *err)
{
	struct settings to;
	int ret;

	if (!options->to)
		return shale_err_set(err, EINVAL, "migrate needs two configurations: from and to");
	if (settings_load(options->to, &to, err) < 0)
		return -1;
	ret = copy(settings, &to, err);
	settings_release(&to);
	return ret;
}
