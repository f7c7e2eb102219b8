// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale system: the verbs about the store as a whole, each in its cmd_system_NAME.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shale/shale.h"

static const struct verb commands[] = {
	{ "system check", "[OPTIONS] [--repair] [--no-fetch] [--format table|json]",
	  "Compare everything in the store with what it should be", cmd_system_check },
	{ "system df", "[-v] [--format table|json]", "Tell what the store takes", cmd_system_df },
	{ "system prune", "[-a] [-f] [--filter until=TIME]", "Remove what is not used",
	  cmd_system_prune },
	{ NULL, NULL, NULL, NULL },
};

static const struct verb *command_find(const char *name)
{
	for (const struct verb *verb = commands; verb->name; verb++)
		if (!strcmp(strchr(verb->name, ' ') + 1, name))
			return verb;
	return NULL;
}

static void print_commands(void)
{
	puts("Usage: shale system COMMAND [OPTIONS]\n\nCommands:");
	for (const struct verb *verb = commands; verb->name; verb++)
		printf("  %-11s %s\n", strchr(verb->name, ' ') + 1, verb->summary);
}

int cmd_system(struct cli *cli, int argc, char **argv)
{
	const struct verb *command;

	if (argc < 2)
		return cli_usage(cli, "which command of system?");
	if (!strcmp(argv[1], "--help")) {
		print_commands();
		return EXIT_SUCCESS;
	}
	command = command_find(argv[1]);
	if (!command)
		return cli_usage(cli, "'%s' is not a command of system", argv[1]);
	cli->verb = command;
	return command->run(cli, argc - 1, argv + 1);
}
