// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls of private.h: by the way of /proc/self/fd, since those that take a descriptor refuse one that
 * is no more than a place. Called by partial.c and below.c.
 */
#include "fsck.shale/private.h"

#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#define XATTR_NAME 64
/* "/proc/self/fd/", a number, "/", an entry's name, NUL. */
#define PLACE_MAX (32 + NAME_MAX + 1)

/* The inode of the initial user namespace is part of the kernel's interface. */
#define INITIAL_USERNS 0xeffffffdU

struct place {
	char path[PLACE_MAX];
	char xattr[XATTR_NAME];
};

static struct place place_of(int fd, const char *prefix, const char *name)
{
	struct place place;

	snprintf(place.path, sizeof(place.path), "/proc/self/fd/%d", fd);
	snprintf(place.xattr, sizeof(place.xattr), "%s%s", prefix, name);
	return place;
}

static bool has_capability(unsigned int capability)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	return !syscall(SYS_capget, &header, data) &&
	       data[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability);
}

bool private_is_visible(const char *prefix)
{
	struct stat st;

	if (strcmp(prefix, "trusted."))
		return true;
	return has_capability(CAP_SYS_ADMIN) && !stat("/proc/self/ns/user", &st) &&
	       st.st_ino == INITIAL_USERNS;
}

ssize_t private_get(int fd, const char *prefix, const char *name, void *value, size_t size)
{
	struct place place = place_of(fd, prefix, name);

	return getxattr(place.path, place.xattr, value, size);
}

int private_set(int fd, const char *prefix, const char *name, const void *value, size_t len)
{
	struct place place = place_of(fd, prefix, name);

	return setxattr(place.path, place.xattr, value, len, 0);
}

int private_remove(int fd, const char *prefix, const char *name)
{
	struct place place = place_of(fd, prefix, name);

	return removexattr(place.path, place.xattr);
}

ssize_t private_get_at(int dirfd, const char *entry, const char *prefix, const char *name,
		       void *value, size_t size)
{
	struct place place = place_of(dirfd, prefix, name);
	int len = snprintf(place.path, sizeof(place.path), "/proc/self/fd/%d/%s", dirfd, entry);

	if (len < 0 || (size_t)len >= sizeof(place.path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return lgetxattr(place.path, place.xattr, value, size);
}
