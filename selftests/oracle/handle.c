// SPDX-License-Identifier: GPL-2.0-only
/*
 * handle.c - the open descriptors of the files. They stay open until an operation closes them or the
 * union is unmounted, so most are older than what they read.
 */
#include "oracle.h"

static const int modes[] = {
	O_RDWR,	  O_RDWR,   O_RDWR,   O_RDWR,		 O_RDWR,	    O_RDWR,
	O_RDONLY, O_RDONLY, O_RDONLY, O_RDWR | O_DIRECT, O_RDWR | O_DIRECT, O_RDWR | O_DIRECT,
	O_WRONLY, O_RDONLY | O_DIRECT, O_RDWR | O_APPEND,
};

void handles_init(struct file *file)
{
	for (int i = 0; i < HANDLES; i++)
		file->handles[i].fd = -1;
}

/* Where the bare filesystem has no O_DIRECT, the union must refuse it alike. */
static void open_without_direct(const struct file *file, const char *path, struct handle *handle)
{
	int error = errno, twin = twin_open(file->now.size, handle->flags);

	if (twin >= 0 || errno != error)
		mismatch(file, "open with flags 0x%x: %s, on the bare filesystem %s", handle->flags,
			 strerror(error), twin >= 0 ? "it works" : strerror(errno));
	handle->flags &= ~O_DIRECT;
	handle->fd = open(path, handle->flags | O_CLOEXEC);
}

static void handle_open(struct file *file, struct handle *handle)
{
	char path[PATH_SIZE];

	file_path(file, path);
	handle->flags = modes[pick(sizeof(modes) / sizeof(modes[0]))];
	handle->fd = open(path, handle->flags | O_CLOEXEC);
	if (handle->fd < 0 && (handle->flags & O_DIRECT))
		open_without_direct(file, path, handle);
	if (handle->fd < 0)
		mismatch(file, "open %s with flags 0x%x: %s", path, handle->flags, strerror(errno));
	if (stage_is_overlay() && handle_can_write(handle))
		file->is_written = true;
}

const struct handle *handle_pick(struct file *file)
{
	struct handle *handle = &file->handles[pick(HANDLES)];

	if (handle->fd < 0)
		handle_open(file, handle);
	return handle;
}

void handle_close(struct file *file, unsigned int slot)
{
	struct handle *handle = &file->handles[slot];

	if (handle->fd >= 0 && close(handle->fd) < 0)
		mismatch(file, "close: %s", strerror(errno));
	handle->fd = -1;
}

void handles_close(struct file *file)
{
	for (int i = 0; i < HANDLES; i++)
		handle_close(file, i);
}

bool handle_can_read(const struct handle *handle)
{
	return (handle->flags & O_ACCMODE) != O_WRONLY;
}

bool handle_can_write(const struct handle *handle)
{
	return (handle->flags & O_ACCMODE) != O_RDONLY;
}

bool handle_is_direct(const struct handle *handle)
{
	return handle && (handle->flags & O_DIRECT);
}

/* One that takes any offset and length; NULL when none is open. */
const struct handle *handle_any_readable(struct file *file)
{
	unsigned int start = pick(HANDLES);

	for (unsigned int i = 0; i < HANDLES; i++) {
		const struct handle *handle = &file->handles[(start + i) % HANDLES];

		if (handle->fd >= 0 && handle_can_read(handle) && !(handle->flags & O_DIRECT))
			return handle;
	}
	return NULL;
}
