/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a verb that lists things prints them: a table, JSON a line, or by a template, which "table"
 * in front of makes a table with headings. A verb says which fields its rows have and what stands
 * above them; a table is a template like any other.
 */
#ifndef SHALE_CLI_FORMAT_H
#define SHALE_CLI_FORMAT_H

#include <jansson.h>

#include "shale/shale.h"

struct format_field {
	const char *key;
	const char *heading;
};

struct format {
	const char *wanted;		   /* what --format says; NULL: the table */
	const char *table;		   /* the template of the table, as "{{.ID}}\t{{.Size}}" */
	const char *quiet;		   /* what a table is with --quiet, or NULL */
	const char *raw;		   /* what "raw" stands for, or NULL */
	const struct format_field *fields; /* ends with a key NULL */
};

/*
 * Prints an array of objects that have all fields. Returns the exit status: EXIT_USAGE for a
 * template that is none, with the usage line.
 */
int format_print(const struct cli *cli, const struct format *format, const json_t *rows);

/* The same judgement of --format alone, before there are rows; NULL is good. */
int format_check(const struct cli *cli, const char *wanted);

#endif
