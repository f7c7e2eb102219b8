/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bitmap.h - bitmaps with the kernel's words, one bit at a time, for MODEL files that are tested on the
 * host. As in the kernel, bits may be set with set_bit() while others test and search.
 */
#ifndef SHIM_LINUX_BITMAP_H
#define SHIM_LINUX_BITMAP_H

#include <string.h>

#include <linux/compiler.h>
#include <linux/types.h>

#define BITS_PER_LONG	  (8 * sizeof(long))
#define BITS_TO_LONGS(nr) (((nr) + BITS_PER_LONG - 1) / BITS_PER_LONG)
#define DECLARE_BITMAP(name, nr) unsigned long name[BITS_TO_LONGS(nr)]

static inline bool test_bit(unsigned long nr, const unsigned long *map)
{
	return READ_ONCE(map[nr / BITS_PER_LONG]) >> (nr % BITS_PER_LONG) & 1;
}

static inline void set_bit(unsigned long nr, unsigned long *map)
{
	__atomic_fetch_or(&map[nr / BITS_PER_LONG], 1UL << (nr % BITS_PER_LONG), __ATOMIC_ACQ_REL);
}

static inline void bitmap_zero(unsigned long *map, unsigned int nr)
{
	memset(map, 0, BITS_TO_LONGS(nr) * sizeof(long));
}

/* Not atomic, as in the kernel: a sanitizer for threads sees it. */
static inline void bitmap_set(unsigned long *map, unsigned int start, unsigned int nr)
{
	for (unsigned int i = start; i < start + nr; i++)
		map[i / BITS_PER_LONG] |= 1UL << (i % BITS_PER_LONG);
}

static inline unsigned long find_next_bit(const unsigned long *map, unsigned long size,
					  unsigned long i)
{
	shim_race();
	while (i < size && !test_bit(i, map))
		i++;
	return i < size ? i : size;
}

static inline unsigned long find_next_zero_bit(const unsigned long *map, unsigned long size,
					       unsigned long i)
{
	shim_race();
	while (i < size && test_bit(i, map))
		i++;
	return i < size ? i : size;
}

#define bitmap_full(map, nr) (find_next_zero_bit(map, nr, 0) == (nr))

#define for_each_clear_bit_from(i, map, size)                                    \
	for ((i) = find_next_zero_bit(map, size, i); (i) < (size);               \
	     (i) = find_next_zero_bit(map, size, (i) + 1))

#define for_each_set_bitrange(start, end, map, size)                             \
	for ((start) = find_next_bit(map, size, 0);                              \
	     (start) < (size) && ((end) = find_next_zero_bit(map, size, start)); \
	     (start) = find_next_bit(map, size, end))

#endif /* SHIM_LINUX_BITMAP_H */
