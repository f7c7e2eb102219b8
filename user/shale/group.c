// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs the command of a group; see group.h. Called by the verbs that are nouns.
 */
#include "shale/group.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *last_word(const struct verb *verb)
{
	return strrchr(verb->name, ' ') + 1;
}

/* docker has two names for some: the second is a row without a summary. */
static void print_commands(const struct verb *commands, const char *noun)
{
	printf("Usage: shale %s COMMAND [OPTIONS]\n\nCommands:\n", noun);
	for (const struct verb *verb = commands; verb->name; verb++)
		if (verb->summary)
			printf("  %-11s %s\n", last_word(verb), verb->summary);
}

int group_run(struct cli *cli, const struct verb *commands, int argc, char **argv)
{
	const char *noun = argv[0];

	if (argc < 2)
		return cli_usage(cli, "which command of %s?", noun);
	if (!strcmp(argv[1], "--help")) {
		print_commands(commands, noun);
		return EXIT_SUCCESS;
	}
	for (const struct verb *verb = commands; verb->name; verb++) {
		if (strcmp(last_word(verb), argv[1]))
			continue;
		cli->verb = verb;
		return verb->run(cli, argc - 1, argv + 1);
	}
	return cli_usage(cli, "'%s' is not a command of %s", argv[1], noun);
}
