/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An image pulled through a daemon, with its progress shown.
 */
#ifndef SHALE_CLI_IMAGE_PULL_H
#define SHALE_CLI_IMAGE_PULL_H

#include <stdio.h>

#include "shale/connection.h"
#include "store/ref.h"

/* Progress goes to OUT; NULL: nothing is shown. A digest counts more than a tag; neither: all tags. */
int image_pull(struct connection *connection, const struct shale_pull_opts *pull, const struct ref *ref, FILE *out,
	       struct shale_err *err);

#endif
