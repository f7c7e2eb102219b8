// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lets calls of a program that change files fail, one after the other: a library for LD_PRELOAD. It counts the calls
 * on what is below a directory, and one of them, or all from one on that need room, fail without being made.
 *
 *	FAILING_BELOW	the directory
 *	FAILING_AT	the number of the first call to fail; 0: none
 *	FAILING_ERRNO	what it fails with, a number
 *	FAILING_REST	1: later calls that need room fail as well, as on a disk that is full
 *	FAILING_NOTE	a file that is told, a line each, which calls failed, and at the end how many there were
 *	FAILING_COUNT	a file of 8 bytes, 0 at first: where calls are counted, for programs that start others
 *
 * What needs no call of its own (a store to a shared mapping, what libc does inside) is not seen. Used by
 * selftests/image/fails.py.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

struct how {
	unsigned long flags;
	unsigned long mode;
	unsigned long resolve;
};

static char below[PATH_MAX];
static size_t below_len;
static long first;
static int code;
static bool has_rest;
static int note_fd = -1;
static atomic_long own_calls;
static atomic_long *calls = &own_calls;

static long number_of(const char *name)
{
	const char *text = getenv(name);

	return text ? strtol(text, NULL, 10) : 0;
}

static void share_count(const char *path)
{
	int fd = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
	void *shared = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*calls), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (shared != MAP_FAILED)
		calls = shared;
	if (fd >= 0)
		close(fd);
}

