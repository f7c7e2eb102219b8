// SPDX-License-Identifier: GPL-2.0-only
/*
 * Manifests through an upstream; see proxy.h. A tag's link is written again when the upstream has said that it
 * still is right: so its time says when that was, to every server on the bucket and after a restart. What
 * comes is checked against its digest and understood before anybody sees it. Called by proxy.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "registry/announce.h"
#include "registry/layout.h"
#include "registry/log.h"
#include "registry/proxy.h"
#include "registry/repo.h"

/* What docker and podman say they take, and everything else. */
static const char *const accepted[] = {
	"application/vnd.oci.image.manifest.v1+json",
	"application/vnd.oci.image.index.v1+json",
	"application/vnd.docker.distribution.manifest.v2+json",
	"application/vnd.docker.distribution.manifest.list.v2+json",
	"*/*;q=0.1",
};

/* One manifest that is being fetched, and what came of it; others wait for it. */
struct errand {
	struct errand *next;
	const char *repo;
	const char *reference;
	unsigned int refs; /* under the proxy's lock, as is_done */
	bool is_done;
	/* Before is_done its maker's alone. */
	struct shale_err err; /* code 0: it went well */
	bool is_here;	      /* what is kept is right */
	struct doc *doc;      /* or else what came */
	struct sum sum;
};

/* What is kept of what the request asks for. */
struct kept {
	bool is_there;
	struct sum sum;
	int64_t mtime; /* of a tag's link */
};

static bool is_digest(const char *reference)
{
	return strchr(reference, ':');
}

static int find_kept(struct reg *reg, const char *repo, const char *reference, struct kept *kept,
		     struct shale_err *err)
{
	struct bucket_stat st = { 0 };
	struct shale_err own = { 0 };
	int ret;

	*kept = (struct kept){ 0 };
	if (is_digest(reference)) {
		ret = sum_parse(reference, &kept->sum) ? repo_has_manifest(reg, repo, &kept->sum, err) : 0;
		kept->is_there = ret > 0;
		return ret < 0 ? -1 : 0;
	}
	if (bucket_stat(reg->bucket, layout_tag(repo, reference).text, &st, &own) == 0 &&
	    repo_resolve(reg, repo, reference, &kept->sum, &own) == 0) {
		kept->is_there = true;
		kept->mtime = st.mtime;
		return 0;
	}
	if (own.code == ENOENT)
		return 0;
	*err = own;
	return -1;
}

static int ask(struct upstream_line *line, const char *method, const char *reference,
	       struct web_request *request, struct shale_err *err)
{
	request->method = method;
	request->max_answer = REG_MAX_MANIFEST;
	for (size_t i = 0; i < sizeof(accepted) / sizeof(*accepted); i++)
		if (web_add_header(request, "Accept", accepted[i], err) < 0)
			return -1;
	if (remote_set_url(&line->remote, request, err, "manifests/%s", reference) < 0)
		return -1;
	return upstream_request(line, request, err);
}

/* 1: the upstream's tag leads to the same manifest; 0: to another one, or it does not say. */
static int is_same(struct upstream_line *line, const char *tag, const struct sum *sum,
		   struct shale_err *err)
{
	__cleanup_web_request struct web_request request = WEB_REQUEST_INIT;
	const char *told;

	if (ask(line, "HEAD", tag, &request, err) < 0)
		return -1;
	told = web_value(&request, WEB_DIGEST);
	return told && !strcmp(told, sum->text);
}

/* By the digest it was asked for, or the one the upstream says it has, or sha256. */
static int check_digest(const struct web_request *request, const char *reference,
			struct sum *ret_sum, struct shale_err *err)
{
	const char *told = web_value(request, WEB_DIGEST);
	struct sum want = { .kind = SUM_SHA256 };
	bool has_want = true;

	if (is_digest(reference))
		has_want = sum_parse(reference, &want);
	else if (!told || !sum_parse(told, &want))
		has_want = false;
	sum_of(want.kind, buf_str(&request->answer), request->answer.len, ret_sum);
	if (!has_want || sum_is_equal(ret_sum, &want))
		return 0;
	return shale_err_set(err, EBADMSG, "sends a manifest that is not %s", want.text);
}

