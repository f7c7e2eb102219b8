/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a redirect leads and whether to go there; web.c's own business, in a file of its own.
 */
#ifndef SHALE_CLIENT_WEB_REDIRECT_H
#define SHALE_CLIENT_WEB_REDIRECT_H

#include "client/web.h"

/* An answer that sends us elsewhere, to a request that may be sent there. */
bool web_redirect_is_due(const struct web_request *request);
/* Sets final_url, and is_abroad when it is another host's; -1 with the request's err. */
int web_redirect(struct web_request *request);

#endif
