// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pruning; see prune.h. Called by cmd_system_prune.c, cmd_image_prune.c and cmd_volume.c.
 */
#include "shale/prune.h"

#include <stdio.h>
#include <string.h>

#include "shale/show.h"
#include "shale/table.h"
#include "store/json.h"

static const struct {
	const char *key;
	const char *heading;
} lists[] = {
	{ "ContainersDeleted", "Deleted Containers:" },
	{ "ImagesDeleted", "Deleted Images:" },
	{ "VolumesDeleted", "Deleted Volumes:" },
};

static void print_one(const json_t *one)
{
	if (json_is_string(one))
		puts(json_string_value(one));
	else if (json_object_get(one, "Untagged"))
		printf("untagged: %s\n", json_text(one, "Untagged"));
	else
		printf("deleted: %s\n", json_text(one, "Deleted"));
}

static void print_list(struct prune *prune, const char *heading, const json_t *list)
{
	if (!json_array_size(list))
		return;
	printf("%s%s\n", prune->has_printed ? "\n" : "", heading);
	prune->has_printed = true;
	for (size_t i = 0; i < json_array_size(list); i++)
		print_one(json_array_get(list, i));
}

int prune_call(const struct cli *cli, const char *path, const struct filters *filters,
	       struct prune *prune, struct shale_err *err)
{
	__cleanup_json json_t *answer = NULL;

	if (fetch_post(cli, path, filters, &answer, err))
		return -1;
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
		print_list(prune, lists[i].heading, json_object_get(answer, lists[i].key));
	prune->reclaimed += json_integer_value(json_object_get(answer, "SpaceReclaimed"));
	return 0;
}

void prune_print_total(const struct prune *prune)
{
	char size[32];

	printf("%sTotal reclaimed space: %s\n", prune->has_printed ? "\n" : "",
	       table_space(prune->reclaimed, size, sizeof(size)));
}