static int store(struct reg *reg, const char *repo, const char *reference, const struct sum *sum,
		 const struct manifest *manifest, struct doc *doc, struct shale_err *err)
{
	struct repo_push push = {
		.sum = sum,
		.manifest = manifest,
		.doc = doc,
		.tags = &reference,
		.tag_count = is_digest(reference) ? 0 : 1,
		.is_copy = true,
	};
	const struct sum *absent;

	if (reg->settings.is_readonly)
		return 0;
	return repo_push(reg, repo, &push, &absent, err);
}

/* A storage that takes nothing more does not keep the client from what the upstream has. */
static int keep(struct proxy *proxy, struct errand *errand, struct buf *bytes, const char *type,
		struct shale_err *err)
{
	__cleanup_manifest struct manifest manifest = { 0 };
	struct shale_err own = { 0 };

	if (manifest_parse(type, buf_str(bytes), bytes->len, &manifest, err) < 0)
		return shale_err_wrap(err, "sends what is no manifest");
	errand->doc = doc_new(manifest.type, bytes);
	if (!errand->doc)
		return shale_err_set(err, EAGAIN, "no memory for a manifest");
	if (store(proxy->reg, errand->repo, errand->reference, &errand->sum, &manifest, errand->doc,
		  &own) < 0)
		log_text(LOG_LEVEL_ERROR, "proxy", "%s: %s is not kept: %s", errand->repo,
			 errand->sum.text, own.msg);
	return 0;
}

static int fetch(struct proxy *proxy, struct errand *errand, struct upstream_line *line,
		 struct shale_err *err)
{
	__cleanup_web_request struct web_request request = WEB_REQUEST_INIT;

	if (ask(line, "GET", errand->reference, &request, err) < 0 ||
	    check_digest(&request, errand->reference, &errand->sum, err) < 0)
		return -1;
	metric_add(proxy->pulled[PROXY_MANIFEST], request.answer.len);
	return keep(proxy, errand, &request.answer, web_value(&request, WEB_CONTENT_TYPE), err);
}

/* Its time is what tells how long it has been right; that it cannot be written costs a question more. */
static void touch(struct reg *reg, const char *repo, const char *tag, const struct kept *kept,
		  const struct upstreams *upstreams, const struct upstream *upstream)
{
	__cleanup_manifest struct manifest manifest = { 0 };
	__cleanup_doc struct doc *doc = NULL;
	uint64_t margin = upstreams->fresh ? 0 : upstream->ttl / 8;
	struct shale_err own = { 0 };

	if ((!upstreams->fresh && !upstream->ttl) || kept->mtime + (int64_t)margin >= time(NULL))
		return;
	if (repo_get_manifest(reg, repo, &kept->sum, &doc, NULL) == 0 &&
	    manifest_parse(doc->type, doc->bytes.data, doc->bytes.len, &manifest, NULL) == 0)
		store(reg, repo, tag, &kept->sum, &manifest, doc, &own);
}

static int run(struct proxy *proxy, struct errand *errand, struct upstream *upstream,
	       const char *remote, const struct kept *kept, struct shale_err *err)
{
	__cleanup_line struct upstream_line *line = NULL;
	int ret = 0;

	if (upstream_take(proxy->upstreams, upstream, remote, &line, err) < 0)
		return -1;
	if (kept->is_there)
		ret = is_same(line, errand->reference, &kept->sum, err);
	if (ret < 0)
		return -1;
	if (ret == 0)
		return fetch(proxy, errand, line, err);
	errand->is_here = true;
	touch(proxy->reg, errand->repo, errand->reference, kept, proxy->upstreams, upstream);
	return 0;
}

static struct errand *errand_find_locked(struct proxy *proxy, const char *repo,
					 const char *reference)
{
	struct errand *errand = proxy->errands;

	while (errand && (strcmp(errand->repo, repo) || strcmp(errand->reference, reference)))
		errand = errand->next;
	return errand;
}

static void errand_put_locked(struct errand *errand)
{
	if (--errand->refs)
		return;
	doc_put(errand->doc);
	free(errand);
}

static void errand_end_locked(struct proxy *proxy, struct errand *errand)
{
	struct errand **at = &proxy->errands;

	while (*at != errand)
		at = &(*at)->next;
	*at = errand->next;
	errand->is_done = true;
	pthread_cond_broadcast(&proxy->changed);
}

