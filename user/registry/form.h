/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Names and values as HTML forms send them, in a query or in a body of
 * application/x-www-form-urlencoded.
 */
#ifndef SHALE_REGISTRY_FORM_H
#define SHALE_REGISTRY_FORM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* A refresh token and sixty scopes are below 32 KiB. */
#define FORM_MAX_BYTES (64u << 10)
#define FORM_MAX_PAIRS 128

struct form_pair {
	char *name;
	char *value;
};

struct form {
	size_t count;
	struct form_pair pairs[FORM_MAX_PAIRS];
};

/* Adds to *form. @err: too large, too many, a broken %XX, or one that makes a NUL. */
int form_parse(const char *text, size_t len, struct form *form, struct shale_err *err);
/* One pair as it is, nothing decoded. */
int form_add(struct form *form, const char *name, const char *value, struct shale_err *err);
/* Wipes what may have been passwords. */
void form_release(struct form *form);

/* The first value of a name; NULL when there is none. */
const char *form_get(const struct form *form, const char *name);
/* Whether a name that may be there once only is there twice, which two readers could take
 * differently. */
bool form_is_twice(const struct form *form, const char *name);

#endif
