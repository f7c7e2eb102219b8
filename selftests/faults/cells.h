/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cells.h - what a file may hold while calls fail. It is cut into cells, and each word of a cell says which write it is of (its
 * generation; crash/stamp.h). A cell has two sets of generations: what may be read now, and what may be read once the disk
 * is all that is left. A write that failed adds to both, one that succeeded replaces the first, a sync that
 * succeeded makes the second what the first is. The size of a file is kept in the same way.
 */
#ifndef SELFTESTS_FAULTS_CELLS_H
#define SELFTESTS_FAULTS_CELLS_H

#include "../crash/stamp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CELL	512UL
#define CELLS	160
#define BLOCK_CELLS (BLOCK / CELL) /* what is allocated, and lost, at once */
#define ZEROS	255 /* the generation of a hole */
#define FOREIGN	254 /* of bytes that no write of this file put there */
#define NEWEST	253 /* after so many a file is only looked at */

struct set {
	uint64_t bits[4];
};

struct cells {
	int number; /* of its stamps */
	unsigned int generation;
	/* Of a leaky file a block whose write failed may show what the disk held at that place. */
	bool is_leaky, has_leaked[CELLS / BLOCK_CELLS];
	struct set now[CELLS], disk[CELLS];
	struct set size_now, size_disk; /* in cells */
};

enum cells_view { CELLS_NOW, CELLS_DISK };

/* SIZE cells of generation 0, of a file that is not leaky. */
void cells_init(struct cells *c, int number, unsigned int size);
/* The one size that it has now; the largest, where it may have several. */
unsigned int cells_size(const struct cells *c);

/* COUNT cells from AT on were, or may have been, overwritten by GENERATION, ZEROS for a hole. */
void cells_written(struct cells *c, unsigned int at, unsigned int count, unsigned int generation, bool is_certain);
void cells_truncated(struct cells *c, unsigned int size, bool is_certain);
void cells_synced(struct cells *c);
/* What was written may be gone without having come to the disk. */
void cells_doubt(struct cells *c);

/* Writes fail: what is not on the disk yet may not come to it, whatever anybody is told of it later. */
void cells_failing(struct cells *c);

/* Are these SIZE bytes, all there are, what the file may be? Else WHY, of REASON_SIZE, says what is wrong. */
bool cells_are(const struct cells *c, enum cells_view view, const unsigned char *bytes, size_t size, char *why);
/* Is each word of any write to that place of this file, a hole, or what the file may leak? */
bool cells_are_own(const struct cells *c, const unsigned char *bytes, size_t size, char *why);
/* And from now on nothing else. */
void cells_settle(struct cells *c, const unsigned char *bytes, size_t size);

#endif /* SELFTESTS_FAULTS_CELLS_H */
