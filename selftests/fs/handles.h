/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * handles.h - file handles of what is on the union: taking them and opening them.
 */
#ifndef SELFTESTS_FS_HANDLES_H
#define SELFTESTS_FS_HANDLES_H

#include <fcntl.h>

struct handle {
	struct file_handle head;
	unsigned char bytes[MAX_HANDLE_SZ];
};

/* A union of which handles stay good. */
void handles_mount(void);

/* Ends the test when it cannot. */
struct handle handle_take(const char *path);
/* On m. A descriptor, or -1 with errno. */
int handle_open(const struct handle *handle, int flags);
/* What is in the file, or the name of the errno. Owned by the callee, valid until the next call. */
const char *handle_text(const struct handle *handle);

#endif /* SELFTESTS_FS_HANDLES_H */
