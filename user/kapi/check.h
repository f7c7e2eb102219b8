/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Findings about a machine or a filesystem, in the order they were made: machine.c and probe.c add
 * them, shale doctor prints them, module.c quotes the first problem. Nothing here finds anything.
 */
#ifndef SHALE_KAPI_CHECK_H
#define SHALE_KAPI_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#define CHECK_MAX 32 /* findings in a list; machine.c and probe.c together make fewer */

enum check_state {
	CHECK_OK,
	CHECK_NOTE,    /* shale works, but somebody may miss something */
	CHECK_PROBLEM, /* shale does not work until this is mended */
};

struct check {
	const char *name; /* a literal */
	enum check_state state;
	char detail[256];
	char advice[384]; /* what to do about it, "" if nothing */
};

struct check_list {
	struct check check[CHECK_MAX];
	size_t nr;
};

/* Adds a finding; the one returned can be given advice. */
struct check *check_add(struct check_list *list, const char *name, enum check_state state,
			const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void check_advise(struct check *check, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

const char *check_state_name(enum check_state state);

/* NULL: there is none. */
const struct check *check_first_problem(const struct check_list *list);

#endif
