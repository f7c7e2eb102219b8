// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale system df: docker's lines and columns, and with -v its tables. What images' blobs take, which docker does not
 * keep, is told with the latter.
 */
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shale/fetch.h"
#include "shale/format.h"
#include "shale/image_rows.h"
#include "shale/show.h"
#include "shale/table.h"
#include "store/json.h"

static const struct format_field fields[] = {
	{ "Type", "TYPE" }, { "TotalCount", "TOTAL" },	    { "Active", "ACTIVE" },
	{ "Size", "SIZE" }, { "Reclaimable", "RECLAIMABLE" }, { NULL, NULL },
};

struct df_sum {
	int64_t total;
	int64_t active;
	int64_t size;
	int64_t reclaimable;
	bool has_percent;
};

static int64_t number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static struct df_sum sum_images(const json_t *df)
{
	const json_t *images = json_object_get(df, "Images");
	struct df_sum sum = { .total = json_array_size(images),
			      .size = number_of(df, "LayersSize"),
			      .has_percent = true };

	sum.reclaimable = sum.size;
	for (size_t i = 0; i < json_array_size(images); i++) {
		const json_t *image = json_array_get(images, i);

		if (!number_of(image, "Containers"))
			continue;
		sum.active++;
		if (number_of(image, "Size") >= 0 && number_of(image, "SharedSize") >= 0)
			sum.reclaimable -= number_of(image, "Size") - number_of(image, "SharedSize");
	}
	return sum;
}

static bool is_active(const json_t *container)
{
	const char *state = json_text(container, "State");

	return !strcmp(state, "running") || !strcmp(state, "paused") || !strcmp(state, "restarting");
}

static struct df_sum sum_containers(const json_t *df)
{
	const json_t *containers = json_object_get(df, "Containers");
	struct df_sum sum = { .total = json_array_size(containers), .has_percent = true };

	for (size_t i = 0; i < json_array_size(containers); i++) {
		const json_t *one = json_array_get(containers, i);

		sum.size += number_of(one, "SizeRw");
		if (is_active(one))
			sum.active++;
		else
			sum.reclaimable += number_of(one, "SizeRw");
	}
	return sum;
}

static struct df_sum sum_volumes(const json_t *df)
{
	const json_t *volumes = json_object_get(df, "Volumes");
	struct df_sum sum = { .total = json_array_size(volumes), .has_percent = true };

	for (size_t i = 0; i < json_array_size(volumes); i++) {
		const json_t *usage = json_object_get(json_array_get(volumes, i), "UsageData");
		int64_t size = number_of(usage, "Size");

		if (number_of(usage, "RefCount") > 0)
			sum.active++;
		if (size < 0)
			continue;
		sum.size += size;
		if (!number_of(usage, "RefCount"))
			sum.reclaimable += size;
	}
	return sum;
}

static struct df_sum sum_builds(const json_t *df)
{
	const json_t *builds = json_object_get(df, "BuildCache");

	return (struct df_sum){ .total = json_array_size(builds),
				.size = number_of(df, "BuilderSize"),
				.reclaimable = number_of(df, "BuilderSize") };
}

static json_t *make_row(const char *type, struct df_sum sum)
{
	char size[32], reclaimable[32], percent[24] = "";

	if (sum.has_percent && sum.size > 0)
		snprintf(percent, sizeof(percent), " (%lld%%)",
			 (long long)(sum.reclaimable * 100 / sum.size));
	return json_pack("{s:o, s:o, s:s, s:o, s:s}", "Active",
			 json_sprintf("%lld", (long long)sum.active), "Reclaimable",
			 json_sprintf("%s%s", table_space(sum.reclaimable, reclaimable, sizeof(reclaimable)),
				      percent),
			 "Size", table_space(sum.size, size, sizeof(size)), "TotalCount",
			 json_sprintf("%lld", (long long)sum.total), "Type", type);
}

static int print_sums(const struct cli *cli, const char *wanted, const json_t *df)
{
	struct format format = {
		.wanted = wanted,
		.table = "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}",
		.fields = fields,
	};
	__cleanup_json json_t *rows = json_pack(
		"[o, o, o, o]", make_row("Images", sum_images(df)),
		make_row("Containers", sum_containers(df)),
		make_row("Local Volumes", sum_volumes(df)), make_row("Build Cache", sum_builds(df)));
	struct shale_err err = { 0 };

	if (rows)
		return format_print(cli, &format, rows);
	shale_err_set(&err, ENOMEM, "out of memory");
	return cli_fail(&err);
}

static json_t *image_table(const json_t *images)
{
	struct image_rows_view view = { .now = time(NULL) };
	json_t *rows = json_array();

	for (size_t i = 0; i < json_array_size(images); i++)
		if (image_rows_add(&view, json_array_get(images, i), rows)) {
			json_decref(rows);
			return NULL;
		}
	return rows;
}

