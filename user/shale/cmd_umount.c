// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale umount: unmounts what shale mount has mounted; its writable layer goes with it.
 */
#include "shale/shale.h"

int cmd_umount(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONGS,
		{ "keep", no_argument, NULL, 'k' },
		{ "lazy", no_argument, NULL, 'l' },
		{ 0 },
	};
	struct shale_opts opts = { 0 };
	struct shale_umount_opts umount = { 0 };
	struct shale_err err = { 0 };
	int opt, status = 0;

	while ((opt = cli_getopt(cli, argc, argv, ":l", longs, &status)) != -1) {
		if (opt == CLI_DONE)
			return status;
		if (opt == 'k')
			umount.keeps_container = true;
		else
			umount.is_lazy = true;
	}
	if (optind == argc)
		return cli_usage(cli, "which directory is to be unmounted?");
	opts.root = cli->root;
	for (; optind < argc; optind++) {
		umount.target = argv[optind];
		if (shale_umount(&opts, &umount, &err) < 0)
			status = cli_fail(&err);
	}
	return status;
}
