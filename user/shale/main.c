// SPDX-License-Identifier: GPL-2.0-only
/*
 * The shale program: finds the verb in the table, takes the settings every verb has, and says
 * errors the way docker does (to stderr, status 1, and 125 for a command line it cannot read).
 * What a verb does is in its cmd_NAME.c; what it means is in the library's engine.
 */
#include "shale/shale.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shale/complete.h"

/* What completion scripts ask. */
#define COMPLETE "__complete"

static const struct verb verbs[] = {
	{ "attach", "[OPTIONS] CONTAINER", "Be attached to a container that runs", cmd_attach, NULL },
	{ "commit", "[OPTIONS] CONTAINER|DIR [NAME[:TAG]]",
	  "Make an image of what changed in a writable layer", cmd_commit, NULL },
	{ "cp", "[-a] [-L] CONTAINER:PATH PATH|- | PATH|- CONTAINER:PATH", "Copy files out of a container or into one", cmd_cp, NULL },
	{ "create", "[OPTIONS] IMAGE [COMMAND [ARGUMENT...]]", "Make a container", cmd_create, NULL },
	{ "diff", "[--size] CONTAINER|DIR", "List what changed in a writable layer", cmd_diff, NULL },
	{ "doctor", "[--format table|json] [DIR]",
	  "Tell what keeps shale from working on this machine, or with images in DIR", cmd_doctor, NULL },
	{ "events", "[OPTIONS]", "Tell what happens", cmd_events, NULL },
	{ "exec", "[OPTIONS] CONTAINER COMMAND [ARGUMENT...]", "Run one more process in a container", cmd_exec, NULL },
	{ "export", "[-o FILE] CONTAINER", "Write all files of a container as a tar", cmd_export, NULL },
	{ "history", "[OPTIONS] IMAGE", "Show how an image was made", cmd_history, NULL },
	{ "image", "COMMAND [OPTIONS]", "Verbs about images", cmd_image, image_commands },
	{ "images", "[OPTIONS] [NAME[:TAG]]", "List images", cmd_images, NULL },
	{ "import", "[OPTIONS] FILE|DIR|- [NAME[:TAG]]",
	  "Import images from an archive or an OCI layout, or make one from a tar of files",
	  cmd_import, NULL },
	{ "info", "[--format TEMPLATE]", "Tell about the daemon and the machine", cmd_info, NULL },
	{ "inspect", "[--format TEMPLATE] NAME|ID...", "Tell all about containers, images and volumes", cmd_inspect, NULL },
	{ "kill", "[-s SIGNAL] CONTAINER...", "Send a signal to containers", cmd_kill, NULL },
	{ "load", "[-i FILE] [-q]", "Load images from what docker save or shale save wrote", cmd_load, NULL },
	{ "login", "[OPTIONS] [REGISTRY]", "Log in to a registry", cmd_login, NULL },
	{ "logout", "[OPTIONS] [REGISTRY]", "Log out of a registry", cmd_logout, NULL },
	{ "logs", "[-f] [-t] [-n LINES] [--since TIME] [--until TIME] CONTAINER",
	  "Show what a container has printed", cmd_logs, NULL },
	{ "materialize", "FILE...", "Fill files on a mount, so that they need no lower layer",
	  cmd_materialize, NULL },
	{ "mount", "[--rw] [-s DRIVER] [-o OPTIONS] IMAGE DIR", "Mount an image on a directory", cmd_mount, NULL },
	{ "pause", "CONTAINER...", "Let containers stand still", cmd_pause, NULL },
	{ "ps", "[OPTIONS]", "List containers", cmd_ps, NULL },
	{ "pull", "[OPTIONS] NAME[:TAG|@DIGEST]", "Pull an image from a registry", cmd_pull, NULL },
	{ "push", "[OPTIONS] NAME[:TAG]", "Push an image to a registry", cmd_push, NULL },
	{ "rename", "CONTAINER NAME", "Give a container another name", cmd_rename, NULL },
	{ "restart", "[-t SECONDS] CONTAINER...", "Stop containers and start them again", cmd_restart, NULL },
	{ "rm", "[-f] [-v] CONTAINER...", "Remove containers", cmd_rm, NULL },
	{ "rmi", "[OPTIONS] NAME|ID...", "Remove images", cmd_rmi, NULL },
	{ "run", "[OPTIONS] IMAGE [COMMAND [ARGUMENT...]]", "Make a container and run it", cmd_run, NULL },
	{ "save", "[-o FILE] IMAGE...", "Save images as a tar", cmd_save, NULL },
	{ "search", "[OPTIONS] TERM", "Look for images in a registry", cmd_search, NULL },
	{ "start", "[-a] [-i] [OPTIONS] CONTAINER...", "Start containers", cmd_start, NULL },
	{ "stat", "[--format table|json] FILE...",
	  "Tell which layers of a mount have the bytes of files", cmd_stat, NULL },
	{ "stop", "[-t SECONDS] CONTAINER...", "Stop containers", cmd_stop, NULL },
	{ "system", "COMMAND [OPTIONS]", "Verbs about the store as a whole", cmd_system, system_commands },
	{ "tag", "IMAGE NAME[:TAG]", "Give an image one more name", cmd_tag, NULL },
	{ "top", "CONTAINER", "Show the processes of a container", cmd_top, NULL },
	{ "umount", "[--keep] [--lazy] DIR...",
	  "Unmount, and remove the writable layer the mount was given", cmd_umount, NULL },
	{ "unpause", "CONTAINER...", "Let containers go on", cmd_unpause, NULL },
	{ "version", "[--format TEMPLATE]", "Tell the versions of this program and its daemon", cmd_version, NULL },
	{ "volume", "COMMAND [OPTIONS]", "Verbs about volumes", cmd_volume, volume_commands },
	{ "wait", "CONTAINER...",
	  "Wait for containers to end, and print their exit codes", cmd_wait, NULL },
	{ .name = NULL },
};

