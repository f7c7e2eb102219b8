/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Connections that leave HTTP, for who attaches to a container or to a process in it.
 */
#ifndef SHALE_SHALED_API_ATTACH_H
#define SHALE_SHALED_API_ATTACH_H

#include "shaled/api.h"

#define API_UPGRADE "tcp"

/* False: the request does not ask for it, and was answered. */
bool api_wants_upgrade(struct api_call *call);
void api_answer_upgrade(struct api_call *call, bool is_tty, struct httpd_taker *taker);
/* Of a terminal, from the query. False: it was answered. */
bool api_take_size(struct api_call *call, unsigned int *ret_rows, unsigned int *ret_columns);

#endif
