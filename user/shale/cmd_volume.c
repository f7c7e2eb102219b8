// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale volume: create, list, inspect, remove and prune, as docker's noun has them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "shale/connection.h"
#include "shale/format.h"
#include "shale/group.h"
#include "shale/inspect.h"
#include "shale/prune.h"
#include "shale/show.h"
#include "shale/table.h"
#include "store/json.h"

enum { OPT_LABEL = 1, OPT_FILTER, OPT_FORMAT };

/* KEY[=VALUE] */
static int add_pair(json_t *map, const char *text)
{
	const char *equals = strchrnul(text, '=');
	__cleanup_free char *key = strndup(text, equals - text);

	return key ? json_object_set_new(map, key, json_string(*equals ? equals + 1 : "")) : -1;
}

static int create(const struct cli *cli, const json_t *body, struct shale_err *err)
{
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("POST");
	__cleanup_json json_t *made = NULL;

	call.body = body;
	if (dockapi_path(&call, err, "/volumes/create") || fetch_call(cli, &call, &made, err))
		return -1;
	puts(json_text(made, "Name"));
	return 0;
}

static int cmd_volume_create(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONGS,
		{ "driver", required_argument, NULL, 'd' },
		{ "label", required_argument, NULL, OPT_LABEL },
		{ "opt", required_argument, NULL, 'o' },
		{ 0 },
	};
	__cleanup_json json_t *body =
		json_pack("{s:s, s:{}, s:{}}", "Driver", "local", "DriverOpts", "Labels");
	struct shale_err err = { 0 };
	int opt, status = 0;

	while ((opt = cli_getopt(cli, argc, argv, ":d:o:", longs, &status)) != -1) {
		if (opt == CLI_DONE)
			return status;
		if (opt == 'd')
			status = json_object_set_new(body, "Driver", json_string(optarg));
		else
			status = add_pair(json_object_get(body, opt == 'o' ? "DriverOpts" : "Labels"),
					  optarg);
		if (status)
			return cli_usage(cli, "'%s' is not UTF-8", optarg);
	}
	if (argc - optind > 1)
		return cli_usage(cli, "too many arguments");
	if (argv[optind] && json_object_set_new(body, "Name", json_string(argv[optind])))
		return cli_usage(cli, "a name that is not UTF-8");
	return create(cli, body, &err) ? cli_fail(&err) : EXIT_SUCCESS;
}

static const struct format_field fields[] = {
	{ "Name", "VOLUME NAME" },   { "Driver", "DRIVER" },	{ "Scope", "SCOPE" },
	{ "Availability", "AVAILABILITY" }, { "Mountpoint", "MOUNTPOINT" }, { "Labels", "LABELS" },
	{ "Links", "LINKS" },	     { "Size", "SIZE" },	{ "Group", "GROUP" },
	{ "Status", "STATUS" },	     { NULL, NULL },
};

static json_t *make_row(const json_t *volume)
{
	const json_t *usage = json_object_get(volume, "UsageData");
	char links[24] = "N/A", size[32] = "N/A";

	if (json_is_object(usage)) {
		snprintf(links, sizeof(links), "%lld",
			 (long long)json_integer_value(json_object_get(usage, "RefCount")));
		table_space(json_integer_value(json_object_get(usage, "Size")), size, sizeof(size));
	}
	return json_pack("{s:s, s:s, s:s, s:o, s:s, s:s, s:s, s:s, s:s, s:s}", "Availability", "N/A",
			 "Driver", json_text(volume, "Driver"), "Group", "N/A", "Labels",
			 show_labels(json_object_get(volume, "Labels")), "Links", links, "Mountpoint",
			 json_text(volume, "Mountpoint"), "Name", json_text(volume, "Name"), "Scope",
			 json_text(volume, "Scope"), "Size", size, "Status", "N/A");
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(json_text(*(json_t *const *)a, "Name"), json_text(*(json_t *const *)b, "Name"));
}

/* Sorted by name. */
static json_t *make_rows(const json_t *volumes)
{
	size_t count = json_array_size(volumes);
	__cleanup_free json_t **sorted = calloc(count + 1, sizeof(*sorted));
	json_t *rows = json_array();

	for (size_t i = 0; sorted && i < count; i++)
		sorted[i] = json_array_get(volumes, i);
	if (sorted)
		qsort(sorted, count, sizeof(*sorted), compare_names);
	for (size_t i = 0; sorted && i < count; i++)
		if (json_array_append_new(rows, make_row(sorted[i]))) {
			json_decref(rows);
			return NULL;
		}
	return rows;
}

static int list(const struct cli *cli, const struct format *format, const struct filters *filters)
{
	__cleanup_json json_t *answer = NULL;
	__cleanup_json json_t *rows = NULL;
	struct shale_err err = { 0 };

	if (format_check(cli, format->wanted) != EXIT_SUCCESS)
		return EXIT_USAGE;
	if (fetch_get(cli, "/volumes", filters, &answer, &err))
		return cli_fail(&err);
	rows = make_rows(json_object_get(answer, "Volumes"));
	if (rows)
		return format_print(cli, format, rows);
	shale_err_set(&err, ENOMEM, "out of memory");
	return cli_fail(&err);
}

