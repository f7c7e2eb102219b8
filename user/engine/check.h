/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the verb check share: check.c looks, check_repair.c mends.
 */
#ifndef SHALE_ENGINE_CHECK_H
#define SHALE_ENGINE_CHECK_H

#include "engine/engine.h"
#include "store/session.h"

/* Something damaged, by its digest. */
struct check_damage {
	struct digest digest;
	char problem[160];
};

struct check_list {
	size_t count;
	struct check_damage *items;
};

struct checking {
	struct task task;
	const struct shale_check_opts *opts;
	struct store store;
	struct session session; /* when repairing */
	size_t left;		/* findings that stay */
	struct check_list images; /* that cannot be read */
	struct check_list blobs;
	struct check_list layers;
	struct buf strays; /* what nothing needs: kind and name, each with its NUL */
};

void check_report(struct checking *checking, const char *kind, const char *id, const char *problem,
		  enum shale_finding_state state);
int check_list_add(struct check_list *list, const struct digest *digest, const char *problem,
		   struct shale_err *err);
bool check_list_has(const struct check_list *list, const struct digest *digest);

/* Reports what is wrong with volumes, and mends it. */
int check_volumes(struct checking *checking, struct shale_err *err);

/* Drops the images that cannot be read, and reports each. */
int check_drop_unread(struct checking *checking, struct shale_err *err);
/* Brings again what is damaged, or drops the images that need it, and reports each. */
int check_repair(struct checking *checking, struct shale_err *err);

#endif
