// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verb migrate; see migrate.h. Manifests of a repository are copied after its blobs' links and before
 * its tags, so that a server which serves the target meanwhile shows nothing that is not whole.
 */
#include "registry/migrate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "registry/layout.h"
#include "registry/manifest.h"
#include "registry/verify.h"

#define READ_CHUNK (1u << 20)

struct migration {
	struct bucket *from;
	struct bucket *to;
	struct migrate_result *result;
	const char *only; /* of the paths below repositories: those that have this in them */
};

static int copy_bytes(struct bucket_reader *reader, struct bucket_writer *writer,
		      struct summer *summer, struct shale_err *err)
{
	char *chunk = malloc(READ_CHUNK);
	ssize_t len = -1;

	if (!chunk)
		return shale_err_set(err, ENOMEM, "no memory to copy a blob");
	while ((len = bucket_read(reader, chunk, READ_CHUNK, err)) > 0) {
		summer_update(summer, chunk, len);
		if (bucket_write(writer, chunk, len, err) < 0) {
			len = -1;
			break;
		}
	}
	free(chunk);
	return len < 0 ? -1 : 0;
}

static int copy_checked(struct bucket_reader *reader, struct bucket *to, const char *path,
			const struct sum *sum, struct shale_err *err)
{
	char unfinished[] = LAYOUT_ROOT "/migration/data";
	struct bucket_writer *writer;
	struct summer summer;
	struct sum got;

	if (bucket_append(to, unfinished, BUCKET_FRESH, &writer, err) < 0)
		return -1;
	summer_init(&summer, sum->kind);
	if (copy_bytes(reader, writer, &summer, err) < 0) {
		bucket_cancel(writer);
		return -1;
	}
	summer_final(&summer, &got);
	if (!sum_is_equal(&got, sum)) {
		bucket_cancel(writer);
		return shale_err_set(err, EBADMSG, "%s: its bytes have the digest %s", sum->text,
				     got.text);
	}
	return bucket_commit(writer, path, err);
}

static int copy_blob(void *ctx, const struct bucket_entry *entry, struct shale_err *err)
{
	struct migration *migration = ctx;
	struct bucket_reader *reader;
	struct bucket_stat st;
	struct sum sum;
	int ret;

	if (!verify_parse_blob(entry->name, &sum))
		return 0;
	if (bucket_stat(migration->to, entry->name, &st, NULL) == 0 && st.size == entry->size) {
		migration->result->blobs_there++;
		return 0;
	}
	if (bucket_open_reader(migration->from, entry->name, 0, &reader, err) < 0)
		return -1;
	ret = copy_checked(reader, migration->to, entry->name, &sum, err);
	bucket_close(reader);
	migration->result->blobs_copied += ret == 0;
	migration->result->bytes += ret == 0 ? entry->size : 0;
	return ret;
}

static int copy_link(void *ctx, const struct bucket_entry *entry, struct shale_err *err)
{
	struct migration *migration = ctx;
	__cleanup_buf struct buf content = BUF_INIT;

	if (!strstr(entry->name, migration->only))
		return 0;
	if (bucket_get(migration->from, entry->name, MANIFEST_MAX_TYPE, &content, err) < 0 ||
	    bucket_put(migration->to, entry->name, content.data, content.len, 0, err) < 0)
		return -1;
	migration->result->links++;
	return 0;
}

int migrate_run(struct bucket *from, struct bucket *to, struct migrate_result *ret_result,
		struct shale_err *err)
{
	static const char *const order[] = { "/_layers/", "/_manifests/revisions/", "/_referrers/",
					     "/_manifests/tags/" };
	struct migration migration = { from, to, ret_result, NULL };

	*ret_result = (struct migrate_result){ 0 };
	if (bucket_walk(from, LAYOUT_BLOBS, copy_blob, &migration, err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++) {
		migration.only = order[i];
		if (bucket_walk(from, LAYOUT_REPOS, copy_link, &migration, err) < 0)
			return -1;
	}
	return 0;
}
