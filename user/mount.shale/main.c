// SPDX-License-Identifier: GPL-2.0-only
/*
 * mount.shale: the helper that mount(8) calls for "-t shale", and the mount_program that
 * containers/storage calls. Two shapes of one command line:
 *
 *	mount.shale SOURCE TARGET [-sfnv] [-o OPTIONS] [-t TYPE]
 *	mount.shale -o OPTIONS TARGET
 *
 * Options, images and mounting are libshale's (kapi/parse.h, kapi/mount.h); here are the command line,
 * what is said, and mount(8)'s exit codes.
 */
#include <shale.h>

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "kapi/mount.h"
#include "kapi/parse.h"

/* mount(8), RETURN CODES */
#define MOUNT_EX_USAGE	1
#define MOUNT_EX_SYSTEM 2
#define MOUNT_EX_FAIL	32

#define DEFAULT_STORE "/var/lib/shale"

struct call {
	const char *source; /* NULL: none was given */
	const char *target;
	bool is_fake;
	bool is_sloppy;
	bool is_verbose;
	struct parsed parsed;
};

static int print_usage(FILE *out)
{
	fputs("Usage: mount.shale SOURCE TARGET [-sfnv] [-o OPTIONS] [-t TYPE]\n"
	      "       mount.shale -o OPTIONS TARGET\n"
	      "\n"
	      "SOURCE is any word where lowerdir= is among the OPTIONS, else an image's name.\n"
	      "\n"
	      "  -o OPTIONS  lowerdir=, upperdir=, workdir= and others, see mount.shale(8)\n"
	      "  -f          do everything but the mount\n"
	      "  -s          ignore unknown options\n"
	      "  -v          say what is done\n"
	      "  -n, -t      accepted for mount(8)\n"
	      "  --version   print the version\n"
	      "  --help      print this\n",
	      out);
	return out == stdout ? 0 : MOUNT_EX_USAGE;
}

static int fail(const struct call *call, const struct shale_err *err, int status)
{
	fprintf(stderr, "mount.shale: %s: %s\n", call->target, err->msg);
	return err->code == ENOMEM ? MOUNT_EX_SYSTEM : status;
}

static void remark(const struct call *call, const char *text)
{
	if (*text)
		fprintf(stderr, "mount.shale: %s: warning: %s\n", call->target, text);
}

/* Only containers/storage, which gives no source, means the mount that is there already. */
static int open_or_share(struct call *call, int *ret_fd, struct mount_log *log,
			 struct shale_err *err)
{
	struct mount_spec *spec = &call->parsed.spec;

	if (!mount_open(spec, ret_fd, log, err))
		return 0;
	if (err->code != EBUSY || call->source || mount_share(spec, call->target, ret_fd, NULL))
		return -1;
	return 0;
}

static int mount_do(struct call *call, struct shale_err *err)
{
	struct mount_spec *spec = &call->parsed.spec;
	__cleanup_fd int mntfd = -1;
	struct mount_log log = { "" };

	if (open_or_share(call, &mntfd, &log, err) ||
	    mount_attach(spec, mntfd, call->target, err))
		return -1;
	remark(call, log.text);
	if (call->is_verbose)
		printf("mount.shale: %s mounted on %s.\n", spec->source, call->target);
	return 0;
}

static int remount_do(struct call *call, struct shale_err *err)
{
	struct mount_log log = { "" };

	if (mount_reconfigure(&call->parsed.spec, call->target, &log, err))
		return -1;
	remark(call, log.text);
	if (call->is_verbose)
		printf("mount.shale: %s remounted.\n", call->target);
	return 0;
}

