/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Streams of JSON messages, a line each, put together from pieces of any size.
 */
#ifndef SHALE_DOCKAPI_MESSAGE_H
#define SHALE_DOCKAPI_MESSAGE_H

#include "dockapi/dockapi.h"

struct dockapi_messages {
	dockapi_message_fn each;
	void *arg;
	struct buf line;
};

int dockapi_messages_add(struct dockapi_messages *messages, const void *data, size_t len,
			 struct shale_err *err);
/* A last line may lack its end. */
int dockapi_messages_end(struct dockapi_messages *messages, struct shale_err *err);

/* A document of the daemon's, within our limits. */
int dockapi_parse(const char *text, size_t len, json_t **ret_json, struct shale_err *err);
/* The errno that an HTTP status stands for. */
int dockapi_status_errno(long status);
/* Fills err from the body of an answer that reports an error; -1. */
int dockapi_complain(long status, const struct buf *body, struct shale_err *err);

#endif
