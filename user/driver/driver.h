/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Storage drivers: how a stack of layers becomes a tree that can be mounted, read-only or with a writable layer.
 * The layers themselves are the store's, one directory each in overlayfs's format, whichever driver is used:
 * so an image that was imported or committed with one can be mounted with another.
 *
 *	shale		the kernel module: a union with copy on write by blocks
 *	overlay2	the kernel's overlayfs
 *	btrfs		a whole tree as a subvolume, and snapshots of it
 *	vfs		a whole tree as a directory, and copies of it; works everywhere
 *
 * A driver keeps what it needs in the writable layer's directory (store/container.h) and, if it has whole
 * trees, below trees/ in the store. A mount is made unattached, so that nobody sees half of one; where it goes
 * is the engine's. Whoever calls a driver has leased the layers, or holds the store's lock.
 *
 * A writable layer becomes an image by its changes: they are a layer's tar, which is imported like any other
 * (engine/commit.c). So there is no commit here, and a layer does not show which driver it came from.
 */
#ifndef SHALE_DRIVER_DRIVER_H
#define SHALE_DRIVER_DRIVER_H

#include "archive/changes.h"
#include "kapi/mount.h"
#include "store/container.h"
#include "store/session.h"

/* The layers of an image, and a session to work in. */
struct driver_image {
	struct session *session;
	size_t count; /* at least one */
	const struct digest *layers; /* diff ids, base first */
};

/* A writable layer, which is in the store already, and the layers below it. */
struct driver_work {
	struct driver_image image;
	const struct container *container;
	const char *xattr_prefix; /* "trusted." or "user.": where a union marks things in it */
};

/* What writable layers take. */
struct driver_usage {
	uint64_t inodes;
	uint64_t bytes; /* of disk */
};

struct driver {
	const char *name;

	/*
	 * Can it work with this store, on this machine, as this user? -1 with err, which says what is missing;
	 * nothing is left behind either way. Tried by doing it, not by looking at versions.
	 */
	int (*probe)(struct session *session, struct shale_err *err);

	/*
	 * Prepares a new writable layer: container->upper is an empty directory, and afterwards whatever the
	 * driver writes to. May take as long as copying the image. On failure the caller removes the container.
	 */
	int (*create)(const struct driver_work *work, struct shale_err *err);

	/*
	 * A read-only mount of the layers alone, not attached anywhere; SPEC has its source and attributes,
	 * and may have options if the driver takes any. Nothing can be written through it; with a driver that mounts a
	 * directory of the store that is so until somebody remounts it, who then changes the image's tree.
	 */
	int (*view)(const struct driver_image *image, struct mount_spec *spec, int *ret_mntfd,
		    struct mount_log *log, struct shale_err *err);

	/*
	 * The same with the writable layer. A union refuses it while the layer is mounted already: who wants
	 * to read what is mounted takes that mount.
	 */
	int (*mount)(const struct driver_work *work, struct mount_spec *spec, int *ret_mntfd,
		     struct mount_log *log, struct shale_err *err);

	/*
	 * Unmounts TARGET if it is a mount that view() or mount() of this driver and store has made; EINVAL if
	 * it is not. FLAGS are those of umount2(2). The writable layer stays.
	 */
	int (*umount)(const struct store *store, const char *target, int flags,
		      struct shale_err *err);

	/*
	 * Tells what changed in the writable layer (archive/changes.h). BASE_FD is the root directory of a view of
	 * the layers below, VIEW_FD that of the layer's mount, which must not change meanwhile. The names come from the
	 * upper, where there is one.
	 */
	int (*diff)(const struct driver_work *work, int base_fd, int view_fd, change_fn fn,
		    void *arg, struct shale_err *err);

	/* Removes what create() made, and the container. It is not mounted any more. */
	int (*remove)(const struct store *store, const char *id, struct shale_err *err);

	/* What the writable layer takes beside the layers below it. */
	int (*usage)(const struct driver_work *work, struct driver_usage *ret_usage,
		     struct shale_err *err);
};

extern const struct driver driver_shale, driver_overlay2, driver_btrfs, driver_vfs;

/* By name; NULL with err, which says which there are. */
const struct driver *driver_find(const char *name, struct shale_err *err);
/*
 * The one of this name, which must work here; or for NULL the first in the order above that does. NULL with err,
 * which then says of each why it does not.
 */
const struct driver *driver_choose(const char *name, struct session *session,
				   struct shale_err *err);

/* For drivers: ways to say no. */
int driver_refuse_options(const struct driver *driver, const struct mount_spec *spec,
			  struct shale_err *err);

#endif
