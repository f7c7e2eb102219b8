// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mirrors and registries of an image; see places.h. Called by pull_resolve.c and check_fetch.c.
 */
#include "engine/places.h"

#include <string.h>

/* Who we are to the registry that was named is not told its mirrors. */
static void set_mirror_opts(struct places *places, const struct shale_registry_opts *opts)
{
	struct shale_registry_opts *own = &places->mirror_opts;

	*own = *opts;
	own->username = own->password = own->identity_token = own->registry_token = NULL;
	if (!own->tries || own->tries > PLACES_MIRROR_TRIES)
		own->tries = PLACES_MIRROR_TRIES;
}

int places_open(struct web *web, const struct shale_registry_opts *opts, const struct ref *ref,
		struct places *places, struct shale_err *err)
{
	struct mirror_place found[MIRRORS_MAX_PLACES];
	__cleanup_mirrors struct mirrors mirrors = { 0 };
	size_t count = 0;

	set_mirror_opts(places, opts);
	if (mirrors_load(opts->registries_conf, &mirrors, err) < 0 ||
	    mirrors_find(&mirrors, ref, found, &count, err) < 0)
		return -1;
	for (; places->count < count; places->count++) {
		const struct mirror_place *place = &found[places->count];
		struct remote_wish wish = {
			.web = web,
			.opts = place->is_mirror ? &places->mirror_opts : opts,
			.origin = &place->origin,
			.actions = "pull",
			.is_insecure = place->is_insecure,
			.takes_schema1 = place->takes_schema1,
		};

		if (remote_init(&wish, &places->remotes[places->count], err) < 0)
			return -1;
	}
	return 0;
}

void places_close(struct places *places)
{
	for (size_t i = 0; i < places->count; i++)
		remote_close(&places->remotes[i]);
	places->count = 0;
}

void places_drop(struct places *places, size_t count)
{
	for (size_t i = 0; i < count; i++)
		remote_close(&places->remotes[i]);
	places->count -= count;
	memmove(places->remotes, places->remotes + count, places->count * sizeof(*places->remotes));
}