__attribute__((constructor)) static void failing_open(void)
{
	const char *path = getenv("FAILING_BELOW");
	const char *note = getenv("FAILING_NOTE");
	const char *count = getenv("FAILING_COUNT");

	if (!path || !realpath(path, below))
		return;
	below_len = strlen(below);
	first = number_of("FAILING_AT");
	code = number_of("FAILING_ERRNO");
	has_rest = number_of("FAILING_REST");
	if (count)
		share_count(count);
	if (note)
		note_fd = syscall(SYS_openat, AT_FDCWD, note,
				  O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

static void tell(const char *what, long number)
{
	char line[128];
	int len = snprintf(line, sizeof(line), "%s %ld\n", what, number);

	if (note_fd >= 0)
		syscall(SYS_write, note_fd, line, len);
}

__attribute__((destructor)) static void failing_close(void)
{
	tell("calls", atomic_load(calls));
}

static bool is_below(const char *path)
{
	return below_len && !strncmp(path, below, below_len) &&
	       (path[below_len] == '/' || !path[below_len]);
}

static bool is_fd_below(int fd)
{
	char link[32], path[PATH_MAX];
	ssize_t len;

	if (!below_len)
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof(path) - 1);
	if (len < 0)
		return false;
	path[len] = '\0';
	return is_below(path);
}

static bool is_at_below(int dirfd, const char *path)
{
	char cwd[PATH_MAX];

	if (*path == '/')
		return is_below(path);
	if (dirfd != AT_FDCWD)
		return is_fd_below(dirfd);
	return syscall(SYS_getcwd, cwd, sizeof(cwd)) > 0 && is_below(cwd);
}

/* Whether this call is to fail; errno is set then. */
static bool is_due(bool counts, bool needs_room, const char *what)
{
	long number;

	if (!counts)
		return false;
	number = atomic_fetch_add(calls, 1) + 1;
	if (!first || number < first || (number > first && !(has_rest && needs_room)))
		return false;
	tell(what, number);
	errno = code;
	return true;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* Calls on a descriptor. */
#define FAIL_FD(type, name, room, fd, parameters, arguments)                                       \
	type name parameters                                                                       \
	{                                                                                          \
		if (is_due(is_fd_below(fd), room, #name))                                          \
			return -1;                                                                 \
		return REAL(name) arguments;                                                       \
	}

/* Calls that make, change or remove a name. */
#define FAIL_AT(name, room, dirfd, path, parameters, arguments)                                    \
	int name parameters                                                                        \
	{                                                                                          \
		if (is_due(is_at_below(dirfd, path), room, #name))                                 \
			return -1;                                                                 \
		return REAL(name) arguments;                                                       \
	}

FAIL_FD(ssize_t, write, true, fd, (int fd, const void *data, size_t len), (fd, data, len))
FAIL_FD(ssize_t, pwrite64, true, fd, (int fd, const void *data, size_t len, off64_t at),
	(fd, data, len, at))
FAIL_FD(int, ftruncate64, true, fd, (int fd, off64_t len), (fd, len))
FAIL_FD(int, fallocate64, true, fd, (int fd, int mode, off64_t at, off64_t len),
	(fd, mode, at, len))
FAIL_FD(ssize_t, copy_file_range, true, to,
	(int from, off64_t *start, int to, off64_t *out, size_t len, unsigned int flags),
	(from, start, to, out, len, flags))
FAIL_FD(int, fsetxattr, true, fd,
	(int fd, const char *name, const void *value, size_t len, int flags),
	(fd, name, value, len, flags))
FAIL_FD(int, fsync, false, fd, (int fd), (fd))
FAIL_FD(int, fdatasync, false, fd, (int fd), (fd))
FAIL_FD(int, syncfs, false, fd, (int fd), (fd))

FAIL_AT(mkdir, true, AT_FDCWD, path, (const char *path, mode_t mode), (path, mode))
FAIL_AT(mkdirat, true, dirfd, path, (int dirfd, const char *path, mode_t mode), (dirfd, path, mode))
FAIL_AT(mknodat, true, dirfd, path, (int dirfd, const char *path, mode_t mode, dev_t dev),
	(dirfd, path, mode, dev))
FAIL_AT(symlinkat, true, dirfd, path, (const char *target, int dirfd, const char *path),
	(target, dirfd, path))
FAIL_AT(linkat, true, dirfd, path,
	(int from, const char *old, int dirfd, const char *path, int flags),
	(from, old, dirfd, path, flags))
FAIL_AT(rename, false, AT_FDCWD, path, (const char *old, const char *path), (old, path))
FAIL_AT(renameat, false, dirfd, path, (int from, const char *old, int dirfd, const char *path),
	(from, old, dirfd, path))
FAIL_AT(renameat2, false, dirfd, path,
	(int from, const char *old, int dirfd, const char *path, unsigned int flags),
	(from, old, dirfd, path, flags))
FAIL_AT(unlink, false, AT_FDCWD, path, (const char *path), (path))
FAIL_AT(unlinkat, false, dirfd, path, (int dirfd, const char *path, int flags), (dirfd, path, flags))
FAIL_AT(mkostemp64, true, AT_FDCWD, path, (char *path, int flags), (path, flags))

/* Opening makes a file now and then. */
static bool is_making(int dirfd, const char *path, int flags)
{
	return (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE) && is_at_below(dirfd, path) &&
	       ((flags & O_TMPFILE) == O_TMPFILE ||
		syscall(SYS_faccessat, dirfd, path, F_OK) < 0);
}

#define MODE_OF(flags)                                                                             \
	({                                                                                         \
		mode_t mode = 0;                                                                   \
		va_list ap;                                                                        \
                                                                                                   \
		va_start(ap, flags);                                                               \
		if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE)                           \
			mode = va_arg(ap, mode_t);                                                 \
		va_end(ap);                                                                        \
		mode;                                                                              \
	})

int open64(const char *path, int flags, ...)
{
	mode_t mode = MODE_OF(flags);

	if (is_due(is_making(AT_FDCWD, path, flags), true, "open64"))
		return -1;
	return REAL(open64)(path, flags, mode);
}

int openat64(int dirfd, const char *path, int flags, ...)
{
	mode_t mode = MODE_OF(flags);

	if (is_due(is_making(dirfd, path, flags), true, "openat64"))
		return -1;
	return REAL(openat64)(dirfd, path, flags, mode);
}

/* openat2() has no function of its own. */
long syscall(long number, ...)
{
	static __typeof__(&syscall) real;
	long a[6];
	va_list ap;

	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (!real)
		real = REAL(syscall);
	if (number == SYS_openat2 && below_len &&
	    is_due(is_making(a[0], (const char *)a[1], ((const struct how *)a[2])->flags), true, "openat2"))
		return -1;
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
