/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where an image may be had from, as requests see it: the mirrors of its registry in their order, then the
 * registry itself.
 */
#ifndef SHALE_ENGINE_PLACES_H
#define SHALE_ENGINE_PLACES_H

#include "client/mirrors.h"
#include "client/remote.h"

/* A mirror is not tried for long: the next one may have it. */
#define PLACES_MIRROR_TRIES 2

struct places {
	struct shale_registry_opts mirror_opts; /* the remotes point to it: it must not move */
	size_t count;
	struct remote remotes[MIRRORS_MAX_PLACES];
};

/* Nothing is said to anybody yet. After a failure there may be some, to be closed. */
int places_open(struct web *web, const struct shale_registry_opts *opts, const struct ref *ref,
		struct places *places, struct shale_err *err);
void places_close(struct places *places);
/* Those before one are of no use. */
void places_drop(struct places *places, size_t count);

#endif
