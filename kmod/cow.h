/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cow.h - MODEL: a regular file whose bytes are in several layers. Pure: cow.c decides which layer has which
 * bytes, and is tested on the host.
 */
#ifndef _SHALE_COW_H
#define _SHALE_COW_H

#include <linux/types.h>

struct shale_map;

/* Bytes that stand together in one part. */
struct shale_run {
	unsigned int part; /* which; 0 is the top */
	u64 len;	   /* in bytes, not 0 */
};

/*
 * Which of the parts, top first, has the bytes at POS, and how many of the LEN there? MAPS[i] says which blocks
 * part i has; NULL, and there is one such part at the end: all of them. What a part has may be a hole in it or
 * beyond its end, and reads as zeros.
 */
struct shale_run shale_cow_run(struct shale_map *const *maps, u64 pos, u64 len);

/*
 * What to write so that the LEN bytes at POS become the top part's: a block that it takes over is taken over
 * whole, but for what is beyond the limit, which it has already. *POS and *LEN grow to that. False: it has
 * them all, and nothing besides is to be written.
 */
bool shale_cow_widen(struct shale_map *map, u64 *pos, u64 *len);
/* The blocks to set once these bytes are written: none when *RET_NR is 0. */
void shale_cow_blocks(struct shale_map *map, u64 pos, u64 len, u64 *ret_first, u64 *ret_nr);

#endif /* _SHALE_COW_H */
