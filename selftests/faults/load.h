/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * load.h - workers that do random operations on files of the union, each on its own, while storm.c lets calls or the disk
 * fail. All of it is in memory that they share with the process that started them, which looks at the files
 * afterwards.
 */
#ifndef SELFTESTS_FAULTS_LOAD_H
#define SELFTESTS_FAULTS_LOAD_H

#include "cells.h"

#include <stdbool.h>

#define WORKERS	  3
#define FILES	  4  /* of each */
#define FILE_SIZE 96 /* in cells, at the start */

enum phase {
	PHASE_SOUND,  /* nothing fails */
	PHASE_SCARCE, /* memory may be, and what fails has not been done */
	PHASE_FAULTY, /* the disk may; what is not synced may be gone */
	PHASE_LYING,  /* what is written is not, and nobody is told */
};

#define PAST	  40 /* operations on a file that are told of when it is wrong */

struct file {
	struct cells cells;
	struct past {
		const char *doing;
		int error;
		unsigned int generation;
		enum phase phase;
	} past[PAST];
	unsigned int steps;
	/* Its name is "f", its number, and one of these: each rename makes a new one. */
	unsigned int name_now, name_disk, name_last;
};

/* With the 0 that ends them. */
#define LOAD_ERRORS 6

struct load {
	volatile enum phase phase;
	volatile bool should_stop, has_failed;
	bool is_quiet;	 /* what fails is not told of */
	int errors[LOAD_ERRORS]; /* what operations may fail with in a phase that is not sound; 0: no more */
	unsigned long seed;
	volatile unsigned long done, faults; /* operations; those that failed */
	struct file file[WORKERS][FILES];
};

/* Relative to the working directory. */
void load_path(char path[64], int worker, int file, unsigned int name);
/* The initial files, in the directory of a lower layer. */
void load_make(struct load *load, const char *layer);
/* Until it should stop; the process's exit status. */
int load_work(struct load *load, int worker);
/* After all that, and what became of it: is each file what it may be? */
bool load_check(struct load *load, enum cells_view view, const char *when);

#endif /* SELFTESTS_FAULTS_LOAD_H */