static int cmd_volume_ls(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONGS,
		{ "quiet", no_argument, NULL, 'q' },
		{ "filter", required_argument, NULL, 'f' },
		{ "format", required_argument, NULL, OPT_FORMAT },
		{ 0 },
	};
	struct format format = { .table = "{{.Driver}}\t{{.Name}}",
				 .raw = "name: {{.Name}}\ndriver: {{.Driver}}\n",
				 .fields = fields };
	__cleanup_filters struct filters filters = { NULL };
	int opt, status = 0;

	while ((opt = cli_getopt(cli, argc, argv, ":qf:", longs, &status)) != -1) {
		if (opt == CLI_DONE)
			return status;
		if (opt == 'q')
			format.quiet = "{{.Name}}";
		else if (opt == OPT_FORMAT)
			format.wanted = optarg;
		else if ((status = filters_option(cli, optarg, &filters)))
			return status;
	}
	if (optind < argc)
		return cli_usage(cli, "too many arguments");
	return list(cli, &format, &filters);
}

static int cmd_volume_inspect(struct cli *cli, int argc, char **argv)
{
	static const char *const paths[] = { "/volumes/%s", NULL };
	static const struct inspect inspect = { paths, "which volume is to be inspected?", false };

	return inspect_run(cli, argc, argv, &inspect);
}

static int remove_volume(struct connection *connection, const char *name, bool force,
			 struct shale_err *err)
{
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("DELETE");

	if (dockapi_path(&call, err, "/volumes/%s", name) ||
	    dockapi_query(&call, "force", force ? "1" : NULL, err))
		return -1;
	return connection_perform(connection, &call, err);
}

static int cmd_volume_rm(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONGS,
		{ "force", no_argument, NULL, 'f' },
		{ 0 },
	};
	__cleanup_connection struct connection connection = CONNECTION_CLOSED;
	struct shale_err err = { 0 };
	bool force = false;
	int opt, status = 0;

	while ((opt = cli_getopt(cli, argc, argv, ":f", longs, &status)) != -1) {
		if (opt == CLI_DONE)
			return status;
		force = true;
	}
	if (optind == argc)
		return cli_usage(cli, "which volume is to be removed?");
	if (connection_open(cli, &connection, &err))
		return cli_fail(&err);
	for (; optind < argc; optind++)
		if (remove_volume(&connection, argv[optind], force, &err))
			status = cli_fail(&err);
		else
			puts(argv[optind]);
	return status;
}

static int prune(const struct cli *cli, const struct filters *filters)
{
	struct prune prune = { .reclaimed = 0 };
	struct shale_err err = { 0 };

	if (prune_call(cli, "/volumes/prune", filters, &prune, &err))
		return cli_fail(&err);
	prune_print_total(&prune);
	return EXIT_SUCCESS;
}

static int cmd_volume_prune(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONGS,
		{ "all", no_argument, NULL, 'a' },
		{ "force", no_argument, NULL, 'f' },
		{ "filter", required_argument, NULL, OPT_FILTER },
		{ 0 },
	};
	__cleanup_filters struct filters filters = { NULL };
	struct shale_err err = { 0 };
	bool all = false, force = false;
	int opt, status = 0;

	while ((opt = cli_getopt(cli, argc, argv, ":af", longs, &status)) != -1) {
		if (opt == CLI_DONE)
			return status;
		if (opt == 'a')
			all = true;
		else if (opt == 'f')
			force = true;
		else if ((status = filters_option(cli, optarg, &filters)))
			return status;
	}
	if (optind < argc)
		return cli_usage(cli, "too many arguments");
	if (all && filters_add(&filters, "all", "1", &err))
		return cli_fail(&err);
	if (force || fetch_is_confirmed(all ? "WARNING! This will remove all local volumes not used by "
					      "at least one container." :
					      "WARNING! This will remove anonymous local volumes not "
					      "used by at least one container."))
		return prune(cli, &filters);
	fputs("shale: volume prune was cancelled\n", stderr);
	return EXIT_FAILURE;
}

const struct verb volume_commands[] = {
	{ "volume create", "[OPTIONS] [NAME]", "Make a volume", cmd_volume_create, NULL },
	{ "volume inspect", "[--format TEMPLATE] NAME...", "Tell all about volumes", cmd_volume_inspect, NULL },
	{ "volume ls", "[OPTIONS]", "List volumes", cmd_volume_ls, NULL },
	{ "volume list", "[OPTIONS]", NULL, cmd_volume_ls, NULL },
	{ "volume prune", "[-a] [-f] [--filter KEY=VALUE]", "Remove volumes that are not used",
	  cmd_volume_prune, NULL },
	{ "volume rm", "[-f] NAME...", "Remove volumes", cmd_volume_rm, NULL },
	{ "volume remove", "[-f] NAME...", NULL, cmd_volume_rm, NULL },
	{ .name = NULL },
};

int cmd_volume(struct cli *cli, int argc, char **argv)
{
	return group_run(cli, volume_commands, argc, argv);
}
