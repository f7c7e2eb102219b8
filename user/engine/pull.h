/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A pull at work; shared by pull.c, pull_resolve.c and pull_schema1.c.
 */
#ifndef SHALE_ENGINE_PULL_H
#define SHALE_ENGINE_PULL_H

#include "client/document.h"
#include "client/fetch.h"
#include "client/schema1.h"
#include "engine/blob.h"
#include "engine/import.h"
#include "engine/places.h"
#include "engine/platform.h"

struct pull {
	const struct shale_pull_opts *what;
	struct task task;
	struct store store;
	struct session session;
	struct source source; /* the registry: see bring() */
	struct plan plan;
	struct ref ref;
	struct platform platform;
	struct web *web;
	struct places places; /* from the one that knew the image on */
	struct digest top; /* what the name stands for */
	struct document manifest;
	struct digest turn;	/* of the manifest as it came: who pulls it has the lock */
	struct schema1 schema1; /* instead of a manifest and a config, which are made of it */
	struct digest id;
	struct buf config;
	int downloads_fd;
	int image_lock;
	struct fetch *fetch;
	bool has_thread;
	pthread_t thread;
	bool has_fetch_failed; /* these two are the thread's until it is joined */
	struct shale_err fetch_err;
	bool is_new;
};

/* Finds who has the image, and gets its manifest and config, checked. */
int pull_resolve(struct pull *pull, struct shale_err *err);
/* Begins to download an image's layers: their blobs and sizes are all that must be known of it. */
int pull_start(struct pull *pull, const struct image *image, struct shale_err *err);
uint64_t pull_max_bytes(const struct pull *pull);
/* Of schema 1 how large each layer's blob is. */
int pull_measure_schema1(struct pull *pull, struct image *image, struct shale_err *err);
/* Downloads the layers of schema 1, and plans the image that they make. */
int pull_convert_schema1(struct pull *pull, struct shale_err *err);
/* The table's string for a manifest's type. */
const char *pull_media_type(const char *media_type);

#endif
