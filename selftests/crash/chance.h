/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * chance.h - numbers that look like chance and come again with their seed.
 */
#ifndef SELFTESTS_CRASH_CHANCE_H
#define SELFTESTS_CRASH_CHANCE_H

#include <stdint.h>

/* 31 bits. The state begins as the seed. */
static inline uint64_t random_next(uint64_t *state)
{
	*state = *state * 6364136223846793005UL + 1442695040888963407UL;
	return *state >> 33;
}

#endif /* SELFTESTS_CRASH_CHANCE_H */
