// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale login and shale logout: ask for what is not given, on a terminal without showing the password, and say
 * what docker says.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "shale/registry_opts.h"

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
	if (shale_login(registry, host, &err) < 0)
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
	host = argv[optind] ? argv[optind] : "docker.io";
	if (shale_logout(&registry, host, &err) < 0)
		return cli_fail(&err);
	printf("Removing login credentials for %s\n", host);
	return EXIT_SUCCESS;
}
