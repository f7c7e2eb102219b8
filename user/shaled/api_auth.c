// SPDX-License-Identifier: GPL-2.0-only
/*
 * POST auth: whether a registry knows somebody. It is the client who keeps what it logs in with.
 */
#include <stdlib.h>
#include <string.h>

#include "shaled/api_handlers.h"
#include "shaled/api_registry.h"
#include "shaled/api_stream.h"

/* What docker's clients call the registry that is nobody's name. */
#define INDEX_SERVER "https://index.docker.io/v1/"

static int run_auth(struct api_stream *stream, struct api_call *call, struct shale_err *err)
{
	const char *host = call->registry->host;
	__cleanup_free char *token = NULL;

	if (host && !strcmp(host, INDEX_SERVER))
		host = NULL;
	if (shale_login_check(&call->registry->opts, host, &token, err) < 0)
		return -1;
	api_stream_line(stream, json_pack("{s:s, s:s}", "Status", "Login Succeeded", "IdentityToken",
					  token ? token : ""));
	if (token)
		explicit_bzero(token, strlen(token));
	return 0;
}

void api_auth(struct api_call *call)
{
	static const struct api_work work = { run_auth, NULL, "application/json", true };
	struct shale_err err = { 0 };
	json_t *json = NULL;

	if (!api_body_json(call, &json))
		return;
	call->registry = calloc(1, sizeof(*call->registry));
	if (!call->registry) {
		json_decref(json);
		api_fail(call, 500, "out of memory");
		return;
	}
	if (api_registry_take(json, &call->target, call->registry, &err) < 0) {
		api_fail_err(call, &err);
		return;
	}
	api_stream_start(call, &work);
	api_stream_answer(call);
}
