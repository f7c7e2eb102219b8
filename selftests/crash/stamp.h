/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * stamp.h - what files of the crash harness are filled with: each word says which file it is of, where in
 * the file it belongs and which step wrote it (0: it was there from the start). So bytes of another file, of
 * another place or of a moment that is over cannot be taken for right ones. A zero is a hole.
 */
#ifndef SELFTESTS_CRASH_STAMP_H
#define SELFTESTS_CRASH_STAMP_H

#include <stddef.h>
#include <stdint.h>

#define WORD  8UL
#define BLOCK 4096UL

/* Fills what [OFFSET, OFFSET + LENGTH) of FILE holds once step GENERATION has written it; any bytes. */
void stamp_fill(unsigned char *bytes, int file, unsigned int generation, size_t offset, size_t length);
/* For messages; the result is overwritten by the next call but one. */
const char *stamp_describe(uint64_t word);

#endif /* SELFTESTS_CRASH_STAMP_H */
