// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pulls; see image_pull.h. Called by cmd_pull.c, and by create.c for an image that is not there.
 */
#include "shale/image_pull.h"

#include "shale/progress.h"
#include "shale/registry_opts.h"

static int show(void *arg, const json_t *message, struct shale_err *err)
{
	struct progress *progress = arg;

	(void)err;
	if (progress->out)
		progress_show(progress, message);
	return 0;
}

static const char *tag_of(const struct ref *ref, const struct digest_text *digest)
{
	if (ref->has_digest)
		return digest->text;
	return *ref->tag ? ref->tag : NULL;
}

int image_pull(struct connection *connection, const struct shale_pull_opts *pull, const struct ref *ref, FILE *out,
	       struct shale_err *err)
{
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("POST");
	struct digest_text digest = digest_text(&ref->digest);
	struct progress progress = { .out = NULL };

	if (out)
		progress_init(&progress, out);
	if (dockapi_path(&call, err, "/images/create") ||
	    dockapi_query(&call, "fromImage", ref->name, err) ||
	    dockapi_query(&call, "tag", tag_of(ref, &digest), err) ||
	    dockapi_query(&call, "platform", pull->platform, err) ||
	    dockapi_query(&call, "downloadOnly", pull->is_download_only ? "1" : NULL, err) ||
	    dockapi_query(&call, "schema1", pull->registry.takes_schema1 ? "1" : NULL, err) ||
	    registry_call(&pull->registry, connection, ref, &call, err))
		return -1;
	return connection_stream(connection, &call, show, &progress, err);
}
