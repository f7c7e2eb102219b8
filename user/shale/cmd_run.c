// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale create and shale run: a container is made, and for run started, with us attached to it unless -d is said. The exit
 * status of run is the container's, or docker's for one that could not be run.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shale/create.h"
#include "shale/session.h"
#include "shale/terminal.h"

#define EXIT_NOT_RUN	   125
#define EXIT_NOT_A_PROGRAM 126
#define EXIT_NO_PROGRAM	   127

static int take_options(struct cli *cli, int argc, char **argv, bool is_run, struct create_opts *opts, int *ret_status)
{
	static const struct option first[] = { CLI_LONGS, { 0 } };
	const struct option *longs = create_opts_longs(first, is_run);
	struct shale_err err = { 0 };
	int opt;

	if (create_opts_init(opts, &err)) {
		*ret_status = cli_fail(&err);
		return CLI_DONE;
	}
	while ((opt = cli_getopt(cli, argc, argv, create_opts_shorts(is_run), longs, ret_status)) != -1) {
		if (opt == CLI_DONE)
			return opt;
		if (create_opts_take(opts, opt, optarg, &err)) {
			*ret_status = cli_usage(cli, "%s", err.msg);
			return CLI_DONE;
		}
	}
	if (create_opts_finish(opts, argv + optind, &err) == 0)
		return 0;
	*ret_status = cli_usage(cli, "%s", err.msg);
	return CLI_DONE;
}

int cmd_create(struct cli *cli, int argc, char **argv)
{
	__cleanup_connection struct connection connection = CONNECTION_CLOSED;
	__cleanup_create_opts struct create_opts opts = CREATE_OPTS_NONE;
	struct shale_err err = { 0 };
	char id[CREATE_MAX_ID + 1];
	int status = 0;

	if (take_options(cli, argc, argv, false, &opts, &status) == CLI_DONE)
		return status;
	if (connection_open(cli, &connection, &err) || create_container(&connection, &opts, id, &err))
		return cli_fail(&err);
	puts(id);
	return EXIT_SUCCESS;
}

/* What the daemon's words mean, as docker's client understands them. */
static int status_of_refusal(const struct shale_err *err)
{
	static const struct {
		const char *words;
		int status;
	} meanings[] = {
		{ "executable file not found", EXIT_NO_PROGRAM },  { "no such file or directory", EXIT_NO_PROGRAM },
		{ "permission denied", EXIT_NOT_A_PROGRAM },	   { "is a directory", EXIT_NOT_A_PROGRAM },
	};

	for (size_t i = 0; i < sizeof(meanings) / sizeof(*meanings); i++)
		if (strcasestr(err->msg, meanings[i].words))
			return meanings[i].status;
	return EXIT_NOT_RUN;
}

static int fail(const struct shale_err *err, int status)
{
	cli_fail(err);
	return status;
}

static int start(struct session *session, struct shale_err *err)
{
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("POST");

	if (dockapi_path(&call, err, "/containers/%s/start", session->id))
		return -1;
	return connection_perform(session->connection, &call, err);
}

/* Its removal is waited for, so that whoever comes next does not find it. */
static int fail_start(struct session *session, const struct create_opts *opts, const struct shale_err *err)
{
	struct shale_err unread = { 0 };
	int code;

	cli_fail(err);
	if (opts->is_removed && session->pending)
		session_result(session, &code, &unread);
	return status_of_refusal(err);
}

static int end(struct session *session, struct shale_err *err)
{
	int code = EXIT_NOT_RUN;

	switch (session_run(session, err)) {
	case STREAM_DETACHED:
		return EXIT_SUCCESS;
	case STREAM_FAILED:
		return fail(err, EXIT_NOT_RUN);
	case STREAM_LEFT:
		session_die(session);
		return EXIT_NOT_RUN;
	case STREAM_CLOSED:
		break;
	}
	if (!session->has_stdout && !session->has_stderr)
		return EXIT_SUCCESS;
	switch (session_result(session, &code, err)) {
	case STREAM_LEFT:
		session_die(session);
		return EXIT_NOT_RUN;
	case STREAM_FAILED:
		return fail(err, EXIT_NOT_RUN);
	default:
		return code;
	}
}

static int run_attached(struct session *session, const struct create_opts *opts, struct shale_err *err)
{
	if (session_hold_signals(session, err) || session_attach(session, err) ||
	    session_wait(session, opts->is_removed ? "removed" : "next-exit", err))
		return fail(err, EXIT_NOT_RUN);
	if (start(session, err))
		return fail_start(session, opts, err);
	if (!session->has_stdout && !session->has_stderr) {
		puts(session->id);
		fflush(stdout);
	}
	return end(session, err);
}

static int run_detached(struct session *session, const struct create_opts *opts, struct shale_err *err)
{
	puts(session->id);
	if (opts->is_removed && session_wait(session, "removed", err))
		return fail(err, EXIT_NOT_RUN);
	return start(session, err) ? fail_start(session, opts, err) : EXIT_SUCCESS;
}

static void put_size(const struct session *session, json_t *host)
{
	unsigned int rows, columns;

	if (session->is_tty && terminal_size(&rows, &columns))
		json_object_set_new(host, "ConsoleSize", json_pack("[i, i]", rows, columns));
}

static void prepare(struct session *session, const struct create_opts *opts)
{
	session->has_stdin = opts->attach & CREATE_STDIN && json_is_true(json_object_get(opts->config, "OpenStdin"));
	session->has_stdout = opts->attach & CREATE_STDOUT;
	session->has_stderr = opts->attach & CREATE_STDERR;
	session->is_tty = json_is_true(json_object_get(opts->config, "Tty"));
	session->has_proxy = opts->has_proxy && !session->is_tty;
	session->detach_keys = opts->detach_keys;
}

static int run(const struct cli *cli, const struct create_opts *opts)
{
	__cleanup_connection struct connection connection = CONNECTION_CLOSED;
	__cleanup_session struct session session = SESSION_NONE;
	struct shale_err err = { 0 };

	session.connection = &connection;
	prepare(&session, opts);
	if (session_check(&session, &err))
		return fail(&err, EXIT_FAILURE);
	put_size(&session, opts->host);
	if (connection_open_several(cli, SESSION_SPARE, &connection, &err) ||
	    create_container(&connection, opts, session.id, &err))
		return fail(&err, EXIT_NOT_RUN);
	return opts->attach ? run_attached(&session, opts, &err) : run_detached(&session, opts, &err);
}

int cmd_run(struct cli *cli, int argc, char **argv)
{
	__cleanup_create_opts struct create_opts opts = CREATE_OPTS_NONE;
	int status = 0;

	if (take_options(cli, argc, argv, true, &opts, &status) == CLI_DONE)
		return status;
	return run(cli, &opts);
}
