/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * names.h - MODEL: which layers of a merged directory may have a name. A set of pairs, the hash of a name and the place
 * of a layer in the directory's stack: eight bytes for each name of each layer, the names themselves are not
 * kept. Two names of one hash cost a look into a layer that has the other one, and never a wrong answer.
 *
 * Pure: no filesystem is called, so it is tested in user space. narrow.c makes the sets, from what the layers'
 * directories have, and asks them.
 */
#ifndef _SHALE_NAMES_H
#define _SHALE_NAMES_H

#include <linux/types.h>

/* Pairs of one set, 2 MiB: larger directories are searched layer by layer. */
#define SHALE_NAMES_MAX (1U << 18)
/* There is no further place. */
#define SHALE_NAMES_NONE (~0U)

struct shale_names {
	unsigned int nr;
	u64 pair[]; /* hash << 32 | place, in order */
};

/* A set that is being made. */
struct shale_names_draft {
	struct shale_names *names;
	unsigned int room;
	int err; /* the first: nothing is taken after it */
};

/* FLAGS are the layer's SHALE_LAYER_*: in one of AUFS's family .wh.NAME is something to find under NAME, too. */
void shale_names_add(struct shale_names_draft *draft, unsigned int flags, const char *name, unsigned int len,
		     unsigned int place);
/* Takes the draft, and leaves it empty. The set, or the draft's error: -ENOMEM, -E2BIG. */
struct shale_names *shale_names_finish(struct shale_names_draft *draft);
void shale_names_free(struct shale_names *names); /* NULL is fine */

/* The first place from FROM on that may have NAME. */
unsigned int shale_names_next(const struct shale_names *names, const char *name, unsigned int len,
			      unsigned int from);

#endif /* _SHALE_NAMES_H */
