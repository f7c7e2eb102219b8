/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * world.h - where a workload happens: a filesystem on a recorded disk with two lower layers, an upper and a
 * work directory, and a union of them. It is made once and its image is kept; each workload begins with a
 * copy of that. SHALE_TEST_FSTYPE as in selftests/fs/union.h: what to mount (shale, overlay), or "bare": the
 * layers merged, in a directory of the backing filesystem.
 */
#ifndef SELFTESTS_CRASH_WORLD_H
#define SELFTESTS_CRASH_WORLD_H

#include "device.h"

#include <stdbool.h>

/* A file that is there from the start; its number is its place in the table. */
struct world_file {
	const char *layer; /* l0 is above l1 */
	const char *path;
	size_t size;
	bool is_sparse; /* every other 16 KiB are a hole */
	bool is_hidden; /* by something above: its bytes must never show */
	const char *link; /* its other name, or NULL */
};

extern const struct world_file world_files[];
extern const int world_file_count;
/* Directories of the union, parents first; ends with NULL. */
extern const char *const world_dirs[];
/* Modification time of all files that are there from the start. */
#define WORLD_TIME 1000000000L

struct world_options {
	const char *fs;	     /* ext4, xfs, btrfs */
	bool is_lower_apart; /* the lower layers are on an ext4 of their own, which does not crash */
	const char *mount;   /* more options for the union, or NULL */
	bool is_unrecorded;  /* no log is written */
};

struct world {
	struct world_options options;
	struct disk disk, log;
	struct disk lower; /* of lower layers that are apart */
	unsigned char *base, *now; /* the image to start from, and a second one for who replays */
	bool is_volatile;    /* mount the union so */
	bool is_checked;     /* fsck.shale repairs the upper before the union is mounted */
};

void world_create(struct world *world, const struct world_options *options);
void world_remove(struct world *world);
/* After a process was killed: nothing of its world stays mounted. */
void world_cleanup(void);

/* What a file holds from the start. BYTES has room for its size, and is zero. */
void world_fill(int file, unsigned char *bytes);

/* Mounts the disk through a new recorder, and the union; false, with a line said, if that fails. */
bool world_mount(struct world *world);
/* False if something is still in use. The recorder is gone in any case, and the log complete. */
bool world_umount(void);
/* The union alone. */
bool world_mount_union(const struct world *world);
bool world_umount_union(void);

bool world_is_bare(void);
bool world_is_shale(void);
const char *world_union(void);
/* Where the upper has PATH. Overwritten by the next call. */
const char *world_upper_path(const char *path);
/* What is left in the union's work directory; 0 without one. */
int world_work_count(void);

#endif /* SELFTESTS_CRASH_WORLD_H */
