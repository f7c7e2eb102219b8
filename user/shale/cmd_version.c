// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale version: of this program, and of the daemon that does its work.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "shale/connection.h"
#include "shale/show.h"
#include "shale/template.h"
#include "store/json.h"

static int fetch_version(const struct cli *cli, json_t **ret_server, char *api, size_t size,
			 struct shale_err *err)
{
	__cleanup_connection struct connection connection = CONNECTION_CLOSED;
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("GET");

	if (dockapi_path(&call, err, "/version") || connection_open(cli, &connection, err))
		return -1;
	snprintf(api, size, "%s", dockapi_version(connection.api));
	return connection_json(&connection, &call, ret_server, err);
}

static const char *machine_arch(const char *machine)
{
	if (!strcmp(machine, "x86_64"))
		return "amd64";
	return strcmp(machine, "aarch64") ? machine : "arm64";
}

static json_t *about_client(const char *api)
{
	struct utsname uts;

	uname(&uts);
	return json_pack("{s:{s:s}, s:s, s:s, s:s, s:s, s:s}", "Platform", "Name", "shale", "Version",
			 SHALE_VERSION, "ApiVersion", api, "DefaultAPIVersion", DOCKAPI_VERSION, "Os",
			 "linux", "Arch", machine_arch(uts.machine));
}

static void print_client(const json_t *client)
{
	bool is_lower = strcmp(json_text(client, "ApiVersion"), DOCKAPI_VERSION) != 0;

	printf("Client: shale\n Version:           %s\n API version:       %s%s\n OS/Arch:           %s/%s\n",
	       json_text(client, "Version"), json_text(client, "ApiVersion"),
	       is_lower ? " (downgraded from " DOCKAPI_VERSION ")" : "", json_text(client, "Os"),
	       json_text(client, "Arch"));
}

static void print_server(const json_t *server)
{
	printf("\nServer: %s\n Engine:\n  Version:          %s\n  API version:      %s (minimum version %s)\n"
	       "  OS/Arch:          %s/%s\n  Kernel:           %s\n",
	       json_text(json_object_get(server, "Platform"), "Name"), json_text(server, "Version"),
	       json_text(server, "ApiVersion"), json_text(server, "MinAPIVersion"),
	       json_text(server, "Os"), json_text(server, "Arch"), json_text(server, "KernelVersion"));
}

static int print_template(const struct template *template, const json_t *json)
{
	__cleanup_buf struct buf out = BUF_INIT;
	struct shale_err err = { 0 };

	if (template_render(template, json, &out, &err)) {
		shale_err_wrap(&err, "--format");
		return cli_fail(&err);
	}
	puts(buf_str(&out));
	return EXIT_SUCCESS;
}

/* What this program is is told also when there is no daemon. */
static int run_version(const struct cli *cli, const struct template *template)
{
	char api[16] = DOCKAPI_VERSION;
	json_t *server = json_null();
	struct shale_err err = { 0 };
	int ret = fetch_version(cli, &server, api, sizeof(api), &err);
	__cleanup_json json_t *json = json_pack("{s:o, s:o}", "Client", about_client(api), "Server",
						server);
	int status = EXIT_SUCCESS;

	if (template)
		status = print_template(template, json);
	else
		print_client(json_object_get(json, "Client"));
	if (ret)
		return cli_fail(&err);
	if (!template)
		print_server(json_object_get(json, "Server"));
	return status;
}

int cmd_version(struct cli *cli, int argc, char **argv)
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
	if (optind < argc)
		return cli_usage(cli, "too many arguments");
	if (format &&
	    template_parse(strcmp(format, "json") ? format : "{{json .}}", &template, &err))
		return cli_usage(cli, "--format: %s", err.msg);
	return run_version(cli, template);
}
