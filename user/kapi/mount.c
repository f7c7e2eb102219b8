// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes, attaches and detaches mounts. A mount is complete, ids mapped and all, before it is
 * attached, so nobody ever sees half of one. Talking to the kernel's context is in context.c,
 * changing a mount in remount.c.
 */
#include "kapi/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/shale.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "kapi/context.h"
#include "kapi/module.h"
#include "kapi/mountinfo.h"
#include "kapi/stack.h"

#define MAGIC_PATH_MAX (sizeof("/proc/self/fd/") + 3 * sizeof(int))

/* What /proc/mounts says must not depend on a working directory, so names become absolute. */
static int path_absolute(const char *path, struct buf *out, struct shale_err *err)
{
	char cwd[PATH_MAX];

	if (*path == '/')
		return buf_adds(out, path) ? shale_err_errno(err, "cannot use %s", path) : 0;
	if (!getcwd(cwd, sizeof(cwd)) ||
	    buf_addf(out, "%s/%s", strcmp(cwd, "/") ? cwd : "", path))
		return shale_err_errno(err, "cannot use %s", path);
	return 0;
}

static int dir_open(const char *option, const char *path, int *ret_fd, struct shale_err *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return shale_err_errno(err, "%s: cannot open '%s'", option, path);
	*ret_fd = fd;
	return 0;
}

/* A name too long for one string goes in by way of its descriptor. */
static int lower_set(struct context *context, const char *path, struct shale_err *err)
{
	__cleanup_buf struct buf absolute = BUF_INIT;
	__cleanup_fd int fd = -1;

	if (dir_open("lowerdir", path, &fd, err) || path_absolute(path, &absolute, err))
		return -1;
	if (absolute.len <= MOUNT_STRING_MAX)
		return context_set_string(context, "lowerdir+", buf_str(&absolute), err);
	return context_set_fd(context, "lowerdir+", fd, err);
}

/* In these two options, unlike in lowerdir+, the kernel takes a backslash for an escape. */
static int path_escape(const char *path, struct buf *out, struct shale_err *err)
{
	for (; *path; path++)
		if ((*path == '\\' && buf_addc(out, '\\')) || buf_addc(out, *path))
			return shale_err_errno(err, "cannot use %s", path);
	return 0;
}

static int upper_set(struct context *context, const char *key, const char *path,
		     struct shale_err *err)
{
	__cleanup_buf struct buf absolute = BUF_INIT;
	__cleanup_buf struct buf escaped = BUF_INIT;
	__cleanup_fd int fd = -1;
	char magic[MAGIC_PATH_MAX];

	if (dir_open(key, path, &fd, err) || path_absolute(path, &absolute, err) ||
	    path_escape(buf_str(&absolute), &escaped, err))
		return -1;
	if (escaped.len <= MOUNT_STRING_MAX)
		return context_set_string(context, key, buf_str(&escaped), err);
	snprintf(magic, sizeof(magic), "/proc/self/fd/%d", fd);
	return context_set_string(context, key, magic, err);
}

static int layers_set(struct context *context, const struct mount_spec *spec,
		      struct shale_err *err)
{
	for (size_t i = 0; i < spec->nr_layers; i++)
		if (lower_set(context, spec->layers[i], err))
			return -1;
	if (spec->upper && upper_set(context, "upperdir", spec->upper, err))
		return -1;
	if (spec->work && upper_set(context, "workdir", spec->work, err))
		return -1;
	return 0;
}

/* Without SELinux its contexts mean nothing, and the kernel would take them for unknown options. */
static bool is_moot(const struct mount_param *param)
{
	static const char *const contexts[] = { "context", "fscontext", "defcontext", "rootcontext" };

	for (size_t i = 0; i < sizeof(contexts) / sizeof(contexts[0]); i++)
		if (!strcmp(param->key, contexts[i]))
			return access("/sys/fs/selinux/enforce", F_OK) != 0;
	return false;
}

static int params_set(struct context *context, const struct mount_spec *spec,
		      struct shale_err *err)
{
	const char *source = spec->source ? spec->source : MOUNT_FSTYPE;

	if (context_set_string(context, "source", source, err))
		return -1;
	if ((spec->attr_set & MOUNT_ATTR_RDONLY) && context_set_flag(context, "ro", err))
		return -1;
	for (size_t i = 0; i < spec->nr_params; i++)
		if (!is_moot(&spec->params[i]) &&
		    context_set_param(context, &spec->params[i], err))
			return -1;
	return 0;
}

