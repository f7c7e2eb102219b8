// SPDX-License-Identifier: GPL-2.0-only
/*
 * From an image's name to the layer directories a mount needs. The store's shared lock travels with
 * the result: removal waits for it, and then sees the mount.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "store/image.h"

void shale_layers_put(struct shale_layers *layers)
{
	for (size_t i = 0; i < layers->count; i++)
		free(layers->paths[i]);
	free(layers->paths);
	fd_closep(&layers->lock_fd);
	*layers = (struct shale_layers){ .lock_fd = -1 };
}

static int list_paths(const struct store *store, const struct image *image,
		      struct shale_layers *layers, struct shale_err *err)
{
	layers->paths = calloc(image->layer_count + 1, sizeof(*layers->paths));
	if (!layers->paths)
		return shale_err_errno(err, "listing layers");
	for (size_t i = image->layer_count; i--;) {
		const struct digest *diff_id = &image->layers[i].diff_id;
		struct digest_text text = digest_text(diff_id);

		if (!store_has_layer(store, diff_id))
			return shale_err_set(err, ENOENT,
					     "layer %s is not unpacked; import the image again",
					     text.text);
		layers->paths[layers->count] = store_layer_path(store, diff_id);
		if (!layers->paths[layers->count])
			return shale_err_errno(err, "listing layers");
		layers->count++;
	}
	return 0;
}

static int get_locked(const struct store *store, const char *name, struct shale_layers *layers,
		      struct shale_err *err)
{
	__cleanup_index struct index index = { 0 };
	__cleanup_image struct image image = { 0 };
	struct index_entry entry;
	struct digest_text id;
	bool by_id;
	size_t i;

	if (index_load(store, &index, err) < 0 ||
	    image_find(store, &index, name, &i, &by_id, err) < 0 ||
	    index_get(&index, i, &entry, err) < 0 ||
	    image_load(store, &entry.digest, &image, err) < 0)
		return -1;
	id = digest_text(&image.config);
	memcpy(layers->id, id.text, sizeof(layers->id));
	return list_paths(store, &image, layers, err);
}

int shale_layers_get(const struct shale_opts *opts, const char *name,
		     struct shale_layers *ret_layers, struct shale_err *err)
{
	__attribute__((cleanup(shale_layers_put))) struct shale_layers layers = { .lock_fd = -1 };
	__cleanup_store struct store store = STORE_CLOSED;
	struct shale_err why = { 0 };

	if (store_open(opts->root, false, &store, &why) < 0) {
		if (why.code == ENOENT)
			return shale_err_set(err, ENOENT, "no such image: %.300s", name);
		return shale_err_set(err, why.code, "%s", why.msg);
	}
	layers.lock_fd = store_lock(&store, LOCK_SH, err);
	if (layers.lock_fd < 0 || get_locked(&store, name, &layers, err) < 0)
		return -1;
	*ret_layers = layers;
	layers = (struct shale_layers){ .lock_fd = -1 };
	return 0;
}
