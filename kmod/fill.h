/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fill.h - MODEL: pages of the top part of a file that show what the parts below have. For mmap_parts.c.
 */
#ifndef _SHALE_FILL_H
#define _SHALE_FILL_H

#include "parts.h"

struct folio;

/* Bytes that are below the top, read before a folio is locked. */
struct shale_below {
	u64 pos, len;
	u8 *buf;
};

/* Reads what is below a range of the file; sleeps. Once more with the same BELOW: another range. */
int shale_below_read(struct shale_below *below, struct shale_parts *parts, u64 pos, u64 len);
void shale_below_free(struct shale_below *below);

/* Are all blocks of these bytes the top's? */
bool shale_fill_is_needless(struct shale_parts *parts, u64 pos, u64 len);
/* Makes each page of FOLIO, of the top's file, locked and uptodate, show what the file does. Sleeps not, and
 * parts->sem is held. False: BELOW (NULL: nothing was read) does not have something that is not in memory. */
bool shale_fill_folio(struct shale_parts *parts, struct folio *folio, const struct shale_below *below);

#endif /* _SHALE_FILL_H */
