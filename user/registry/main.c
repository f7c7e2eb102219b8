// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale-registry: finds the verb in the table, reads the configuration every verb has, and says errors
 * to stderr: status 1, and 125 for a command line it cannot read. What a verb does is in the file of its
 * name.
 */
#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shale.h>

#include "base/err.h"
#include "registry/serve.h"
#include "registry/verbs.h"

#define EXIT_USAGE 125
#define MAX_HEAPS  2
/* Buffers of connections are mapped one by one, and their memory is gone with them. */
#define MAX_HEAP_PIECE (6 << 10)

static int run_serve(const struct settings *settings, const struct verb_options *options,
		     struct shale_err *err)
{
	(void)options;
	return serve_run(settings, err);
}

static const struct verb {
	const char *name;
	const char *usage;
	const char *summary;
	int (*run)(const struct settings *settings, const struct verb_options *options,
		   struct shale_err *err);
	int max_configs;
} verbs[] = {
	{ "serve", "[CONFIG]", "Serve the registry until SIGTERM", run_serve, 1 },
	{ "check", "[--quick] [CONFIG]", "Read the storage and say what is wrong with it", verb_check,
	  1 },
	{ "gc", "[--dry-run] [--alone] [--delete-untagged] [CONFIG]", "Take away what nothing refers to",
	  verb_gc, 1 },
	{ "index", "[CONFIG]", "Make the local index anew from the storage", verb_index, 1 },
	{ "quota", "[CONFIG]", "Count what the quotas are for, and print it", verb_quota, 1 },
	{ "retention", "[--dry-run] [CONFIG]", "Take tags and manifests that no retention rule keeps",
	  verb_retention, 1 },
	{ "migrate", "FROM-CONFIG TO-CONFIG", "Copy a storage to another one", verb_migrate, 2 },
	{ NULL, NULL, NULL, NULL, 0 },
};

static void print_help(FILE *out)
{
	fputs("Usage: shale-registry VERB [OPTIONS] [CONFIG]\n\nVerbs:\n", out);
	for (const struct verb *verb = verbs; verb->name; verb++)
		fprintf(out, "  %-9s %-42s %s\n", verb->name, verb->usage, verb->summary);
	fputs("\nCONFIG is a YAML file, by default " SETTINGS_DEFAULT_PATH ".\n\nOptions:\n"
	      "  --alone            No server uses the storage, not even one that shares it\n"
	      "  --delete-untagged  Take manifests that no tag leads to, too\n"
	      "  --dry-run          Only say what would be taken\n"
	      "  --quick            Do not read the bytes of blobs\n"
	      "  --help             Print this\n"
	      "  --version          Print the version\n",
	      out);
}

static int usage(const char *what, const char *word)
{
	fprintf(stderr, "shale-registry: %s '%s'\nSee 'shale-registry --help'.\n", what, word);
	return EXIT_USAGE;
}

static int run_verb(const struct verb *verb, const char *path, const struct verb_options *options)
{
	struct settings settings;
	struct shale_err err = { 0 };
	int ret = settings_load(path, &settings, &err);

	if (ret == 0) {
		ret = verb->run(&settings, options, &err);
		settings_release(&settings);
	}
	if (ret == 0 && (fflush(stdout) || ferror(stdout)))
		ret = shale_err_set(&err, EIO, "cannot write to standard output");
	if (ret >= 0)
		return ret ? EXIT_FAILURE : EXIT_SUCCESS;
	fprintf(stderr, "shale-registry: %s\n", err.msg);
	return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "alone", no_argument, NULL, 'a' },
		{ "delete-untagged", no_argument, NULL, 'm' },
		{ "dry-run", no_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ "quick", no_argument, NULL, 'q' },
		{ "version", no_argument, NULL, 'v' },
		{ 0 },
	};
	struct verb_options options = { 0 };
	const struct verb *verb = verbs;
	int opt;

	/* Threads that share their heaps leave less of them unused. */
	mallopt(M_ARENA_MAX, MAX_HEAPS);
	mallopt(M_MMAP_THRESHOLD, MAX_HEAP_PIECE);
	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":md", longs, NULL)) != -1) {
		switch (opt) {
		case 'h':
			print_help(stdout);
			return EXIT_SUCCESS;
		case 'v':
			puts("shale-registry " SHALE_VERSION);
			return EXIT_SUCCESS;
		case 'a':
			options.is_alone = true;
			break;
		case 'd':
			options.is_dry = true;
			break;
		case 'm':
			options.is_untagged = true;
			break;
		case 'q':
			options.is_quick = true;
			break;
		default:
			return usage("unknown option", argv[optind - 1]);
		}
	}
	if (optind == argc) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	while (verb->name && strcmp(verb->name, argv[optind]))
		verb++;
	if (!verb->name)
		return usage("there is no verb", argv[optind]);
	if (argc - optind - 1 > verb->max_configs)
		return usage("one word too many:", argv[optind + 1 + verb->max_configs]);
	if (argc - optind == 3)
		options.to = argv[optind + 2];
	return run_verb(verb, argc - optind > 1 ? argv[optind + 1] : SETTINGS_DEFAULT_PATH, &options);
}
