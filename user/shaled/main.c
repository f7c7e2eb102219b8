// SPDX-License-Identifier: GPL-2.0-only
/*
 * The shaled program: reads its command line, and serves docker's Engine API until it is told to stop. How it
 * listens and ends is in api_serve.c.
 */
#include <shale.h>

#include <fcntl.h>
#include <getopt.h>
#include <gnutls/gnutls.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "httpd/log.h"
#include "shaled/api_serve.h"

#define EXIT_USAGE    125
#define DEFAULT_ROOT  "/var/lib/shale"
#define DEFAULT_HOST  "unix:///run/shale/shaled.sock"
#define DEFAULT_GROUP "shale"
/* More threads work at the same time than that, but not on small things. */
#define MAX_HEAPS 2

/*
 * No TLS is spoken on the sockets of this machine, and what is fetched curl fetches with OpenSSL. GnuTLS is there because
 * libmicrohttpd, and librtmp beneath curl, are linked with it: its constructor and the call of libmicrohttpd that prepare it find
 * these, which saves each daemon 0.8 MiB. They must go if a server here is ever to speak TLS.
 */
GNUTLS_SKIP_GLOBAL_INIT

int gnutls_global_init(void)
{
	return GNUTLS_E_SUCCESS;
}

void gnutls_global_deinit(void)
{
}

enum { OPT_ROOT = 1, OPT_DRIVER, OPT_RUNTIME, OPT_HOST, OPT_GROUP, OPT_CONNECTION, OPT_LEVEL, OPT_FORMAT,
       OPT_HELP, OPT_VERSION };

static const struct option longs[] = {
	{ "root", required_argument, NULL, OPT_ROOT },
	{ "storage-driver", required_argument, NULL, OPT_DRIVER },
	{ "runtime", required_argument, NULL, OPT_RUNTIME },
	{ "host", required_argument, NULL, OPT_HOST },
	{ "group", required_argument, NULL, OPT_GROUP },
	{ "connection", required_argument, NULL, OPT_CONNECTION },
	{ "log-level", required_argument, NULL, OPT_LEVEL },
	{ "log-format", required_argument, NULL, OPT_FORMAT },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ 0 },
};

static void print_help(void)
{
	puts("Usage: shaled [OPTIONS]\n\nServe docker's Engine API on the images of a store.\n\nOptions:\n"
	     "  --root DIR             Where images are stored (default $SHALE_ROOT, then " DEFAULT_ROOT ")\n"
	     "  --storage-driver NAME  shale, overlay2, btrfs or vfs (default: the first that works)\n"
	     "  --runtime NAME         runc or crun, for containers (default: the first that is installed)\n"
	     "  -H, --host unix:///PATH  Where to listen (default " DEFAULT_HOST ")\n"
	     "  --group NAME           Who may connect besides root (default " DEFAULT_GROUP ")\n"
	     "  --connection FD        Serve this connected socket and no others, and end with it; may be repeated\n"
	     "  --log-level LEVEL      error, warn, info or debug (default info)\n"
	     "  --log-format FORMAT    text or json (default text)\n"
	     "  --help                 Print this\n"
	     "  --version              Print the version");
}

static int usage(const char *what, const char *word)
{
	fprintf(stderr, "shaled: %s '%s'\nSee 'shaled --help'.\n", what, word);
	return EXIT_USAGE;
}

static bool take_connection(const char *text, struct api_settings *settings)
{
	char *end;
	long fd = strtol(text, &end, 10);

	if (end == text || *end || fd < 0 || fd > INT_MAX || settings->connection_count == API_MAX_CONNECTIONS)
		return false;
	settings->connections[settings->connection_count++] = fd;
	/* Programs that are started for credentials must not hold it open. */
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	return true;
}

struct log_choice {
	enum log_level level;
	bool is_json;
};

/* 0, or the exit status and one more. */
static int take_option(int opt, char **argv, struct api_settings *settings, struct log_choice *log)
{
	switch (opt) {
	case OPT_ROOT:
		settings->root = optarg;
		return 0;
	case OPT_DRIVER:
		settings->driver = optarg;
		return 0;
	case OPT_RUNTIME:
		settings->runtime = optarg;
		return 0;
	case OPT_HOST:
	case 'H':
		settings->host = optarg;
		return 0;
	case OPT_GROUP:
		settings->group = optarg;
		return 0;
	case OPT_CONNECTION:
		return take_connection(optarg, settings) ?
			       0 :
			       usage("--connection is a file descriptor, of four at most, not", optarg) + 1;
	case OPT_LEVEL:
		return log_parse_level(optarg, &log->level) ?
			       0 :
			       usage("--log-level is error, warn, info or debug, not", optarg) + 1;
	case OPT_FORMAT:
		log->is_json = !strcmp(optarg, "json");
		return log->is_json || !strcmp(optarg, "text") ?
			       0 :
			       usage("--log-format is text or json, not", optarg) + 1;
	case OPT_HELP:
		print_help();
		return EXIT_SUCCESS + 1;
	case OPT_VERSION:
		puts("shaled " SHALE_VERSION);
		return EXIT_SUCCESS + 1;
	case ':':
		return usage("a value is missing for", argv[optind - 1]) + 1;
	}
	return usage("unknown option", argv[optind - 1]) + 1;
}

int main(int argc, char **argv)
{
	const char *root = getenv("SHALE_ROOT");
	const char *driver = getenv("SHALE_STORAGE_DRIVER");
	struct log_choice log = { LOG_LEVEL_INFO, false };
	struct api_settings settings = {
		.root = root && *root ? root : DEFAULT_ROOT,
		.driver = driver && *driver ? driver : NULL,
		.host = DEFAULT_HOST,
		.group = DEFAULT_GROUP,
	};
	struct shale_err err = { 0 };
	int opt, status;

	/* Threads that share their heaps leave less of them unused. */
	mallopt(M_ARENA_MAX, MAX_HEAPS);
	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":H:", longs, NULL)) != -1) {
		status = take_option(opt, argv, &settings, &log);
		if (status)
			return status - 1;
	}
	if (optind < argc)
		return usage("one word too many:", argv[optind]);
	log_setup(log.level, log.is_json);
	if (api_serve(&settings, &err) == 0)
		return EXIT_SUCCESS;
	fprintf(stderr, "shaled: %s\n", err.msg);
	return EXIT_FAILURE;
}
