// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale inspect, which finds what a name means, and shale image inspect.
 */
#include "shale/inspect.h"

#include <stddef.h>

static const char *const image_paths[] = { "/images/%s/json", NULL };
static const char *const object_paths[] = { "/images/%s/json", "/volumes/%s", NULL };

int cmd_inspect(struct cli *cli, int argc, char **argv)
{
	static const struct inspect inspect = { object_paths, "what is to be inspected?", true };

	return inspect_run(cli, argc, argv, &inspect);
}

int cmd_image_inspect(struct cli *cli, int argc, char **argv)
{
	static const struct inspect inspect = { image_paths, "which image is to be inspected?",
						false };

	return inspect_run(cli, argc, argv, &inspect);
}
