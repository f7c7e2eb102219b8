// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ends cgroups; see cgroup.h. All hierarchies of the machine are looked at, of either version, since a runtime uses those
 * it finds. Called by the engine for a container whose supervisor was killed.
 */
#include "container/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

/* Who is killed takes a moment to go: this many tries, so many milliseconds apart. */
#define TRIES	 200
#define PAUSE_MS 10
/* Of the list of processes that is read at a time; the rest comes with the next try. */
#define MAX_LIST (1u << 20)
/* Containers make cgroups in theirs, on hosts where they may. */
#define MAX_DEPTH 16

static void write_word(int dir, const char *name, const char *word)
{
	__cleanup_fd int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);

	if (fd >= 0)
		fs_write_full(fd, word, strlen(word));
}

static void kill_members(int dir)
{
	__cleanup_buf struct buf list = BUF_INIT;
	__cleanup_fd int fd = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	char chunk[4096];
	ssize_t got;
	char *at, *end;

	while (fd >= 0 && list.len < MAX_LIST && (got = read(fd, chunk, sizeof(chunk))) > 0)
		if (buf_add(&list, chunk, got) < 0)
			return;
	for (at = list.len ? (char *)buf_str(&list) : NULL; at && *at; at = end + strspn(end, "\n")) {
		long pid = strtol(at, &end, 10);

		if (end == at)
			return;
		/* 0 is a process that we do not see. */
		if (pid > 1)
			kill(pid, SIGKILL);
	}
}

static void kill_all(int dir)
{
	/* What is frozen would not die. */
	write_word(dir, "freezer.state", "THAWED");
	write_word(dir, "cgroup.freeze", "0");
	write_word(dir, "cgroup.kill", "1");
	kill_members(dir);
}

/* 0: it is gone. */
static int remove_once(int parent, const char *name, int depth)
{
	__cleanup_fd int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	__cleanup(dir_closep) DIR *dir = NULL;
	const struct dirent *entry;

	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	kill_all(fd);
	if (depth < MAX_DEPTH)
		dir = fdopendir(fcntl(fd, F_DUPFD_CLOEXEC, 3));
	while (dir && (entry = readdir(dir)))
		if (entry->d_type == DT_DIR && strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			remove_once(fd, entry->d_name, depth + 1);
	return unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -1;
}

static void end_at(const char *top, const char *path)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000l };
	__cleanup_free char *whole = NULL;

	if (asprintf(&whole, "%s/%s", top, path) < 0) {
		whole = NULL;
		return;
	}
	for (int i = 0; i < TRIES && remove_once(AT_FDCWD, whole, 0) < 0; i++)
		nanosleep(&pause, NULL);
}

void cgroup_end(const char *path)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	char text[4096];
	struct mntent mount;

	while (mounts && getmntent_r(mounts, &mount, text, sizeof(text)))
		if (!strcmp(mount.mnt_type, "cgroup") || !strcmp(mount.mnt_type, "cgroup2"))
			end_at(mount.mnt_dir, path);
	if (mounts)
		endmntent(mounts);
}
