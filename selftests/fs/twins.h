/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * twins.h - two files on the union, m/f and m/g, which have some blocks in the upper and the rest below, and their
 * twins p/f and p/g, plain files of the backing filesystem to which the same was done. What is then done to both must
 * have the same results and leave the same bytes.
 */
#ifndef SELFTESTS_FS_TWINS_H
#define SELFTESTS_FS_TWINS_H

#include "union.h"

#define KIB   1024L
#define BLOCK 4096L
#define SIZE  (257 * KIB + 100)
/* Of each file, from the beginning: a hole in the lower layer. */
#define HOLE	 (96 * KIB)
#define HOLE_END (128 * KIB)

void twins_setup(void);
void twins_expect_same(void);

/* A file of SIZE bytes, and what makes some of its blocks the upper's. */
void twin_make(const char *path, unsigned int seed);
void twin_touch(const char *path);

/* By blocks, where it is shale. */
void twins_mount(void);

/* No byte of it is 0. */
void bytes_fill(char *buffer, size_t size, unsigned int seed);
void bytes_put(int fd, off_t at, size_t size, unsigned int seed);
char *file_bytes(const char *path, size_t *ret_size); /* the caller frees */
void expect_same_file(const char *a, const char *b);
/* Filled memory that begins at a page. */
void *pages_alloc(size_t count);

#endif /* SELFTESTS_FS_TWINS_H */
