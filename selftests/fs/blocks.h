/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * blocks.h - files as strings: a letter for each block of 4 KiB that is full of it, '.' for one of zeros; and which
 * layers such a file's blocks are in.
 */
#ifndef SELFTESTS_FS_BLOCKS_H
#define SELFTESTS_FS_BLOCKS_H

#include "ktap.h"

#define BLOCK	   4096
#define BLOCKS_MAX 64

/* One block in memory, and which it is; '?': of different bytes. */
void block_fill(char *block, char letter);
char block_letter(const char *block);

/* '_' leaves a hole. */
void blocks_make(const char *path, const char *letters);
void block_write(const char *path, int number, char letter);

/* What a file has, or the name of the error of opening or reading it. Valid until the next call. */
const char *blocks_of(const char *path);
const char *blocks_of_fd(int fd);
#define EXPECT_BLOCKS(PATH, LETTERS) EXPECT_STREQ(blocks_of(PATH), LETTERS)

/* "3@1 1@0 9b@1": three blocks in layer 1 (as SHALE_IOC_STACK counts them), one in layer 0, nine bytes in 1; "" is
 * an empty file. Valid until the next call. */
const char *runs_of(const char *path);
#define EXPECT_RUNS(PATH, RUNS) EXPECT_STREQ(runs_of(PATH), RUNS)

#endif /* SELFTESTS_FS_BLOCKS_H */
