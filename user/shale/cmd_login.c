// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale login and shale logout: ask for what is not given, on a terminal without showing the password, and say
 * what docker says. It is the daemon that asks the registry, and we who keep what it takes.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "client/creds.h"
#include "client/origin.h"
#include "shale/connection.h"
#include "shale/registry_opts.h"
#include "shale/show.h"
#include "store/json.h"

#define DEFAULT_HOST "docker.io"

/* A line of a person or a pipe; NULL at the end of input. To be freed. */
static char *read_line(FILE *in)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t len = getline(&line, &cap, in);

	if (len < 0) {
		free(line);
		return NULL;
	}
	while (len && (line[len - 1] == '\n' || line[len - 1] == '\r'))
		line[--len] = '\0';
	return line;
}

static char *ask(const char *prompt, bool is_secret)
{
	struct termios before;
	struct termios quiet;
	char *line;

	if (!isatty(STDIN_FILENO))
		return NULL;
	fputs(prompt, stderr);
	if (!is_secret || tcgetattr(STDIN_FILENO, &before) < 0)
		return read_line(stdin);
	quiet = before;
	quiet.c_lflag &= ~ECHO;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	line = read_line(stdin);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	fputc('\n', stderr);
	return line;
}

/* "host[:port]" of what people give, which may be a URL. */
static int find_origin(const char *text, struct origin *ret_origin, struct shale_err *err)
{
	__cleanup_buf struct buf name = BUF_INIT;
	struct ref ref;

	if (!strncmp(text, "https://", 8))
		text += 8;
	else if (!strncmp(text, "http://", 7))
		text += 7;
	/* The part that names an image's registry, seen by whether an image there has a name. */
	if (buf_addf(&name, "%.*s/x", (int)strcspn(text, "/"), text))
		return shale_err_set(err, ENOMEM, "out of memory");
	if (ref_parse(buf_str(&name), &ref, NULL) || origin_of_ref(&ref, ret_origin, NULL) ||
	    (strncmp(ref.name, text, strlen(ret_origin->host)) &&
	     strcmp(ret_origin->host, "docker.io")))
		return shale_err_set(err, EINVAL, "'%.200s' is no registry", text);
	return 0;
}

static int call_login(struct connection *connection, const struct shale_registry_opts *registry,
		      const char *host, json_t **ret_answer, struct shale_err *err)
{
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("POST");
	__cleanup_json json_t *body =
		json_pack("{s:s, s:s, s:s}", "username", registry->username, "password",
			  registry->password, "serveraddress", host);

	if (!body)
		return shale_err_set(err, EINVAL, "a user or a password that is not UTF-8");
	call.body = body;
	if (dockapi_path(&call, err, "/auth") ||
	    registry_call(registry, connection, NULL, &call, err))
		return -1;
	return connection_json(connection, &call, ret_answer, err);
}

/* A registry that gives a token for the future has no use for the password. */
static int keep(const struct shale_registry_opts *registry, const char *host, const json_t *answer,
		struct shale_err *err)
{
	const char *token = json_text(answer, "IdentityToken");
	struct creds creds = {
		.username = (char *)registry->username,
		.password = *token ? NULL : (char *)registry->password,
		.identity_token = *token ? (char *)token : NULL,
	};

	return creds_store(registry, host, &creds, err);
}

static int login(const struct cli *cli, const struct shale_registry_opts *registry,
		 const char *host, struct shale_err *err)
{
	__cleanup_connection struct connection connection = CONNECTION_CLOSED;
	__cleanup_json json_t *answer = NULL;
	struct origin origin;

	if (find_origin(host, &origin, err) || connection_open(cli, &connection, err) ||
	    call_login(&connection, registry, origin.host, &answer, err))
		return -1;
	return keep(registry, origin.host, answer, err);
}

static int run_login(const struct cli *cli, struct shale_registry_opts *registry, const char *host,
		     bool from_stdin)
{
	struct shale_err err = { 0 };

	if (from_stdin && !registry->username)
		return cli_usage(cli, "--password-stdin needs --username");
	if (!registry->username)
		registry->username = ask("Username: ", false);
	if (from_stdin)
		registry->password = read_line(stdin);
	else if (!registry->password)
		registry->password = ask("Password: ", true);
	if (!registry->username || !registry->password)
		return cli_usage(cli, "a user and a password are needed, and this is no terminal");
	if (login(cli, registry, host ? host : DEFAULT_HOST, &err))
		return cli_fail(&err);
	puts("Login Succeeded");
	return EXIT_SUCCESS;
}

enum { OPT_PASSWORD_STDIN = 1 };

/* In the list of processes a password is seen by everybody. */
static char *take_secret(char *value)
{
	char *copy = strdup(value);

	memset(value, '*', strlen(value));
	return copy;
}

int cmd_login(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONGS,
		REGISTRY_LONGS,
		{ "username", required_argument, NULL, 'u' },
		{ "password", required_argument, NULL, 'p' },
		{ "password-stdin", no_argument, NULL, OPT_PASSWORD_STDIN },
		{ 0 },
	};
	struct shale_registry_opts registry = { 0 };
	bool from_stdin = false;
	int status = 0;
	int opt;

	while ((opt = cli_getopt(cli, argc, argv, ":u:p:", longs, &status)) != -1) {
		switch (opt) {
		case 'u':
			registry.username = optarg;
			break;
		case 'p':
			registry.password = take_secret(optarg);
			break;
		case OPT_PASSWORD_STDIN:
			from_stdin = true;
			break;
		case CLI_DONE:
			return status;
		default:
			status = registry_option(cli, opt, optarg, &registry);
			if (status)
				return status;
		}
	}
	if (argc - optind > 1)
		return cli_usage(cli, "too many arguments");
	return run_login(cli, &registry, argv[optind], from_stdin);
}

int cmd_logout(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONGS,
		{ "authfile", required_argument, NULL, OPT_AUTHFILE },
		{ 0 },
	};
	struct shale_registry_opts registry = { 0 };
	struct shale_err err = { 0 };
	struct origin origin;
	const char *host;
	int status = 0;
	int opt;

	while ((opt = cli_getopt(cli, argc, argv, ":", longs, &status)) != -1) {
		if (opt == CLI_DONE)
			return status;
		registry.auth_file = optarg;
	}
	if (argc - optind > 1)
		return cli_usage(cli, "too many arguments");
	host = argv[optind] ? argv[optind] : DEFAULT_HOST;
	if (find_origin(host, &origin, &err) || creds_erase(&registry, origin.host, &err))
		return cli_fail(&err);
	printf("Removing login credentials for %s\n", host);
	return EXIT_SUCCESS;
}
