/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * contents.h - the bytes a file has to have, in memory. Pieces that nobody wrote take no memory, so a
 * file of some GiB that is mostly holes is as cheap as a small one. Whether zeros are a hole or written
 * is not kept: to a reader they are the same.
 */
#ifndef SELFTESTS_ORACLE_CONTENTS_H
#define SELFTESTS_ORACLE_CONTENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct contents {
	off_t size;
	unsigned char **chunks; /* NULL: zeros; bytes from SIZE on are zero as well */
	size_t count;
};

void contents_copy(struct contents *to, const struct contents *from);

/* What is beyond the end reads as zeros. */
void contents_read(const struct contents *c, off_t at, unsigned char *out, size_t length);
/* Both extend the file where they go past its end. */
void contents_write(struct contents *c, off_t at, const unsigned char *bytes, size_t length);
void contents_zero(struct contents *c, off_t at, off_t length);

void contents_resize(struct contents *c, off_t size);
void contents_collapse(struct contents *c, off_t at, off_t length);
void contents_insert(struct contents *c, off_t at, off_t length);

bool contents_is_zero(const struct contents *c, off_t at, off_t end);
/* Blocks of BLOCK bytes that are not all zeros. */
off_t contents_count_blocks(const struct contents *c, size_t block);

#endif /* SELFTESTS_ORACLE_CONTENTS_H */
