/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What somebody may do with what: the unit in which the server asks, tokens answer and the token
 * service grants. One grant is a resource's type and name and a set of actions, written
 * "repository:NAME:pull,push" in scopes and {"type","name","actions"} in tokens.
 */
#ifndef SHALE_REGISTRY_GRANT_H
#define SHALE_REGISTRY_GRANT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* The registry protocol's limit of 255, and a host with its port before it. */
#define GRANT_MAX_NAME 511
/* In one request for a token. Clients ask for two when they push and mount; docker for one an
 * image. */
#define GRANT_MAX 64

enum grant_type {
	GRANT_REPOSITORY,
	GRANT_REGISTRY, /* its only resource is "catalog" */
};

enum grant_action {
	GRANT_PULL = 1 << 0,
	GRANT_PUSH = 1 << 1,
	GRANT_DELETE = 1 << 2,
	GRANT_ANY = 1 << 3, /* '*', which includes the others */
};

struct grant {
	enum grant_type type;
	unsigned int actions;
	char name[GRANT_MAX_NAME + 1];
};

struct grants {
	size_t count;
	struct grant list[GRANT_MAX];
};

/* The bit of an action's name, 0 when it has none. */
unsigned int grant_action(const char *text, size_t len);
/* Whether a set of actions includes all of another. */
bool grant_covers(unsigned int held, unsigned int wanted);
bool grant_is_name(const char *text, size_t len);
int grant_init(struct grant *grant, enum grant_type type, const char *name, unsigned int actions);

/*
 * Scopes, separated by blanks, appended to *grants. Resources of another type, and names which no
 * repository can have, are left out: nothing is granted for them, and that is no error. @err: too
 * many, or text without the two colons.
 */
int grant_parse_scopes(const char *text, size_t len, struct grants *grants, struct shale_err *err);

/* "type:name:actions", and the element of a token's access claim; NULL when out of memory. */
int grant_add_scope(const struct grant *grant, struct buf *buf);
json_t *grant_to_json(const struct grant *grant);

/* The actions a token's access claim holds for this grant's resource; what is malformed holds none.
 */
unsigned int grant_held(const json_t *access, const struct grant *wanted);

#endif
