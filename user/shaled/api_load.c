// SPDX-License-Identifier: GPL-2.0-only
/*
 * Images that clients send: POST images/load takes what docker save wrote, images/create with fromSrc=- the tar of
 * a root directory. See api_load.h for how the bytes go.
 *
 * The work must never wait for a client that is still sending, for that one waits for the work: so while there
 * is a body the answer's progress is left out when it does not fit, and the rest comes after the body.
 */
#include "shaled/api_load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "shaled/api_events.h"
#include "shaled/api_handlers.h"
#include "shaled/api_progress.h"
#include "store/ref.h"

/* More than one read of the engine, so that both ends work at the same time. */
#define LOAD_PIPE_BYTES (1 << 20)

struct loading {
	struct api_call *call;
	struct api_progress progress;
};

static int say_loaded(struct loading *loading, const struct shale_event *event)
{
	json_t *text = event->name ? json_sprintf("Loaded image: %s\n", event->name) :
				     json_sprintf("Loaded image ID: %s\n", event->id);

	api_events_image(loading->call->api->events, "load", event->id, event->name);
	return api_stream_line(loading->progress.stream, json_pack("{s:o}", "stream", text));
}

static int say_taken(struct loading *loading, const struct shale_event *event)
{
	return api_stream_line(loading->progress.stream,
			       json_pack("{s:o}", "stream", json_sprintf("The image %s already exists, renaming the old one with ID "
							"%s to empty string\n", event->name, event->id)));
}

static int say_made(struct loading *loading, const struct shale_event *event)
{
	const struct api_load *load = loading->call->load;

	api_events_image(loading->call->api->events, "import", event->id,
			 *load->name ? load->name : NULL);
	return api_progress_say(loading->progress.stream, NULL, "%s", event->id);
}

static int tell_load(void *arg, const struct shale_event *event)
{
	struct loading *loading = arg;

	if (event->kind == SHALE_EVENT_IMAGE)
		return say_loaded(loading, event);
	if (event->kind == SHALE_EVENT_TAKEN)
		return say_taken(loading, event);
	if (event->kind == SHALE_EVENT_MADE)
		return say_made(loading, event);
	if (loading->call->load->is_quiet)
		return api_stream_is_cancelled(loading->progress.stream);
	return api_progress_tell(&loading->progress, event);
}

static int run_load(struct api_stream *stream, struct api_call *call, struct shale_err *err)
{
	struct loading loading = {
		.call = call,
		.progress = { .stream = stream,
			      .words = api_words_of_load,
			      .word_count = api_words_of_load_count },
	};
	struct shale_opts opts = { .root = call->api->root, .progress = tell_load, .arg = &loading };
	struct api_load *load = call->load;
	int ret = shale_import(&opts, &load->import, err);

	/* Who still sends is told so by EPIPE. */
	close(load->read_fd);
	load->read_fd = -1;
	return ret;
}

static bool open_pipe(struct api_call *call)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0) {
		api_fail(call, 500, "cannot make a pipe: %s", strerror(errno));
		return false;
	}
	/* A smaller one will do. */
	fcntl(fds[1], F_SETPIPE_SZ, LOAD_PIPE_BYTES);
	call->load->read_fd = call->load->import.fd = fds[0];
	call->load->write_fd = fds[1];
	call->load->import.has_fd = true;
	return true;
}

static struct api_load *load_new(struct api_call *call)
{
	call->load = calloc(1, sizeof(*call->load));
	if (!call->load) {
		api_fail(call, 500, "out of memory");
		return NULL;
	}
	call->load->write_fd = call->load->read_fd = -1;
	return call->load;
}

static void load_start(struct api_call *call)
{
	static const struct api_work work = { run_load, NULL, "application/json", true };

	if (open_pipe(call))
		api_stream_start(call, &work);
}

void api_load_start_silent(struct api_call *call, api_work_fn run, void (*answer)(struct api_call *call))
{
	if (load_new(call) && open_pipe(call))
		api_stream_start_silent(call, run, answer);
}

void api_load_begin(struct api_call *call)
{
	struct api_load *load = load_new(call);

	if (!load)
		return;
	load->is_quiet = api_get_bool(call, "quiet", false);
	load->import.source = "the archive";
	load->import.only_images = true;
	load_start(call);
}

/* Every "changes" of the query. */
static bool take_changes(struct api_call *call)
{
	struct api_load *load = call->load;
	const struct target *target = &call->target;

	load->changes = calloc(target->pair_count + 1, sizeof(*load->changes));
	if (!load->changes) {
		api_fail(call, 500, "out of memory");
		return false;
	}
	for (size_t i = 0; i < target->pair_count; i++)
		if (!strcmp(target->pairs[i].key, "changes") && *target->pairs[i].value)
			load->changes[load->import.change_count++] = target->pairs[i].value;
	load->import.changes = load->changes;
	return true;
}

static bool take_name(struct api_call *call)
{
	const char *repo = api_get(call, "repo");
	const char *tag = api_get(call, "tag");
	struct api_load *load = call->load;
	struct shale_err err = { 0 };
	struct ref ref;
	int len;

	if (!repo || !*repo)
		return true;
	len = snprintf(load->name, sizeof(load->name), tag && *tag ? "%s:%s" : "%s", repo, tag);
	if (len < (int)sizeof(load->name) && ref_parse(load->name, &ref, &err) == 0 &&
	    !ref.has_digest) {
		load->import.name = load->name;
		return true;
	}
	api_fail(call, 400, "invalid reference format: %s",
		 err.code ? err.msg : "an image cannot be called so");
	return false;
}

void api_import_begin(struct api_call *call, const char *source)
{
	const char *message = api_get(call, "message");
	const char *platform = api_get(call, "platform");
	struct api_load *load;

	if (strcmp(source, "-")) {
		api_fail(call, 501, "images are not made of what is at a URL: 'fromSrc' is '-'");
		return;
	}
	load = load_new(call);
	if (!load || !take_name(call) || !take_changes(call))
		return;
	load->is_quiet = load->is_rootfs = true;
	load->import.source = "-";
	load->import.message = message && *message ? message : NULL;
	load->import.platform = platform && *platform ? platform : NULL;
	load_start(call);
}

static void close_body(struct api_load *load)
{
	if (load->write_fd >= 0)
		close(load->write_fd);
	load->write_fd = -1;
}

/* A reader that is done with it before its end has failed, or needs no more than it read. */
void api_load_body(struct api_call *call, const void *data, size_t len)
{
	struct api_load *load = call->load;

	if (load->write_fd >= 0 && fs_write_full(load->write_fd, data, len) < 0)
		close_body(load);
	if (load->write_fd < 0)
		api_stream_answer(call);
}

void api_load_end(struct api_call *call)
{
	close_body(call->load);
}

void api_load_finish(struct api_call *call)
{
	if (!call->load)
		return;
	if (call->stream)
		api_stream_cancel(call->stream);
	close_body(call->load);
}

void api_load_free(struct api_call *call)
{
	if (!call->load)
		return;
	if (call->load->read_fd >= 0)
		close(call->load->read_fd);
	free(call->load->changes);
	free(call->load);
	call->load = NULL;
}
