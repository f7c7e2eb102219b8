// SPDX-License-Identifier: GPL-2.0-only
/*
 * POST images/NAME/push: an image under one name, or all tags of a repository.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shaled/api_events.h"
#include "shaled/api_handlers.h"
#include "shaled/api_progress.h"
#include "shaled/api_registry.h"
#include "store/json.h"
#include "store/ref.h"

static int tell_push(void *arg, const struct shale_event *event)
{
	return api_progress_tell(arg, event);
}

static int push_one(struct api_progress *progress, struct api_call *call, const char *name,
		    struct shale_err *err)
{
	struct shale_opts opts = { .root = call->api->root, .progress = tell_push, .arg = progress };
	struct shale_push_opts push = { .name = name, .registry = call->registry->opts };
	struct shale_pushed pushed;
	struct ref ref;

	if (ref_parse(name, &ref, err) < 0 || shale_push(&opts, &push, &pushed, err) < 0)
		return -1;
	api_progress_say(progress->stream, NULL, "%s: digest: %s size: %llu", ref.tag, pushed.digest,
			 (unsigned long long)pushed.size);
	api_stream_line(progress->stream,
			json_pack("{s:{}, s:{s:s, s:s, s:I}}", "progressDetail", "aux", "Tag", ref.tag,
				  "Digest", pushed.digest, "Size", (json_int_t)pushed.size));
	api_events_image(call->api->events, "push", ref_shown(&ref).text, ref_familiar(&ref));
	return 0;
}

/* Names in the store that are tags of a repository. */
static int push_all(struct api_progress *progress, struct api_call *call, const struct ref *wanted,
		    struct shale_err *err)
{
	__cleanup_json json_t *images = api_images_load(call, err);
	size_t count = 0;
	struct ref ref;

	if (!images)
		return -1;
	for (size_t i = 0; i < json_array_size(images); i++) {
		json_t *names = json_object_get(json_array_get(images, i), "RepoTags");

		for (size_t n = 0; n < json_array_size(names); n++) {
			const char *name = json_string_value(json_array_get(names, n));

			if (ref_parse(name, &ref, NULL) < 0 || strcmp(ref.name, wanted->name))
				continue;
			count++;
			if (push_one(progress, call, name, err) < 0)
				return -1;
		}
	}
	if (count)
		return 0;
	return shale_err_set(err, ENOENT, "An image does not exist locally with the name: %s",
			     ref_familiar(wanted));
}

static int push_named(struct api_progress *progress, struct api_call *call, const struct ref *ref,
		      struct shale_err *err)
{
	struct shale_opts opts = { .root = call->api->root };
	__cleanup_free char *text = NULL;
	struct ref_text name = ref_shown(ref);

	/* An index of images is no image that could be inspected, and is pushed all the same. */
	if (shale_inspect(&opts, name.text, &text, err) < 0 && err->code == ENOENT)
		return shale_err_set(err, ENOENT, "An image does not exist locally with the tag: %s",
				     ref_familiar(ref));
	return push_one(progress, call, name.text, err);
}

static int run_push(struct api_stream *stream, struct api_call *call, struct shale_err *err)
{
	struct api_progress progress = {
		.stream = stream,
		.words = api_words_of_push,
		.word_count = api_words_of_push_count,
	};
	const char *familiar;
	struct ref ref;

	if (ref_parse(call->name, &ref, err) < 0)
		return -1;
	familiar = strncmp(ref.name, "docker.io/", 10) ? ref_familiar(&ref) : ref.name;
	if (api_progress_say(stream, NULL, "The push refers to repository [%s]", familiar) < 0)
		return shale_err_set(err, ECANCELED, "cancelled");
	return ref_has_tag(call->name) ? push_named(&progress, call, &ref, err) :
					 push_all(&progress, call, &ref, err);
}

void api_image_push(struct api_call *call)
{
	static const struct api_work work = { run_push, NULL, "application/json", true };
	const char *tag = api_get(call, "tag");
	size_t len = strlen(call->name);
	struct shale_err err = { 0 };
	struct ref ref;

	if (tag && *tag)
		len += snprintf(call->name + len, sizeof(call->name) - len, ":%s", tag);
	if (len >= sizeof(call->name) || ref_parse(call->name, &ref, &err) < 0) {
		api_fail(call, 400, "invalid reference format: %s",
			 err.code ? err.msg : "it is too long");
		return;
	}
	if (ref.has_digest) {
		api_fail(call, 400, "cannot push a digest reference");
		return;
	}
	if (!api_registry_begin(call))
		return;
	api_stream_start(call, &work);
}
