/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Other programs, started without a shell. They find the descriptors that they are given open and, since ours are closed
 * at exec, no others; no signal is blocked or ignored.
 */
#ifndef SHALE_BASE_PROCESS_H
#define SHALE_BASE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PROCESS_PATH 4096

struct process_spec {
	const char *path;
	const char *const *argv;	/* ends with NULL, as the next */
	const char *const *environment; /* NULL: ours */
	/* Each becomes the descriptor of its place. -1: /dev/null in the first three places, further behind none. */
	const int *fds;
	size_t fd_count;
	int dir; /* where it works; -1: where we do */
	bool has_own_group;
	bool ends_with_us; /* SIGKILL when the thread that starts it ends */
};

/* 0, or -1 with errno. */
int process_start(const struct process_spec *spec, pid_t *ret_pid);
/* The status of a child that has ended, or -1 with errno. */
int process_wait(pid_t pid);
/*
 * The first of some places, paths from the directory of the program that we are, where there is a program; to be freed.
 * NULL: there is none. RET_DIR is that directory, for messages.
 */
char *process_beside(const char *const *places, size_t count, char ret_dir[PROCESS_PATH]);

#endif