static const struct format_field container_fields[] = {
	{ "ID", "CONTAINER ID" }, { "Image", "IMAGE" },	      { "Command", "COMMAND" },
	{ "LocalVolumes", "LOCAL VOLUMES" }, { "Size", "SIZE" }, { "RunningFor", "CREATED" },
	{ "Status", "STATUS" },	  { "Names", "NAMES" },	      { NULL, NULL },
};

static json_t *container_row(const json_t *one, int64_t now)
{
	const char *name = json_string_value(json_array_get(json_object_get(one, "Names"), 0));
	char age[64], size[32];

	return json_pack("{s:o, s:s, s:s, s:o, s:s, s:s, s:o, s:o}", "Command",
			 json_sprintf("\"%s\"", json_text(one, "Command")), "RunningFor",
			 table_age(number_of(one, "Created"), now, age, sizeof(age)), "LocalVolumes", "0",
			 "ID", show_id(json_text(one, "Id"), false), "Size",
			 table_size(number_of(one, "SizeRw"), size, sizeof(size)), "Status",
			 json_text(one, "Status"), "Image", show_id(json_text(one, "Image"), false),
			 "Names", json_string(name ? name + (*name == '/') : ""));
}

static json_t *container_table(const json_t *containers)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < json_array_size(containers); i++)
		if (json_array_append_new(rows, container_row(json_array_get(containers, i),
							      time(NULL)))) {
			json_decref(rows);
			return NULL;
		}
	return rows;
}

static const struct format_field volume_fields[] = {
	{ "Name", "VOLUME NAME" }, { "Links", "LINKS" }, { "Size", "SIZE" }, { NULL, NULL },
};

static json_t *volume_table(const json_t *volumes)
{
	json_t *rows = json_array();
	char size[32];

	for (size_t i = 0; i < json_array_size(volumes); i++) {
		const json_t *one = json_array_get(volumes, i);
		const json_t *usage = json_object_get(one, "UsageData");

		if (json_array_append_new(
			    rows, json_pack("{s:s, s:o, s:s}", "Name", json_text(one, "Name"), "Links",
					    json_sprintf("%lld", (long long)number_of(usage, "RefCount")),
					    "Size",
					    table_space(number_of(usage, "Size"), size, sizeof(size))))) {
			json_decref(rows);
			return NULL;
		}
	}
	return rows;
}

static int print_part(const struct cli *cli, const char *title, const char *table,
		      const struct format_field *part_fields, json_t *rows)
{
	struct format format = { .table = table, .fields = part_fields };
	struct shale_err err = { 0 };
	int status;

	if (!rows) {
		shale_err_set(&err, ENOMEM, "out of memory");
		return cli_fail(&err);
	}
	printf("%s space usage:\n\n", title);
	status = format_print(cli, &format, rows);
	putchar('\n');
	json_decref(rows);
	return status;
}

static int print_details(const struct cli *cli, const json_t *df)
{
	char size[32];
	int status;

	status = print_part(cli, "Images",
			    "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t"
			    "{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}",
			    image_rows_fields, image_table(json_object_get(df, "Images")));
	if (status == EXIT_SUCCESS)
		status = print_part(cli, "Containers",
				    "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t"
				    "{{.RunningFor}}\t{{.Status}}\t{{.Names}}",
				    container_fields,
				    container_table(json_object_get(df, "Containers")));
	if (status == EXIT_SUCCESS)
		status = print_part(cli, "Local Volumes", "{{.Name}}\t{{.Links}}\t{{.Size}}",
				    volume_fields, volume_table(json_object_get(df, "Volumes")));
	if (status != EXIT_SUCCESS)
		return status;
	printf("Blobs space usage: %s\n", table_space(number_of(df, "BlobsSize"), size, sizeof(size)));
	printf("Downloads space usage: %s\n",
	       table_space(number_of(df, "DownloadsSize"), size, sizeof(size)));
	return status;
}

int cmd_system_df(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONGS,
		{ "verbose", no_argument, NULL, 'v' },
		{ "format", required_argument, NULL, 'F' },
		{ 0 },
	};
	__cleanup_json json_t *df = NULL;
	const char *wanted = NULL;
	bool is_verbose = false;
	struct shale_err err = { 0 };
	int opt, status;

	while ((opt = cli_getopt(cli, argc, argv, ":v", longs, &status)) != -1) {
		if (opt == CLI_DONE)
			return status;
		if (opt == 'v')
			is_verbose = true;
		else
			wanted = optarg;
	}
	if (optind < argc)
		return cli_usage(cli, "too many arguments");
	if (is_verbose && wanted)
		return cli_usage(cli, "-v is a table");
	if (format_check(cli, wanted) != EXIT_SUCCESS)
		return EXIT_USAGE;
	if (fetch_get(cli, "/system/df", NULL, &df, &err))
		return cli_fail(&err);
	return is_verbose ? print_details(cli, df) : print_sums(cli, wanted, df);
}
