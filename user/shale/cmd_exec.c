// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale exec: one more process in a container, with us attached to it unless -d is said. The exit status is the process's.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shale/create_value.h"
#include "shale/session.h"
#include "shale/terminal.h"
#include "store/json.h"

struct executing {
	struct session session;
	struct connection connection;
	json_t *body;
	json_t *env_of_files, *env;
	bool is_detached;
};

enum { OPT_ENV_FILE = 1, OPT_KEYS, OPT_PRIVILEGED };

static int take_option(struct executing *executing, int opt, struct shale_err *err)
{
	switch (opt) {
	case 'd':
		executing->is_detached = true;
		return 0;
	case 'i':
		executing->session.has_stdin = true;
		return 0;
	case 't':
		executing->session.is_tty = true;
		return 0;
	case 'e':
		return value_variable(executing->env, optarg, err);
	case 'u':
		return value_set(executing->body, "User", optarg, err);
	case 'w':
		return value_set(executing->body, "WorkingDir", optarg, err);
	case OPT_ENV_FILE:
		return value_file(executing->env_of_files, optarg, false, err);
	case OPT_KEYS:
		executing->session.detach_keys = optarg;
		return 0;
	default:
		return json_object_set_new(executing->body, "Privileged", json_true());
	}
}

static int make_body(struct executing *executing, char **command, struct shale_err *err)
{
	const struct session *session = &executing->session;
	json_t *body = executing->body, *words = json_array();
	unsigned int rows, columns;

	json_object_set_new(body, "Cmd", words);
	for (; *command; command++)
		if (value_append(words, *command, err))
			return -1;
	json_array_extend(executing->env_of_files, executing->env);
	if (json_array_size(executing->env_of_files))
		json_object_set(body, "Env", executing->env_of_files);
	json_object_set_new(body, "AttachStdin", json_boolean(session->has_stdin));
	json_object_set_new(body, "AttachStdout", json_boolean(session->has_stdout));
	json_object_set_new(body, "AttachStderr", json_boolean(session->has_stderr));
	json_object_set_new(body, "Tty", json_boolean(session->is_tty));
	if (session->is_tty && terminal_size(&rows, &columns))
		json_object_set_new(body, "ConsoleSize", json_pack("[i, i]", rows, columns));
	return 0;
}

static int create(struct executing *executing, const char *name, struct shale_err *err)
{
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("POST");
	struct session *session = &executing->session;
	__cleanup_json json_t *answer = NULL;

	call.body = executing->body;
	if (dockapi_path(&call, err, "/containers/%s/exec", name) ||
	    connection_json(&executing->connection, &call, &answer, err))
		return -1;
	if (snprintf(session->id, sizeof(session->id), "%s", json_text(answer, "Id")) > SESSION_MAX_ID || !*session->id)
		return shale_err_set(err, EPROTO, "the daemon's answer has no ID");
	return 0;
}

static int start_detached(struct executing *executing, struct shale_err *err)
{
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("POST");
	__cleanup_json json_t *body = json_pack("{s:b, s:b}", "Detach", 1, "Tty", executing->session.is_tty);

	call.body = body;
	if (dockapi_path(&call, err, "/exec/%s/start", executing->session.id))
		return -1;
	return connection_perform(&executing->connection, &call, err);
}

static int ask_code(struct executing *executing, struct shale_err *err)
{
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("GET");
	__cleanup_json json_t *answer = NULL;

	if (dockapi_path(&call, err, "/exec/%s/json", executing->session.id) ||
	    connection_json(&executing->connection, &call, &answer, err))
		return cli_fail(err);
	return json_integer_value(json_object_get(answer, "ExitCode"));
}

static int run(struct executing *executing, struct shale_err *err)
{
	if (session_hold_signals(&executing->session, err) || session_exec(&executing->session, err))
		return cli_fail(err);
	switch (session_run(&executing->session, err)) {
	case STREAM_DETACHED:
		shale_err_set(err, EINTR, "read escape sequence");
		return cli_fail(err);
	case STREAM_FAILED:
		return cli_fail(err);
	case STREAM_LEFT:
		session_die(&executing->session);
		return EXIT_FAILURE;
	default:
		return ask_code(executing, err);
	}
}

static int execute(struct executing *executing, const struct cli *cli, char **words, struct shale_err *err)
{
	struct session *session = &executing->session;

	session->connection = &executing->connection;
	session->is_exec = true;
	session->has_stdin = session->has_stdin && !executing->is_detached;
	session->has_stdout = session->has_stderr = !executing->is_detached;
	if (session_check(session, err) || make_body(executing, words + 1, err) ||
	    connection_open_several(cli, executing->is_detached ? 0 : SESSION_SPARE, &executing->connection, err) ||
	    create(executing, words[0], err))
		return cli_fail(err);
	if (!executing->is_detached)
		return run(executing, err);
	return start_detached(executing, err) ? cli_fail(err) : EXIT_SUCCESS;
}

static const struct option longs[] = {
	CLI_LONGS,
	{ "detach", no_argument, NULL, 'd' },
	{ "detach-keys", required_argument, NULL, OPT_KEYS },
	{ "env", required_argument, NULL, 'e' },
	{ "env-file", required_argument, NULL, OPT_ENV_FILE },
	{ "interactive", no_argument, NULL, 'i' },
	{ "privileged", no_argument, NULL, OPT_PRIVILEGED },
	{ "tty", no_argument, NULL, 't' },
	{ "user", required_argument, NULL, 'u' },
	{ "workdir", required_argument, NULL, 'w' },
	{ 0 },
};

static int take_line(struct cli *cli, int argc, char **argv, struct executing *executing)
{
	struct shale_err err = { 0 };
	int opt, status = 0;

	while ((opt = cli_getopt(cli, argc, argv, "+:de:itu:w:", longs, &status)) != -1) {
		if (opt == CLI_DONE)
			return status;
		if (take_option(executing, opt, &err))
			return cli_usage(cli, "%s", err.msg);
	}
	if (argc - optind < 2)
		return cli_usage(cli, "a container and a command are needed");
	return execute(executing, cli, argv + optind, &err);
}

int cmd_exec(struct cli *cli, int argc, char **argv)
{
	struct executing executing = {
		.session = SESSION_NONE,
		.connection = CONNECTION_CLOSED,
		.body = json_object(),
		.env_of_files = json_array(),
		.env = json_array(),
	};
	int status = take_line(cli, argc, argv, &executing);

	session_close(&executing.session);
	connection_close(&executing.connection);
	json_decref(executing.body);
	json_decref(executing.env_of_files);
	json_decref(executing.env);
	return status;
}
