/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the verb check share: check.c looks, check_repair.c mends, check_fetch.c asks registries.
 */
#ifndef SHALE_ENGINE_CHECK_H
#define SHALE_ENGINE_CHECK_H

#include "engine/engine.h"
#include "store/session.h"

/* Of what is wrong, and why it could not be mended. */
#define CHECK_PROBLEM 512

/* Something damaged, by its digest. */
struct check_damage {
	struct digest digest;
	char problem[CHECK_PROBLEM];
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
	struct check_fetcher *fetcher; /* once something was to be fetched */
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
/* A failure that says nothing of the thing itself: what could not be done today is not given up. */
bool check_is_final(const struct shale_err *why);
/* Adds to a problem why it could not be mended. */
void check_add_reason(char problem[CHECK_PROBLEM], const struct shale_err *why);

/* Reports what is wrong with volumes, and mends it. */
int check_volumes(struct checking *checking, struct shale_err *err);

/* Drops the images that cannot be read, and reports each. */
int check_drop_unread(struct checking *checking, struct shale_err *err);
/* Brings again what is damaged, or drops the images that need it, and reports each. */
int check_repair(struct checking *checking, struct shale_err *err);

/*
 * Bring a blob into the session from the registries of images that need it, checked; opts->registry is not NULL. What
 * the store has under its digest may be gone afterwards.
 */
int check_fetch(struct checking *checking, const struct digest *digest, struct shale_err *err);
/* Bring into the store, of an image that cannot be read, the manifest and the config that are missing or damaged. */
int check_fetch_image(struct checking *checking, const struct digest *digest,
		      struct shale_err *err);
void check_fetch_close(struct checking *checking);

#endif
