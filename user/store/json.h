/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * JSON that comes from outside: parsing within limits, and getters whose error says which field of
 * which document is wrong. The documents themselves (manifest, config, index) are understood in
 * image.c and index.c.
 */
#ifndef SHALE_STORE_JSON_H
#define SHALE_STORE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* The registry protocol's customary limit for a manifest; configs and indexes keep to it as well. */
#define JSON_MAX_BYTES (4u << 20)
/* Deepest nesting; real documents stay below ten. */
#define JSON_MAX_DEPTH 64

static inline void json_putp(json_t **json)
{
	json_decref(*json);
}

#define __cleanup_json __attribute__((cleanup(json_putp)))

/* @what names the document in messages. The result is an object, owned by the caller. */
int json_parse_object(const void *data, size_t len, const char *what, json_t **ret_json,
		      struct shale_err *err);
/* The same for a document which is an array. */
int json_parse_array(const void *data, size_t len, const char *what, json_t **ret_json,
		     struct shale_err *err);

/* Borrowed; "" where there is no such field, or no text in it. */
static inline const char *json_text(const json_t *object, const char *field)
{
	const char *text = json_string_value(json_object_get(object, field));

	return text ? text : "";
}

/* Borrowed results. A missing optional field gives NULL (or 0) and success. */
int json_get_text(const json_t *object, const char *field, bool optional, const char *what,
		  const char **ret_text, struct shale_err *err);
int json_get_size(const json_t *object, const char *field, const char *what, uint64_t *ret_size,
		  struct shale_err *err);
int json_get_object(const json_t *object, const char *field, bool optional, const char *what,
		    json_t **ret_object, struct shale_err *err);
int json_get_array(const json_t *object, const char *field, size_t max, bool optional,
		   const char *what, json_t **ret_array, struct shale_err *err);

#endif
