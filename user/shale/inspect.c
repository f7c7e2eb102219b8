// SPDX-License-Identifier: GPL-2.0-only
/*
 * Inspecting; see inspect.h. Called by cmd_inspect.c and the nouns.
 */
#include "shale/inspect.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "shale/connection.h"
#include "shale/template.h"
#include "store/json.h"

#define INDENT 4

static int fetch(struct connection *connection, const char *path, const char *name,
		 json_t **ret_json, struct shale_err *err)
{
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("GET");

	if (dockapi_path(&call, err, path, name))
		return -1;
	return connection_json(connection, &call, ret_json, err);
}

static int find(struct connection *connection, const struct inspect *inspect, const char *name,
		json_t **ret_json, struct shale_err *err)
{
	int ret = -1;

	for (size_t i = 0; ret && inspect->paths[i]; i++) {
		if (i && err->code != ENOENT)
			return -1;
		ret = fetch(connection, inspect->paths[i], name, ret_json, err);
	}
	if (ret && inspect->any_object && err->code == ENOENT)
		shale_err_set(err, ENOENT, "No such object: %s", name);
	return ret;
}

static int print_template(const struct template *template, const json_t *list)
{
	struct shale_err err = { 0 };

	for (size_t i = 0; i < json_array_size(list); i++) {
		__cleanup_buf struct buf out = BUF_INIT;

		if (template_render(template, json_array_get(list, i), &out, &err)) {
			shale_err_wrap(&err, "--format");
			return cli_fail(&err);
		}
		puts(buf_str(&out));
	}
	return EXIT_SUCCESS;
}

static int print_list(const json_t *list)
{
	if (json_dumpf(list, stdout, JSON_INDENT(INDENT)) == 0)
		putchar('\n');
	return EXIT_SUCCESS;
}

static int inspect_all(const struct cli *cli, const struct inspect *inspect, char **names,
		       const struct template *template)
{
	__cleanup_connection struct connection connection = CONNECTION_CLOSED;
	__cleanup_json json_t *list = json_array();
	struct shale_err err = { 0 };
	int status = EXIT_SUCCESS;
	int printed;

	if (connection_open(cli, &connection, &err))
		return cli_fail(&err);
	for (; *names; names++) {
		json_t *json = NULL;

		if (find(&connection, inspect, *names, &json, &err))
			status = cli_fail(&err);
		else
			json_array_append_new(list, json);
	}
	printed = template ? print_template(template, list) : print_list(list);
	return printed == EXIT_SUCCESS ? status : printed;
}

int inspect_run(struct cli *cli, int argc, char **argv, const struct inspect *inspect)
{
	static const struct option longs[] = {
		CLI_LONGS,
		{ "format", required_argument, NULL, 'f' },
		{ 0 },
	};
	__cleanup_template struct template *template = NULL;
	const char *format = NULL;
	struct shale_err err = { 0 };
	int opt, status = 0;

	while ((opt = cli_getopt(cli, argc, argv, ":f:", longs, &status)) != -1) {
		if (opt == CLI_DONE)
			return status;
		format = optarg;
	}
	if (optind == argc)
		return cli_usage(cli, "%s", inspect->what);
	if (format &&
	    template_parse(strcmp(format, "json") ? format : "{{json .}}", &template, &err))
		return cli_usage(cli, "--format: %s", err.msg);
	return inspect_all(cli, inspect, argv + optind, template);
}
