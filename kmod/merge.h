/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * merge.h - MODEL: the names of a merged directory. The names of each layer's directory are put in,
 * top layer first; what comes out is the list to show, with the whiteouts of both families applied.
 *
 * Order. The names of the lowest layer come first and the upper's last, each name in the place of the
 * lowest layer that has it; hidden names keep their place. So a position in the list still means the
 * same name after lower files were deleted or copied up, and new files are added at the end.
 *
 * Pure: no filesystem is called, so it is tested in user space. readdir.c is its only caller.
 */
#ifndef _SHALE_MERGE_H
#define _SHALE_MERGE_H

#include <linux/list.h>
#include <linux/types.h>

/* What is known of the layer that is being put in, beside SHALE_LAYER_AUFS and SHALE_LAYER_OVERLAY. */
#define SHALE_MERGE_ROOT       (1U << 16) /* its root: the private directory is there */
#define SHALE_MERGE_XWHITEOUTS (1U << 17) /* regular files may be overlayfs's whiteouts */

struct shale_merge_entry {
	struct list_head node;
	struct shale_merge_entry *next; /* in its bucket */
	u64 ino;
	u32 hash;
	u16 layer; /* the topmost that has it, counted from 0 in the order they were put in */
	u16 len;
	u8 type;	   /* DT_* */
	bool is_hidden;	   /* deleted by a whiteout of that layer */
	bool is_suspect;   /* may be a whiteout itself: the caller must look */
	char name[];	   /* no NUL */
};

struct shale_merge_chunk;

struct shale_merge {
	struct list_head entries;	/* of all layers put in so far */
	struct list_head layer_entries; /* of the layer that is being put in */
	unsigned int layer, flags;
	unsigned int nr;		/* entries, hidden ones included */
	unsigned int nr_suspects;	/* in layer_entries */
	unsigned int bucket_bits;
	struct shale_merge_entry **buckets;
	struct shale_merge_chunk *chunks;
};

int shale_merge_init(struct shale_merge *m);
void shale_merge_release(struct shale_merge *m);

void shale_merge_layer_begin(struct shale_merge *m, unsigned int flags);
/* A name of the layer's directory, as it is there. 0 or -ENOMEM. */
int shale_merge_add(struct shale_merge *m, const char *name, unsigned int len, u64 ino,
		    unsigned int type);
/* The suspects must have been settled with shale_merge_settle(). */
void shale_merge_layer_end(struct shale_merge *m);
void shale_merge_settle(struct shale_merge *m, struct shale_merge_entry *e, bool is_whiteout);
/* No more layers: frees what only putting in needs. */
void shale_merge_finish(struct shale_merge *m);

/* For a directory of one layer, where there is nothing to merge. Is NAME a mark of the format, never to
 * be shown? Is an object of TYPE perhaps a whiteout? */
bool shale_merge_is_format_name(unsigned int flags, const char *name, unsigned int len);
bool shale_merge_is_suspect(unsigned int flags, unsigned int type);

#endif /* _SHALE_MERGE_H */
