// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale inspect: all about each image as one JSON array, or by a template. As with docker, those
 * that are there are printed also if another is not.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "shale/shale.h"
#include "shale/template.h"

#define INDENT 4

static int add_image(const struct cli *cli, const char *name, json_t *list)
{
	struct shale_opts opts = { .root = cli->root };
	__cleanup_free char *text = NULL;
	struct shale_err err = { 0 };

	if (shale_inspect(&opts, name, &text, &err) < 0)
		return cli_fail(&err);
	if (json_array_append_new(list, json_loads(text, 0, NULL))) {
		shale_err_set(&err, ENOMEM, "out of memory");
		return cli_fail(&err);
	}
	return EXIT_SUCCESS;
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

static int inspect_all(struct cli *cli, int argc, char **argv, const struct template *template)
{
	json_t *list = json_array();
	int status = EXIT_SUCCESS;
	int printed;

	for (int i = 0; i < argc; i++)
		if (add_image(cli, argv[i], list) != EXIT_SUCCESS)
			status = EXIT_FAILURE;
	printed = template ? print_template(template, list) : print_list(list);
	json_decref(list);
	return printed == EXIT_SUCCESS ? status : printed;
}

int cmd_inspect(struct cli *cli, int argc, char **argv)
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
		return cli_usage(cli, "which image is to be inspected?");
	if (format &&
	    template_parse(strcmp(format, "json") ? format : "{{json .}}", &template, &err))
		return cli_usage(cli, "--format: %s", err.msg);
	return inspect_all(cli, argc - optind, argv + optind, template);
}
