/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Garbage: blobs and layers which no image, no session's lease and no mount needs, writable layers
 * without a row, and whole trees of which a layer is garbage.
 */
#ifndef SHALE_STORE_GC_H
#define SHALE_STORE_GC_H

#include "store/image.h"
#include "store/session.h"

typedef void (*gc_removed_fn)(void *arg, const struct digest *diff_id);

/*
 * Takes the garbage out of the store into the session's trash. The caller holds the exclusive lock
 * and deletes the trash after releasing it, by ending the session. @removed may be NULL; it is told
 * each layer.
 */
int gc_collect_locked(struct session *session, gc_removed_fn removed, void *arg,
		      struct shale_err *err);

/*
 * Saves an index that has lost images, and collects what they alone needed, in one transaction: without
 * room on the disk nothing is changed.
 */
int gc_save_locked(struct session *session, const struct index *index, gc_removed_fn removed,
		   void *arg, struct shale_err *err);

/* What would be taken: kind is "blob", "layer", "container" or "tree", whose name is DRIVER/HEX. Changes nothing. */
typedef int (*gc_stray_fn)(void *arg, const char *kind, const char *name);
int gc_list_locked(const struct store *store, gc_stray_fn stray, void *arg, struct shale_err *err);

/*
 * Whether an image can go: EBUSY when a layer of it is mounted that neither another image nor a
 * session needs. @name is for the message.
 */
int gc_check_unmounted_locked(struct session *session, const struct image *image,
			      const char *name, struct shale_err *err);

#endif
