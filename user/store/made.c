// SPDX-License-Identifier: GPL-2.0-only
/*
 * Notes; see made.h. Called by the drivers for whole trees, by the engine for writable layers, and by who collects,
 * counts and checks.
 */
#include "store/made.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"

void made_release(struct made *made)
{
	free(made->layers);
	*made = (struct made){ .count = 0 };
}

static json_t *list_layers(const struct made *made)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < made->count; i++) {
		struct digest_text text = digest_text(&made->layers[i]);

		if (json_array_append_new(list, json_string(text.text))) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

int made_save(const struct store *store, const char *dir, const struct made *made,
	      struct shale_err *err)
{
	struct digest_text image = digest_text(&made->image);
	__cleanup_free char *path = NULL;
	__cleanup_free char *text = NULL;
	__cleanup_json json_t *json = NULL;

	json = json_pack("{s:s, s:s, s:s*, s:o}", "driver", made->driver, "xattrs",
			 made->xattr_prefix, "image", made->has_image ? image.text : NULL, "layers",
			 list_layers(made));
	text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	if (!text || asprintf(&path, "%s/" MADE_FILE, dir) < 0) {
		path = NULL;
		return shale_err_set(err, ENOMEM, "out of memory");
	}
	return fs_replace_file(store->dirfd, path, text, strlen(text), err);
}

static int parse_layers(const json_t *list, struct made *made, struct shale_err *err)
{
	made->layers = calloc(json_array_size(list) + 1, sizeof(*made->layers));
	if (!made->layers)
		return shale_err_errno(err, "reading " MADE_FILE);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));

		if (digest_parse(text ? text : "", MADE_FILE, &made->layers[i], err) < 0)
			return -1;
	}
	made->count = json_array_size(list);
	return 0;
}

static int parse(const struct buf *text, struct made *made, struct shale_err *err)
{
	__cleanup_json json_t *json = NULL;
	const char *driver, *xattrs, *image;
	json_t *layers;

	if (json_parse_object(buf_str(text), text->len, MADE_FILE, &json, err) < 0 ||
	    json_get_text(json, "driver", false, MADE_FILE, &driver, err) < 0 ||
	    json_get_text(json, "xattrs", false, MADE_FILE, &xattrs, err) < 0 ||
	    json_get_text(json, "image", true, MADE_FILE, &image, err) < 0 ||
	    json_get_array(json, "layers", IMAGE_MAX_LAYERS, false, MADE_FILE, &layers, err) < 0)
		return -1;
	snprintf(made->driver, sizeof(made->driver), "%s", driver);
	snprintf(made->xattr_prefix, sizeof(made->xattr_prefix), "%s", xattrs);
	made->has_image = image;
	if (image && digest_parse(image, MADE_FILE, &made->image, err) < 0)
		return -1;
	return parse_layers(layers, made, err);
}

int made_load(const struct store *store, const char *dir, struct made *ret_made,
	      struct shale_err *err)
{
	__cleanup_made struct made made = { .count = 0 };
	__cleanup_buf struct buf text = BUF_INIT;
	__cleanup_fd int fd = fs_open_beneath(store->dirfd, dir, O_PATH | O_DIRECTORY, 0);

	if (fd < 0)
		return shale_err_errno(err, "%s/%s", store->path, dir);
	if (fs_read_file(fd, MADE_FILE, JSON_MAX_BYTES, &text, err) < 0 ||
	    parse(&text, &made, err) < 0)
		return shale_err_wrap(err, "%s/%s", store->path, dir);
	*ret_made = made;
	made = (struct made){ .count = 0 };
	return 0;
}
