/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * "shale __complete WORD...": what the last word of a command line that is being typed may become, for the completion
 * scripts of shells.
 */
#ifndef SHALE_CLI_COMPLETE_H
#define SHALE_CLI_COMPLETE_H

#include "shale/shale.h"

/* WORDS are those behind "shale"; VERBS is main.c's table. Prints a candidate a line, or ":files" or ":dirs". */
int complete_run(struct cli *cli, const struct verb *verbs, int count, char **words);

#endif
