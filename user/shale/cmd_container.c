// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verbs that ask one thing of each container they are given, and print its name when it is done, as docker's do: start, stop,
 * restart, kill, pause, unpause, rm; wait, which prints the exit code; rename; top. One that fails does not keep the others
 * from it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shale/connection.h"
#include "shale/container.h"
#include "shale/fetch.h"
#include "shale/show.h"
#include "shale/table.h"
#include "store/json.h"

/* So it already was. */
#define STATUS_NOT_MODIFIED 304

struct asking {
	struct connection connection;
	const char *method;
	const char *path; /* with a place for the name */
	const char *keys[3], *values[3]; /* of the query; a NULL value is not sent */
	void (*print)(const char *name, const json_t *answer); /* NULL: the name */
	bool is_forced; /* one that is not there is no failure */
};

static int ask_one(struct asking *asking, const char *name, struct shale_err *err)
{
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL(asking->method);
	__cleanup_json json_t *answer = NULL;

	if (dockapi_path(&call, err, asking->path, name))
		return -1;
	for (size_t i = 0; i < 3 && asking->keys[i]; i++)
		if (dockapi_query(&call, asking->keys[i], asking->values[i], err))
			return -1;
	if (connection_json(&asking->connection, &call, &answer, err) && call.status != STATUS_NOT_MODIFIED)
		return -1;
	if (asking->print)
		asking->print(name, answer);
	else
		puts(name);
	return 0;
}

static int ask_all(const struct cli *cli, struct asking *asking, char **names)
{
	struct shale_err err = { 0 };
	int status = EXIT_SUCCESS;

	if (!*names)
		return cli_usage(cli, "a container is missing");
	if (connection_open(cli, &asking->connection, &err))
		return cli_fail(&err);
	for (; *names; names++) {
		if (ask_one(asking, *names, &err) == 0)
			continue;
		cli_fail(&err);
		if (!asking->is_forced || err.code != ENOENT)
			status = EXIT_FAILURE;
	}
	connection_close(&asking->connection);
	return status;
}

static int ask_plainly(struct cli *cli, int argc, char **argv, struct asking *asking)
{
	static const struct option longs[] = { CLI_LONGS, { 0 } };
	int status = 0;

	asking->connection = (struct connection)CONNECTION_CLOSED;
	if (cli_getopt(cli, argc, argv, ":", longs, &status) == CLI_DONE)
		return status;
	return ask_all(cli, asking, argv + optind);
}

int container_start_all(const struct cli *cli, char **names)
{
	struct asking asking = { .connection = CONNECTION_CLOSED, .method = "POST", .path = "/containers/%s/start" };

	return ask_all(cli, &asking, names);
}

int cmd_pause(struct cli *cli, int argc, char **argv)
{
	struct asking asking = { .method = "POST", .path = "/containers/%s/pause" };

	return ask_plainly(cli, argc, argv, &asking);
}

int cmd_unpause(struct cli *cli, int argc, char **argv)
{
	struct asking asking = { .method = "POST", .path = "/containers/%s/unpause" };

	return ask_plainly(cli, argc, argv, &asking);
}

static void print_code(const char *name, const json_t *answer)
{
	(void)name;
	printf("%lld\n", (long long)json_integer_value(json_object_get(answer, "StatusCode")));
}

int cmd_wait(struct cli *cli, int argc, char **argv)
{
	struct asking asking = { .method = "POST", .path = "/containers/%s/wait", .print = print_code };

	return ask_plainly(cli, argc, argv, &asking);
}

