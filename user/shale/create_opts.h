/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The options of create and run, and what they make of the body of POST /containers/create. Words are docker's. Pure, but
 * for the files that --env-file and --label-file name, and variables of the environment.
 */
#ifndef SHALE_CLI_CREATE_OPTS_H
#define SHALE_CLI_CREATE_OPTS_H

#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

enum { CREATE_STDIN = 1, CREATE_STDOUT = 2, CREATE_STDERR = 4 };

/* Texts are those of the command line. */
struct create_opts {
	json_t *config; /* the body; HostConfig is in it */
	json_t *host;
	json_t *env_of_files, *env, *labels_of_files; /* lists */
	const char *name;
	const char *image;
	const char *platform;
	const char *pull; /* missing, always or never */
	const char *cidfile;
	const char *detach_keys; /* NULL: the usual ones */
	unsigned int attach;	 /* what -a said */
	bool is_detached;
	bool is_quiet;
	bool has_proxy; /* signals are passed on */
	bool is_removed; /* at its end */
};

#define CREATE_OPTS_NONE { .has_proxy = true, .pull = "missing" }
#define __cleanup_create_opts __attribute__((cleanup(create_opts_release)))

int create_opts_init(struct create_opts *opts, struct shale_err *err);
void create_opts_release(struct create_opts *opts);

/*
 * For getopt_long: those of create, and those that only run has. The long ones follow on FIRST, whose last one has no name.
 * Valid until the next call.
 */
const char *create_opts_shorts(bool is_run);
const struct option *create_opts_longs(const struct option *first, bool is_run);

/* One that getopt_long has found; the error is to be said with the usage, as create_opts_finish()'s. */
int create_opts_take(struct create_opts *opts, int opt, const char *value, struct shale_err *err);
/* What follows the options: the image, and its command. */
int create_opts_finish(struct create_opts *opts, char **words, struct shale_err *err);

#endif
