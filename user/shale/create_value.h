/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Values of the options of run, create and exec, as docker writes them. Pure, but for files of variables.
 */
#ifndef SHALE_CLI_CREATE_VALUE_H
#define SHALE_CLI_CREATE_VALUE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* Of a file of variables or labels; the kernel takes less of a command's environment. */
#define CREATE_MAX_FILE (8u << 20)

/* "true", "0" and what else Go takes; no value is true. */
int value_bool(const char *text, bool *ret_value, struct shale_err *err);
int value_number(const char *text, int64_t *ret_value, struct shale_err *err);
/* "64m", "1.5GiB" */
int value_bytes(const char *text, int64_t *ret_value, struct shale_err *err);
/* "0.5" as billionths. */
int value_nano(const char *text, int64_t *ret_value, struct shale_err *err);
/* "nofile=100:200" as docker's object. */
int value_ulimit(const char *text, json_t **ret_value, struct shale_err *err);
/* "on-failure:3" */
int value_restart(const char *text, json_t **ret_value, struct shale_err *err);
/* "a=b" into a map; without "=" the value is "". */
int value_pair(json_t *map, const char *text, struct shale_err *err);
/* A variable; one without a value has that of our environment. */
int value_variable(json_t *list, const char *text, struct shale_err *err);
/*
 * Of a file: a line each, but for comments. @is_label: without a value they are empty, and no variable of ours is
 * meant.
 */
int value_file(json_t *list, const char *path, bool is_label, struct shale_err *err);
/* A text into a list or an object; that it is UTF-8 is found out here. */
int value_append(json_t *list, const char *text, struct shale_err *err);
int value_set(json_t *object, const char *key, const char *text, struct shale_err *err);

#endif