/* Runs it, or waits for the one who does. The result is put back by the caller. */
static struct errand *do_errand(struct call *call, struct upstream *upstream, const char *remote,
				const struct kept *kept)
{
	struct proxy *proxy = call->reg->proxy;
	struct errand *errand;

	pthread_mutex_lock(&proxy->lock);
	errand = errand_find_locked(proxy, call->route.repo, call->route.last);
	if (errand) {
		errand->refs++;
		while (!errand->is_done)
			pthread_cond_wait(&proxy->changed, &proxy->lock);
		pthread_mutex_unlock(&proxy->lock);
		return errand;
	}
	errand = calloc(1, sizeof(*errand));
	if (errand) {
		/* Texts of the call, which waits here until nobody looks for it any more. */
		*errand = (struct errand){ .repo = call->route.repo, .reference = call->route.last,
					   .refs = 1, .next = proxy->errands };
		proxy->errands = errand;
	}
	pthread_mutex_unlock(&proxy->lock);
	if (!errand)
		return NULL;
	if (run(proxy, errand, upstream, remote, kept, &errand->err) == 0)
		errand->err.code = 0;
	else if (!errand->err.code)
		errand->err.code = EIO;
	proxy_note(upstream, errand->err.code ? &errand->err : NULL);
	pthread_mutex_lock(&proxy->lock);
	errand_end_locked(proxy, errand);
	pthread_mutex_unlock(&proxy->lock);
	return errand;
}

/* True: what is kept is to be served. A tag that the upstream has no more is none of ours. */
static bool answer_failure(struct call *call, const struct errand *errand, const struct kept *kept)
{
	const int code = errand->err.code;
	struct shale_err own = { 0 };
	bool is_tag = !is_digest(call->route.last);

	if (kept->is_there && code != ENOENT && code != EACCES)
		return true;
	if (kept->is_there && is_tag && code == ENOENT && !call->reg->settings.is_readonly)
		repo_drop_tag(call->reg, call->route.repo, call->route.last, &kept->sum, kept->mtime,
			      &own);
	proxy_fail(call, &errand->err, FAULT_MANIFEST_UNKNOWN);
	return false;
}

static bool answer(struct call *call, const struct errand *errand, const struct kept *kept)
{
	if (errand->err.code)
		return answer_failure(call, errand, kept);
	if (errand->is_here)
		return true;
	call->sum = errand->sum;
	metric_add(call->reg->proxy->pushed[PROXY_MANIFEST], errand->doc->bytes.len);
	h_manifest_send(call, errand->doc);
	return false;
}

static bool is_fresh(const struct proxy *proxy, const struct upstream *upstream,
		     const char *reference, const struct kept *kept)
{
	if (!kept->is_there)
		return false;
	if (is_digest(reference) || proxy_is_down(upstream))
		return true;
	return kept->mtime + (int64_t)proxy->upstreams->fresh > time(NULL);
}

static bool go_and_ask(struct call *call, struct upstream *upstream, const char *remote,
		       const struct kept *kept)
{
	struct proxy *proxy = call->reg->proxy;
	struct errand *errand;
	bool goes_on;

	if (!proxy_enter(call))
		return false;
	errand = do_errand(call, upstream, remote, kept);
	proxy_leave(proxy);
	if (!errand) {
		fault_send(call, FAULT_UNAVAILABLE, NULL);
		return false;
	}
	goes_on = answer(call, errand, kept);
	proxy_count(proxy, PROXY_MANIFEST, goes_on);
	pthread_mutex_lock(&proxy->lock);
	errand_put_locked(errand);
	pthread_mutex_unlock(&proxy->lock);
	return goes_on;
}

bool proxy_manifest(struct call *call, struct upstream *upstream, const char *remote)
{
	const char *reference = call->route.last;
	struct shale_err err = { 0 };
	struct kept kept;
	struct sum sum;

	/* What is neither is the handler's to refuse. */
	if (!name_is_tag(reference) && !sum_parse(reference, &sum))
		return true;
	if (find_kept(call->reg, call->route.repo, reference, &kept, &err) < 0) {
		fault_send_err(call, &err, FAULT_MANIFEST_UNKNOWN);
		return false;
	}
	if (!is_fresh(call->reg->proxy, upstream, reference, &kept))
		return go_and_ask(call, upstream, remote, &kept);
	proxy_count(call->reg->proxy, PROXY_MANIFEST, true);
	return true;
}
