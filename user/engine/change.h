/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Instructions that change how an image is run, in a Dockerfile's words, as commit and import take them:
 * CMD ENTRYPOINT ENV EXPOSE HEALTHCHECK LABEL ONBUILD STOPSIGNAL USER VOLUME WORKDIR.
 */
#ifndef SHALE_ENGINE_CHANGE_H
#define SHALE_ENGINE_CHANGE_H

#include <stdbool.h>

#include "store/json.h"

/* One instruction. */
#define CHANGE_MAX_BYTES 65536
/* Ports of one EXPOSE: all there are, of both protocols that are usual. */
#define CHANGE_MAX_PORTS 131072

/* Of several instructions in a row. */
struct change_state {
	bool has_cmd; /* a CMD came: an ENTRYPOINT after it leaves it */
};

/* RUN is the "config" of an image's config, and is changed; on failure it may be in part. */
int change_apply(json_t *run, const char *instruction, struct change_state *state,
		 struct shale_err *err);

#endif
