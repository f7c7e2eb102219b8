/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fill.h - MODEL: pages of the top part of a file that show what the parts below have. For mmap_parts.c.
 */
#ifndef _SHALE_FILL_H
#define _SHALE_FILL_H

#include "parts.h"
#include "real.h"

/* One page fault's. */
struct shale_filling {
	struct shale_parts *parts;
	pgoff_t last;	/* page that may be wanted */
	u64 pos, len;	/* what is below the top there was read, */
	u8 *buf;	/* into this */
	unsigned int part;	   /* below the top, */
	struct shale_pages *pages; /* of which these are in memory; NULL: not looked for yet */
	struct shale_pages __pages;
	/* What the map said at a generation: up to END all blocks are the top's, or none. */
	u64 generation, start, end;
	bool is_top;
};

void shale_filling_begin(struct shale_filling *f, struct shale_parts *parts, pgoff_t last);
void shale_filling_end(struct shale_filling *f);

/* Reads what is below a range of the file; sleeps. Once more: instead of what was read before. */
int shale_filling_read(struct shale_filling *f, u64 pos, u64 len);
/* Are all blocks of these bytes the top's? */
bool shale_fill_is_needless(struct shale_parts *parts, u64 pos, u64 len);
/* Makes each page of FOLIO, of the top's file, locked and uptodate, show what the file does. Sleeps not, and
 * parts->sem is held. False: something was not read, and is not in memory. */
bool shale_fill_folio(struct shale_filling *f, struct folio *folio);

#endif /* _SHALE_FILL_H */
