// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale doctor: can this machine load the module, and what can the filesystem with the images do.
 * The findings are libshale's (kapi/machine.h, kapi/probe.h); here they become a table or JSON, and
 * the exit status: 0 without a problem, 1 with one.
 */
#include "shale/shale.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "kapi/machine.h"
#include "kapi/probe.h"

struct doctor {
	const char *sysroot; /* stands for "/" when the machine is looked at */
	const char *dir;     /* the filesystem to try */
	bool is_json;
};

/* The directory itself, or the nearest one above it that exists: that is where it would be made. */
static int dir_open_nearest(const char *path, int *ret_fd, struct shale_err *err)
{
	__cleanup_free char *name = strdup(path);

	if (!name)
		return shale_err_set(err, ENOMEM, "out of memory");
	for (;;) {
		int fd = open(*name ? name : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		char *slash = strrchr(name, '/');

		if (fd >= 0) {
			*ret_fd = fd;
			return 0;
		}
		if (errno != ENOENT || !slash)
			return shale_err_errno(err, "cannot open %s", path);
		*slash = '\0';
	}
}

static int examine(const struct doctor *doctor, struct check_list *list, struct shale_err *err)
{
	__cleanup_fd int rootfd = open(doctor->sysroot, O_PATH | O_DIRECTORY | O_CLOEXEC);
	__cleanup_fd int dirfd = -1;
	struct machine machine;

	if (rootfd < 0)
		return shale_err_errno(err, "cannot open %s", doctor->sysroot);
	if (machine_read(rootfd, &machine, err))
		return -1;
	machine_judge(&machine, list);
	if (dir_open_nearest(doctor->dir, &dirfd, err))
		return -1;
	if (probe_dir(dirfd, list, err))
		return shale_err_wrap(err, "%s", doctor->dir);
	return 0;
}

static void print_table(const struct check_list *list)
{
	printf("%-16s   %-7s   %s\n", "CHECK", "STATE", "DETAIL");
	for (size_t i = 0; i < list->nr; i++) {
		const struct check *check = &list->check[i];

		printf("%-16s   %-7s   %s\n", check->name, check_state_name(check->state),
		       check->detail);
		if (check->advice[0])
			printf("%-16s   %-7s   -> %s\n", "", "", check->advice);
	}
}

static int print_json(const struct check_list *list, struct shale_err *err)
{
	for (size_t i = 0; i < list->nr; i++) {
		const struct check *check = &list->check[i];
		json_t *row = json_pack("{s:s, s:s, s:s, s:s}", "Check", check->name, "State",
					check_state_name(check->state), "Detail", check->detail,
					"Advice", check->advice);
		int ret = row ? json_dumpf(row, stdout, JSON_COMPACT) : -1;

		json_decref(row);
		if (ret)
			return shale_err_set(err, ENOMEM, "cannot print %s as JSON", check->name);
		putchar('\n');
	}
	return 0;
}

static int doctor_run(const struct doctor *doctor)
{
	struct check_list list = { .nr = 0 };
	struct shale_err err = { 0 };

	if (examine(doctor, &list, &err))
		return cli_fail(&err);
	if (!doctor->is_json)
		print_table(&list);
	else if (print_json(&list, &err))
		return cli_fail(&err);
	return check_first_problem(&list) ? EXIT_FAILURE : EXIT_SUCCESS;
}

int cmd_doctor(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONGS,
		{ "format", required_argument, NULL, 'f' },
		{ "sysroot", required_argument, NULL, 's' },
		{ 0 },
	};
	struct doctor doctor = { .sysroot = "/" };
	int opt, status;

	while ((opt = cli_getopt(cli, argc, argv, ":", longs, &status)) != -1) {
		if (opt == CLI_DONE)
			return status;
		if (opt == 's')
			doctor.sysroot = optarg;
		else if (!strcmp(optarg, "json"))
			doctor.is_json = true;
		else if (strcmp(optarg, "table"))
			return cli_usage(cli, "--format %s is neither table nor json", optarg);
	}
	if (argc - optind > 1)
		return cli_usage(cli, "more than one directory");
	doctor.dir = optind < argc ? argv[optind] : cli->root;
	return doctor_run(&doctor);
}
