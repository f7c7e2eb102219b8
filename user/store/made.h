/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The note beside what a driver has made, a writable layer or a whole tree: by which driver and of which
 * layers. It stands in the directory as made.json:
 *
 *	{"driver":"vfs","xattrs":"trusted.","image":"sha256:...","layers":["sha256:...",...]}
 *
 * with the layers base first. The image is the manifest's digest; a whole tree has none.
 */
#ifndef SHALE_STORE_MADE_H
#define SHALE_STORE_MADE_H

#include "store/image.h"

struct made {
	char driver[16];
	char xattr_prefix[16];
	bool has_image;
	struct digest image;
	size_t count;
	struct digest *layers;
};

#define MADE_FILE	"made.json"
#define __cleanup_made __attribute__((cleanup(made_release)))

/* DIR is relative to the store: "containers/ID". */
int made_save(const struct store *store, const char *dir, const struct made *made,
	      struct shale_err *err);
int made_load(const struct store *store, const char *dir, struct made *ret_made,
	      struct shale_err *err);
void made_release(struct made *made);

#endif
