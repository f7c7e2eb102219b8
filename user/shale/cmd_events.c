// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale events: what happens at the daemon, a line each, until the time that is asked for or an interrupt.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "shale/connection.h"
#include "shale/filters.h"
#include "shale/show.h"
#include "shale/template.h"
#include "shale/when.h"
#include "store/json.h"

/* What a shell calls the end by SIGINT. */
#define EXIT_INTERRUPTED 130

struct events {
	const struct template *template;
	bool is_json;
};

/* "2026-11-24T04:28:53.274603285+00:00", in this machine's zone */
static void print_time(const json_t *event)
{
	json_int_t nanos = json_integer_value(json_object_get(event, "timeNano"));
	time_t when = nanos / 1000000000;
	char text[64], zone[16];
	struct tm tm;

	if (!localtime_r(&when, &tm))
		return;
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	strftime(zone, sizeof(zone), "%z", &tm);
	printf("%s.%09lld", text, (long long)(nanos % 1000000000));
	if (!strcmp(zone, "+0000"))
		putchar('Z');
	else
		printf("%.3s:%s", zone, zone + 3);
}

static void print_attributes(const json_t *attributes)
{
	const char *separator = " (";
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)attributes, key, value) {
		printf("%s%s=%s", separator, key, json_string_value(value));
		separator = ", ";
	}
	if (*separator == ',')
		putchar(')');
}

static void print_event(const json_t *event)
{
	const json_t *actor = json_object_get(event, "Actor");

	print_time(event);
	printf(" %s %s %s", json_text(event, "Type"), json_text(event, "Action"), json_text(actor, "ID"));
	print_attributes(json_object_get(actor, "Attributes"));
	putchar('\n');
}

/* In templates, fields have the names they have in docker's program, not in its API. */
static json_t *name_fields(const json_t *event)
{
	const json_t *actor = json_object_get(event, "Actor");

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:O, s:s, s:I, s:I}", "Status",
			 json_text(event, "status"), "ID", json_text(event, "id"), "From",
			 json_text(event, "from"), "Type", json_text(event, "Type"), "Action",
			 json_text(event, "Action"), "Actor", actor, "Scope", json_text(event, "scope"),
			 "Time", json_integer_value(json_object_get(event, "time")), "TimeNano",
			 json_integer_value(json_object_get(event, "timeNano")));
}

static int render(const struct template *template, const json_t *event, struct shale_err *err)
{
	__cleanup_json json_t *named = name_fields(event);
	__cleanup_buf struct buf out = BUF_INIT;

	if (!named)
		return shale_err_set(err, EPROTO, "an event of the daemon's lacks what all have");
	if (template_render(template, named, &out, err))
		return shale_err_wrap(err, "--format");
	puts(buf_str(&out));
	return 0;
}

static int show(void *arg, const json_t *event, struct shale_err *err)
{
	const struct events *events = arg;
	int ret = 0;

	if (events->is_json) {
		json_dumpf(event, stdout, JSON_COMPACT);
		putchar('\n');
	} else if (events->template) {
		ret = render(events->template, event, err);
	} else {
		print_event(event);
	}
	fflush(stdout);
	return ret;
}

static int run_events(const struct cli *cli, struct dockapi_call *call, struct events *events)
{
	__cleanup_connection struct connection connection = CONNECTION_CLOSED;
	struct shale_err err = { 0 };

	if (connection_open(cli, &connection, &err) ||
	    connection_stream(&connection, call, show, events, &err))
		return err.code == ECANCELED ? EXIT_INTERRUPTED : cli_fail(&err);
	return EXIT_SUCCESS;
}

enum { OPT_SINCE = 1, OPT_UNTIL, OPT_FORMAT };

static int take_time(const struct cli *cli, const char *key, const char *text,
		     struct dockapi_call *call)
{
	struct shale_err err = { 0 };
	char seconds[32];
	int64_t when;

	if (!when_parse(text, time(NULL), &when))
		return cli_usage(cli, "--%s is a duration or a time, not '%s'", key, text);
	snprintf(seconds, sizeof(seconds), "%lld", (long long)when);
	return dockapi_query(call, key, seconds, &err) ? cli_fail(&err) : 0;
}

int cmd_events(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONGS,
		{ "since", required_argument, NULL, OPT_SINCE },
		{ "until", required_argument, NULL, OPT_UNTIL },
		{ "filter", required_argument, NULL, 'f' },
		{ "format", required_argument, NULL, OPT_FORMAT },
		{ 0 },
	};
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("GET");
	__cleanup_template struct template *template = NULL;
	__cleanup_filters struct filters filters = { NULL };
	struct events events = { NULL };
	struct shale_err err = { 0 };
	const char *format = NULL;
	int opt, status = 0;

	while ((opt = cli_getopt(cli, argc, argv, ":f:", longs, &status)) != -1) {
		if (opt == CLI_DONE)
			return status;
		if (opt == 'f')
			status = filters_option(cli, optarg, &filters);
		else if (opt == OPT_FORMAT)
			format = optarg;
		else
			status = take_time(cli, opt == OPT_SINCE ? "since" : "until", optarg, &call);
		if (status)
			return status;
	}
	if (optind < argc)
		return cli_usage(cli, "too many arguments");
	events.is_json = format && (!strcmp(format, "json") || !strcmp(format, "{{json .}}"));
	if (format && !events.is_json && template_parse(format, &template, &err))
		return cli_usage(cli, "--format: %s", err.msg);
	events.template = template;
	if (dockapi_path(&call, &err, "/events") || filters_query(&filters, &call, &err))
		return cli_fail(&err);
	return run_events(cli, &call, &events);
}
