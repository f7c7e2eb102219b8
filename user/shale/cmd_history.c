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
#include "shale/connection.h"
#include "shale/format.h"
#include "shale/show.h"
#include "shale/table.h"
#include "store/json.h"

/* docker's width. */
#define SHORT_TEXT 45

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

static json_t *created_by_of(const struct history_view *view, const json_t *step)
{
	__cleanup_free char *text = strdup(json_text(step, "CreatedBy"));

	if (!text)
		return NULL;
	for (char *at = text; (at = strchr(at, '\t'));)
		*at = ' ';
	return view->no_trunc ? json_string(text) : show_cut(text, SHORT_TEXT);
}

static json_t *make_row(const struct history_view *view, const json_t *step)
{
	int64_t created = json_integer_value(json_object_get(step, "Created"));
	uint64_t size = json_integer_value(json_object_get(step, "Size"));
	char at[64], age[64], bytes[32];

	show_date(created, at, sizeof(at));
	table_age(created, view->now, age, sizeof(age));
	if (view->raw)
		snprintf(bytes, sizeof(bytes), "%llu", (unsigned long long)size);
	else
		table_size(size, bytes, sizeof(bytes));
	return json_pack("{s:s, s:s, s:o, s:s, s:o, s:s}", "Comment", json_text(step, "Comment"),
			 "CreatedAt", at, "CreatedBy", created_by_of(view, step), "CreatedSince",
			 view->raw ? at : age, "ID", show_id(json_text(step, "Id"), view->no_trunc), "Size", bytes);
}

static int print_steps(const struct cli *cli, struct history_view *view, const char *wanted,
		       const json_t *steps)
{
	struct format format = {
		.wanted = wanted,
		.table = view->raw ? TABLE_RAW_TEXT : TABLE_TEXT,
		.quiet = view->quiet ? "{{.ID}}" : NULL,
		.fields = fields,
	};
	__cleanup_json json_t *rows = json_array();
	struct shale_err err = { 0 };

	view->now = time(NULL);
	for (size_t i = 0; i < json_array_size(steps); i++)
		if (json_array_append_new(rows, make_row(view, json_array_get(steps, i)))) {
			shale_err_set(&err, ENOMEM, "out of memory");
			return cli_fail(&err);
		}
	return format_print(cli, &format, rows);
}

static int fetch_steps(const struct cli *cli, const char *name, json_t **ret_steps,
		       struct shale_err *err)
{
	__cleanup_connection struct connection connection = CONNECTION_CLOSED;
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("GET");

	if (dockapi_path(&call, err, "/images/%s/history", name) ||
	    connection_open(cli, &connection, err))
		return -1;
	return connection_json(&connection, &call, ret_steps, err);
}

static int show_history(const struct cli *cli, struct history_view *view, const char *wanted,
			const char *name)
{
	__cleanup_json json_t *steps = NULL;
	struct shale_err err = { 0 };

	if (format_check(cli, wanted) != EXIT_SUCCESS)
		return EXIT_USAGE;
	if (fetch_steps(cli, name, &steps, &err))
		return cli_fail(&err);
	return print_steps(cli, view, wanted, steps);
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
