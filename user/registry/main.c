// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale-registry: finds the verb in the table, reads the configuration every verb has, and says errors
 * to stderr: status 1, and 125 for a command line it cannot read. What a verb does is in the file of its
 * name.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shale.h>

#include "registry/serve.h"

#define EXIT_USAGE 125

struct options {
	bool is_dry;
	bool is_quiet;
	bool is_untagged;
};

static const struct verb {
	const char *name;
	const char *summary;
	int (*run)(const struct settings *settings, const struct options *options,
		   struct shale_err *err);
} verbs[];

static int run_serve(const struct settings *settings, const struct options *options,
		     struct shale_err *err)
{
	(void)options;
	return serve_run(settings, err);
}

static const struct verb verbs[] = {
	{ "serve", "Serve the registry until SIGTERM", run_serve },
	{ NULL, NULL, NULL },
};

static void print_help(FILE *out)
{
	fputs("Usage: shale-registry VERB [OPTIONS] [CONFIG]\n\nVerbs:\n", out);
	for (const struct verb *verb = verbs; verb->name; verb++)
		fprintf(out, "  %-8s %s\n", verb->name, verb->summary);
	fputs("\nCONFIG is a YAML file, by default " SETTINGS_DEFAULT_PATH ".\n\nOptions:\n"
	      "  --help     Print this\n"
	      "  --version  Print the version\n",
	      out);
}

static int usage(const char *what, const char *word)
{
	fprintf(stderr, "shale-registry: %s '%s'\nSee 'shale-registry --help'.\n", what, word);
	return EXIT_USAGE;
}

static int run_verb(const struct verb *verb, const char *path, const struct options *options)
{
	struct settings settings;
	struct shale_err err = { 0 };
	int ret = settings_load(path, &settings, &err);

	if (ret == 0) {
		ret = verb->run(&settings, options, &err);
		settings_release(&settings);
	}
	if (ret == 0)
		return EXIT_SUCCESS;
	fprintf(stderr, "shale-registry: %s\n", err.msg);
	return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ 0 },
	};
	struct options options = { 0 };
	const struct verb *verb = verbs;
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":", longs, NULL)) != -1) {
		if (opt == 'h') {
			print_help(stdout);
			return EXIT_SUCCESS;
		}
		if (opt == 'v') {
			puts("shale-registry " SHALE_VERSION);
			return EXIT_SUCCESS;
		}
		return usage("unknown option", argv[optind - 1]);
	}
	if (optind == argc) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	while (verb->name && strcmp(verb->name, argv[optind]))
		verb++;
	if (!verb->name)
		return usage("there is no verb", argv[optind]);
	if (argc - optind > 2)
		return usage("more than a verb and a configuration:", argv[optind + 2]);
	return run_verb(verb, argc - optind == 2 ? argv[optind + 1] : SETTINGS_DEFAULT_PATH, &options);
}
