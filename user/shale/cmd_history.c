// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale history: the steps an image was made in, in docker's columns.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "shale/format.h"
#include "shale/table.h"

/* docker's widths. */
#define SHORT_ID   12
#define SHORT_TEXT 45
#define ELLIPSIS   "\xe2\x80\xa6"

struct history_view {
	bool quiet;
	bool no_trunc;
	bool raw; /* times and sizes as they are */
	int64_t now;
};

static const struct format_field fields[] = {
	{ "ID", "IMAGE" },
	{ "CreatedSince", "CREATED" },
	{ "CreatedAt", "CREATED AT" },
	{ "CreatedBy", "CREATED BY" },
	{ "Size", "SIZE" },
	{ "Comment", "COMMENT" },
	{ NULL, NULL },
};

#define TABLE_TEXT     "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}"
#define TABLE_RAW_TEXT "{{.ID}}\t{{.CreatedAt}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}"

static const char *text_of(const json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	return text ? text : "";
}

static json_t *id_of(const struct history_view *view, const json_t *row)
{
	const char *id = text_of(row, "Id");
	const char *hex = strchr(id, ':');

	if (view->no_trunc || !hex)
		return json_string(id);
	return json_sprintf("%.*s", SHORT_ID, hex + 1);
}

/* The length of the first so many characters; a byte that begins none belongs to the one before. */
static size_t chars_len(const char *text, size_t count)
{
	size_t len = 0;

	for (; text[len]; len++)
		if ((text[len] & 0xc0) != 0x80 && !count--)
			break;
	return len;
}

static json_t *created_by_of(const struct history_view *view, const json_t *row)
{
	__cleanup_free char *text = strdup(text_of(row, "CreatedBy"));
	size_t whole;

	if (!text)
		return NULL;
	for (char *at = text; (at = strchr(at, '\t'));)
		*at = ' ';
	whole = chars_len(text, SHORT_TEXT);
	if (view->no_trunc || !text[whole])
		return json_string(text);
	return json_sprintf("%.*s" ELLIPSIS, (int)chars_len(text, SHORT_TEXT - 1), text);
}

static void print_time(int64_t created, char *text, size_t len)
{
	time_t when = created;
	size_t used;
	struct tm tm;

	if (!localtime_r(&when, &tm) || !(used = strftime(text, len, "%Y-%m-%dT%H:%M:%S%z", &tm))) {
		snprintf(text, len, "N/A");
		return;
	}
	/* RFC 3339 has a colon in the zone, and Z for none. */
	if (!strcmp(text + used - 5, "+0000"))
		snprintf(text + used - 5, 2, "Z");
	else if (used + 1 < len) {
		memmove(text + used - 1, text + used - 2, 3);
		text[used - 2] = ':';
	}
}

static json_t *make_row(const struct history_view *view, const json_t *step)
{
	int64_t created = json_integer_value(json_object_get(step, "Created"));
	uint64_t size = json_integer_value(json_object_get(step, "Size"));
	char at[64], age[64], bytes[32];

	print_time(created, at, sizeof(at));
	table_age(created, view->now, age, sizeof(age));
	if (view->raw)
		snprintf(bytes, sizeof(bytes), "%llu", (unsigned long long)size);
	else
		table_size(size, bytes, sizeof(bytes));
	return json_pack("{s:s, s:s, s:o, s:s, s:o, s:s}", "Comment", text_of(step, "Comment"),
			 "CreatedAt", at, "CreatedBy", created_by_of(view, step), "CreatedSince",
			 view->raw ? at : age, "ID", id_of(view, step), "Size", bytes);
}

static int print_steps(const struct cli *cli, struct history_view *view, const char *wanted,
		       const json_t *steps)
{
	struct format format = {
		.wanted = view->quiet ? "{{.ID}}" : wanted,
		.table = view->raw ? TABLE_RAW_TEXT : TABLE_TEXT,
		.fields = fields,
	};
	struct shale_err err = { 0 };
	json_t *rows = json_array();
	int status = EXIT_SUCCESS;

	view->now = time(NULL);
	for (size_t i = 0; status == EXIT_SUCCESS && i < json_array_size(steps); i++)
		if (json_array_append_new(rows, make_row(view, json_array_get(steps, i)))) {
			shale_err_set(&err, ENOMEM, "out of memory");
			status = cli_fail(&err);
		}
	if (status == EXIT_SUCCESS)
		status = format_print(cli, &format, rows);
	json_decref(rows);
	return status;
}

static int show_history(const struct cli *cli, struct history_view *view, const char *wanted,
			const char *name)
{
	struct shale_opts opts = { .root = cli->root };
	__cleanup_free char *text = NULL;
	struct shale_err err = { 0 };
	json_t *steps;
	int status;

	if (shale_history(&opts, name, &text, &err) < 0)
		return cli_fail(&err);
	steps = json_loads(text, 0, NULL);
	status = print_steps(cli, view, wanted, steps);
	json_decref(steps);
	return status;
}

enum { OPT_NO_TRUNC = 1, OPT_FORMAT };

static bool parse_human(const char *text, bool *ret_raw)
{
	*ret_raw = text && (!strcmp(text, "false") || !strcmp(text, "0"));
	return !text || *ret_raw || !strcmp(text, "true") || !strcmp(text, "1");
}

int cmd_history(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONGS,
		{ "quiet", no_argument, NULL, 'q' },
		{ "no-trunc", no_argument, NULL, OPT_NO_TRUNC },
		{ "human", optional_argument, NULL, 'H' },
		{ "format", required_argument, NULL, OPT_FORMAT },
		{ 0 },
	};
	struct history_view view = { 0 };
	const char *wanted = NULL;
	int opt, status = 0;

	while ((opt = cli_getopt(cli, argc, argv, ":qH::", longs, &status)) != -1) {
		switch (opt) {
		case 'q':
			view.quiet = true;
			break;
		case OPT_NO_TRUNC:
			view.no_trunc = true;
			break;
		case 'H':
			/* -H=false has the '=' in its value. */
			if (!parse_human(optarg && *optarg == '=' ? optarg + 1 : optarg, &view.raw))
				return cli_usage(cli, "--human is true or false, not '%s'", optarg);
			break;
		case OPT_FORMAT:
			wanted = optarg;
			break;
		default:
			return status;
		}
	}
	if (argc - optind != 1)
		return cli_usage(cli, "one image is needed");
	return show_history(cli, &view, wanted, argv[optind]);
}
