// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale info: what the daemon says about itself, its store and the machine, in docker's words.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "shale/fetch.h"
#include "shale/show.h"
#include "shale/table.h"
#include "shale/template.h"
#include "store/json.h"

enum value_kind {
	VALUE_TEXT,
	VALUE_NUMBER,
	VALUE_BYTES,
	VALUE_BOOL,
	VALUE_STATUS, /* the driver's pairs */
};

static const struct {
	const char *label;
	const char *key;
	enum value_kind kind;
} lines[] = {
	{ " Containers", "Containers", VALUE_NUMBER },
	{ "  Running", "ContainersRunning", VALUE_NUMBER },
	{ "  Paused", "ContainersPaused", VALUE_NUMBER },
	{ "  Stopped", "ContainersStopped", VALUE_NUMBER },
	{ " Images", "Images", VALUE_NUMBER },
	{ " Server Version", "ServerVersion", VALUE_TEXT },
	{ " Storage Driver", "Driver", VALUE_TEXT },
	{ NULL, "DriverStatus", VALUE_STATUS },
	{ " Kernel Version", "KernelVersion", VALUE_TEXT },
	{ " Operating System", "OperatingSystem", VALUE_TEXT },
	{ " OSType", "OSType", VALUE_TEXT },
	{ " Architecture", "Architecture", VALUE_TEXT },
	{ " CPUs", "NCPU", VALUE_NUMBER },
	{ " Total Memory", "MemTotal", VALUE_BYTES },
	{ " Name", "Name", VALUE_TEXT },
	{ " ID", "ID", VALUE_TEXT },
	{ " Root Dir", "DockerRootDir", VALUE_TEXT },
	{ " Debug Mode", "Debug", VALUE_BOOL },
};

/* Memory is told in units of 1024, as docker does. */
static void print_memory(json_int_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double size = bytes;
	size_t unit = 0;

	for (; size >= 1024 && unit + 1 < sizeof(units) / sizeof(*units); unit++)
		size /= 1024;
	printf("%.4g%s\n", size, units[unit]);
}

static void print_status(const json_t *pairs)
{
	for (size_t i = 0; i < json_array_size(pairs); i++) {
		const json_t *pair = json_array_get(pairs, i);

		printf("  %s: %s\n", json_string_value(json_array_get(pair, 0)),
		       json_string_value(json_array_get(pair, 1)));
	}
}

static void print_info(const json_t *info)
{
	printf("Client: shale\n Version:    " SHALE_VERSION "\n\nServer:\n");
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		const json_t *value = json_object_get(info, lines[i].key);

		if (lines[i].label)
			printf("%s: ", lines[i].label);
		if (lines[i].kind == VALUE_STATUS)
			print_status(value);
		else if (lines[i].kind == VALUE_BYTES)
			print_memory(json_integer_value(value));
		else if (lines[i].kind == VALUE_NUMBER)
			printf("%lld\n", (long long)json_integer_value(value));
		else if (lines[i].kind == VALUE_BOOL)
			puts(json_is_true(value) ? "true" : "false");
		else
			puts(json_text(info, lines[i].key));
	}
}

static int print_template(const struct template *template, json_t *info)
{
	__cleanup_buf struct buf out = BUF_INIT;
	struct shale_err err = { 0 };

	json_object_set_new(info, "ClientInfo",
			    json_pack("{s:b, s:s, s:s}", "Debug", 0, "Version", SHALE_VERSION,
				      "DefaultAPIVersion", DOCKAPI_VERSION));
	if (template_render(template, info, &out, &err)) {
		shale_err_wrap(&err, "--format");
		return cli_fail(&err);
	}
	puts(buf_str(&out));
	return EXIT_SUCCESS;
}

int cmd_info(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONGS,
		{ "format", required_argument, NULL, 'f' },
		{ 0 },
	};
	__cleanup_template struct template *template = NULL;
	__cleanup_json json_t *info = NULL;
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
	if (fetch_get(cli, "/info", NULL, &info, &err))
		return cli_fail(&err);
	if (template)
		return print_template(template, info);
	print_info(info);
	return EXIT_SUCCESS;
}
