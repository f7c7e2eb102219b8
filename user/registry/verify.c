// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verb check; see verify.h.
 */
#include "registry/verify.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/entries.h"
#include "registry/layout.h"
#include "registry/repo.h"
#include "registry/scan.h"
#include "registry/upstream.h"

#define READ_CHUNK (1u << 20)

struct verify {
	struct reg *reg;
	bool is_quick;
	void (*fault)(const char *what);
	struct verify_result *result;
};

static void __attribute__((format(printf, 2, 3))) fault(struct verify *verify, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	verify->result->faults++;
	verify->fault(text);
}

/* blobs/ALGORITHM/HH/HEX/data */
bool verify_parse_blob(const char *path, struct sum *ret_sum)
{
	char algorithm[16];
	char hex[SUM_MAX_TEXT + 1];
	char text[SUM_MAX_TEXT + 20];
	int end = 0;

	if (sscanf(path, LAYOUT_BLOBS "/%15[a-z0-9]/%*2[0-9a-f]/%128[0-9a-f]/data%n", algorithm, hex,
		   &end) != 2 ||
	    !end || path[end])
		return false;
	snprintf(text, sizeof(text), "%s:%s", algorithm, hex);
	return sum_parse(text, ret_sum);
}

int verify_blob(struct bucket *bucket, const struct sum *sum, struct shale_err *err)
{
	char *chunk = malloc(READ_CHUNK);
	struct bucket_reader *reader = NULL;
	struct summer summer;
	struct sum got;
	ssize_t len = -1;

	summer_init(&summer, sum->kind);
	if (!chunk)
		shale_err_set(err, ENOMEM, "no memory to read a blob");
	else if (bucket_open_reader(bucket, layout_blob(sum).text, 0, &reader, err) == 0)
		while ((len = bucket_read(reader, chunk, READ_CHUNK, err)) > 0)
			summer_update(&summer, chunk, len);
	bucket_close(reader);
	free(chunk);
	if (len < 0)
		return -1;
	summer_final(&summer, &got);
	if (sum_is_equal(&got, sum))
		return 0;
	return shale_err_set(err, EBADMSG, "%s: its bytes have the digest %s", sum->text, got.text);
}

static int look_at_blob(void *ctx, const struct bucket_entry *entry, struct shale_err *err)
{
	struct verify *verify = ctx;
	struct shale_err own = { 0 };
	struct sum sum;

	(void)err;
	if (!verify_parse_blob(entry->name, &sum)) {
		fault(verify, "%s: is no blob", entry->name);
		return 0;
	}
	verify->result->blobs++;
	verify->result->bytes += entry->size;
	if (!verify->is_quick && verify_blob(verify->reg->bucket, &sum, &own) < 0)
		fault(verify, "%s", own.msg);
	return 0;
}

static int collect_entry(void *ctx, const struct bucket_entry *entry, struct shale_err *err)
{
	return entries_add(ctx, entry, strlen(entry->name), err);
}

/* What an upstream has comes when it is asked for. */
static bool may_be_absent(struct verify *verify, const char *repo, const struct manifest_ref *ref)
{
	const char *remote;

	return ref->may_be_absent || upstreams_find(verify->reg->upstreams, repo, &remote);
}

static void look_at_refs(struct verify *verify, const char *repo, const struct sum *sum,
			 const struct manifest *manifest)
{
	struct bucket *bucket = verify->reg->bucket;
	struct bucket_stat st;

	for (size_t i = 0; i < manifest->ref_count; i++) {
		const struct manifest_ref *ref = &manifest->refs[i];
		bool is_there = bucket_stat(bucket, layout_blob(&ref->sum).text, &st, NULL) == 0;

		if (!is_there && may_be_absent(verify, repo, ref))
			continue;
		if (!is_there)
			fault(verify, "%s@%s refers to %s, which is not there", repo, sum->text,
			      ref->sum.text);
		else if (!ref->may_be_absent && st.size != ref->size)
			fault(verify, "%s@%s says %s has %llu bytes, and it has %llu", repo, sum->text,
			      ref->sum.text, (unsigned long long)ref->size,
			      (unsigned long long)st.size);
	}
}

static void look_at_manifest(struct verify *verify, const char *repo, const struct sum *sum)
{
	__cleanup_manifest struct manifest manifest = { 0 };
	__cleanup_doc struct doc *doc = NULL;
	struct shale_err err = { 0 };

	/* A directory without its link is a push that was cut off before anybody knew of it. */
	if (repo_has_manifest(verify->reg, repo, sum, &err) == 0)
		return;
	verify->result->manifests++;
	if (repo_get_manifest(verify->reg, repo, sum, &doc, &err) < 0)
		fault(verify, "%s@%s: its bytes are not there", repo, sum->text);
	else if (manifest_parse(doc->type, doc->bytes.data, doc->bytes.len, &manifest, &err) < 0)
		fault(verify, "%s@%s: %s", repo, sum->text, err.msg);
	else
		look_at_refs(verify, repo, sum, &manifest);
}

static int look_at_revisions(struct verify *verify, const char *repo, enum sum_kind kind,
			     struct shale_err *err)
{
	__cleanup_entries struct entries entries = { 0 };
	char text[SUM_MAX_TEXT + 2];
	char what[64];
	struct sum sum;

	snprintf(what, sizeof(what), "_manifests/revisions/%s", sum_kind_name(kind));
	if (bucket_list(verify->reg->bucket, layout_repo(repo, what).text, NULL, collect_entry,
			&entries, err) < 0)
		return -1;
	for (size_t i = 0; i < entries.count; i++) {
		snprintf(text, sizeof(text), "%s:%s", sum_kind_name(kind), entries.list[i].name);
		if (sum_parse(text, &sum))
			look_at_manifest(verify, repo, &sum);
		else
			fault(verify, "%s: '%s' is no digest of a manifest", repo, text);
	}
	return 0;
}

static int look_at_tags(struct verify *verify, const char *repo, struct shale_err *err)
{
	__cleanup_entries struct entries tags = { 0 };
	struct shale_err own = { 0 };
	struct sum sum;

	if (bucket_list(verify->reg->bucket, layout_repo(repo, "_manifests/tags").text, NULL,
			collect_entry, &tags, err) < 0)
		return -1;
	for (size_t i = 0; i < tags.count; i++) {
		struct bucket_stat st;

		if (bucket_stat(verify->reg->bucket, layout_tag(repo, tags.list[i].name).text, &st,
				&own) < 0 &&
		    own.code == ENOENT)
			continue;
		verify->result->tags++;
		if (repo_resolve(verify->reg, repo, tags.list[i].name, &sum, &own) < 0)
			fault(verify, "%s:%s leads to nothing", repo, tags.list[i].name);
	}
	return 0;
}

static int look_at_repo(void *ctx, const char *repo, struct shale_err *err)
{
	struct verify *verify = ctx;

	verify->result->repos++;
	for (int kind = 0; kind < SUM_KINDS; kind++)
		if (look_at_revisions(verify, repo, kind, err) < 0)
			return -1;
	return look_at_tags(verify, repo, err);
}

int verify_run(struct reg *reg, bool is_quick, void (*say)(const char *what),
	       struct verify_result *ret_result, struct shale_err *err)
{
	struct verify verify = { reg, is_quick, say, ret_result };

	*ret_result = (struct verify_result){ 0 };
	if (scan_repos(reg->bucket, true, look_at_repo, &verify, err) < 0)
		return -1;
	return bucket_walk(reg->bucket, LAYOUT_BLOBS, look_at_blob, &verify, err);
}
