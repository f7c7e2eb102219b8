// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs an import; see load.h. Cancels cleanly on SIGINT and SIGTERM. Called by cmd_import.c and
 * cmd_load.c.
 */
#include "shale/load.h"

#include <stdio.h>
#include <stdlib.h>

#include "shale/interrupt.h"
#include "shale/progress.h"

struct load_view {
	struct progress progress;
	enum load_says says;
};

static int show(void *arg, const struct shale_event *event)
{
	struct load_view *view = arg;

	if (event->kind != SHALE_EVENT_IMAGE && event->kind != SHALE_EVENT_MADE) {
		if (view->says == LOAD_NAMES)
			progress_show(&view->progress, event);
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
	struct shale_opts opts = { .root = cli->root, .progress = show, .arg = &view };
	struct shale_err err = { 0 };

	progress_init(&view.progress, stderr);
	interrupt_catch();
	if (shale_import(&opts, import, &err) < 0)
		return cli_fail(&err);
	return EXIT_SUCCESS;
}
