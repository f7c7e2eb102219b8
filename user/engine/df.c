// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verb df: what the store takes, in sums and by image and writable layer.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "client/download.h"
#include "store/usage.h"

void shale_df_free(struct shale_df *df)
{
	free(df->image_list);
	free(df->container_list);
	*df = (struct shale_df){ .image_count = 0 };
}

static int add_image(void *arg, const struct usage_image *image, struct shale_err *err)
{
	struct digest_text text = digest_text(&image->image);
	struct shale_df_image *list, *out;
	struct shale_df *df = arg;

	list = reallocarray(df->image_list, df->image_count + 1, sizeof(*list));
	if (!list)
		return shale_err_errno(err, "listing images");
	df->image_list = list;
	out = &list[df->image_count++];
	*out = (struct shale_df_image){
		.shared = image->shared,
		.unique = image->unique,
		.containers = image->containers,
		.is_active = image->is_active,
	};
	memcpy(out->digest, text.text, sizeof(out->digest));
	return 0;
}

struct df_walk {
	const struct store *store;
	struct shale_df *df;
};

static int add_container(void *arg, const struct container_row *row, struct shale_err *err)
{
	const struct df_walk *walk = arg;
	struct shale_df_container *list, *out;
	struct digest_text text;

	list = reallocarray(walk->df->container_list, walk->df->container_count + 1, sizeof(*list));
	if (!list)
		return shale_err_errno(err, "listing writable layers");
	walk->df->container_list = list;
	out = &list[walk->df->container_count++];
	*out = (struct shale_df_container){ .created = row->created };
	snprintf(out->id, sizeof(out->id), "%s", row->id);
	text = digest_text(&row->image);
	if (row->has_image)
		memcpy(out->image, text.text, sizeof(out->image));
	if (usage_of_container(walk->store, row->id, &out->size, err) < 0)
		return -1;
	return usage_is_mounted(walk->store, row->id, &out->is_mounted, err);
}

static struct shale_df_total take_sum(const struct usage_sum *sum)
{
	return (struct shale_df_total){ sum->total, sum->active, sum->size, sum->reclaimable };
}

static int df_fill(const struct store *store, struct shale_df *df, struct shale_err *err)
{
	__cleanup_txn struct txn txn = TXN_NONE;
	struct df_walk walk = { store, df };
	struct download_sum downloads;
	struct usage usage;

	if (txn_begin(&txn, store->db, TXN_READ, err) < 0 ||
	    usage_begin(store, txn.db, err) < 0 ||
	    usage_sum_up(store, txn.db, &usage, err) < 0 ||
	    usage_each_image(txn.db, add_image, df, err) < 0 ||
	    container_each(txn.db, add_container, &walk, err) < 0 ||
	    download_sum_up(store, &downloads, err) < 0)
		return -1;
	df->images = take_sum(&usage.images);
	df->blobs = take_sum(&usage.blobs);
	df->containers = take_sum(&usage.containers);
	df->downloads = (struct shale_df_total){
		.total = downloads.count,
		.active = downloads.count - downloads.idle_count,
		.size = downloads.bytes,
		.reclaimable = downloads.idle_bytes,
	};
	return 0;
}

int shale_df(const struct shale_opts *opts, struct shale_df *ret_df, struct shale_err *err)
{
	__attribute__((cleanup(shale_df_free))) struct shale_df df = { .image_count = 0 };
	__cleanup_store struct store store = STORE_CLOSED;
	struct shale_err why = { 0 };

	if (store_open(opts->root, false, &store, &why) < 0) {
		if (why.code != ENOENT)
			return shale_err_set(err, why.code, "%s", why.msg);
	} else if (df_fill(&store, &df, err) < 0) {
		return -1;
	}
	*ret_df = df;
	df = (struct shale_df){ .image_count = 0 };
	return 0;
}
