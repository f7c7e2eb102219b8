// SPDX-License-Identifier: GPL-2.0-only
/*
 * Brings images in; see load.h. Called by cmd_import.c and cmd_load.c.
 */
#include "shale/load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/bar.h"
#include "base/cleanup.h"
#include "shale/interrupt.h"
#include "shale/progress.h"
#include "shale/show.h"

/* Between two drawings of what moves. */
#define DRAW_NSEC 100000000L

/* The engine's events, in the words a daemon has for them. */
struct load_view {
	struct progress progress;
	enum load_says says;
	struct timespec drawn;
};

static bool is_too_soon(struct load_view *view)
{
	struct timespec now;
	int64_t passed;

	clock_gettime(CLOCK_MONOTONIC, &now);
	passed = (now.tv_sec - view->drawn.tv_sec) * 1000000000ll + now.tv_nsec - view->drawn.tv_nsec;
	if (passed < DRAW_NSEC)
		return true;
	view->drawn = now;
	return false;
}

static json_t *message_of(const struct shale_event *event)
{
	const char *colon = strchr(event->id, ':');
	char id[13], bar[BAR_TEXT];

	snprintf(id, sizeof(id), "%.12s", colon ? colon + 1 : event->id);
	if (event->kind == SHALE_EVENT_LAYER_DONE)
		return json_pack("{s:s, s:{}, s:s}", "status", "Done", "progressDetail", "id", id);
	bar_print(event->done, event->total, bar, sizeof(bar));
	return json_pack("{s:s, s:{s:I}, s:s, s:s}", "status", "Loading layer", "progressDetail", "current",
			 (json_int_t)event->done, "progress", bar, "id", id);
}

static void draw_layer(struct load_view *view, const struct shale_event *event)
{
	bool is_end = event->kind == SHALE_EVENT_LAYER_DONE;
	json_t *message;

	if (!view->progress.is_tty || view->says != LOAD_NAMES || !event->id ||
	    (!is_end && (event->kind != SHALE_EVENT_UNPACK || is_too_soon(view))))
		return;
	message = message_of(event);
	progress_show(&view->progress, message);
	json_decref(message);
}

static int show_event(void *arg, const struct shale_event *event)
{
	struct load_view *view = arg;

	if (event->kind == SHALE_EVENT_TAKEN) {
		if (view->says != LOAD_IDS)
			printf("The image %s already exists, renaming the old one with ID %s to empty string\n", event->name,
			       event->id);
		return 0;
	}
	if (event->kind != SHALE_EVENT_IMAGE && event->kind != SHALE_EVENT_MADE) {
		draw_layer(view, event);
		return interrupt_came();
	}
	if (view->says == LOAD_IDS || event->kind == SHALE_EVENT_MADE)
		puts(event->id);
	else if (event->name)
		printf("Loaded image: %s\n", event->name);
	else
		printf("Loaded image ID: %s\n", event->id);
	return 0;
}

int load_run(const struct cli *cli, const struct shale_import_opts *import, enum load_says says)
{
	struct load_view view = { .says = says };
	struct shale_opts opts = { .root = cli->root, .progress = show_event, .arg = &view };
	struct shale_err err = { 0 };

	interrupt_catch();
	progress_init(&view.progress, stdout);
	if (shale_import(&opts, import, &err) < 0)
		return cli_fail(&err);
	return EXIT_SUCCESS;
}

static ssize_t read_source(void *arg, void *data, size_t len, struct shale_err *err)
{
	ssize_t got;

	do
		got = read(*(int *)arg, data, len);
	while (got < 0 && errno == EINTR && !interrupt_came());
	if (got < 0 && errno == EINTR)
		return shale_err_set(err, ECANCELED, "cancelled");
	return got < 0 ? shale_err_errno(err, "cannot read what is to be loaded") : got;
}

static int show_message(void *arg, const json_t *message, struct shale_err *err)
{
	struct load_view *view = arg;

	(void)err;
	progress_show(&view->progress, message);
	return 0;
}

int load_send(struct connection *connection, struct dockapi_call *call, const char *source,
	      enum load_says says, struct shale_err *err)
{
	struct load_view view = { .says = says };
	__cleanup_fd int opened = -1;
	int fd = STDIN_FILENO;

	if (strcmp(source, "-")) {
		fd = opened = open(source, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (fd < 0)
			return shale_err_errno(err, "cannot open %s", source);
	}
	progress_init(&view.progress, stdout);
	call->source = read_source;
	call->source_arg = &fd;
	return connection_stream(connection, call, show_message, &view, err);
}
