// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale system: the verbs about the store as a whole, each in its cmd_system_NAME.c.
 */
#include "shale/group.h"

static const struct verb commands[] = {
	{ "system check", "[--repair] [--format table|json]",
	  "Compare everything in the store with what it should be", cmd_system_check },
	{ "system df", "[-v] [--format FORMAT]", "Tell what the store takes", cmd_system_df },
	{ "system events", "[OPTIONS]", "Tell what happens", cmd_events },
	{ "system info", "[--format TEMPLATE]", "Tell about the daemon and the machine", cmd_info },
	{ "system prune", "[-a] [-f] [--volumes] [--filter KEY=VALUE]", "Remove what is not used",
	  cmd_system_prune },
	{ NULL, NULL, NULL, NULL },
};

int cmd_system(struct cli *cli, int argc, char **argv)
{
	return group_run(cli, commands, argc, argv);
}