/* Without lowerdir the source is an image. *layers keeps it from being removed until it is mounted. */
static int image_set(struct call *call, struct shale_layers *layers, struct shale_err *err)
{
	struct mount_spec *spec = &call->parsed.spec;
	struct shale_opts opts = { .root = call->parsed.store ? call->parsed.store : DEFAULT_STORE };

	if (!call->source)
		return shale_err_set(err, EINVAL, "option lowerdir is missing");
	if (shale_layers_get(&opts, call->source, layers, err))
		return -1;
	for (size_t i = 0; i < layers->count; i++)
		if (mount_spec_add_layer(spec, layers->paths[i], err))
			return -1;
	return 0;
}

static int source_set(struct call *call, struct shale_layers *layers, struct shale_err *err)
{
	struct mount_spec *spec = &call->parsed.spec;

	spec->source = strdup(call->source ? call->source : "shale");
	if (!spec->source)
		return shale_err_set(err, ENOMEM, "out of memory");
	if (call->parsed.is_remount || spec->nr_layers)
		return 0;
	return image_set(call, layers, err);
}

static int call_do(struct call *call)
{
	__attribute__((cleanup(shale_layers_put))) struct shale_layers layers = { .lock_fd = -1 };
	struct shale_err err = { 0 };
	int ret;

	if (parsed_check(&call->parsed, &err) || source_set(call, &layers, &err))
		return fail(call, &err, MOUNT_EX_USAGE);
	remark(call, call->parsed.warning);
	if (call->is_fake)
		return 0;
	ret = call->parsed.is_remount ? remount_do(call, &err) : mount_do(call, &err);
	if (ret)
		return fail(call, &err, err.code == EPERM ? MOUNT_EX_USAGE : MOUNT_EX_FAIL);
	return 0;
}

static int bad_words(const char *what)
{
	fprintf(stderr, "mount.shale: %s\n", what);
	return print_usage(stderr);
}

/* False: exit with *ret_status at once. */
static bool take_operands(struct call *call, int argc, char **argv, int *ret_status)
{
	if (argc == 0 || argc > 2) {
		*ret_status = bad_words(argc ? "too many operands" : "where to mount is missing");
		return false;
	}
	call->source = argc == 2 ? argv[0] : NULL;
	call->target = argv[argc - 1];
	return true;
}

/* Options come after the operands from mount(8), before them from containers/storage. */
static bool take_words(struct call *call, int argc, char **argv, const char **ret_opts,
		       int *ret_status)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "o:t:fnsvhV", longs, NULL)) != -1) {
		switch (opt) {
		case 'o':
			ret_opts[0] = optarg;
			ret_opts++;
			break;
		case 'f':
			call->is_fake = true;
			break;
		case 's':
			call->is_sloppy = true;
			break;
		case 'v':
			call->is_verbose = true;
			break;
		case 'n':
		case 't':
			break;
		case 'V':
			puts("mount.shale " SHALE_VERSION);
			*ret_status = 0;
			return false;
		case 'h':
			*ret_status = print_usage(stdout);
			return false;
		default:
			*ret_status = print_usage(stderr);
			return false;
		}
	}
	return take_operands(call, argc - optind, argv + optind, ret_status);
}

static int call_parse(struct call *call, const char *const *opts, struct shale_err *err)
{
	for (; *opts; opts++)
		if (parsed_add(&call->parsed, *opts, call->is_sloppy, err))
			return -1;
	return 0;
}

int main(int argc, char **argv)
{
	struct call call = { 0 };
	struct shale_err err = { 0 };
	__cleanup_free const char **opts = calloc((size_t)argc + 1, sizeof(*opts));
	int status = MOUNT_EX_SYSTEM;

	if (!opts) {
		fputs("mount.shale: out of memory\n", stderr);
		return MOUNT_EX_SYSTEM;
	}
	parsed_init(&call.parsed);
	if (!take_words(&call, argc, argv, opts, &status))
		return status;
	if (call_parse(&call, opts, &err))
		status = fail(&call, &err, MOUNT_EX_USAGE);
	else
		status = call_do(&call);
	parsed_release(&call.parsed);
	return status;
}
