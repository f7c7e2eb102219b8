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
#include "store/json.h"
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

/* A name without tag and digest is all tags of the repository. */
static bool is_of_one(const char *name, const struct ref *ref)
{
	return ref->has_digest || ref_has_tag(name);
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

static int pull_one(struct pulling *pulling, const char *name, bool *is_new, struct shale_err *err)
{
	struct api_call *call = pulling->call;
	struct shale_opts opts = { .root = call->api->root, .progress = tell_pull, .arg = pulling };
	struct shale_pull_opts pull = {
		.name = name,
		.platform = api_get(call, "platform"),
		.is_download_only = api_get_bool(call, "downloadOnly", false),
		.registry = call->registry->opts,
	};
	struct shale_pulled pulled;

	pull.registry.takes_schema1 = api_get_bool(call, "schema1", false);
	if (pull.platform && !*pull.platform)
		pull.platform = NULL;
	if (ref_parse(name, &pulling->ref, err) < 0)
		return -1;
	if (pulling->ref.has_digest)
		pulling->ref.tag[0] = '\0';
	pulling->progress.count = 0;
	if (shale_pull(&opts, &pull, &pulled, err) < 0)
		return -1;
	*is_new |= pulled.is_new;
	api_progress_say(pulling->progress.stream, NULL, "Digest: %s", pulled.digest);
	if (!pull.is_download_only)
		api_events_image(call->api->events, "pull", ref_shown(&pulling->ref).text, ref_familiar(&pulling->ref));
	return 0;
}

static int pull_tags(struct pulling *pulling, const json_t *tags, bool *is_new, struct shale_err *err)
{
	const json_t *tag;
	size_t i;

	json_array_foreach(tags, i, tag) {
		char name[sizeof(pulling->call->name) + REF_MAX_TAG];

		snprintf(name, sizeof(name), "%s:%s", pulling->call->name, json_string_value(tag));
		if (pull_one(pulling, name, is_new, err) < 0)
			return -1;
	}
	return 0;
}

static int pull_all(struct pulling *pulling, bool *is_new, struct shale_err *err)
{
	struct api_call *call = pulling->call;
	struct shale_opts opts = { .root = call->api->root, .progress = tell_pull, .arg = pulling };
	__cleanup_free char *text = NULL;
	__cleanup_json json_t *tags = NULL;

	if (shale_remote_tags(&opts, call->name, &call->registry->opts, &text, err) < 0)
		return -1;
	tags = json_loads(text, 0, NULL);
	if (!tags)
		return shale_err_set(err, ENOMEM, "listing tags");
	return pull_tags(pulling, tags, is_new, err);
}

static int run_pull(struct api_stream *stream, struct api_call *call, struct shale_err *err)
{
	struct pulling pulling = {
		.call = call,
		.progress = { .stream = stream,
			      .words = api_words_of_pull,
			      .word_count = api_words_of_pull_count },
	};
	struct ref ref;
	bool is_new = false, is_one;

	if (ref_parse(call->name, &ref, err) < 0)
		return -1;
	is_one = is_of_one(call->name, &ref);
	if ((is_one ? pull_one(&pulling, call->name, &is_new, err) : pull_all(&pulling, &is_new, err)) < 0)
		return -1;
	api_progress_say(stream, NULL, "Status: %s for %s",
			 api_get_bool(call, "downloadOnly", false) ? "Downloaded layers" :
			 is_new					    ? "Downloaded newer image" :
								      "Image is up to date",
			 is_one ? ref_shown(&pulling.ref).text : ref_familiar(&ref));
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
	if (len < (int)sizeof(call->name) && ref_parse(call->name, &ref, &err) == 0)
		return true;
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
