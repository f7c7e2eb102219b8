// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale import: shows progress on a terminal, cancels cleanly on SIGINT and SIGTERM, and prints the
 * images it brought in.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "shale/interrupt.h"
#include "shale/progress.h"
#include "shale/shale.h"

struct import_view {
	struct progress progress;
	bool quiet;
};

static int show(void *arg, const struct shale_event *event)
{
	struct import_view *view = arg;

	if (event->kind != SHALE_EVENT_IMAGE) {
		if (!view->quiet)
			progress_show(&view->progress, event);
		return interrupt_came();
	}
	if (view->quiet)
		puts(event->id);
	else if (event->name)
		printf("Loaded image: %s\n", event->name);
	else
		printf("Loaded image ID: %s\n", event->id);
	return 0;
}

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

static int run_import(const struct cli *cli, const struct shale_import_opts *import, bool quiet)
{
	struct import_view view = { .quiet = quiet };
	struct shale_opts opts = { .root = cli->root, .progress = show, .arg = &view };
	struct shale_err err = { 0 };

	progress_init(&view.progress, stderr);
	interrupt_catch();
	if (shale_import(&opts, import, &err) < 0)
		return cli_fail(&err);
	return EXIT_SUCCESS;
}

enum { OPT_MAX_LAYER = 1 };

int cmd_import(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONGS,
		{ "tag", required_argument, NULL, 't' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "max-layer-size", required_argument, NULL, OPT_MAX_LAYER },
		{ 0 },
	};
	struct shale_import_opts import = { 0 };
	bool quiet = false;
	int status = 0;
	int opt;

	while ((opt = cli_getopt(cli, argc, argv, ":t:q", longs, &status)) != -1) {
		switch (opt) {
		case 't':
			import.name = optarg;
			break;
		case 'q':
			quiet = true;
			break;
		case OPT_MAX_LAYER:
			if (!parse_size(optarg, &import.max_layer_bytes))
				return cli_usage(cli, "'%s' is not a size", optarg);
			break;
		default:
			return status;
		}
	}
	if (argc - optind != 1)
		return cli_usage(cli, "one archive or directory to import is needed");
	import.source = argv[optind];
	return run_import(cli, &import, quiet);
}
