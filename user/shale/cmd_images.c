// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale images: docker's columns, a row for each name an image has; JSON with docker's keys, or what a template makes of
 * them.
 */
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shale/connection.h"
#include "shale/filters.h"
#include "shale/format.h"
#include "shale/image_rows.h"
#include "store/json.h"

#define TABLE_TEXT "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}"
#define TABLE_DIGESTS_TEXT                                                                         \
	"{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}"
#define RAW_TEXT                                                                                   \
	"repository: {{.Repository}}\ntag: {{.Tag}}\nimage_id: {{.ID}}\ncreated_at: {{.CreatedAt}}\n" \
	"virtual_size: {{.Size}}\n"

struct images {
	struct image_rows_view view;
	struct filters filters;
	const char *wanted; /* --format */
	bool quiet;
	bool all;
};

static int fetch_images(const struct cli *cli, const struct images *images, json_t **ret_list,
			struct shale_err *err)
{
	__cleanup_connection struct connection connection = CONNECTION_CLOSED;
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("GET");

	if (dockapi_path(&call, err, "/images/json") ||
	    filters_query(&images->filters, &call, err) ||
	    dockapi_query(&call, "all", images->all ? "1" : NULL, err) ||
	    connection_open(cli, &connection, err))
		return -1;
	return connection_json(&connection, &call, ret_list, err);
}

static int print_images(const struct cli *cli, struct images *images, const json_t *list)
{
	struct format format = {
		.wanted = images->wanted,
		.table = images->view.digests ? TABLE_DIGESTS_TEXT : TABLE_TEXT,
		.raw = RAW_TEXT,
		.quiet = images->quiet ? "{{.ID}}" : NULL,
		.fields = image_rows_fields,
	};
	__cleanup_json json_t *rows = json_array();
	struct shale_err err = { 0 };

	/* What is not shown by --digests is shown to who asks for it. */
	images->view.wants_digest = images->view.digests ||
				    (images->wanted && strstr(images->wanted, "{{.Digest}}"));
	images->view.now = time(NULL);
	for (size_t i = 0; i < json_array_size(list); i++)
		if (image_rows_add(&images->view, json_array_get(list, i), rows)) {
			shale_err_set(&err, ENOMEM, "out of memory");
			return cli_fail(&err);
		}
	return format_print(cli, &format, rows);
}

static int list_images(const struct cli *cli, struct images *images)
{
	__cleanup_json json_t *list = NULL;
	struct shale_err err = { 0 };

	if (format_check(cli, images->wanted) != EXIT_SUCCESS)
		return EXIT_USAGE;
	if (fetch_images(cli, images, &list, &err))
		return cli_fail(&err);
	return print_images(cli, images, list);
}

enum { OPT_NO_TRUNC = 1, OPT_DIGESTS, OPT_FORMAT };

static const struct option longs[] = {
	CLI_LONGS,
	{ "all", no_argument, NULL, 'a' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "no-trunc", no_argument, NULL, OPT_NO_TRUNC },
	{ "digests", no_argument, NULL, OPT_DIGESTS },
	{ "filter", required_argument, NULL, 'f' },
	{ "format", required_argument, NULL, OPT_FORMAT },
	{ 0 },
};

/* The exit status when something makes no sense, otherwise 0. */
static int take_option(const struct cli *cli, int opt, struct images *images)
{
	switch (opt) {
	case 'a':
		images->all = true;
		return 0;
	case 'q':
		images->quiet = true;
		return 0;
	case OPT_NO_TRUNC:
		images->view.no_trunc = true;
		return 0;
	case OPT_DIGESTS:
		images->view.digests = true;
		return 0;
	case OPT_FORMAT:
		images->wanted = optarg;
		return 0;
	}
	return filters_option(cli, optarg, &images->filters);
}

static int run_images(struct cli *cli, int argc, char **argv, struct images *images)
{
	struct shale_err err = { 0 };
	int opt, status = 0;

	while ((opt = cli_getopt(cli, argc, argv, ":aqf:", longs, &status)) != -1) {
		if (opt == CLI_DONE)
			return status;
		status = take_option(cli, opt, images);
		if (status)
			return status;
	}
	if (argc - optind > 1)
		return cli_usage(cli, "too many arguments");
	if (argv[optind] && filters_add(&images->filters, "reference", argv[optind], &err))
		return cli_fail(&err);
	return list_images(cli, images);
}

int cmd_images(struct cli *cli, int argc, char **argv)
{
	struct images images = { .quiet = false };
	int status = run_images(cli, argc, argv, &images);

	filters_release(&images.filters);
	return status;
}
