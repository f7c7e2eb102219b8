// SPDX-License-Identifier: GPL-2.0-only
/*
 * Images from elsewhere: POST images/create pulls one from a registry, or makes one of a tar that is sent
 * (api_load.c has that). Two things docker does not have are asked for by downloadOnly=1, to fetch
 * layers for the next pull, and schema1=1, to take and convert manifests of docker's schema 1.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shaled/api_events.h"
#include "shaled/api_handlers.h"
#include "shaled/api_stream.h"
#include "shaled/api_progress.h"
#include "shaled/api_registry.h"
#include "store/ref.h"

bool api_registry_begin(struct api_call *call)
{
	struct shale_err err = { 0 };

	call->registry = calloc(1, sizeof(*call->registry));
	if (!call->registry) {
		api_fail(call, 500, "out of memory");
		return false;
	}
	if (api_registry_parse(httpd_field(call->http, "X-Registry-Auth"), &call->target, call->registry,
			       &err) == 0) {
		/* A daemon of one command is that command: its user's files are meant. */
		call->registry->opts.is_anonymous = !call->api->is_private;
		return true;
	}
	api_fail_err(call, &err);
	return false;
}

struct pulling {
	struct api_call *call;
	struct api_progress progress;
	struct ref ref;
};

/* "1: Pulling from library/debian" */
static int say_start(struct pulling *pulling)
{
	struct digest_text digest = digest_text(&pulling->ref.digest);

	return api_progress_say(pulling->progress.stream,
				pulling->ref.has_digest ? digest.text : pulling->ref.tag,
				"Pulling from %s", strchr(pulling->ref.name, '/') + 1);
}

static int tell_pull(void *arg, const struct shale_event *event)
{
	struct pulling *pulling = arg;

	if (event->kind == SHALE_EVENT_RESOLVED)
		return say_start(pulling);
	return api_progress_tell(&pulling->progress, event);
}

static void say_end(struct pulling *pulling, const struct shale_pulled *pulled, bool is_download)
{
	const char *name = ref_familiar(&pulling->ref);
	struct ref_text full = ref_text(&pulling->ref);

	api_progress_say(pulling->progress.stream, NULL, "Digest: %s", pulled->digest);
	api_progress_say(pulling->progress.stream, NULL, "Status: %s for %s%s",
			 is_download	? "Downloaded layers" :
			 pulled->is_new ? "Downloaded newer image" :
					  "Image is up to date",
			 name, full.text + strlen(pulling->ref.name));
}

static int run_pull(struct api_stream *stream, struct api_call *call, struct shale_err *err)
{
	struct pulling pulling = {
		.call = call,
		.progress = { .stream = stream,
			      .words = api_words_of_pull,
			      .word_count = api_words_of_pull_count },
	};
	struct shale_opts opts = { .root = call->api->root, .progress = tell_pull, .arg = &pulling };
	struct shale_pull_opts pull = {
		.name = call->name,
		.platform = api_get(call, "platform"),
		.is_download_only = api_get_bool(call, "downloadOnly", false),
		.registry = call->registry->opts,
	};
	struct shale_pulled pulled;

	pull.registry.takes_schema1 = api_get_bool(call, "schema1", false);
	if (pull.platform && !*pull.platform)
		pull.platform = NULL;
	if (ref_parse(call->name, &pulling.ref, err) < 0)
		return -1;
	if (pulling.ref.has_digest)
		pulling.ref.tag[0] = '\0';
	if (shale_pull(&opts, &pull, &pulled, err) < 0)
		return -1;
	say_end(&pulling, &pulled, pull.is_download_only);
	if (!pull.is_download_only)
		api_events_image(call->api->events, "pull", ref_shown(&pulling.ref).text,
				 ref_familiar(&pulling.ref));
	return 0;
}

/* That it is not there and that it is not shown are the same to docker's clients. */
static void refuse_pull(struct api_call *call, const struct shale_err *err)
{
	struct ref ref;

	if (ref_parse(call->name, &ref, NULL) < 0)
		api_fail_err(call, err);
	else if (err->code == EACCES)
		api_fail(call, 404,
			 "pull access denied for %s, repository does not exist or may require 'docker "
			 "login': %s",
			 ref_familiar(&ref), err->msg);
	else if (err->code == ENOENT)
		api_fail(call, 404, "manifest for %s not found: %s", ref_shown(&ref).text, err->msg);
	else
		api_fail_err(call, err);
}

/* fromImage, and tag, which may be a digest. */
static bool join_source(struct api_call *call, const char *image)
{
	const char *tag = api_get(call, "tag");
	struct shale_err err = { 0 };
	struct ref ref;
	int len;

	if (tag && *tag)
		len = snprintf(call->name, sizeof(call->name), "%s%c%s", image,
			       strchr(tag, ':') ? '@' : ':', tag);
	else
		len = snprintf(call->name, sizeof(call->name), "%s", image);
	if (len < (int)sizeof(call->name) && ref_parse(call->name, &ref, &err) == 0) {
		if (ref.has_digest || ref_has_tag(call->name))
			return true;
		api_fail(call, 501, "all tags of a repository are not pulled at once: a tag is needed");
		return false;
	}
	api_fail(call, 400, "invalid reference format: %s", err.code ? err.msg : "it is too long");
	return false;
}

void api_image_create_begin(struct api_call *call)
{
	const char *source = api_get(call, "fromSrc");

	if (source && *source)
		api_import_begin(call, source);
}

void api_image_create_body(struct api_call *call, const void *data, size_t len)
{
	if (call->load)
		api_load_body(call, data, len);
	else
		api_ignore_body(call, len);
}

void api_image_create(struct api_call *call)
{
	static const struct api_work work = { run_pull, refuse_pull, "application/json", true };
	const char *image = api_get(call, "fromImage");

	if (call->load)
		api_load_end(call);
	else if (!image || !*image)
		api_fail(call, 400, "the query has neither 'fromImage' nor 'fromSrc'");
	else if (join_source(call, image) && api_registry_begin(call))
		api_stream_start(call, &work);
}
