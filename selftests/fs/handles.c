// SPDX-License-Identifier: GPL-2.0-only
/*
 * handles.c - takes and opens file handles; see handles.h.
 */
#include "handles.h"

#include "union.h"

void handles_mount(void)
{
	union_mount_with(&(struct union_opts){.options = is_overlay() ? "nfs_export=on" : NULL});
}

struct handle handle_take(const char *path)
{
	struct handle handle = {.head.handle_bytes = MAX_HANDLE_SZ};
	int mount_id;

	if (name_to_handle_at(AT_FDCWD, path, &handle.head, &mount_id, 0) < 0) {
		ktap_fail(__FILE__, __LINE__, "name_to_handle_at %s: %s", path, strerror(errno));
		ktap_stop();
	}
	return handle;
}

int handle_open(const struct handle *handle, int flags)
{
	struct handle copy = *handle;
	int mount = open("m", O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd, error;

	fd = open_by_handle_at(mount, &copy.head, flags | O_CLOEXEC);
	error = errno;
	close(mount);
	errno = error;
	return fd;
}

const char *handle_text(const struct handle *handle)
{
	static char text[64];
	int fd = handle_open(handle, O_RDONLY);
	ssize_t got;

	if (fd < 0)
		return strerrorname_np(errno);
	got = read(fd, text, sizeof(text) - 1);
	text[got > 0 ? got : 0] = '\0';
	close(fd);
	return text;
}
