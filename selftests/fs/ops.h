/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ops.h - changes to a tree as one line of text, and the table of cases built on it: layers, what is done
 * to the merged view, and the tree that must come out, both at once and after a remount.
 *
 *	"rename a b; unlink c -> ENOENT; write d/f text"
 *
 * Each operation must succeed, or fail with the errno behind the arrow. The verbs are the table at
 * the end of ops.c.
 */
#ifndef SELFTESTS_FS_OPS_H
#define SELFTESTS_FS_OPS_H

#include "ktap.h"

void ops_run(const char *dir, const char *script);
/* One operation, without an arrow: 0 or its errno. */
int ops_try(const char *dir, const char *op);

struct op_case {
	struct ktap_row row;
	const char *lower[3]; /* topmost first */
	const char *upper;
	const char *ops;
	const char *want;
	const char *lacking; /* what overlayfs does not do, or NULL */
};

void op_case_run(const struct op_case *c);

#define OP_CASES(NAME, ROWS)                        \
	TEST_TABLE(NAME, struct op_case, ROWS, c)   \
	{                                           \
		op_case_run(c);                     \
	}

#endif /* SELFTESTS_FS_OPS_H */
