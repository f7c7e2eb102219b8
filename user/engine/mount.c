// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mounts images and unmounts them: the store says which layers, a storage driver mounts them, and a writable
 * layer of the mount's own comes and goes with it. Called by shale mount and shale umount.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "engine/mounting.h"
#include "engine/work.h"
#include "kapi/mountinfo.h"

void mounting_release(struct mounting *mounting)
{
	parsed_release(&mounting->parsed);
	container_release(&mounting->container);
	made_release(&mounting->made);
	session_end(&mounting->session);
	found_release(&mounting->found);
}

static int options_read(struct mounting *mounting, const struct shale_mount_opts *mount,
			struct shale_err *err)
{
	struct mount_spec *spec = &mounting->parsed.spec;

	if (mount->options && parsed_add(&mounting->parsed, mount->options, false, err))
		return -1;
	if (spec->nr_layers || mounting->parsed.is_remount)
		return shale_err_set(err, EINVAL, "the layers are the image's, not an option's");
	if (mount->is_writable && spec->upper)
		return shale_err_set(err, EINVAL, "upperdir is given, so the mount cannot get a writable layer of its own");
	if (parsed_check(&mounting->parsed, err))
		return -1;
	spec->source = strdup(mount->image);
	return spec->source ? 0 : shale_err_set(err, ENOMEM, "out of memory");
}

/* Where the union of this mount will have its private xattrs. */
static void prefix_choose(struct mounting *mounting)
{
	const struct mount_spec *spec = &mounting->parsed.spec;
	bool is_user = geteuid() != 0;

	for (size_t i = 0; i < spec->nr_params; i++)
		is_user |= !strcmp(spec->params[i].key, "userxattr");
	snprintf(mounting->made.xattr_prefix, sizeof(mounting->made.xattr_prefix), "%s",
		 is_user ? "user." : "trusted.");
}

/* Leased, they stay until the mount itself protects them, and nobody has to wait meanwhile. */
static int layers_lease(struct mounting *mounting, struct shale_err *err)
{
	const struct image *image = &mounting->found.image;
	struct made *made = &mounting->made;
	bool present;

	if (!image->layer_count)
		return shale_err_set(err, EINVAL, "the image has no layers: there is nothing to mount");
	made->layers = calloc(image->layer_count, sizeof(*made->layers));
	if (!made->layers)
		return shale_err_set(err, ENOMEM, "out of memory");
	made->count = image->layer_count;
	made->has_image = true;
	made->image = image->manifest;
	for (size_t i = 0; i < made->count; i++) {
		struct digest_text text = digest_text(&image->layers[i].diff_id);

		made->layers[i] = image->layers[i].diff_id;
		if (session_lease_layer(&mounting->session, &made->layers[i], &present, err) < 0)
			return -1;
		if (!present)
			return shale_err_set(err, ENOENT,
					     "layer %s is not unpacked; import the image again",
					     text.text);
	}
	return 0;
}

int mounting_open(struct mounting *mounting, const struct shale_opts *opts, const char *image,
		  const char *driver, struct shale_err *err)
{
	struct found *found = &mounting->found;

	if (found_open(opts, image, LOCK_SH, found, err) < 0)
		return -1;
	/* A session begins without the lock, which it may need to clean up. */
	fd_closep(&found->lock);
	found->lock = -1;
	if (session_begin(&found->store, &mounting->session, err) < 0)
		return -1;
	mounting->driver = driver_choose(driver, &mounting->session, err);
	if (!mounting->driver)
		return -1;
	snprintf(mounting->made.driver, sizeof(mounting->made.driver), "%s",
		 mounting->driver->name);
	prefix_choose(mounting);
	return layers_lease(mounting, err);
}

static struct driver_image image_of(struct mounting *mounting)
{
	return (struct driver_image){ &mounting->session, mounting->made.count,
				      mounting->made.layers };
}

/* The collector takes directories without a row, and a check misses their notes, unless the store is locked. */
static int container_make(struct mounting *mounting, const char *base,
			  const struct container_owner *owner, struct shale_err *err)
{
	const struct store *store = &mounting->found.store;
	__cleanup_fd int lock = store_lock(store, LOCK_SH, err);
	char dir[sizeof(CONTAINER_ROOM "/") + CONTAINER_ID_TEXT];

	if (lock < 0 || container_create_for(store, base, owner, &mounting->container, err))
		return -1;
	snprintf(dir, sizeof(dir), CONTAINER_ROOM "/%s", mounting->container.id);
	if (made_save(store, dir, &mounting->made, err))
		return -1;
	return container_set_image(store, mounting->container.id, &mounting->found.image.config,
				   mounting->made.driver, err);
}

void mounting_undo(struct mounting *mounting)
{
	const struct store *store = &mounting->found.store;
	__cleanup_fd int lock = store_lock(store, LOCK_SH, NULL);

	(void)lock;
	mounting->driver->remove(store, mounting->container.id, NULL);
}

int mounting_layer(struct mounting *mounting, const struct container_owner *owner,
		   struct driver_work *ret_work, struct shale_err *err)
{
	const struct store *store = &mounting->found.store;
	const struct digest *top = &mounting->made.layers[mounting->made.count - 1];
	__cleanup_free char *base = store_layer_path(store, top);

