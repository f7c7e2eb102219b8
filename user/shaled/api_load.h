/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A tar that a client sends, on its way into the engine: the request's body goes into a pipe, from which the
 * work reads.
 */
#ifndef SHALE_SHALED_API_LOAD_H
#define SHALE_SHALED_API_LOAD_H

#include "shaled/api_stream.h"

struct api_load {
	int write_fd; /* the call's; -1: the body is over, or nobody reads it any more */
	int read_fd;  /* the work's */
	struct shale_import_opts import;
	const char **changes;
	bool is_quiet;
	bool is_rootfs;
	char name[API_MAX_NAME]; /* of the image that is made, "" for none */
};

/* Begins work that reads the body, as it comes, from call->load->read_fd, and says nothing; answer() does when it succeeds. */
void api_load_start_silent(struct api_call *call, api_work_fn run, void (*answer)(struct api_call *call));

/* Ends the body, after the work was cancelled: it must not take what came for the whole. */
void api_load_finish(struct api_call *call);
/* After the work has ended. */
void api_load_free(struct api_call *call);

#endif
