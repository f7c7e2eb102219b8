/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The configuration: distribution's YAML with its keys, and a few of ours below `shale:`. Each key is in
 * one table (conf_keys.c), which says whether it is used, taken and ignored, or refused; a key that is not
 * there is an error. Environment variables REGISTRY_A_B change a.b, as they do for distribution.
 * Documentation/registry.md says what each means.
 */
#ifndef SHALE_REGISTRY_CONF_H
#define SHALE_REGISTRY_CONF_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define CONF_MAX_BYTES (1u << 20)
#define CONF_MAX_DEPTH 16
#define CONF_MAX_NODES 20000

enum conf_use {
	CONF_USED,
	CONF_IGNORED, /* means nothing here; said in the log */
	CONF_REFUSED, /* a promise we would not keep */
	CONF_TREE,    /* all below it is checked by who reads it */
};

struct conf_key {
	const char *path; /* "http.tls.key"; a component "*" is any */
	enum conf_use use;
};

extern const struct conf_key conf_keys[];

/* YAML text as JSON: mappings, sequences, and scalars by YAML's rules. EINVAL names the line. */
int conf_parse(const char *text, size_t len, json_t **ret_json, struct shale_err *err);
/* The file, changed by the environment, its keys checked. each: called for keys that are ignored. */
int conf_load(const char *path, char **environment, json_t **ret_json,
	      void (*ignored)(const char *key), struct shale_err *err);
int conf_check(const json_t *json, void (*ignored)(const char *key), struct shale_err *err);
int conf_apply_environment(json_t *json, char **environment, struct shale_err *err);

/* What is at a path; NULL when it is not there or null. */
const json_t *conf_get(const json_t *json, const char *path);
/* Typed; what is not there leaves the value as it was. EINVAL names the path. */
int conf_text(const json_t *json, const char *path, const char **value, struct shale_err *err);
int conf_bool(const json_t *json, const char *path, bool *value, struct shale_err *err);
int conf_number(const json_t *json, const char *path, uint64_t min, uint64_t max,
		uint64_t *value, struct shale_err *err);
/* "1h30m", "90s", "500ms", in seconds, rounded up; a bare number is seconds. */
int conf_seconds(const json_t *json, const char *path, uint64_t *value, struct shale_err *err);
bool conf_parse_seconds(const char *text, uint64_t *ret_seconds);

#endif
