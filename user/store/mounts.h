/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which of a store's layers are mounted right now, in any mount namespace this process can see
 * (/proc/PID/mountinfo). The kernel's own table is the lease: it cannot be left behind by a crash.
 */
#ifndef SHALE_STORE_MOUNTS_H
#define SHALE_STORE_MOUNTS_H

#include "store/store.h"

/* Calls seen() for every layer of every mount; a layer may come more than once. */
typedef int (*mounts_seen_fn)(void *arg, const struct digest *diff_id, const char *target);

int mounts_each_layer(const struct store *store, mounts_seen_fn seen, void *arg,
		      struct shale_err *err);

/*
 * Calls seen() for every line of mountinfo; ROOT is a path to the root directory of a process that sees the
 * mount. A mount may come more than once. A seen() that does not return 0 ends it with -1.
 */
typedef int (*mounts_line_fn)(void *arg, const char *line, const char *root);

int mounts_each_line(mounts_line_fn seen, void *arg, struct shale_err *err);

/* The layers that one line of mountinfo names; *ret_target is its mount point. For tests too. */
int mounts_scan_line(const char *line, const char *store_path, mounts_seen_fn seen, void *arg);

#endif
