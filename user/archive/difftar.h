/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Changes as a layer's tar, in the form that OCI gives it: what is there now as ordinary entries,
 * what is gone as an empty file .wh.NAME, and .wh..wh..opq in a directory of which nothing below
 * may show. The same changes give the same bytes, whatever filesystem and storage driver they come
 * from: access times, holes that a filesystem happens to have, and the order of its directories do
 * not count.
 */
#ifndef SHALE_ARCHIVE_DIFFTAR_H
#define SHALE_ARCHIVE_DIFFTAR_H

#include "archive/changes.h"
#include "archive/tarout.h"

/*
 * Zeros count as a hole from this length on, in whole blocks, and only then a file has a map of its
 * data: many readers of layers do not know these maps, so what is no big sparse file goes without.
 */
#define DIFFTAR_HOLE_MIN   (1u << 20)
#define DIFFTAR_HOLE_BLOCK 4096
/* Data between holes in one file; holes after that are written out. */
#define DIFFTAR_MAX_RUNS (1u << 20)

struct difftar {
	struct tarout tarout;
	const char *prefix; /* a directory that everything is in, in the tar; or NULL */
	bool has_any_name;  /* it is no layer: a name that would be a whiteout there is one like others */
	char *chunk;
	uint64_t entries; /* the results */
	uint64_t bytes;	  /* of file content, holes included */
};

#define __cleanup_difftar __attribute__((cleanup(difftar_release)))

int difftar_init(struct difftar *difftar, tarout_write_fn write, void *arg, struct shale_err *err);
void difftar_release(struct difftar *difftar);

/* A change_fn; its ARG is the difftar. */
int difftar_add(void *arg, const struct change *change, struct shale_err *err);
int difftar_finish(struct difftar *difftar, struct shale_err *err);

#endif
