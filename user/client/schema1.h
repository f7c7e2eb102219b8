/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Docker's first manifests ("schema 1", before 2016), as the list of layers and the config that later ones have.
 * They name layers' blobs and, for each, what made it; neither sizes nor the digests of plain tars, which are only
 * known when the blobs are there.
 */
#ifndef SHALE_CLIENT_SCHEMA1_H
#define SHALE_CLIENT_SCHEMA1_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "store/image.h"

/* The signed kind; the other one's payload. Registries know no more than these. */
#define SCHEMA1_SIGNED "application/vnd.docker.distribution.manifest.v1+prettyjws"
#define SCHEMA1_PLAIN  "application/vnd.docker.distribution.manifest.v1+json"

struct schema1_step {
	json_t *json;	   /* what made it: an image of docker's before 1.10 */
	bool is_throwaway; /* it made no layer */
	struct digest blob;
};

struct schema1 {
	size_t count;
	struct schema1_step *steps; /* base first, the last one is the image */
	size_t layer_count;
};

#define __cleanup_schema1 __attribute__((cleanup(schema1_release)))
void schema1_release(struct schema1 *schema1);

bool schema1_is_type(const char *media_type);
/* The payload of a signed manifest. EINVAL for what is none, or whose steps are no chain. */
int schema1_parse(const void *data, size_t len, struct schema1 *ret_schema1, struct shale_err *err);
/* The image's own words, "" for none. */
const char *schema1_text(const struct schema1 *schema1, const char *field);
/*
 * The config as docker and others make it of such an image: the same bytes whenever it is made. @diff_ids:
 * layer_count of them, base first.
 */
int schema1_config(const struct schema1 *schema1, const struct digest *diff_ids,
		   struct buf *ret_config, struct shale_err *err);

#endif
