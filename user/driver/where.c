// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mount points; see where.h. Called by overlay2.c and whole.c.
 */
#include "driver/where.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "kapi/mountinfo.h"
#include "store/mountline.h"

static int fail_other(const char *what, struct shale_err *err)
{
	return shale_err_set(err, EINVAL, "not a mount point of %s", what);
}

static int check_root(const char *target, int *ret_fd, struct shale_err *err)
{
	__cleanup_fd int fd = open(target, O_PATH | O_CLOEXEC);
	struct statx st;

	if (fd < 0 || statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &st))
		return shale_err_errno(err, "cannot look at it");
	if (!(st.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		return fail_other("this store", err);
	*ret_fd = steal_fd(&fd);
	return 0;
}

static bool names_store(const struct store *store, const char *line)
{
	__cleanup_free char *options = mountline_options(line);
	__cleanup_free char *wanted = NULL;

	if (!options || asprintf(&wanted, "%s/layers/", store->path) < 0) {
		wanted = NULL;
		return false;
	}
	mountline_unescape(options);
	mountline_drop_backslashes(options);
	return strstr(options, wanted);
}

/* A bind mount shows the same directory: the one in the store that its root says it is. */
static bool shows_store(const struct store *store, int fd, const char *line)
{
	static const char *const rooms[] = { "/containers/", "/trees/" };
	__cleanup_free char *root = mountline_field(line, MOUNTLINE_ROOT);
	struct stat there, here;
	const char *at;

	if (!root || fstat(fd, &there) < 0)
		return false;
	mountline_unescape(root);
	for (size_t i = 0; i < sizeof(rooms) / sizeof(*rooms); i++) {
		at = strstr(root, rooms[i]);
		if (at && fstatat(store->dirfd, at + 1, &here, AT_SYMLINK_NOFOLLOW) == 0 &&
		    here.st_dev == there.st_dev && here.st_ino == there.st_ino)
			return true;
	}
	return false;
}

static bool is_fstype(const char *line, const char *fstype)
{
	const char *tail = strstr(line, " - ");
	size_t len = strlen(fstype);

	return tail && !strncmp(tail + 3, fstype, len) && tail[3 + len] == ' ';
}

int where_check(const struct store *store, const char *target, const char *fstype,
		struct shale_err *err)
{
	__cleanup_free char *line = NULL;
	__cleanup_fd int fd = -1;

	if (check_root(target, &fd, err) || mountinfo_line(fd, &line, err))
		return -1;
	if (fstype ? is_fstype(line, fstype) && names_store(store, line) :
		     shows_store(store, fd, line))
		return 0;
	return fail_other("this store", err);
}

int where_umount(const struct store *store, const char *target, const char *fstype, int flags,
		 struct shale_err *err)
{
	if (where_check(store, target, fstype, err))
		return -1;
	if (umount2(target, flags | UMOUNT_NOFOLLOW))
		return shale_err_errno(err, "cannot unmount it");
	return 0;
}
