// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mounts images and unmounts them: the store says which layers, kapi/ mounts them, and a writable
 * layer of the mount's own comes and goes with it. Called by shale mount and shale umount.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "kapi/ioctl.h"
#include "kapi/mount.h"
#include "kapi/parse.h"
#include "store/container.h"

struct mounting {
	struct parsed parsed;
	struct shale_layers layers;
	struct store store;
	struct container container;
};

static void mounting_release(struct mounting *mounting)
{
	parsed_release(&mounting->parsed);
	shale_layers_put(&mounting->layers);
	container_release(&mounting->container);
	store_close(&mounting->store);
}

static int own_layer_add(struct mounting *mounting, const struct shale_opts *opts,
			 struct shale_err *err)
{
	struct mount_spec *spec = &mounting->parsed.spec;
	struct digest image;

	if (spec->upper)
		return shale_err_set(err, EINVAL, "upperdir is given, so the mount cannot get a writable layer of its own");
	if (store_open(opts->root, false, &mounting->store, err) ||
	    container_create(&mounting->store, mounting->layers.paths[0], &mounting->container, err) ||
	    digest_parse(mounting->layers.id, "the image", &image, err) ||
	    container_set_image(&mounting->store, mounting->container.id, &image, err))
		return -1;
	spec->upper = strdup(mounting->container.upper);
	spec->work = strdup(mounting->container.work);
	return spec->upper && spec->work ? 0 : shale_err_set(err, ENOMEM, "out of memory");
}

static int spec_fill(struct mounting *mounting, const struct shale_opts *opts,
		     const struct shale_mount_opts *mount, struct shale_err *err)
{
	struct mount_spec *spec = &mounting->parsed.spec;

	if (mount->options && parsed_add(&mounting->parsed, mount->options, false, err))
		return -1;
	if (spec->nr_layers || mounting->parsed.is_remount)
		return shale_err_set(err, EINVAL, "the layers are the image's, not an option's");
	if (parsed_check(&mounting->parsed, err))
		return -1;
	spec->source = strdup(mount->image);
	if (!spec->source)
		return shale_err_set(err, ENOMEM, "out of memory");
	if (shale_layers_get(opts, mount->image, &mounting->layers, err))
		return -1;
	for (size_t i = 0; i < mounting->layers.count; i++)
		if (mount_spec_add_layer(spec, mounting->layers.paths[i], err))
			return -1;
	return mount->is_writable ? own_layer_add(mounting, opts, err) : 0;
}

static int mount_at(const struct mount_spec *spec, const char *target, struct mount_log *log,
		    struct shale_err *err)
{
	__cleanup_fd int mntfd = -1;

	if (mount_open(spec, &mntfd, log, err) || mount_attach(spec, mntfd, target, err))
		return shale_err_wrap(err, "%s", target);
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
	__attribute__((cleanup(mounting_release))) struct mounting mounting = {
		.layers = { .lock_fd = -1 },
		.store = STORE_CLOSED,
	};
	struct mount_log log = { "" };

	if (spec_fill(&mounting, opts, mount, err) ||
	    mount_at(&mounting.parsed.spec, mount->target, &log, err)) {
		if (mounting.container.id[0])
			container_remove(&mounting.store, mounting.container.id, NULL);
		return -1;
	}
	warning_take(&mounting, &log, ret_mounted);
	snprintf(ret_mounted->container, sizeof(ret_mounted->container), "%s",
		 mounting.container.id);
	return 0;
}

/* The container whose upper is on top of the mount at target; an empty ID if there is none. */
static int container_find(const struct store *store, const char *target,
			  char ret_id[CONTAINER_ID_TEXT], struct shale_err *err)
{
	__cleanup_fd int fd = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct ioctl_layer layer;

	ret_id[0] = '\0';
	if (fd < 0)
		return shale_err_errno(err, "cannot open it");
	if (ioctl_stack(fd, 0, &layer, err))
		return -1;
	if (layer.flags & SHALE_LAYER_UPPER)
		container_of_upper(store, layer.path, ret_id);
	free(layer.path);
	return 0;
}

int shale_umount(const struct shale_opts *opts, const struct shale_umount_opts *umount,
		 struct shale_err *err)
{
	__cleanup_store struct store store = STORE_CLOSED;
	__cleanup_fd int lock = -1;
	char id[CONTAINER_ID_TEXT] = "";
	int flags = UMOUNT_NOFOLLOW | (umount->is_lazy ? MNT_DETACH : 0);

	if (mount_check_ours(umount->target, err))
		return shale_err_wrap(err, "%s", umount->target);
	/* Without the store there are no containers of it, and the mount is somebody else's. */
	if (!store_open(opts->root, false, &store, NULL) &&
	    container_find(&store, umount->target, id, err))
		return shale_err_wrap(err, "%s", umount->target);
	if (mount_detach(umount->target, flags, err))
		return shale_err_wrap(err, "%s", umount->target);
	if (!id[0] || umount->keeps_container || umount->is_lazy)
		return 0;
	/* The collector takes directories without a row. */
	lock = store_lock(&store, LOCK_SH, err);
	return lock < 0 ? -1 : container_remove(&store, id, err);
}
