// SPDX-License-Identifier: GPL-2.0-only
/*
 * Driver overlay2: the kernel's overlayfs. Directories can be renamed (redirect_dir), hard links of lower files
 * break when they are written to, and a write copies the whole file.
 *
 * Layers go in one option each from Linux 6.5 on. Before, all options together must fit into one page, which bounds
 * how many layers an image can have.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "driver/union.h"
#include "driver/where.h"

#define FSTYPE "overlay"
/* Of mount(2): a page, and its NUL. */
#define OPTIONS_MAX 4095
/* overlayfs's OVL_MAX_STACK. */
#define LAYERS_MAX 500

/* For the superblock: what a writable mount of root's has, and one of somebody who owns a user namespace. */
static const char *const root_options[][2] = {
	{ "redirect_dir", "on" },
	{ "metacopy", "off" },
	{ "index", "off" },
};

static int overlay_set(int fd, const char *key, const char *value, struct shale_err *err)
{
	char log[256] = "";
	ssize_t len;

	if (fsconfig(fd, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key, value, 0) == 0)
		return 0;
	shale_err_errno(err, "overlayfs: %s%s%.200s", key, value ? "=" : "", value ? value : "");
	len = read(fd, log, sizeof(log) - 1);
	if (len > 2)
		shale_err_wrap(err, "%.*s", (int)strcspn(log + 2, "\n"), log + 2);
	return -1;
}

static int set_writable(int fd, const struct mount_spec *spec, const char *prefix,
			struct shale_err *err)
{
	if (overlay_set(fd, "upperdir", spec->upper, err) || overlay_set(fd, "workdir", spec->work, err))
		return -1;
	if (strcmp(prefix, "trusted."))
		return 0;
	for (size_t i = 0; i < sizeof(root_options) / sizeof(*root_options); i++)
		if (overlay_set(fd, root_options[i][0], root_options[i][1], err))
			return -1;
	return 0;
}

