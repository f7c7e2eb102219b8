// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale images: docker's columns, JSON with docker's keys, or what a template makes of them.
 */
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "shale/format.h"
#include "shale/table.h"

#define SHORT_ID 12

struct images_view {
	bool quiet;
	bool no_trunc;
	bool digests;
	const char *wanted; /* --format */
	int64_t now;
};

static const char *or_none(const char *text)
{
	return text ? text : "<none>";
}

static void print_id(const struct images_view *view, const struct shale_image *image, char *text,
		     size_t len)
{
	if (view->no_trunc)
		snprintf(text, len, "%s", image->id);
	else
		snprintf(text, len, "%.*s", SHORT_ID, strchr(image->id, ':') + 1);
}

static void print_created(int64_t created, char *text, size_t len)
{
	time_t when = created;
	struct tm tm;

	if (!created || !localtime_r(&when, &tm) ||
	    !strftime(text, len, "%Y-%m-%d %H:%M:%S %z %Z", &tm))
		snprintf(text, len, "N/A");
}

static const struct format_field fields[] = {
	{ "ID", "IMAGE ID" },
	{ "Repository", "REPOSITORY" },
	{ "Tag", "TAG" },
	{ "Digest", "DIGEST" },
	{ "CreatedSince", "CREATED" },
	{ "CreatedAt", "CREATED AT" },
	{ "Size", "SIZE" },
	{ "Containers", "CONTAINERS" },
	{ "SharedSize", "SHARED SIZE" },
	{ "UniqueSize", "UNIQUE SIZE" },
	{ NULL, NULL },
};

#define TABLE_TEXT "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}"
#define TABLE_DIGESTS_TEXT                                                                         \
	"{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}"

static json_t *make_row(const struct images_view *view, const struct shale_image *image)
{
	char id[SHALE_DIGEST_TEXT], created[64], age[64], size[32];

	print_id(view, image, id, sizeof(id));
	print_created(image->created, created, sizeof(created));
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "Containers", "N/A",
			 "CreatedAt", created, "CreatedSince",
			 table_age(image->created, view->now, age, sizeof(age)), "Digest",
			 view->digests ? image->digest : "<none>", "ID", id, "Repository",
			 or_none(image->repository), "SharedSize", "N/A", "Size",
			 table_size(image->size, size, sizeof(size)), "Tag", or_none(image->tag),
			 "UniqueSize", "N/A");
}

static int print_images(const struct cli *cli, const struct images_view *view,
			const struct shale_image_list *list)
{
	struct format format = {
		.wanted = view->quiet ? "{{.ID}}" : view->wanted,
		.table = view->digests ? TABLE_DIGESTS_TEXT : TABLE_TEXT,
		.fields = fields,
	};
	struct shale_err err = { 0 };
	json_t *rows = json_array();
	int status = EXIT_SUCCESS;

	for (size_t i = 0; status == EXIT_SUCCESS && i < list->count; i++)
		if (json_array_append_new(rows, make_row(view, &list->images[i]))) {
			shale_err_set(&err, ENOMEM, "out of memory");
			status = cli_fail(&err);
		}
	if (status == EXIT_SUCCESS)
		status = format_print(cli, &format, rows);
	json_decref(rows);
	return status;
}

static int list_images(const struct cli *cli, struct images_view *view, const char *filter)
{
	struct shale_opts opts = { .root = cli->root };
	struct shale_image_list list = { 0 };
	struct shale_err err = { 0 };
	int status;

	if (shale_images(&opts, filter, &list, &err) < 0)
		return cli_fail(&err);
	view->now = time(NULL);
	status = print_images(cli, view, &list);
	shale_image_list_free(&list);
	return status;
}

enum { OPT_NO_TRUNC = 1, OPT_DIGESTS, OPT_FORMAT };

int cmd_images(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONGS,
		{ "quiet", no_argument, NULL, 'q' },
		{ "no-trunc", no_argument, NULL, OPT_NO_TRUNC },
		{ "digests", no_argument, NULL, OPT_DIGESTS },
		{ "format", required_argument, NULL, OPT_FORMAT },
		{ 0 },
	};
	struct images_view view = { 0 };
	int status = 0;
	int opt;

	while ((opt = cli_getopt(cli, argc, argv, ":q", longs, &status)) != -1) {
		switch (opt) {
		case 'q':
			view.quiet = true;
			break;
		case OPT_NO_TRUNC:
			view.no_trunc = true;
			break;
		case OPT_DIGESTS:
			view.digests = true;
			break;
		case OPT_FORMAT:
			view.wanted = optarg;
			break;
		default:
			return status;
		}
	}
	if (argc - optind > 1)
		return cli_usage(cli, "too many arguments");
	return list_images(cli, &view, argv[optind]);
}
