/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rows of an image for format.h, from what the API answers: one for each name it has, or one without a name.
 */
#ifndef SHALE_CLI_IMAGE_ROWS_H
#define SHALE_CLI_IMAGE_ROWS_H

#include "shale/format.h"

struct image_rows_view {
	bool no_trunc;
	bool digests;	   /* names by digest have rows of their own */
	bool wants_digest; /* each name with each of its digests */
	int64_t now;
};

extern const struct format_field image_rows_fields[];

/* Out of memory is -1. */
int image_rows_add(const struct image_rows_view *view, const json_t *image, json_t *rows);

#endif
