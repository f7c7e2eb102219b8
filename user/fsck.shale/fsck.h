/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The map of this program: one run over one layer, and what its files offer each other. Nothing here
 * decides what a map's bytes mean, that is store/map.h.
 *
 * What is found is what the module would refuse, and what it left behind. Repairs are those that leave
 * no doubt: each makes a new whole thing stable before it takes the place of the old one, so a crash at any
 * point leaves the layer as it was or repaired. Where it is not certain which blocks are mapped, the file
 * stays unreadable.
 */
#ifndef FSCK_SHALE_FSCK_H
#define FSCK_SHALE_FSCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "fsck.shale/below.h"
#include "fsck.shale/table.h"
#include "store/map.h"

enum fsck_mode {
	FSCK_ASK,
	FSCK_REPAIR,
	FSCK_LOOK, /* nothing is changed */
};

struct fsck {
	enum fsck_mode mode;
	bool is_verbose;
	const char *prefix; /* of private xattrs: "trusted." or "user." */
	const char *name;   /* of the layer, as given */
	int root_fd;
	int map_fd; /* .shale/map; -1: there is none */
	struct below below;

	struct table sidecars; /* IDs in use, and by which file */
	struct table seen;     /* partial files with several names */
	uint64_t partial;
	uint64_t found, repaired;
	bool has_unread; /* some map, or directory, could not be read: sidecars may belong to it */
	bool has_failed; /* the check itself */
};

/* report.c */

struct finding {
	const char *path;
	const char *what;
	int (*repair)(void *arg, struct shale_err *err); /* NULL: there is none */
	void *arg;
};

/* A line about it, and its repair as far as it is wanted. True: repaired. */
bool finding_report(struct fsck *fsck, const struct finding *finding);
/* What kept us from looking. */
void failure_report(struct fsck *fsck, const char *path, const struct shale_err *err);
/* Paths as they are shown: what could break a line or talk to a terminal is in octal. */
int path_show(struct buf *out, const char *path);
/* A note, with -v only. */
void note_report(struct fsck *fsck, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* partial.c: one entry of the tree, which may be a partial file */

void partial_check(struct fsck *fsck, int dirfd, const char *name, const char *path,
		   bool is_indexed);

/* sidecar.c */

struct sidecar {
	int dirfd; /* .shale/map */
	uint64_t id;
	uint64_t limit;
	int fd;
	/* The directory, repaired where it can be. */
	struct shale_disk_map_sector dir[SHALE_DISK_MAP_PAGE_SECTORS];
	enum map_verdict verdict;
	char what[256];	 /* unless it is sound */
	uint64_t mapped; /* blocks */
};

/* 16 digits and NUL. */
#define SIDECAR_NAME 17
/* Behind a name: a new sidecar that is being written. */
#define SIDECAR_TEMP ".new"

void sidecar_name(uint64_t id, char ret_name[SIDECAR_NAME]);
/* -1: it could not be read. */
int sidecar_check(struct sidecar *sidecar, struct shale_err *err);
void sidecar_release(struct sidecar *sidecar);
/* Of a loose one. ARG is the struct sidecar. */
int sidecar_rewrite(void *arg, struct shale_err *err);

/* leftover.c: what is in .shale/map and belongs to nobody */

void leftovers_check(struct fsck *fsck);

/* inuse.c: -1 with EBUSY: a mount uses the layer. With only_upper a mount may have it as a lower one. */

int inuse_check(const struct fsck *fsck, bool only_upper, struct shale_err *err);

#endif
