// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale system df: docker's columns. Where docker has only layers, a store has the blobs they came as,
 * too, and downloads that were broken off, which are lines of their own.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shale/shale.h"
#include "shale/table.h"

#define SHORT_ID 12

struct df_line {
	const char *type;
	const struct shale_df_total *usage;
};

/* What a line's cells hold. */
struct df_cells {
	char total[24], active[24], size[32], reclaimable[48];
};

static void fill_cells(const struct shale_df_total *usage, struct df_cells *cells)
{
	char size[32];

	snprintf(cells->total, sizeof(cells->total), "%" PRIu64, usage->total);
	snprintf(cells->active, sizeof(cells->active), "%" PRIu64, usage->active);
	table_size(usage->size, cells->size, sizeof(cells->size));
	table_size(usage->reclaimable, size, sizeof(size));
	if (usage->size)
		snprintf(cells->reclaimable, sizeof(cells->reclaimable), "%s (%d%%)", size,
			 (int)(100.0 * usage->reclaimable / usage->size));
	else
		snprintf(cells->reclaimable, sizeof(cells->reclaimable), "%s", size);
}

static int print_json(const struct df_line *line)
{
	struct df_cells cells;
	json_t *json;
	int ret;

	fill_cells(line->usage, &cells);
	json = json_pack("{s:s, s:s, s:s, s:s, s:s}", "Active", cells.active, "Reclaimable",
			 cells.reclaimable, "Size", cells.size, "TotalCount", cells.total, "Type",
			 line->type);
	ret = json ? json_dumpf(json, stdout, JSON_COMPACT) : -1;
	json_decref(json);
	putchar('\n');
	return ret;
}

static int add_line(struct table *table, const struct df_line *line)
{
	struct df_cells cells;

	fill_cells(line->usage, &cells);
	return table_add(table, (const char *const[]){ line->type, cells.total, cells.active,
						       cells.size, cells.reclaimable });
}

static int print_sums(const struct shale_df *df, bool is_json)
{
	static const char *const head[] = { "TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE" };
	const struct df_line lines[] = {
		{ "Images", &df->images },
		{ "Containers", &df->containers },
		{ "Blobs", &df->blobs },
		{ "Downloads", &df->downloads },
	};
	struct table table;
	int ret = 0;

	table_init(&table, 5);
	if (!is_json)
		ret = table_add(&table, head);
	for (size_t i = 0; !ret && i < sizeof(lines) / sizeof(*lines); i++)
		ret = is_json ? print_json(&lines[i]) : add_line(&table, &lines[i]);
	if (!ret)
		table_print(&table);
	table_release(&table);
	return ret;
}

static const struct shale_df_image *find_image(const struct shale_df *df, const char *digest)
{
	static const struct shale_df_image none;

	for (size_t i = 0; i < df->image_count; i++)
		if (!strcmp(df->image_list[i].digest, digest))
			return &df->image_list[i];
	/* It came in between. */
	return &none;
}

static int add_image(struct table *table, const struct shale_df *df,
		     const struct shale_image *image, int64_t now)
{
	const struct shale_df_image *sizes = find_image(df, image->digest);
	char id[SHORT_ID + 1], age[64], size[32], shared[32], unique[32], containers[24];

	snprintf(id, sizeof(id), "%.*s", SHORT_ID, strchr(image->id, ':') + 1);
	snprintf(containers, sizeof(containers), "%" PRIu64, sizes->containers);
	return table_add(table, (const char *const[]){
		image->repository ? image->repository : "<none>",
		image->tag ? image->tag : "<none>", id,
		table_age(image->created, now, age, sizeof(age)),
		table_size(image->size, size, sizeof(size)),
		table_size(sizes->shared, shared, sizeof(shared)),
		table_size(sizes->unique, unique, sizeof(unique)), containers });
}

static int print_images(const struct shale_df *df, const struct shale_image_list *list, int64_t now)
{
	static const char *const head[] = { "REPOSITORY", "TAG",	 "IMAGE ID",	"CREATED",
					    "SIZE",	  "SHARED SIZE", "UNIQUE SIZE", "CONTAINERS" };
	struct table table;
	int ret;

	table_init(&table, 8);
	ret = table_add(&table, head);
	for (size_t i = 0; !ret && i < list->count; i++)
		ret = add_image(&table, df, &list->images[i], now);
	puts("Images space usage:\n");
	if (!ret)
		table_print(&table);
	table_release(&table);
	return ret;
}

static int print_containers(const struct shale_df *df, int64_t now)
{
	static const char *const head[] = { "CONTAINER ID", "IMAGE", "SIZE", "CREATED", "STATUS" };
	char id[SHORT_ID + 1], age[64], size[32];
	struct table table;
	int ret;

	table_init(&table, 5);
	ret = table_add(&table, head);
	for (size_t i = 0; !ret && i < df->container_count; i++) {
		const struct shale_df_container *one = &df->container_list[i];

		snprintf(id, sizeof(id), "%.*s", SHORT_ID,
			 one->image[0] ? strchr(one->image, ':') + 1 : "<none>");
		ret = table_add(&table, (const char *const[]){
			one->id, id, table_size(one->size, size, sizeof(size)),
			table_age(one->created, now, age, sizeof(age)),
			one->is_mounted ? "Mounted" : "Not mounted" });
	}
	puts("\nContainers space usage:\n");
	if (!ret)
		table_print(&table);
	table_release(&table);
	return ret;
}

static int print_details(const struct shale_opts *opts, const struct shale_df *df,
			 struct shale_err *err)
{
	struct shale_image_list list = { 0 };
	int64_t now = time(NULL);
	char size[32];
	int ret;

	if (shale_images(opts, NULL, &list, err) < 0)
		return -1;
	ret = print_images(df, &list, now) || print_containers(df, now);
	shale_image_list_free(&list);
	if (ret) {
		snprintf(err->msg, sizeof(err->msg), "out of memory");
		return -1;
	}
	printf("\nBlobs space usage: %s\n", table_size(df->blobs.size, size, sizeof(size)));
	printf("\nDownloads space usage: %s\n", table_size(df->downloads.size, size, sizeof(size)));
	return 0;
}

static int run_df(const struct cli *cli, bool is_verbose, bool is_json)
{
	struct shale_opts opts = { .root = cli->root };
	struct shale_df df = { .image_count = 0 };
	struct shale_err err = { .msg = "out of memory" };
	int ret;

	if (shale_df(&opts, &df, &err) < 0)
		return cli_fail(&err);
	ret = is_verbose ? print_details(&opts, &df, &err) : print_sums(&df, is_json);
	shale_df_free(&df);
	return ret ? cli_fail(&err) : EXIT_SUCCESS;
}

int cmd_system_df(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONGS,
		{ "verbose", no_argument, NULL, 'v' },
		{ "format", required_argument, NULL, 'F' },
		{ 0 },
	};
	bool is_verbose = false, is_json = false;
	int opt, status;

	while ((opt = cli_getopt(cli, argc, argv, ":v", longs, &status)) != -1) {
		if (opt == CLI_DONE)
			return status;
		if (opt == 'v') {
			is_verbose = true;
			continue;
		}
		is_json = !strcmp(optarg, "json");
		if (!is_json && strcmp(optarg, "table"))
			return cli_usage(cli, "--format is 'table' or 'json', not '%s'", optarg);
	}
	if (optind < argc)
		return cli_usage(cli, "too many arguments");
	if (is_verbose && is_json)
		return cli_usage(cli, "-v is a table");
	return run_df(cli, is_verbose, is_json);
}
