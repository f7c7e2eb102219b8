// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale import: images from an archive or a layout, or one made from the tar of a root directory.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "shale/load.h"
#include "store/ref.h"

static const struct {
	char suffix;
	unsigned int shift;
} size_units[] = { { 'k', 10 }, { 'm', 20 }, { 'g', 30 }, { 't', 40 } };

/* "500m": docker's binary units. */
static bool parse_size(const char *text, uint64_t *ret_size)
{
	unsigned int shift = 0;
	uint64_t value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || end == text || *text == '-' || !value)
		return false;
	for (size_t i = 0; i < sizeof(size_units) / sizeof(*size_units); i++)
		if ((*end | 0x20) == size_units[i].suffix)
			shift = size_units[i].shift;
	if (shift)
		end++;
	if (*end || value > UINT64_MAX >> shift)
		return false;
	*ret_size = value << shift;
	return true;
}

enum { OPT_MAX_LAYER = 1, OPT_PLATFORM };

static const struct option longs[] = {
	CLI_LONGS,
	{ "tag", required_argument, NULL, 't' },
	{ "message", required_argument, NULL, 'm' },
	{ "change", required_argument, NULL, 'c' },
	{ "platform", required_argument, NULL, OPT_PLATFORM },
	{ "quiet", no_argument, NULL, 'q' },
	{ "max-layer-size", required_argument, NULL, OPT_MAX_LAYER },
	{ 0 },
};

/* Instructions on one command line. */
#define IMPORT_MAX_CHANGES 256

struct import {
	struct shale_import_opts opts;
	enum load_says says;
	const char *changes[IMPORT_MAX_CHANGES];
};

static int take_change(const struct cli *cli, struct import *import, const char *change)
{
	if (import->opts.change_count == IMPORT_MAX_CHANGES)
		return cli_usage(cli, "more than %d changes", IMPORT_MAX_CHANGES);
	import->changes[import->opts.change_count++] = change;
	return 0;
}

/* The exit status when something makes no sense, otherwise 0. */
static int take_option(const struct cli *cli, int opt, struct import *import)
{
	switch (opt) {
	case 't':
		import->opts.name = optarg;
		return 0;
	case 'm':
		import->opts.message = optarg;
		return 0;
	case 'c':
		return take_change(cli, import, optarg);
	case OPT_PLATFORM:
		import->opts.platform = optarg;
		return 0;
	case 'q':
		import->says = LOAD_IDS;
		return 0;
	}
	if (parse_size(optarg, &import->opts.max_layer_bytes))
		return 0;
	return cli_usage(cli, "'%s' is not a size", optarg);
}

static int call_import(struct connection *connection, const struct import *import,
		       struct shale_err *err)
{
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("POST");
	const struct shale_import_opts *opts = &import->opts;
	struct ref ref;

	if (opts->name && ref_parse(opts->name, &ref, err))
		return -1;
	if (dockapi_path(&call, err, "/images/create") || dockapi_query(&call, "fromSrc", "-", err) ||
	    dockapi_query(&call, "repo", opts->name ? ref.name : NULL, err) ||
	    dockapi_query(&call, "tag", opts->name ? ref.tag : NULL, err) ||
	    dockapi_query(&call, "message", opts->message, err) ||
	    dockapi_query(&call, "platform", opts->platform, err))
		return -1;
	for (size_t i = 0; i < opts->change_count; i++)
		if (dockapi_query(&call, "changes", import->changes[i], err))
			return -1;
	return load_send(connection, &call, opts->source, import->says, err);
}

/*
 * A daemon of the machine is sent what can be sent. What is in a directory, limits that docker's API has no word for, and
 * the import into a store of our own, which gains nothing by a way through a socket, are done here.
 */
static int run_import(const struct cli *cli, const struct import *import)
{
	__cleanup_connection struct connection connection = CONNECTION_CLOSED;
	struct shale_err err = { 0 };
	struct stat st;
	bool is_dir = stat(import->opts.source, &st) == 0 && S_ISDIR(st.st_mode);

	if (is_dir || import->opts.max_layer_bytes)
		return load_run(cli, &import->opts, import->says);
	if (connection_open_shared(cli, &connection, &err))
		return cli_fail(&err);
	if (!connection.api)
		return load_run(cli, &import->opts, import->says);
	return call_import(&connection, import, &err) ? cli_fail(&err) : EXIT_SUCCESS;
}

int cmd_import(struct cli *cli, int argc, char **argv)
{
	struct import import = { .says = LOAD_NAMES };
	struct shale_import_opts *opts = &import.opts;
	int opt, status = 0;

	while ((opt = cli_getopt(cli, argc, argv, ":t:m:c:q", longs, &status)) != -1) {
		if (opt == CLI_DONE)
			return status;
		status = take_option(cli, opt, &import);
		if (status)
			return status;
	}
	if (argc - optind != 1 && argc - optind != 2)
		return cli_usage(cli, "one archive or directory to import is needed");
	opts->source = argv[optind];
	opts->changes = import.changes;
	if (argc - optind == 2 && opts->name)
		return cli_usage(cli, "the name is given twice: '%s' and '%s'", opts->name,
				 argv[optind + 1]);
	if (argc - optind == 2)
		opts->name = argv[optind + 1];
	return run_import(cli, &import);
}
