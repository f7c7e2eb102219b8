// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale mount: mounts an image on a directory. With --rw it prints the ID of the writable layer.
 */
#include <stdio.h>
#include <stdlib.h>

#include "shale/shale.h"

int cmd_mount(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONGS,
		{ "rw", no_argument, NULL, 'w' },
		{ "options", required_argument, NULL, 'o' },
		{ "storage-driver", required_argument, NULL, 's' },
		{ 0 },
	};
	struct shale_opts opts = { 0 };
	struct shale_mount_opts mount = { .driver = getenv("SHALE_STORAGE_DRIVER") };
	struct shale_mounted mounted;
	struct shale_err err = { 0 };
	int opt, status;

	while ((opt = cli_getopt(cli, argc, argv, ":o:s:w", longs, &status)) != -1) {
		if (opt == CLI_DONE)
			return status;
		if (opt == 'o')
			mount.options = optarg;
		else if (opt == 's')
			mount.driver = optarg;
		else
			mount.is_writable = true;
	}
	if (argc - optind != 2)
		return cli_usage(cli, "which image, and on which directory?");
	opts.root = cli->root;
	mount.image = argv[optind];
	mount.target = argv[optind + 1];
	if (shale_mount(&opts, &mount, &mounted, &err) < 0)
		return cli_fail(&err);
	if (mounted.warning[0])
		fprintf(stderr, "shale: warning: %s\n", mounted.warning);
	if (mounted.container[0])
		puts(mounted.container);
	return 0;
}
