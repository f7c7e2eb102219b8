/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From the body of a request to make a container, in docker's words, and an image's config to a container's record. What
 * is asked for and cannot be had is refused, not left out. Pure.
 */
#ifndef SHALE_CONTAINER_CREATE_H
#define SHALE_CONTAINER_CREATE_H

#include <jansson.h>

#include "base/err.h"

/* Bytes; docker's own minimum. */
#define CREATE_MIN_MEMORY (6ll << 20)
/* Of an argument or a variable: the kernel takes no longer ones (MAX_ARG_STRLEN). */
#define CREATE_MAX_STRING 131071
/* What some clients name when they mean the daemon's own. */
#define CREATE_CONTAINERD_RUNC "io.containerd.runc.v2"
/* Arguments, variables, labels, mounts. */
#define CREATE_MAX_ITEMS 16384

struct create_input {
	const json_t *body;
	const json_t *image; /* what the image's config says of how to run it; may be NULL */
	const char *id;
	const char *name;
	const char *image_id;
	const char *driver;
	const char *runtime; /* of one that asks for none */
};

/*
 * EINVAL, or ENOTSUP for what docker can and we cannot. The record has no MountPoints yet: mounts.h.
 */
int create_record(const struct create_input *input, json_t **ret_record, struct shale_err *err);

/* create_check.c: whether HostConfig is understood and can be had. */
int create_check_host(const json_t *host, const char *driver, struct shale_err *err);
/* An array of texts without NUL, none too long, or absent. WHAT names it in the message. */
int create_check_texts(const json_t *json, const char *field, struct shale_err *err);
/* The same for an object of texts. */
int create_check_map(const json_t *json, const char *field, struct shale_err *err);

#endif
