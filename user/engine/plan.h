/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an import will do: the images of a source, each as the manifest and config the store will
 * keep and the paths its layers' blobs are read from.
 */
#ifndef SHALE_ENGINE_PLAN_H
#define SHALE_ENGINE_PLAN_H

#include "engine/source.h"
#include "store/image.h"

struct plan_image {
	struct image image; /* with manifest digest and diff ids */
	struct buf manifest;
	struct buf config;
	const char *media_type; /* of the manifest; borrowed from a table */
	char **paths;		/* of the layers' blobs in the source */
	size_t name_count;
	struct ref *names;
};

struct plan {
	size_t count;
	struct plan_image *images;
};

#define __cleanup_plan __attribute__((cleanup(plan_release)))

int plan_make(const struct source *source, struct task *task, struct plan *ret_plan,
	      struct shale_err *err);
void plan_release(struct plan *plan);

/* For plan_docker.c: one more image, zeroed; NULL with err. */
struct plan_image *plan_add(struct plan *plan, struct shale_err *err);
int plan_add_name(struct plan_image *image, const char *name, struct shale_err *err);
int plan_make_docker(const struct source *source, struct task *task, struct plan *plan,
		     struct shale_err *err);

#endif
