// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale diff: what changed in a writable layer, a line a path: C for changed, A for added, D for deleted; or how much it
 * takes.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "shale/shale.h"
#include "shale/table.h"

static void print_changes(const json_t *rows)
{
	static const char letters[] = "CAD";

	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);
		json_int_t kind = json_integer_value(json_object_get(row, "Kind"));

		printf("%c %s\n", letters[kind],
		       json_string_value(json_object_get(row, "Path")));
	}
}

static int show_changes(const struct shale_opts *opts, const char *name)
{
	__cleanup_free char *text = NULL;
	struct shale_err err = { 0 };
	json_t *rows;

	if (shale_diff(opts, name, &text, &err) < 0)
		return cli_fail(&err);
	rows = json_loads(text, 0, NULL);
	print_changes(rows);
	json_decref(rows);
	return EXIT_SUCCESS;
}

static int show_size(const struct shale_opts *opts, const char *name)
{
	struct shale_usage usage;
	struct shale_err err = { 0 };
	char size[32];

	if (shale_usage(opts, name, &usage, &err) < 0)
		return cli_fail(&err);
	printf("%llu files, %s\n", (unsigned long long)usage.inodes,
	       table_size(usage.bytes, size, sizeof(size)));
	return EXIT_SUCCESS;
}

int cmd_diff(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONGS,
		{ "size", no_argument, NULL, 's' },
		{ 0 },
	};
	struct shale_opts opts = { .root = NULL };
	bool wants_size = false;
	int opt, status = 0;

	while ((opt = cli_getopt(cli, argc, argv, ":s", longs, &status)) != -1) {
		if (opt == CLI_DONE)
			return status;
		wants_size = true;
	}
	if (argc - optind != 1)
		return cli_usage(cli, "which writable layer, by its ID or where it is mounted?");
	opts.root = cli->root;
	return wants_size ? show_size(&opts, argv[optind]) : show_changes(&opts, argv[optind]);
}
