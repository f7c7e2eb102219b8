// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale stat: which layers of its mount have a file's bytes, as text like stat(1)'s with a table of ranges, or as
 * one JSON object a line. What cannot be asked about does not keep the other files from it.
 */
#include "shale/shale.h"

#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "kapi/ioctl.h"
#include "shale/file.h"
#include "shale/table.h"

struct stat_view {
	bool is_json;
	bool is_first; /* nothing was printed yet */
};

/* What is printed about one file: its map, and the names of the layers that are in it. */
struct file_view {
	const char *name;
	int fd;
	struct ioctl_file_map map;
	char **layers; /* by index; NULL: not in the map */
	uint32_t nr_layers;
};

static void file_view_release(struct file_view *view)
{
	fd_closep(&view->fd);
	ioctl_file_map_release(&view->map);
	for (uint32_t i = 0; i < view->nr_layers; i++)
		free(view->layers[i]);
	free(view->layers);
}

static int layer_name(struct file_view *view, uint32_t index, struct shale_err *err)
{
	struct ioctl_layer layer;

	if (index < view->nr_layers && view->layers[index])
		return 0;
	if (ioctl_stack(view->fd, index, &layer, err))
		return -1;
	if (!view->layers) {
		view->layers = calloc(layer.count, sizeof(*view->layers));
		if (!view->layers) {
			free(layer.path);
			return shale_err_set(err, ENOMEM, "out of memory for the layers' names");
		}
		view->nr_layers = layer.count;
	}
	view->layers[index] = layer.path;
	return 0;
}

static int file_view_fill(struct file_view *view, struct shale_err *err)
{
	if (file_open(view->name, O_RDONLY, &view->fd, err))
		return -1;
	if (ioctl_file_map(view->fd, &view->map, err))
		return -1;
	if (layer_name(view, view->map.layer, err))
		return -1;
	for (size_t i = 0; i < view->map.nr; i++)
		if (layer_name(view, view->map.runs[i].layer, err))
			return -1;
	return 0;
}

static void print_bytes(const char *label, uint64_t bytes)
{
	char text[32];

	printf("%8s: %" PRIu64 " (%s)\n", label, bytes, table_size(bytes, text, sizeof(text)));
}

static void print_head(const struct file_view *view)
{
	printf("%8s: %s\n", "File", view->name);
	print_bytes("Size", view->map.size);
	print_bytes("Owned", view->map.owned);
	print_bytes("Shared", view->map.shared);
	printf("%8s: %s%s\n", "Layer", view->layers[view->map.layer],
	       view->map.is_partial ? " (needs layers below)" : "");
}

static int print_runs(const struct file_view *view)
{
	static const char *const heads[] = { "OFFSET", "LENGTH", "LAYER" };
	struct table table;
	int ret;

	table_init(&table, 3);
	ret = table_add(&table, heads);
	for (size_t i = 0; !ret && i < view->map.nr; i++) {
		const struct shale_file_run *run = &view->map.runs[i];
		char offset[24], length[24];
		const char *const cells[] = { offset, length, view->layers[run->layer] };

		snprintf(offset, sizeof(offset), "%" PRIu64, (uint64_t)run->offset);
		snprintf(length, sizeof(length), "%" PRIu64, (uint64_t)run->length);
		ret = table_add(&table, cells);
	}
	if (!ret)
		table_print(&table);
	table_release(&table);
	return ret;
}

static json_t *runs_json(const struct file_view *view)
{
	json_t *runs = json_array();

	for (size_t i = 0; runs && i < view->map.nr; i++) {
		const struct shale_file_run *run = &view->map.runs[i];
		json_t *one = json_pack("{s:I, s:I, s:s}", "Offset", (json_int_t)run->offset, "Length",
					(json_int_t)run->length, "Layer", view->layers[run->layer]);

		if (json_array_append_new(runs, one)) {
			json_decref(runs);
			return NULL;
		}
	}
	return runs;
}

static int print_json(const struct file_view *view)
{
	const struct ioctl_file_map *map = &view->map;
	json_t *json = json_pack("{s:s, s:I, s:I, s:I, s:s, s:b, s:o}", "File", view->name, "Size",
				 (json_int_t)map->size, "Owned", (json_int_t)map->owned, "Shared",
				 (json_int_t)map->shared, "Layer", view->layers[map->layer], "Partial",
				 map->is_partial, "Ranges", runs_json(view));
	int ret = json ? json_dumpf(json, stdout, JSON_COMPACT) : -1;

	json_decref(json);
	if (!ret)
		putchar('\n');
	return ret;
}

static int print_text(struct stat_view *stat, const struct file_view *view)
{
	if (!stat->is_first)
		putchar('\n');
	stat->is_first = false;
	print_head(view);
	return view->map.nr ? print_runs(view) : 0;
}

static int stat_file(struct stat_view *stat, const char *name, struct shale_err *err)
{
	__cleanup(file_view_release) struct file_view view = { .name = name, .fd = -1 };

	if (file_view_fill(&view, err))
		return shale_err_wrap(err, "%s", name);
	if (stat->is_json ? print_json(&view) : print_text(stat, &view))
		return shale_err_set(err, ENOMEM, "%s: cannot be printed", name);
	return 0;
}

int cmd_stat(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONGS,
		{ "format", required_argument, NULL, 'f' },
		{ 0 },
	};
	struct stat_view stat = { .is_first = true };
	struct shale_err err = { 0 };
	int opt, status = EXIT_SUCCESS;

	while ((opt = cli_getopt(cli, argc, argv, ":", longs, &status)) != -1) {
		if (opt == CLI_DONE)
			return status;
		stat.is_json = !strcmp(optarg, "json");
		if (!stat.is_json && strcmp(optarg, "table"))
			return cli_usage(cli, "--format %s is neither table nor json", optarg);
	}
	if (optind == argc)
		return cli_usage(cli, "which file?");
	for (; optind < argc; optind++)
		if (stat_file(&stat, argv[optind], &err))
			status = cli_fail(&err);
	return status;
}
