/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Scope-bound release of fds, heap memory and streams. `__cleanup(fd_closep)` and friends on a
 * declaration, `steal_fd()` and `steal_ptr()` where ownership leaves the scope. The releasing
 * functions of a room's own types live in that room. Keeps errno, since it runs between a failed
 * call and its report.
 */
#ifndef SHALE_BASE_CLEANUP_H
#define SHALE_BASE_CLEANUP_H

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define __cleanup(fn) __attribute__((cleanup(fn)))

static inline void fd_closep(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

static inline void freep(void *ptr)
{
	int saved = errno;

	free(*(void **)ptr);
	errno = saved;
}

static inline void dir_closep(DIR **dir)
{
	int saved = errno;

	if (*dir)
		closedir(*dir);
	errno = saved;
}

static inline void file_closep(FILE **file)
{
	int saved = errno;

	if (*file)
		fclose(*file);
	errno = saved;
}

static inline int steal_fd(int *fd)
{
	int ret = *fd;

	*fd = -1;
	return ret;
}

#define steal_ptr(ptr)                                                                             \
	({                                                                                         \
		__typeof__(ptr) *stolen_from_ = &(ptr);                                            \
		__typeof__(ptr) stolen_ = *stolen_from_;                                           \
		*stolen_from_ = NULL;                                                              \
		stolen_;                                                                           \
	})

#define __cleanup_fd   __cleanup(fd_closep)
#define __cleanup_free __cleanup(freep)

#endif
