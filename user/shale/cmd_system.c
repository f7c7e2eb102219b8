// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale system: the verbs about the store as a whole, each in its cmd_system_NAME.c.
 */
#include "shale/group.h"

const struct verb system_commands[] = {
	{ "system check", "[OPTIONS] [--repair] [--no-fetch] [--format table|json]",
	  "Compare everything in the store with what it should be", cmd_system_check, NULL },
	{ "system df", "[-v] [--format FORMAT]", "Tell what the store takes", cmd_system_df, NULL },
	{ "system events", "[OPTIONS]", "Tell what happens", cmd_events, NULL },
	{ "system info", "[--format TEMPLATE]", "Tell about the daemon and the machine", cmd_info, NULL },
	{ "system prune", "[-a] [-f] [--volumes] [--filter KEY=VALUE]", "Remove what is not used",
	  cmd_system_prune, NULL },
	{ .name = NULL },
};

int cmd_system(struct cli *cli, int argc, char **argv)
{
	return group_run(cli, system_commands, argc, argv);
}
