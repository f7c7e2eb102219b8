// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer harness of mount.shale's option parser. A string that is taken must keep the promises
 * mount.c relies on: no empty path, no more layers and options than the limits, no option without a
 * name. Built and run by scripts/fuzz; its corpus is selftests/corpus/mount_options.
 */
#include "kapi/parse.h"
#include "fuzz.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

static void spec_check(const struct mount_spec *spec)
{
	promise(spec->nr_layers <= MOUNT_LAYERS_MAX && spec->nr_params <= PARSE_MAX_PARAMS);
	for (size_t i = 0; i < spec->nr_layers; i++)
		promise(*spec->layers[i]);
	for (size_t i = 0; i < spec->nr_params; i++)
		promise(*spec->params[i].key && !strchr(spec->params[i].key, '='));
	promise(!spec->upper == !spec->work && !spec->uids == !spec->gids);
	promise(!spec->upper || (*spec->upper && *spec->work));
	promise(!(spec->attr_set & spec->attr_clr & ~(uint64_t)MOUNT_ATTR__ATIME));
}

static void map_check(const struct idmap *map)
{
	promise(map->nr <= IDMAP_MAX_EXTENTS);
	for (size_t i = 0; i < map->nr; i++)
		promise(map->extent[i].count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct parsed parsed;
	struct shale_err err = { 0 };
	char *opts;

	if (!size)
		return 0;
	opts = strndup((const char *)data + 1, size - 1);
	promise(opts);
	parsed_init(&parsed);
	if (!parsed_add(&parsed, opts, data[0] & 1, &err) && !parsed_check(&parsed, &err)) {
		spec_check(&parsed.spec);
		map_check(&parsed.uids);
		map_check(&parsed.gids);
	} else {
		promise(err.code && err.msg[0]);
	}
	parsed_release(&parsed);
	free(opts);
	return 0;
}
