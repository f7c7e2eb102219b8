// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale import: images from an archive or a layout, or one made from the tar of a root directory.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "shale/load.h"

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

enum { OPT_MAX_LAYER = 1 };

static const struct option longs[] = {
	CLI_LONGS,
	{ "tag", required_argument, NULL, 't' },
	{ "message", required_argument, NULL, 'm' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "max-layer-size", required_argument, NULL, OPT_MAX_LAYER },
	{ 0 },
};

/* CLI_DONE with the exit status in *ret_status when there is nothing to import. */
static int parse_options(struct cli *cli, int argc, char **argv, struct shale_import_opts *import,
			 enum load_says *ret_says, int *ret_status)
{
	int opt;

	while ((opt = cli_getopt(cli, argc, argv, ":t:m:q", longs, ret_status)) != -1) {
		switch (opt) {
		case 't':
			import->name = optarg;
			break;
		case 'm':
			import->message = optarg;
			break;
		case 'q':
			*ret_says = LOAD_IDS;
			break;
		case OPT_MAX_LAYER:
			if (parse_size(optarg, &import->max_layer_bytes))
				break;
			*ret_status = cli_usage(cli, "'%s' is not a size", optarg);
			return CLI_DONE;
		default:
			return CLI_DONE;
		}
	}
	return 0;
}

int cmd_import(struct cli *cli, int argc, char **argv)
{
	struct shale_import_opts import = { 0 };
	enum load_says says = LOAD_NAMES;
	int status = 0;

	if (parse_options(cli, argc, argv, &import, &says, &status) == CLI_DONE)
		return status;
	if (argc - optind != 1 && argc - optind != 2)
		return cli_usage(cli, "one archive or directory to import is needed");
	import.source = argv[optind];
	if (argc - optind == 2 && import.name)
		return cli_usage(cli, "the name is given twice: '%s' and '%s'", import.name,
				 argv[optind + 1]);
	if (argc - optind == 2)
		import.name = argv[optind + 1];
	return load_run(cli, &import, says);
}
