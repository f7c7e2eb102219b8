/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * expect.h - what may be there after a crash at some moment of a workload, and whether what was seen is that.
 *
 * Bytes: each block is that of one version, from the last one that was synced to the one the step in flight
 * makes. Sizes and attributes likewise, a size that grows also on its way. Names: all that was synced, and of
 * the later steps each wholly or not at all, if the earlier ones it needs are there.
 *
 * Syncing a file covers its bytes, size, mode and the names it got; fdatasync not the mode and times, and of names
 * only the first; O_SYNC, O_DSYNC and msync only the bytes of their range, a size that shows them, and names as
 * fsync and fdatasync do. Syncing a directory covers its entries. POSIX promises less for names, all that the backing
 * filesystems promise is asked for.
 */
#ifndef SELFTESTS_CRASH_EXPECT_H
#define SELFTESTS_CRASH_EXPECT_H

#include "model.h"
#include "seen.h"

struct moment {
	unsigned int done;  /* steps that had returned */
	unsigned int begun; /* the same or one more */
	bool is_live;	    /* there was no crash: what is done must be there, and of the next step all or nothing */
};

#define WHY_SIZE 512

/* Writes the reason into WHY if it does not hold. */
bool expect_holds(const struct model *model, const struct seen *seen, struct moment moment, char *why);

#endif /* SELFTESTS_CRASH_EXPECT_H */
