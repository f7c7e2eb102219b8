/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a daemon has removed, in docker's words.
 */
#ifndef SHALE_CLI_PRUNE_H
#define SHALE_CLI_PRUNE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "shale/fetch.h"

struct prune {
	bool has_printed;
	int64_t reclaimed;
};

/*
 * Asks for "/images/prune" or another such path and prints what went below its heading. Where each element is an object,
 * it says of an image what was untagged and what deleted.
 */
int prune_call(const struct cli *cli, const char *path, const struct filters *filters,
	       struct prune *prune, struct shale_err *err);
void prune_print_total(const struct prune *prune);

#endif
