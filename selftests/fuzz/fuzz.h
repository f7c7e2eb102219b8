/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the harnesses share. Here and not in a file of its own, since each is one program of one file.
 */
#ifndef SELFTESTS_FUZZ_FUZZ_H
#define SELFTESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void promise(bool kept)
{
	if (!kept)
		abort();
}

/* What follows the first byte, which there must be, as text of size - 1 bytes and a NUL; to be freed. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
	char *text = malloc(size);

	promise(text);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	return text;
}

#endif