/*
 * Are the layers mapped already? containers/storage binds each of them through an idmapped mount and
 * gives the mapping as well; to map once more would leave no owner anybody knows.
 */
static bool has_mapped_layers(const struct mount_spec *spec)
{
	__cleanup_fd int fd = open(spec->layers[0], O_PATH | O_CLOEXEC);
	__cleanup_mountinfo struct mountinfo info = { .line = NULL };

	return fd >= 0 && !mountinfo_get(fd, &info, NULL) && strstr(info.attrs, ",idmapped");
}

static int idmap_set(int mntfd, const struct mount_spec *spec, struct shale_err *err)
{
	__cleanup_fd int nsfd = -1;
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP };

	if (idmap_open(spec->uids, spec->gids, &nsfd, err))
		return -1;
	attr.userns_fd = (uint64_t)nsfd;
	if (mount_setattr(mntfd, "", AT_EMPTY_PATH, &attr, sizeof(attr)))
		return shale_err_errno(err, "the mount cannot map user and group ids");
	return 0;
}

/* The kernel loads the module by itself; where it could not, this tries once more to learn why. */
static int context_open_loading(struct context *context, struct mount_log *log,
				struct shale_err *err)
{
	struct shale_err why = { 0 };

	if (!context_open(context, log, &why))
		return 0;
	if (why.code != ENODEV)
		return shale_err_set(err, why.code, "%s", why.msg);
	if (module_load(err))
		return -1;
	return context_open(context, log, err);
}

int mount_open(const struct mount_spec *spec, int *ret_fd, struct mount_log *log,
	       struct shale_err *err)
{
	__cleanup_context struct context context = CONTEXT_INIT;
	__cleanup_fd int fd = -1;

	if (context_open_loading(&context, log, err) || params_set(&context, spec, err) ||
	    layers_set(&context, spec, err) || context_create(&context, spec->attr_set, &fd, err))
		return -1;
	if (spec->uids && !has_mapped_layers(spec) && idmap_set(fd, spec, err))
		return -1;
	*ret_fd = steal_fd(&fd);
	return 0;
}

static int propagation_set(int mntfd, uint64_t propagation, struct shale_err *err)
{
	struct mount_attr attr = { .propagation = propagation & ~(uint64_t)MS_REC };

	if (!propagation)
		return 0;
	if (mount_setattr(mntfd, "", AT_EMPTY_PATH, &attr, sizeof(attr)))
		return shale_err_errno(err, "cannot set the mount's propagation");
	return 0;
}

int mount_attach(const struct mount_spec *spec, int mntfd, const char *target,
		 struct shale_err *err)
{
	unsigned int flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS | MOVE_MOUNT_T_AUTOMOUNTS;

	if (move_mount(mntfd, "", AT_FDCWD, target, flags))
		return shale_err_errno(err, "cannot mount there");
	if (!propagation_set(mntfd, spec->propagation, err))
		return 0;
	umount2(target, MNT_DETACH);
	return -1;
}

int mount_check_ours(const char *target, struct shale_err *err)
{
	__cleanup_fd int fd = open(target, O_PATH | O_CLOEXEC);
	struct statfs fs;
	struct statx st;

	if (fd < 0 || fstatfs(fd, &fs) ||
	    statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &st))
		return shale_err_errno(err, "cannot look at it");
	if (fs.f_type != SHALE_SUPER_MAGIC || !(st.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		return shale_err_set(err, EINVAL, "not a mount point of " MOUNT_FSTYPE);
	return 0;
}

int mount_detach(const char *target, int flags, struct shale_err *err)
{
	if (mount_check_ours(target, err))
		return -1;
	if (umount2(target, flags))
		return shale_err_errno(err, "cannot unmount it");
	return 0;
}

int mount_share(const struct mount_spec *spec, const char *target, int *ret_fd,
		struct shale_err *err)
{
	__cleanup_fd int fd = -1;
	__cleanup_fd int tree = -1;
	const char *other = NULL;

	if (mount_check_ours(target, NULL))
		return shale_err_set(err, EBUSY, "the layers are in use by another mount");
	fd = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return shale_err_errno(err, "cannot open it");
	if (stack_compare(fd, spec, &other, err))
		return -1;
	if (other)
		return shale_err_set(err, EBUSY, "what is mounted there has another %s", other);
	tree = open_tree(fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0)
		return shale_err_errno(err, "cannot mount it once more");
	*ret_fd = steal_fd(&tree);
	return 0;
}
