// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale images: docker's columns, or one JSON object a line with docker's keys.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shale/shale.h"
#include "shale/table.h"

#define SHORT_ID 12

struct images_view {
	bool quiet;
	bool no_trunc;
	bool digests;
	bool json;
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

static int print_json(const struct images_view *view, const struct shale_image *image)
{
	char id[SHALE_DIGEST_TEXT], created[64], age[64], size[32];
	json_t *json;

	print_id(view, image, id, sizeof(id));
	print_created(image->created, created, sizeof(created));
	json = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "Containers", "N/A",
			 "CreatedAt", created, "CreatedSince",
			 table_age(image->created, view->now, age, sizeof(age)), "Digest",
			 view->digests ? image->digest : "<none>", "ID", id, "Repository",
			 or_none(image->repository), "SharedSize", "N/A", "Size",
			 table_size(image->size, size, sizeof(size)), "Tag", or_none(image->tag),
			 "UniqueSize", "N/A");
	if (!json)
		return -1;
	json_dumpf(json, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(json);
	return 0;
}

static int add_row(const struct images_view *view, const struct shale_image *image,
		   struct table *table)
{
	char id[SHALE_DIGEST_TEXT], age[64], size[32];
	const char *cells[TABLE_MAX_COLUMNS];
	size_t n = 0;

	print_id(view, image, id, sizeof(id));
	cells[n++] = or_none(image->repository);
	cells[n++] = or_none(image->tag);
	if (view->digests)
		cells[n++] = image->digest;
	cells[n++] = id;
	cells[n++] = table_age(image->created, view->now, age, sizeof(age));
	cells[n++] = table_size(image->size, size, sizeof(size));
	return table_add(table, cells);
}

static int print_table(const struct images_view *view, const struct shale_image_list *list)
{
	static const char *const plain[] = { "REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE" };
	static const char *const digests[] = { "REPOSITORY", "TAG",	"DIGEST",
					       "IMAGE ID",   "CREATED", "SIZE" };
	struct table table;
	int ret = 0;

	table_init(&table, view->digests ? 6 : 5);
	ret = table_add(&table, view->digests ? digests : plain);
	for (size_t i = 0; !ret && i < list->count; i++)
		ret = add_row(view, &list->images[i], &table);
	if (!ret)
		table_print(&table);
	table_release(&table);
	return ret;
}

static int print_lines(const struct images_view *view, const struct shale_image_list *list)
{
	char id[SHALE_DIGEST_TEXT];

	for (size_t i = 0; i < list->count; i++) {
		if (view->json && !view->quiet) {
			if (print_json(view, &list->images[i]) < 0)
				return -1;
			continue;
		}
		print_id(view, &list->images[i], id, sizeof(id));
		puts(id);
	}
	return 0;
}

static int list_images(const struct cli *cli, struct images_view *view, const char *filter)
{
	struct shale_opts opts = { .root = cli->root };
	struct shale_image_list list = { 0 };
	struct shale_err err = { 0 };
	int ret;

	if (shale_images(&opts, filter, &list, &err) < 0)
		return cli_fail(&err);
	view->now = time(NULL);
	ret = view->quiet || view->json ? print_lines(view, &list) : print_table(view, &list);
	shale_image_list_free(&list);
	if (!ret)
		return EXIT_SUCCESS;
	fputs("shale: out of memory\n", stderr);
	return EXIT_FAILURE;
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
			view.json = !strcmp(optarg, "json");
			if (!view.json && strcmp(optarg, "table"))
				return cli_usage(cli, "--format is 'table' or 'json', not '%s'",
						 optarg);
			break;
		default:
			return status;
		}
	}
	if (argc - optind > 1)
		return cli_usage(cli, "too many arguments");
	return list_images(cli, &view, argv[optind]);
}
