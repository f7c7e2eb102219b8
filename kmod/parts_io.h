/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * parts_io.h - FACE: what parts_io.c, parts_space.c, parts_copy.c, parts_extents.c and materialize.c, the operations on a
 * regular file whose bytes are in several layers, ask of each other. What others call is in parts.h.
 */
#ifndef _SHALE_PARTS_IO_H
#define _SHALE_PARTS_IO_H

#include "parts.h"

/* The open file of a part. Borrowed, as shale_file_slot(). */
static inline struct file *shale_parts_file(struct file *file, const struct shale_parts *parts,
					    unsigned int part)
{
	return shale_file_slot(file, part + !parts->upper);
}

/* parts_io.c. Creds are the mounter's; what writes has our inode locked. */

/* What the file shows from POS up to END, zeros beyond its end. */
int shale_parts_show(struct file *file, struct shale_parts *parts, u8 *buf, u64 pos, u64 end);
/* Writes a buffer of ours: as many bytes as there was room for. */
ssize_t shale_parts_write_buf(struct file *file, struct shale_parts *parts, void *buf, size_t len, u64 pos);

/* parts_space.c: up to where a part's file has a hole from POS on, in whole blocks, at most END; POS where it has not. */
u64 shale_parts_hole_end(struct file *real, u64 pos, u64 end);

#endif /* _SHALE_PARTS_IO_H */
