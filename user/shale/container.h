/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the verbs about containers share.
 */
#ifndef SHALE_CLI_CONTAINER_H
#define SHALE_CLI_CONTAINER_H

#include "shale/shale.h"

/* Starts each and prints its name; the exit status. cmd_container.c */
int container_start_all(const struct cli *cli, char **names);

#endif
