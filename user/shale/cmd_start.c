// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale attach, and shale start, which with -a or -i is attached to the container that it starts. Their exit status is the
 * container's.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shale/container.h"
#include "shale/session.h"
#include "store/json.h"

struct attaching {
	struct session session;
	struct connection connection;
	bool is_start;
	bool wants_stdin;
	bool is_attached; /* of start */
	const char *condition; /* that tells its end */
};

static int check_running(const json_t *json, struct shale_err *err)
{
	const json_t *state = json_object_get(json, "State");

	if (!json_is_true(json_object_get(state, "Running")))
		return shale_err_set(err, EBUSY, "cannot attach to a stopped container, start it first");
	if (json_is_true(json_object_get(state, "Paused")))
		return shale_err_set(err, EBUSY, "cannot attach to a paused container, unpause it first");
	return 0;
}

static int look(struct attaching *attaching, const char *name, struct shale_err *err)
{
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("GET");
	struct session *session = &attaching->session;
	__cleanup_json json_t *json = NULL;
	const json_t *config;

	if (dockapi_path(&call, err, "/containers/%s/json", name) ||
	    connection_json(&attaching->connection, &call, &json, err))
		return -1;
	config = json_object_get(json, "Config");
	if (!attaching->is_start && check_running(json, err))
		return -1;
	snprintf(session->id, sizeof(session->id), "%s", json_text(json, "Id"));
	session->is_tty = json_is_true(json_object_get(config, "Tty"));
	session->has_stdin = attaching->wants_stdin && json_is_true(json_object_get(config, "OpenStdin"));
	session->has_stdout = session->has_stderr = true;
	session->has_proxy = session->has_proxy && !session->is_tty;
	session->is_redrawn = session->is_tty && !attaching->is_start;
	attaching->condition = json_is_true(json_object_get(json_object_get(json, "HostConfig"), "AutoRemove")) ?
				       "removed" :
			       attaching->is_start ? "next-exit" :
						     "not-running";
	return 0;
}

static int start(struct attaching *attaching, struct shale_err *err)
{
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("POST");
	const int unmodified = 304;

	if (!attaching->is_start)
		return 0;
	if (dockapi_path(&call, err, "/containers/%s/start", attaching->session.id))
		return -1;
	/* One that runs already will do. */
	return connection_perform(&attaching->connection, &call, err) && call.status != unmodified ? -1 : 0;
}

static int begin(struct attaching *attaching, const struct cli *cli, const char *name, struct shale_err *err)
{
	struct session *session = &attaching->session;

	if (connection_open_several(cli, SESSION_SPARE, &attaching->connection, err) ||
	    look(attaching, name, err) || session_check(session, err) || session_attach(session, err) ||
	    session_wait(session, attaching->condition, err) || session_hold_signals(session, err))
		return -1;
	return start(attaching, err);
}

static enum stream_end follow(struct session *session, int *ret_code, struct shale_err *err)
{
	enum stream_end end = session_run(session, err);

	return end == STREAM_CLOSED ? session_result(session, ret_code, err) : end;
}

static int attach(struct attaching *attaching, const struct cli *cli, const char *name)
{
	struct shale_err err = { 0 };
	int code = 0;

	if (begin(attaching, cli, name, &err))
		return cli_fail(&err);
	switch (follow(&attaching->session, &code, &err)) {
	case STREAM_DETACHED:
		if (attaching->is_start)
			return EXIT_SUCCESS;
		shale_err_set(&err, EINTR, "read escape sequence");
		return cli_fail(&err);
	case STREAM_LEFT:
		session_die(&attaching->session);
		return EXIT_FAILURE;
	case STREAM_FAILED:
		return cli_fail(&err);
	default:
		return code;
	}
}

enum { OPT_KEYS = 1, OPT_PROXY, OPT_NO_STDIN };

static int take_flag(const struct cli *cli, const char *value, bool *ret_flag)
{
	*ret_flag = !value || !strcmp(value, "true");
	if (*ret_flag || !strcmp(value, "false"))
		return 0;
	return cli_usage(cli, "an option is 'true' or 'false', not '%s'", value);
}

/* The exit status of one that makes no sense, or 0. */
static int take_option(const struct cli *cli, struct attaching *attaching, int opt)
{
	bool flag;
	int status = 0;

	switch (opt) {
	case 'a':
		attaching->is_attached = true;
		return 0;
	case 'i':
		attaching->is_attached = attaching->wants_stdin = true;
		return 0;
	case OPT_KEYS:
		attaching->session.detach_keys = optarg;
		return 0;
	case OPT_PROXY:
		return take_flag(cli, optarg, &attaching->session.has_proxy);
	default:
		status = take_flag(cli, optarg, &flag);
		attaching->wants_stdin = !flag;
		return status;
	}
}

static int run(struct cli *cli, struct attaching *attaching, char **names)
{
	int status;

	if (!*names || names[1])
		return cli_usage(cli, *names ? "you cannot be attached to several containers at once" :
					       "a container is missing");
	attaching->session.connection = &attaching->connection;
	status = attach(attaching, cli, *names);
	session_close(&attaching->session);
	connection_close(&attaching->connection);
	return status;
}

int cmd_start(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONGS,
		{ "attach", no_argument, NULL, 'a' },
		{ "interactive", no_argument, NULL, 'i' },
		{ "detach-keys", required_argument, NULL, OPT_KEYS },
		{ "sig-proxy", optional_argument, NULL, OPT_PROXY },
		{ 0 },
	};
	struct attaching attaching = { .session = SESSION_NONE, .connection = CONNECTION_CLOSED, .is_start = true };
	int opt, status = 0;

	attaching.session.has_proxy = true;
	while ((opt = cli_getopt(cli, argc, argv, ":ai", longs, &status)) != -1) {
		if (opt != CLI_DONE)
			status = take_option(cli, &attaching, opt);
		if (status || opt == CLI_DONE)
			return status;
	}
	return attaching.is_attached ? run(cli, &attaching, argv + optind) : container_start_all(cli, argv + optind);
}

int cmd_attach(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONGS,
		{ "detach-keys", required_argument, NULL, OPT_KEYS },
		{ "no-stdin", optional_argument, NULL, OPT_NO_STDIN },
		{ "sig-proxy", optional_argument, NULL, OPT_PROXY },
		{ 0 },
	};
	struct attaching attaching = { .session = SESSION_NONE, .connection = CONNECTION_CLOSED, .wants_stdin = true };
	int opt, status = 0;

	attaching.session.has_proxy = true;
	while ((opt = cli_getopt(cli, argc, argv, ":", longs, &status)) != -1) {
		if (opt != CLI_DONE)
			status = take_option(cli, &attaching, opt);
		if (status || opt == CLI_DONE)
			return status;
	}
	return run(cli, &attaching, argv + optind);
}