static void print_help(FILE *out)
{
	fputs("Usage: shale [OPTIONS] VERB [OPTIONS] [ARGUMENTS]\n\nVerbs:\n", out);
	for (const struct verb *verb = verbs; verb->name; verb++)
		fprintf(out, "  %-11s %s\n", verb->name, verb->summary);
	fputs("\nOptions:\n"
	      "  -H, --host unix:///PATH  The daemon that does the work (default $SHALE_HOST, then the machine's,\n"
	      "                           then one of its own)\n"
	      "  --root DIR               Where images are stored (default $SHALE_ROOT, then " DEFAULT_ROOT ")\n"
	      "  --storage-driver NAME    shale, overlay2, btrfs or vfs\n"
	      "  --help                   Print this, or after a verb its usage\n"
	      "  -v, --version            Print the version\n",
	      out);
}

static void print_usage(FILE *out, const struct cli *cli)
{
	if (cli->verb)
		fprintf(out, "Usage: shale %s %s\n", cli->verb->name, cli->verb->usage);
	else
		fputs("See 'shale --help'.\n", out);
}

int cli_fail(const struct shale_err *err)
{
	fprintf(stderr, "shale: %s\n", err->msg);
	return EXIT_FAILURE;
}

int cli_usage(const struct cli *cli, const char *fmt, ...)
{
	va_list ap;

	fputs("shale: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	print_usage(stderr, cli);
	return EXIT_USAGE;
}

static int bad_option(const struct cli *cli, int opt, char **argv)
{
	const char *word = argv[optind - 1];

	if (opt == ':')
		return cli_usage(cli, "option %s needs a value", word);
	if (optopt && optopt < CLI_ROOT)
		return cli_usage(cli, "unknown option -%c", optopt);
	return cli_usage(cli, "unknown option %s", word);
}

static void list_options(const struct option *longs, const char *prefix)
{
	char text[64];

	for (; longs->name; longs++) {
		snprintf(text, sizeof(text), "--%s", longs->name);
		if (!strncmp(text, prefix, strlen(prefix)))
			puts(text);
	}
}

int cli_getopt(struct cli *cli, int argc, char **argv, const char *shorts,
	       const struct option *longs, int *ret_status)
{
	int opt;

	if (cli->option_prefix) {
		list_options(longs, cli->option_prefix);
		*ret_status = EXIT_SUCCESS;
		return CLI_DONE;
	}
	opterr = 0;
	for (;;) {
		opt = getopt_long(argc, argv, shorts, longs, NULL);
		switch (opt) {
		case CLI_ROOT:
			cli->root = optarg;
			cli->has_own_store = true;
			break;
		case CLI_HELP:
			if (cli->verb)
				print_usage(stdout, cli);
			else
				print_help(stdout);
			*ret_status = EXIT_SUCCESS;
			return CLI_DONE;
		case '?':
		case ':':
			*ret_status = bad_option(cli, opt, argv);
			return CLI_DONE;
		default:
			return opt;
		}
	}
}

static const struct verb *verb_find(const char *name)
{
	for (const struct verb *verb = verbs; verb->name; verb++)
		if (!strcmp(verb->name, name))
			return verb;
	return NULL;
}

/* A verb whose output is lost has failed, whatever it did. */
static int flush_output(int status)
{
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	fputs("shale: cannot write to standard output\n", stderr);
	return EXIT_FAILURE;
}

static int run_verb(struct cli *cli, int argc, char **argv)
{
	if (!strcmp(argv[0], COMPLETE) && argc > 1)
		return flush_output(complete_run(cli, verbs, argc - 1, argv + 1));
	cli->verb = verb_find(argv[0]);
	if (!cli->verb)
		return cli_usage(cli, "'%s' is not a shale verb", argv[0]);
	/* 0 makes glibc's getopt start afresh on the verb's own words. */
	optind = 0;
	return flush_output(cli->verb->run(cli, argc, argv));
}

/* Takes the options in front of the verb; CLI_DONE with the exit status when there is nothing more to do. */
static int take_options(struct cli *cli, int argc, char **argv, int *ret_status)
{
	static const struct option longs[] = {
		CLI_LONGS,
		{ "host", required_argument, NULL, 'H' },
		{ "storage-driver", required_argument, NULL, 's' },
		{ "version", no_argument, NULL, 'v' },
		{ 0 },
	};
	int opt;

	/* '+': what follows the verb is the verb's. */
	while ((opt = cli_getopt(cli, argc, argv, "+:H:v", longs, ret_status)) != -1) {
		if (opt == CLI_DONE)
			return opt;
		if (opt == 'v') {
			puts("shale " SHALE_VERSION);
			return CLI_DONE;
		}
		if (opt == 'H') {
			cli->host = optarg;
			continue;
		}
		cli->driver = optarg;
		cli->has_own_store = true;
	}
	return 0;
}

static const char *environment(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

int main(int argc, char **argv)
{
	struct cli cli = { .root = environment("SHALE_ROOT"), .host = environment("SHALE_HOST") };
	const char *host = cli.host;
	int status = EXIT_SUCCESS;

	cli.has_own_store = cli.root;
	if (!cli.root)
		cli.root = DEFAULT_ROOT;
	if (take_options(&cli, argc, argv, &status) == CLI_DONE)
		return flush_output(status);
	if (optind == argc) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	/* What is said on the command line counts more than the environment. */
	if (cli.host == host && cli.has_own_store)
		cli.host = NULL;
	return run_verb(&cli, argc - optind, argv + optind);
}