static int make_mount(int fd, const struct mount_spec *spec, int *ret_mntfd, struct shale_err *err)
{
	int mntfd;

	if (fsconfig(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return shale_err_errno(err, "overlayfs cannot be mounted");
	mntfd = fsmount(fd, FSMOUNT_CLOEXEC, spec->attr_set);
	if (mntfd < 0)
		return shale_err_errno(err, "overlayfs cannot be mounted");
	*ret_mntfd = mntfd;
	return 0;
}

/* overlayfs wants two lowers where there is no upper: an empty one at the bottom changes nothing. */
static int add_empty(struct session *session, struct mount_spec *spec, struct shale_err *err)
{
	__cleanup_free char *path = NULL;

	if (spec->upper || spec->nr_layers > 1)
		return 0;
	if (fs_mkdir(session->store->dirfd, "containers", 0700) < 0 ||
	    fs_mkdir(session->store->dirfd, "containers/.empty", 0755) < 0)
		return shale_err_errno(err, "%s/containers/.empty", session->store->path);
	if (asprintf(&path, "%s/containers/.empty", session->store->path) < 0) {
		path = NULL;
		return shale_err_set(err, ENOMEM, "out of memory");
	}
	return mount_spec_add_layer(spec, path, err);
}

/* A kernel that knows the option does not take it without a value; one before 6.5 takes whatever it is told. */
static bool takes_layers_singly(void)
{
	__cleanup_fd int fd = fsopen(FSTYPE, FSOPEN_CLOEXEC);

	return fd < 0 || fsconfig(fd, FSCONFIG_SET_FLAG, "lowerdir+", NULL, 0) < 0;
}

static int mount_by_layer(const struct mount_spec *spec, const char *prefix, int *ret_mntfd,
			  struct shale_err *err)
{
	__cleanup_fd int fd = fsopen(FSTYPE, FSOPEN_CLOEXEC);

	if (fd < 0)
		return shale_err_errno(err, "overlayfs cannot be mounted");
	for (size_t i = 0; i < spec->nr_layers; i++)
		if (overlay_set(fd, "lowerdir+", spec->layers[i], err))
			return -1;
	if (overlay_set(fd, "source", spec->source ? spec->source : FSTYPE, err))
		return -1;
	if (strcmp(prefix, "trusted.") && overlay_set(fd, "userxattr", NULL, err))
		return -1;
	if (spec->upper && set_writable(fd, spec, prefix, err))
		return -1;
	return make_mount(fd, spec, ret_mntfd, err);
}

/* What separates layers and options, and what takes that meaning away. */
static int add_escaped(struct buf *out, const char *path)
{
	for (; *path; path++)
		if ((strchr("\\:,", *path) && buf_addc(out, '\\') < 0) || buf_addc(out, *path) < 0)
			return -1;
	return 0;
}

static int print_options(const struct mount_spec *spec, const char *prefix, struct buf *out)
{
	for (size_t i = 0; i < spec->nr_layers; i++)
		if (buf_adds(out, i ? ":" : "lowerdir=") < 0 || add_escaped(out, spec->layers[i]) < 0)
			return -1;
	if (strcmp(prefix, "trusted.") && buf_adds(out, ",userxattr") < 0)
		return -1;
	if (!spec->upper)
		return 0;
	if (buf_adds(out, ",upperdir=") < 0 || add_escaped(out, spec->upper) < 0 ||
	    buf_adds(out, ",workdir=") < 0 || add_escaped(out, spec->work) < 0)
		return -1;
	for (size_t i = 0; !strcmp(prefix, "trusted.") && i < sizeof(root_options) / sizeof(*root_options);
	     i++)
		if (buf_addf(out, ",%s=%s", root_options[i][0], root_options[i][1]) < 0)
			return -1;
	return 0;
}

/* Attached for a moment in the session's directory, which nobody but root can enter. */
static int mount_in(struct session *session, const char *options, const struct mount_spec *spec,
		    int *ret_mntfd, struct shale_err *err)
{
	struct mount_attr attr = { .attr_set = spec->attr_set };
	char place[64];
	int ret = -1;

	if (fs_mkdir(session->fd, "mnt", 0700) < 0)
		return shale_err_errno(err, "overlayfs cannot be mounted");
	snprintf(place, sizeof(place), "/proc/self/fd/%d/mnt", session->fd);
	if (mount(spec->source ? spec->source : FSTYPE, place, FSTYPE, 0, options) < 0)
		return shale_err_errno(err, "overlayfs cannot be mounted");
	*ret_mntfd = open_tree(AT_FDCWD, place, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (*ret_mntfd < 0 || mount_setattr(*ret_mntfd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		shale_err_errno(err, "overlayfs cannot be mounted");
	else
		ret = 0;
	if (ret)
		fd_closep(ret_mntfd);
	umount2(place, MNT_DETACH);
	return ret;
}

static int mount_by_page(struct session *session, const struct mount_spec *spec, const char *prefix,
			 int *ret_mntfd, struct shale_err *err)
{
	__cleanup_buf struct buf options = BUF_INIT;

	if (print_options(spec, prefix, &options) < 0)
		return shale_err_set(err, ENOMEM, "out of memory");
	if (options.len > OPTIONS_MAX)
		return shale_err_set(err, E2BIG,
				     "%zu layers: before Linux 6.5 overlayfs takes as many as fit into %d bytes of options",
				     spec->nr_layers, OPTIONS_MAX);
	return mount_in(session, buf_str(&options), spec, ret_mntfd, err);
}

static int overlay_open(struct session *session, struct mount_spec *spec, const char *prefix,
			int *ret_mntfd, struct shale_err *err)
{
	if (spec->nr_layers > LAYERS_MAX)
		return shale_err_set(err, E2BIG, "%zu layers: overlayfs takes %d", spec->nr_layers,
				     LAYERS_MAX);
	if (takes_layers_singly())
		return mount_by_layer(spec, prefix, ret_mntfd, err);
	return mount_by_page(session, spec, prefix, ret_mntfd, err);
}

static char *probe_path(const struct session *session, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/tmp/%s/probe/%s", session->store->path, session->name, name) < 0)
		return NULL;
	return path;
}

/* Tried with directories of its own: which filesystems it takes for an upper, the kernel alone knows. */
static int probe_dirs(struct session *session, struct mount_spec *spec)
{
	static const char *const names[] = { "probe", "probe/lower", "probe/upper", "probe/work" };
	__cleanup_free char *lower = probe_path(session, "lower");

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (fs_mkdir(session->fd, names[i], 0700) < 0)
			return -1;
	spec->upper = probe_path(session, "upper");
	spec->work = probe_path(session, "work");
	if (!lower || !spec->upper || !spec->work)
		return -1;
	return mount_spec_add_layer(spec, lower, NULL);
}

static int overlay_probe(struct session *session, struct shale_err *err)
{
	const char *prefix = geteuid() ? "user." : "trusted.";
	struct mount_spec spec = { .nr_layers = 0 };
	__cleanup_fd int mntfd = -1;
	int ret;

	if (probe_dirs(session, &spec) < 0)
		ret = shale_err_errno(err, "trying overlayfs");
	else
		ret = overlay_open(session, &spec, prefix, &mntfd, err);
	mount_spec_release(&spec);
	fd_closep(&mntfd);
	mntfd = -1;
	fs_remove_tree(session->fd, "probe");
	return ret;
}

static int overlay_view(const struct driver_image *image, struct mount_spec *spec, int *ret_mntfd,
			struct mount_log *log, struct shale_err *err)
{
	const char *prefix = geteuid() ? "user." : "trusted.";

	(void)log;
	if (driver_refuse_options(&driver_overlay2, spec, err) ||
	    union_add_layers(image, spec, err) || add_empty(image->session, spec, err))
		return -1;
	spec->attr_set |= MOUNT_ATTR_RDONLY;
	return overlay_open(image->session, spec, prefix, ret_mntfd, err);
}

static int overlay_mount(const struct driver_work *work, struct mount_spec *spec, int *ret_mntfd,
			 struct mount_log *log, struct shale_err *err)
{
	(void)log;
	if (driver_refuse_options(&driver_overlay2, spec, err) ||
	    union_add_layers(&work->image, spec, err) || union_add_upper(work, spec, err))
		return -1;
	return overlay_open(work->image.session, spec, work->xattr_prefix, ret_mntfd, err);
}

static int overlay_umount(const struct store *store, const char *target, int flags,
			  struct shale_err *err)
{
	return where_umount(store, target, FSTYPE, flags, err);
}

const struct driver driver_overlay2 = {
	.name = "overlay2",
	.probe = overlay_probe,
	.create = union_create,
	.view = overlay_view,
	.mount = overlay_mount,
	.umount = overlay_umount,
	.diff = union_diff,
	.remove = union_remove,
	.usage = union_usage,
};
