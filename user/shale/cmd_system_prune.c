// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale system prune: asks, removes what is not used, and says what went as docker does.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "shale/shale.h"
#include "shale/table.h"

struct prune_view {
	bool has_containers;
	bool has_images;
};

static int print_pruned(void *arg, const struct shale_event *event)
{
	struct prune_view *view = arg;

	if (event->kind == SHALE_EVENT_CONTAINER) {
		if (!view->has_containers)
			puts("Deleted Containers:");
		view->has_containers = true;
		puts(event->id);
		return 0;
	}
	if (event->kind != SHALE_EVENT_UNTAGGED && event->kind != SHALE_EVENT_DELETED)
		return 0;
	if (!view->has_images)
		printf("%sDeleted Images:\n", view->has_containers ? "\n" : "");
	view->has_images = true;
	if (event->kind == SHALE_EVENT_UNTAGGED)
		printf("untagged: %s\n", event->name);
	else
		printf("deleted: %s\n", event->id);
	return 0;
}

static const struct {
	char letter;
	int64_t seconds;
} duration_units[] = { { 'h', 3600 }, { 'm', 60 }, { 's', 1 } };

/* "1h30m" before now. */
static bool parse_duration(const char *text, int64_t now, int64_t *ret_time)
{
	int64_t total = 0;
	long long value;
	char *end;

	if (!*text)
		return false;
	for (; *text; text = end + 1) {
		size_t i = 0;

		errno = 0;
		value = strtoll(text, &end, 10);
		while (i < 3 && duration_units[i].letter != *end)
			i++;
		if (errno || end == text || value < 0 || i == 3 || value > INT32_MAX)
			return false;
		total += value * duration_units[i].seconds;
	}
	*ret_time = now - total;
	return true;
}

static const char *const time_formats[] = { "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S",
					    "%Y-%m-%dT%H:%M", "%Y-%m-%d" };

/* A day, a local time or one in UTC, or seconds since the epoch. */
static bool parse_date(const char *text, int64_t *ret_time)
{
	const char *end;
	char *digits;

	*ret_time = strtoll(text, &digits, 10);
	if (digits != text && !*digits && *ret_time > 0)
		return true;
	for (size_t i = 0; i < sizeof(time_formats) / sizeof(*time_formats); i++) {
		struct tm tm = { .tm_isdst = -1 };

		end = strptime(text, time_formats[i], &tm);
		if (!end || *end)
			continue;
		*ret_time = i == 0 ? timegm(&tm) : mktime(&tm);
		return *ret_time > 0;
	}
	return false;
}

static bool parse_filter(const char *text, int64_t *ret_before)
{
	const char *key = "until=";

	if (strncmp(text, key, strlen(key)))
		return false;
	text += strlen(key);
	return parse_duration(text, time(NULL), ret_before) || parse_date(text, ret_before);
}

static bool is_confirmed(const struct shale_prune_opts *prune)
{
	__cleanup_free char *line = NULL;
	size_t cap = 0;

	printf("WARNING! This will remove:\n"
	       "  - all writable layers that are not mounted\n"
	       "  - all images %s\n"
	       "  - all downloads %s\n",
	       prune->is_all ? "that are not in use" : "without a name",
	       prune->is_all ? "that no pull works on" : "that nobody came back for in a week");
	if (prune->before)
		printf("  of those only what was created before %lld (seconds since the epoch)\n",
		       (long long)prune->before);
	printf("\nAre you sure you want to continue? [y/N] ");
	fflush(stdout);
	return getline(&line, &cap, stdin) > 0 && (!strcmp(line, "y\n") || !strcmp(line, "Y\n"));
}

static int run_prune(const struct cli *cli, const struct shale_prune_opts *prune)
{
	struct prune_view view = { false };
	struct shale_opts opts = { .root = cli->root, .progress = print_pruned, .arg = &view };
	struct shale_err err = { 0 };
	uint64_t bytes = 0;
	char size[32];

	if (shale_prune(&opts, prune, &bytes, &err) < 0)
		return cli_fail(&err);
	printf("%sTotal reclaimed space: %s\n", view.has_containers || view.has_images ? "\n" : "",
	       table_size(bytes, size, sizeof(size)));
	return EXIT_SUCCESS;
}

int cmd_system_prune(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONGS,
		{ "all", no_argument, NULL, 'a' },
		{ "force", no_argument, NULL, 'f' },
		{ "filter", required_argument, NULL, 'F' },
		{ 0 },
	};
	struct shale_prune_opts prune = { 0 };
	bool force = false;
	int opt, status;

	while ((opt = cli_getopt(cli, argc, argv, ":af", longs, &status)) != -1) {
		if (opt == CLI_DONE)
			return status;
		if (opt == 'a')
			prune.is_all = true;
		else if (opt == 'f')
			force = true;
		else if (!parse_filter(optarg, &prune.before))
			return cli_usage(cli, "--filter is 'until=' and a duration or a time, not '%s'",
					 optarg);
	}
	if (optind < argc)
		return cli_usage(cli, "too many arguments");
	if (force || is_confirmed(&prune))
		return run_prune(cli, &prune);
	fputs("shale: system prune was cancelled\n", stderr);
	return EXIT_FAILURE;
}
