// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale ps: containers, in docker's columns; JSON with docker's keys, or what a template makes of them.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "shale/connection.h"
#include "shale/filters.h"
#include "shale/format.h"
#include "shale/show.h"
#include "shale/table.h"
#include "store/json.h"

#define TABLE_TEXT "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}"
#define SIZE_TEXT  TABLE_TEXT "\t{{.Size}}"
/* Of a command. */
#define SHOWN_CHARS 20

static const struct format_field fields[] = {
	{ "ID", "CONTAINER ID" }, { "Image", "IMAGE" },	      { "Command", "COMMAND" },
	{ "CreatedAt", "CREATED AT" }, { "RunningFor", "CREATED" }, { "Status", "STATUS" },
	{ "State", "STATE" },	  { "Ports", "PORTS" },	      { "Names", "NAMES" },
	{ "Labels", "LABELS" },	  { "Mounts", "MOUNTS" },     { "Networks", "NETWORKS" },
	{ "Size", "SIZE" },	  { NULL, NULL },
};

struct listing {
	struct filters filters;
	const char *wanted; /* --format */
	const char *limit;
	bool all, quiet, no_trunc, has_size;
};

/* With commas between. */
static json_t *join_keys(const json_t *object)
{
	__cleanup_buf struct buf text = BUF_INIT;
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value)
		if (buf_addf(&text, "%s%s", text.len ? "," : "", key))
			return NULL;
	return json_string(buf_str(&text));
}

static json_t *join_mounts(const json_t *mounts)
{
	__cleanup_buf struct buf text = BUF_INIT;

	for (size_t i = 0; i < json_array_size(mounts); i++) {
		const json_t *mount = json_array_get(mounts, i);
		const char *name = json_text(mount, "Name");

		if (buf_addf(&text, "%s%s", i ? "," : "", *name ? name : json_text(mount, "Source")))
			return NULL;
	}
	return json_string(buf_str(&text));
}

static json_t *quoted(const struct listing *listing, const char *command)
{
	json_t *cut = listing->no_trunc ? json_string(command) : show_cut(command, SHOWN_CHARS);
	json_t *text = json_sprintf("\"%s\"", json_string_value(cut));

	json_decref(cut);
	return text;
}

static void print_size(const json_t *one, char *text, size_t len)
{
	char own[32], all[32];

	table_size(json_integer_value(json_object_get(one, "SizeRw")), own, sizeof(own));
	table_size(json_integer_value(json_object_get(one, "SizeRootFs")), all, sizeof(all));
	snprintf(text, len, json_integer_value(json_object_get(one, "SizeRootFs")) ? "%s (virtual %s)" : "%s", own,
		 all);
}

static json_t *make_row(const struct listing *listing, const json_t *one)
{
	const int64_t created = json_integer_value(json_object_get(one, "Created"));
	const char *name = json_string_value(json_array_get(json_object_get(one, "Names"), 0)) ?: "";
	char age[64], when[64], size[80];

	print_size(one, size, sizeof(size));
	return json_pack("{s:o, s:s, s:o, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:s}", "ID",
			 show_id(json_text(one, "Id"), listing->no_trunc), "Image", json_text(one, "Image"), "Command",
			 quoted(listing, json_text(one, "Command")), "CreatedAt",
			 show_time(created, when, sizeof(when)), "RunningFor",
			 table_age(created, time(NULL), age, sizeof(age)), "Status", json_text(one, "Status"), "State",
			 json_text(one, "State"), "Ports", "", "Names", name + (*name == '/'), "Labels",
			 show_labels(json_object_get(one, "Labels")), "Mounts",
			 join_mounts(json_object_get(one, "Mounts")), "Networks",
			 join_keys(json_object_get(json_object_get(one, "NetworkSettings"), "Networks")), "Size", size);
}

static int fetch(const struct cli *cli, const struct listing *listing, json_t **ret_list, struct shale_err *err)
{
	__cleanup_connection struct connection connection = CONNECTION_CLOSED;
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("GET");

	if (dockapi_path(&call, err, "/containers/json") || filters_query(&listing->filters, &call, err) ||
	    dockapi_query(&call, "all", listing->all ? "1" : NULL, err) ||
	    dockapi_query(&call, "size", listing->has_size ? "1" : NULL, err) ||
	    dockapi_query(&call, "limit", listing->limit, err) || connection_open(cli, &connection, err))
		return -1;
	return connection_json(&connection, &call, ret_list, err);
}

static int list_containers(const struct cli *cli, const struct listing *listing)
{
	const struct format format = {
		.wanted = listing->wanted,
		.table = listing->has_size ? SIZE_TEXT : TABLE_TEXT,
		.quiet = listing->quiet ? "{{.ID}}" : NULL,
		.fields = fields,
	};
	__cleanup_json json_t *rows = json_array();
	__cleanup_json json_t *list = NULL;
	struct shale_err err = { 0 };

	if (format_check(cli, listing->wanted) != EXIT_SUCCESS)
		return EXIT_USAGE;
	if (fetch(cli, listing, &list, &err))
		return cli_fail(&err);
	for (size_t i = 0; i < json_array_size(list); i++)
		if (json_array_append_new(rows, make_row(listing, json_array_get(list, i)))) {
			shale_err_set(&err, ENOMEM, "out of memory");
			return cli_fail(&err);
		}
	return format_print(cli, &format, rows);
}

enum { OPT_NO_TRUNC = 1, OPT_FORMAT };

static const struct option longs[] = {
	CLI_LONGS,
	{ "all", no_argument, NULL, 'a' },
	{ "filter", required_argument, NULL, 'f' },
	{ "format", required_argument, NULL, OPT_FORMAT },
	{ "last", required_argument, NULL, 'n' },
	{ "latest", no_argument, NULL, 'l' },
	{ "no-trunc", no_argument, NULL, OPT_NO_TRUNC },
	{ "quiet", no_argument, NULL, 'q' },
	{ "size", no_argument, NULL, 's' },
	{ 0 },
};

static int take_option(const struct cli *cli, int opt, struct listing *listing)
{
	switch (opt) {
	case 'a':
		listing->all = true;
		return 0;
	case 'q':
		listing->quiet = true;
		return 0;
	case 's':
		listing->has_size = true;
		return 0;
	case 'l':
		listing->limit = "1";
		return 0;
	case 'n':
		listing->limit = optarg;
		return 0;
	case OPT_NO_TRUNC:
		listing->no_trunc = true;
		return 0;
	case OPT_FORMAT:
		listing->wanted = optarg;
		return 0;
	}
	return filters_option(cli, optarg, &listing->filters);
}

static int run_ps(struct cli *cli, int argc, char **argv, struct listing *listing)
{
	int opt, status = 0;

	while ((opt = cli_getopt(cli, argc, argv, ":alqsn:f:", longs, &status)) != -1) {
		if (opt == CLI_DONE)
			return status;
		status = take_option(cli, opt, listing);
		if (status)
			return status;
	}
	if (argv[optind])
		return cli_usage(cli, "too many arguments");
	return list_containers(cli, listing);
}

int cmd_ps(struct cli *cli, int argc, char **argv)
{
	struct listing listing = { .all = false };
	int status = run_ps(cli, argc, argv, &listing);

	filters_release(&listing.filters);
	return status;
}