/* stop and restart. */
static int ask_with_time(struct cli *cli, int argc, char **argv, const char *path)
{
	static const struct option longs[] = {
		CLI_LONGS,
		{ "time", required_argument, NULL, 't' },
		{ "timeout", required_argument, NULL, 't' },
		{ 0 },
	};
	struct asking asking = { .connection = CONNECTION_CLOSED, .method = "POST", .path = path, .keys = { "t" } };
	int opt, status = 0;
	char *end;

	while ((opt = cli_getopt(cli, argc, argv, ":t:", longs, &status)) != -1) {
		if (opt == CLI_DONE)
			return status;
		strtol(optarg, &end, 10);
		if (end == optarg || *end)
			return cli_usage(cli, "'%s' is no number of seconds", optarg);
		asking.values[0] = optarg;
	}
	return ask_all(cli, &asking, argv + optind);
}

int cmd_stop(struct cli *cli, int argc, char **argv)
{
	return ask_with_time(cli, argc, argv, "/containers/%s/stop");
}

int cmd_restart(struct cli *cli, int argc, char **argv)
{
	return ask_with_time(cli, argc, argv, "/containers/%s/restart");
}

int cmd_kill(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONGS,
		{ "signal", required_argument, NULL, 's' },
		{ 0 },
	};
	struct asking asking = { .connection = CONNECTION_CLOSED, .method = "POST", .path = "/containers/%s/kill",
				 .keys = { "signal" } };
	int opt, status = 0;

	while ((opt = cli_getopt(cli, argc, argv, ":s:", longs, &status)) != -1) {
		if (opt == CLI_DONE)
			return status;
		asking.values[0] = optarg;
	}
	return ask_all(cli, &asking, argv + optind);
}

int cmd_rm(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONGS,
		{ "force", no_argument, NULL, 'f' },
		{ "volumes", no_argument, NULL, 'v' },
		{ 0 },
	};
	struct asking asking = { .connection = CONNECTION_CLOSED, .method = "DELETE", .path = "/containers/%s",
				 .keys = { "force", "v" } };
	int opt, status = 0;

	while ((opt = cli_getopt(cli, argc, argv, ":fv", longs, &status)) != -1) {
		if (opt == CLI_DONE)
			return status;
		asking.values[opt == 'v'] = "1";
		asking.is_forced |= opt == 'f';
	}
	return ask_all(cli, &asking, argv + optind);
}

static void print_nothing(const char *name, const json_t *answer)
{
	(void)name, (void)answer;
}

int cmd_rename(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = { CLI_LONGS, { 0 } };
	struct asking asking = { .connection = CONNECTION_CLOSED, .method = "POST", .path = "/containers/%s/rename",
				 .keys = { "name" }, .print = print_nothing };
	char *names[] = { NULL, NULL };
	int status = 0;

	if (cli_getopt(cli, argc, argv, ":", longs, &status) == CLI_DONE)
		return status;
	if (argc - optind != 2)
		return cli_usage(cli, "a container and its new name are needed");
	names[0] = argv[optind];
	asking.values[0] = argv[optind + 1];
	return ask_all(cli, &asking, names);
}

static void print_line(struct table *table, const json_t *line)
{
	const char *cells[TABLE_MAX_COLUMNS];

	for (size_t i = 0; i < TABLE_MAX_COLUMNS; i++)
		cells[i] = json_string_value(json_array_get(line, i)) ?: "";
	table_add(table, cells);
}

static void print_processes(const char *name, const json_t *answer)
{
	const json_t *rows = json_object_get(answer, "Processes");
	struct table table;

	(void)name;
	table_init(&table, TABLE_MAX_COLUMNS);
	print_line(&table, json_object_get(answer, "Titles"));
	for (size_t i = 0; i < json_array_size(rows); i++)
		print_line(&table, json_array_get(rows, i));
	table_print(&table);
	table_release(&table);
}

int cmd_top(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = { CLI_LONGS, { 0 } };
	struct asking asking = { .connection = CONNECTION_CLOSED, .method = "GET", .path = "/containers/%s/top",
				 .print = print_processes };
	int status = 0;

	if (cli_getopt(cli, argc, argv, ":", longs, &status) == CLI_DONE)
		return status;
	if (argc - optind != 1)
		return cli_usage(cli, "one container is needed");
	return ask_all(cli, &asking, argv + optind);
}
