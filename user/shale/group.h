/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Verbs with verbs of their own: "shale image ls". Their names in a table are of both words.
 */
#ifndef SHALE_CLI_GROUP_H
#define SHALE_CLI_GROUP_H

#include "shale/shale.h"

/* NOUN's command that argv[1] names; the table ends with a name NULL. */
int group_run(struct cli *cli, const struct verb *commands, int argc, char **argv);

#endif
