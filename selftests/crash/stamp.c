// SPDX-License-Identifier: GPL-2.0-only
/*
 * stamp.c - words that say where they come from; see stamp.h.
 */
#include "stamp.h"

#include <stdio.h>
#include <string.h>

#define MAGIC	   0xc5ULL
#define MAGIC_AT   56
#define FILE_AT	   48
#define STEP_AT	   40
#define INDEX_MASK ((1ULL << STEP_AT) - 1)

void stamp_fill(unsigned char *bytes, int file, unsigned int generation, size_t offset, size_t length)
{
	for (size_t done = 0; done < length;) {
		size_t at = offset + done, skip = at % WORD, part = WORD - skip;
		uint64_t word = MAGIC << MAGIC_AT | (uint64_t)file << FILE_AT |
				(uint64_t)generation << STEP_AT | at / WORD;

		if (part > length - done)
			part = length - done;
		memcpy(bytes + done, (unsigned char *)&word + skip, part);
		done += part;
	}
}

const char *stamp_describe(uint64_t word)
{
	static char text[2][80];
	static int turn;
	char *out = text[turn = !turn];

	if (word == 0)
		snprintf(out, sizeof(text[0]), "zero");
	else if (word >> MAGIC_AT != MAGIC)
		snprintf(out, sizeof(text[0]), "%016llx", (unsigned long long)word);
	else
		snprintf(out, sizeof(text[0]), "file %u, step %u, block %llu",
			 (unsigned int)(word >> FILE_AT & 0xff), (unsigned int)(word >> STEP_AT & 0xff),
			 (unsigned long long)((word & INDEX_MASK) * WORD / BLOCK));
	return out;
}
