// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale pull: says what docker pull says. On a terminal each layer's line is redrawn, elsewhere a line is
 * printed for each step a layer has taken.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shale/interrupt.h"
#include "shale/progress.h"
#include "shale/registry_opts.h"
#include "store/ref.h"

struct pull_view {
	struct progress progress;
	struct ref ref;
	bool quiet;
};

static const char *const steps[] = {
	[SHALE_EVENT_PLANNED] = "Pulling fs layer",
	[SHALE_EVENT_EXISTS] = "Already exists",
	[SHALE_EVENT_DOWNLOADED] = "Download complete",
	[SHALE_EVENT_LAYER_DONE] = "Pull complete",
};

/* "latest: Pulling from library/debian" */
static void print_start(const struct ref *ref)
{
	struct digest_text digest = digest_text(&ref->digest);

	printf("%s: Pulling from %s\n", *ref->tag ? ref->tag : digest.text,
	       strchr(ref->name, '/') + 1);
}

static void print_step(const struct shale_event *event)
{
	if (event->kind < sizeof(steps) / sizeof(*steps) && steps[event->kind])
		printf("%.12s: %s\n", event->id + strlen("sha256:"), steps[event->kind]);
}

static int show(void *arg, const struct shale_event *event)
{
	struct pull_view *view = arg;

	if (view->quiet)
		return interrupt_came();
	if (event->kind == SHALE_EVENT_RESOLVED)
		print_start(&view->ref);
	else if (view->progress.is_tty)
		progress_show(&view->progress, event);
	else
		print_step(event);
	fflush(stdout);
	return interrupt_came();
}

static void print_result(const struct pull_view *view, const struct shale_pull_opts *pull,
			 const struct shale_pulled *pulled)
{
	struct ref_text full = ref_text(&view->ref);
	const char *name = ref_familiar(&view->ref);
	const char *rest = full.text + strlen(view->ref.name);

	if (!view->quiet) {
		printf("Digest: %s\n", pulled->digest);
		printf("Status: %s for %s%s\n",
		       pull->is_download_only ? "Downloaded layers" :
		       pulled->is_new	      ? "Downloaded newer image" :
						"Image is up to date",
		       name, rest);
	}
	puts(full.text);
}

/* The name says nothing, and the tag is latest. */
static bool has_default_tag(const struct ref *ref, const char *name)
{
	const char *slash = strrchr(name, '/');

	return !strcmp(ref->tag, "latest") && !strchr(slash ? slash : name, ':');
}

static int run_pull(const struct cli *cli, const struct shale_pull_opts *pull, bool quiet)
{
	struct pull_view view = { .quiet = quiet };
	struct shale_opts opts = { .root = cli->root, .progress = show, .arg = &view };
	struct shale_pulled pulled = { 0 };
	struct shale_err err = { 0 };

	if (ref_parse(pull->name, &view.ref, &err) < 0)
		return cli_fail(&err);
	if (view.ref.has_digest)
		view.ref.tag[0] = '\0';
	else if (!quiet && has_default_tag(&view.ref, pull->name))
		puts("Using default tag: latest");
	progress_init(&view.progress, stdout);
	interrupt_catch();
	if (shale_pull(&opts, pull, &pulled, &err) < 0)
		return cli_fail(&err);
	print_result(&view, pull, &pulled);
	return EXIT_SUCCESS;
}

enum { OPT_PLATFORM = 1, OPT_DOWNLOAD_ONLY, OPT_SCHEMA1 };

int cmd_pull(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONGS,
		REGISTRY_LONGS,
		{ "quiet", no_argument, NULL, 'q' },
		{ "platform", required_argument, NULL, OPT_PLATFORM },
		{ "download-only", no_argument, NULL, OPT_DOWNLOAD_ONLY },
		{ "schema1", no_argument, NULL, OPT_SCHEMA1 },
		{ 0 },
	};
	struct shale_pull_opts pull = { 0 };
	bool quiet = false;
	int status = 0;
	int opt;

	while ((opt = cli_getopt(cli, argc, argv, ":q", longs, &status)) != -1) {
		switch (opt) {
		case 'q':
			quiet = true;
			break;
		case OPT_PLATFORM:
			pull.platform = optarg;
			break;
		case OPT_DOWNLOAD_ONLY:
			pull.is_download_only = true;
			break;
		case OPT_SCHEMA1:
			pull.registry.takes_schema1 = true;
			break;
		case CLI_DONE:
			return status;
		default:
			status = registry_option(cli, opt, optarg, &pull.registry);
			if (status)
				return status;
		}
	}
	if (argc - optind != 1)
		return cli_usage(cli, "one image to pull is needed");
	pull.name = argv[optind];
	return run_pull(cli, &pull, quiet);
}
