/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * podman's registries.conf: from where images of a registry, or of a part of one, really come. A [[registry]]
 * covers names that begin with its prefix; its mirrors are asked first, in their order, then its location. One key is
 * ours, and podman passes over it: schema1, see remote.h.
 */
#ifndef SHALE_CLIENT_MIRRORS_H
#define SHALE_CLIENT_MIRRORS_H

#include "client/origin.h"

#define MIRRORS_MAX_BYTES      (1u << 20)
#define MIRRORS_MAX_REGISTRIES 1024
/* Of one registry; each may cost a time-out. */
#define MIRRORS_MAX_MIRRORS 8
/* Mirrors, and the registry itself. */
#define MIRRORS_MAX_PLACES (MIRRORS_MAX_MIRRORS + 1)

enum mirror_use { MIRROR_ALL, MIRROR_BY_DIGEST, MIRROR_BY_TAG };

struct mirror {
	char *location;
	bool is_insecure;
	enum mirror_use use;
};

struct mirror_registry {
	char *prefix; /* NULL: its location */
	char *location;
	bool is_insecure;
	bool is_blocked;
	bool is_by_digest; /* its mirrors */
	bool takes_schema1;
	size_t mirror_count;
	struct mirror mirrors[MIRRORS_MAX_MIRRORS];
};

struct mirrors {
	size_t count;
	struct mirror_registry *registries;
};

#define __cleanup_mirrors __attribute__((cleanup(mirrors_release)))
void mirrors_release(struct mirrors *mirrors);

/*
 * @path: the file; NULL is $CONTAINERS_REGISTRIES_CONF, ~/.config/containers/registries.conf or
 * /etc/containers/registries.conf with registries.conf.d beside it. None at all is success.
 */
int mirrors_load(const char *path, struct mirrors *ret_mirrors, struct shale_err *err);
/* Adds what a file says. */
int mirrors_parse(const char *text, size_t len, const char *what, struct mirrors *mirrors,
		  struct shale_err *err);

struct mirror_place {
	struct origin origin;
	bool is_insecure;
	bool is_mirror;
	bool takes_schema1;
};
/* Where to ask for a name, in order; EACCES when its registry is blocked. */
int mirrors_find(const struct mirrors *mirrors, const struct ref *ref,
		 struct mirror_place *ret_places, size_t *ret_count, struct shale_err *err);

#endif
