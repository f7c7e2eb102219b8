/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * As much of TOML as configuration files of containers use: comments, tables and arrays of tables, keys with
 * strings, booleans, whole numbers and arrays of strings. What else TOML has is refused by its line, not
 * guessed at.
 */
#ifndef SHALE_CLIENT_TOML_H
#define SHALE_CLIENT_TOML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* registries.conf of a distribution with all its aliases has 10 KiB. */
#define TOML_MAX_BYTES (1u << 20)
/* Of a key, a table's name or a string. */
#define TOML_MAX_TEXT 1024
/* Elements of an array. */
#define TOML_MAX_ELEMENTS 1024

enum toml_kind {
	TOML_TABLE,	   /* [table]: the following are in it */
	TOML_TABLE_ELEMENT, /* [[table]]: the following are in a new one */
	TOML_STRING,
	TOML_BOOLEAN,
	TOML_INTEGER,
	TOML_ARRAY,   /* an array begins; its elements follow */
	TOML_ELEMENT, /* a string of it */
};

struct toml_item {
	enum toml_kind kind;
	unsigned int line;
	const char *table; /* "registry.mirror", "" before the first */
	const char *key;   /* NULL of tables */
	const char *text;  /* of strings */
	bool boolean;
	int64_t integer;
};

/* Calls @item for everything in order; -1 of it ends the reading. @what names the text in messages. */
int toml_parse(const char *text, size_t len, const char *what,
	       int (*item)(void *arg, const struct toml_item *item, struct shale_err *err), void *arg,
	       struct shale_err *err);

#endif
