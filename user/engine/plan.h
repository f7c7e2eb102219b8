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
	struct plan_name {
		struct ref ref;
		bool is_taken; /* it was another image's, */
		struct digest from; /* with this ID */
	} *names;
};

struct plan {
	size_t count;
	struct plan_image *images;
};

#define __cleanup_plan __attribute__((cleanup(plan_release)))

/* This machine's platform, as images call it. */
#define PLAN_OS "linux"
#if defined(__x86_64__)
#define PLAN_ARCH "amd64"
#elif defined(__aarch64__)
#define PLAN_ARCH "arm64"
#elif defined(__riscv)
#define PLAN_ARCH "riscv64"
#elif defined(__powerpc64__)
#define PLAN_ARCH "ppc64le"
#elif defined(__s390x__)
#define PLAN_ARCH "s390x"
#elif defined(__arm__)
#define PLAN_ARCH "arm"
#elif defined(__i386__)
#define PLAN_ARCH "386"
#endif

struct plan_opts {
	bool only_images;    /* refuse the tar of a root directory */
	const char *message; /* what the history says of one; NULL: where it came from */
	const char *platform; /* of one, the next as well: see shale_import_opts */
	const char *const *changes;
	size_t change_count;
};

int plan_make(const struct source *source, struct task *task, const struct plan_opts *opts,
	      struct plan *ret_plan, struct shale_err *err);
void plan_release(struct plan *plan);

/* For the other plan_*.c: one more image, zeroed; NULL with err. */
struct plan_image *plan_add(struct plan *plan, struct shale_err *err);
int plan_add_name(struct plan_image *image, const char *name, struct shale_err *err);
int plan_make_docker(const struct source *source, struct task *task, struct plan *plan,
		     struct shale_err *err);
int plan_make_rootfs(const struct source *source, struct task *task, const struct plan_opts *opts,
		     struct plan *plan, struct shale_err *err);

/* A manifest for the image's config and these descriptors, which plan_layer() makes. */
struct blob_facts;
json_t *plan_layer(const struct blob_facts *facts);
int plan_write_manifest(struct plan_image *image, json_t *layers, struct shale_err *err);

#endif