	if (!base)
		return shale_err_set(err, ENOMEM, "out of memory");
	if (container_make(mounting, base, owner, err))
		return -1;
	*ret_work = (struct driver_work){
		.image = image_of(mounting),
		.container = &mounting->container,
		.xattr_prefix = mounting->made.xattr_prefix,
	};
	return mounting->driver->create(ret_work, err);
}

static int mount_make(struct mounting *mounting, bool is_writable, int *ret_mntfd,
		      struct mount_log *log, struct shale_err *err)
{
	struct mount_spec *spec = &mounting->parsed.spec;
	struct driver_image image = image_of(mounting);
	struct driver_work work;

	if (!is_writable)
		return mounting->driver->view(&image, spec, ret_mntfd, log, err);
	if (mounting_layer(mounting, NULL, &work, err))
		return -1;
	return mounting->driver->mount(&work, spec, ret_mntfd, log, err);
}

static int mount_at(struct mounting *mounting, const struct shale_mount_opts *mount,
		    struct mount_log *log, struct shale_err *err)
{
	__cleanup_fd int mntfd = -1;

	if (mount_make(mounting, mount->is_writable, &mntfd, log, err) ||
	    mount_attach(&mounting->parsed.spec, mntfd, mount->target, err))
		return shale_err_wrap(err, "%s", mount->target);
	return 0;
}

static void warning_take(const struct mounting *mounting, const struct mount_log *log,
			 struct shale_mounted *mounted)
{
	const char *own = mounting->parsed.warning;

	snprintf(mounted->warning, sizeof(mounted->warning), "%s%s%s", own,
		 *own && log->text[0] ? "; " : "", log->text);
}

int shale_mount(const struct shale_opts *opts, const struct shale_mount_opts *mount,
		struct shale_mounted *ret_mounted, struct shale_err *err)
{
	__cleanup_mounting struct mounting mounting = MOUNTING_NONE;
	struct mount_log log = { "" };

	if (options_read(&mounting, mount, err) || mounting_open(&mounting, opts, mount->image, mount->driver, err))
		return -1;
	if (mount_at(&mounting, mount, &log, err)) {
		if (mounting.container.id[0])
			mounting_undo(&mounting);
		return -1;
	}
	warning_take(&mounting, &log, ret_mounted);
	snprintf(ret_mounted->driver, sizeof(ret_mounted->driver), "%s", mounting.driver->name);
	snprintf(ret_mounted->container, sizeof(ret_mounted->container), "%s",
		 mounting.container.id);
	return 0;
}

/* The writable layer that is mounted at target; an empty ID if there is none. */
static int container_find(const struct store *store, const char *target,
			  char ret_id[CONTAINER_ID_TEXT], struct shale_err *err)
{
	__cleanup_fd int fd = open(target, O_PATH | O_CLOEXEC);
	__cleanup_free char *line = NULL;

	if (fd < 0)
		return shale_err_errno(err, "cannot look at it");
	if (mountinfo_line(fd, &line, err))
		return -1;
	if (!work_of_mount(store, line, ret_id))
		ret_id[0] = '\0';
	return 0;
}

/* Each driver knows its own mounts; the module's are known without a store. */
static int umount_by_driver(const struct store *store, const char *target, int flags,
			    const struct driver **ret_driver, struct shale_err *err)
{
	static const struct driver *const drivers[] = { &driver_shale, &driver_overlay2, &driver_vfs };
	struct shale_err why = { 0 };

	for (size_t i = 0; i < (store ? sizeof(drivers) / sizeof(*drivers) : 1); i++) {
		*ret_driver = drivers[i];
		if (drivers[i]->umount(store, target, flags, &why) == 0)
			return 0;
		if (why.code != EINVAL)
			return shale_err_set(err, why.code, "%s", why.msg);
	}
	return shale_err_set(err, EINVAL, "not a mount point of shale");
}

int mounting_drop(const struct store *store, const char *id, struct shale_err *err)
{
	__cleanup_made struct made made = { .count = 0 };
	char dir[sizeof("containers/") + CONTAINER_ID_TEXT];
	__cleanup_fd int lock = store_lock(store, LOCK_SH, err);
	const struct driver *driver;

	if (lock < 0)
		return -1;
	snprintf(dir, sizeof(dir), "containers/%s", id);
	/* One without its note was never finished. */
	if (made_load(store, dir, &made, NULL) < 0)
		return container_remove(store, id, err);
	driver = driver_find(made.driver, err);
	return driver ? driver->remove(store, id, err) : -1;
}

int shale_umount(const struct shale_opts *opts, const struct shale_umount_opts *umount,
		 struct shale_err *err)
{
	__cleanup_store struct store store = STORE_CLOSED;
	int flags = UMOUNT_NOFOLLOW | (umount->is_lazy ? MNT_DETACH : 0);
	bool has_store = !store_open(opts->root, false, &store, NULL);
	char id[CONTAINER_ID_TEXT] = "";
	const struct driver *driver;

	/* Without the store there are no containers of it, and the mount is somebody else's. */
	if (has_store && container_find(&store, umount->target, id, err))
		return shale_err_wrap(err, "%s", umount->target);
	if (umount_by_driver(has_store ? &store : NULL, umount->target, flags, &driver, err))
		return shale_err_wrap(err, "%s", umount->target);
	if (!id[0] || umount->keeps_container || umount->is_lazy)
		return 0;
	return mounting_drop(&store, id, err);
}
