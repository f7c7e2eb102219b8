/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the verbs of the shale program share: the table's row, the settings main.c collected and
 * the few lines they say things with. One verb a file, cmd_NAME.c; the table is in main.c.
 */
#ifndef SHALE_CLI_H
#define SHALE_CLI_H

#include <shale.h>

#include <getopt.h>

#define EXIT_USAGE   125
#define DEFAULT_ROOT "/var/lib/shale"

/*
 * @host:	   a daemon that was named, or NULL.
 * @driver:	   the storage driver that was named, or NULL.
 * @has_own_store: root or driver were named: the machine's daemon has others.
 */
struct cli {
	const struct verb *verb;
	const char *root;
	const char *host;
	const char *driver;
	bool has_own_store;
	const char *option_prefix; /* a verb is asked for its options that begin so, and does nothing else; or NULL */
};

struct verb {
	const char *name;
	const char *usage;
	const char *summary;
	int (*run)(struct cli *cli, int argc, char **argv);
	const struct verb *commands; /* of a verb that is a noun, or NULL */
};

extern const struct verb image_commands[];
extern const struct verb system_commands[];
extern const struct verb volume_commands[];

int cmd_attach(struct cli *cli, int argc, char **argv);
int cmd_commit(struct cli *cli, int argc, char **argv);
int cmd_cp(struct cli *cli, int argc, char **argv);
int cmd_create(struct cli *cli, int argc, char **argv);
int cmd_events(struct cli *cli, int argc, char **argv);
int cmd_image_prune(struct cli *cli, int argc, char **argv);
int cmd_search(struct cli *cli, int argc, char **argv);
int cmd_diff(struct cli *cli, int argc, char **argv);
int cmd_doctor(struct cli *cli, int argc, char **argv);
int cmd_exec(struct cli *cli, int argc, char **argv);
int cmd_export(struct cli *cli, int argc, char **argv);
int cmd_history(struct cli *cli, int argc, char **argv);
int cmd_image(struct cli *cli, int argc, char **argv);
int cmd_image_inspect(struct cli *cli, int argc, char **argv);
int cmd_images(struct cli *cli, int argc, char **argv);
int cmd_import(struct cli *cli, int argc, char **argv);
int cmd_info(struct cli *cli, int argc, char **argv);
int cmd_inspect(struct cli *cli, int argc, char **argv);
int cmd_load(struct cli *cli, int argc, char **argv);
int cmd_login(struct cli *cli, int argc, char **argv);
int cmd_logout(struct cli *cli, int argc, char **argv);
int cmd_materialize(struct cli *cli, int argc, char **argv);
int cmd_mount(struct cli *cli, int argc, char **argv);
int cmd_pull(struct cli *cli, int argc, char **argv);
int cmd_push(struct cli *cli, int argc, char **argv);
int cmd_rmi(struct cli *cli, int argc, char **argv);
int cmd_run(struct cli *cli, int argc, char **argv);
int cmd_save(struct cli *cli, int argc, char **argv);
int cmd_stat(struct cli *cli, int argc, char **argv);
int cmd_system(struct cli *cli, int argc, char **argv);
int cmd_system_check(struct cli *cli, int argc, char **argv);
int cmd_system_df(struct cli *cli, int argc, char **argv);
int cmd_system_prune(struct cli *cli, int argc, char **argv);
int cmd_tag(struct cli *cli, int argc, char **argv);
int cmd_umount(struct cli *cli, int argc, char **argv);
int cmd_kill(struct cli *cli, int argc, char **argv);
int cmd_logs(struct cli *cli, int argc, char **argv);
int cmd_pause(struct cli *cli, int argc, char **argv);
int cmd_ps(struct cli *cli, int argc, char **argv);
int cmd_rename(struct cli *cli, int argc, char **argv);
int cmd_restart(struct cli *cli, int argc, char **argv);
int cmd_rm(struct cli *cli, int argc, char **argv);
int cmd_start(struct cli *cli, int argc, char **argv);
int cmd_stop(struct cli *cli, int argc, char **argv);
int cmd_top(struct cli *cli, int argc, char **argv);
int cmd_unpause(struct cli *cli, int argc, char **argv);
int cmd_wait(struct cli *cli, int argc, char **argv);
int cmd_version(struct cli *cli, int argc, char **argv);
int cmd_volume(struct cli *cli, int argc, char **argv);

/* Both print to stderr and return the exit status: 1, and EXIT_USAGE with the usage line. */
int cli_fail(const struct shale_err *err);
int cli_usage(const struct cli *cli, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * getopt_long for a verb. Its table of long options starts with CLI_LONGS, which are taken here.
 * Returns the option's val, -1 after the last option, or CLI_DONE with the exit status in
 * *ret_status when the verb must return at once.
 */
#define CLI_DONE (-2)
#define CLI_ROOT 1000
#define CLI_HELP 1001
#define CLI_LONGS                                                                                  \
	{ "root", required_argument, NULL, CLI_ROOT }, { "help", no_argument, NULL, CLI_HELP }
int cli_getopt(struct cli *cli, int argc, char **argv, const char *shorts,
	       const struct option *longs, int *ret_status);

#endif
