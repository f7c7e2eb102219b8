// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes the user namespace behind an idmapped mount. A child of ours is born into a new namespace
 * and waits; we write its maps, open the namespace through /proc, and let the child go. The
 * namespace lives on in the descriptor. Called by mount.c.
 */
#include "kapi/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fs.h"

/* Born into a new user namespace; does nothing but wait to be killed. */
static pid_t sleeper_start(void)
{
	pid_t pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0) {
		for (;;)
			pause();
	}
	return pid;
}

static void sleeper_stop(pid_t pid)
{
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static int map_write(int procfd, const char *name, const struct idmap *map, struct shale_err *err)
{
	__cleanup_buf struct buf text = BUF_INIT;
	__cleanup_fd int fd = -1;

	for (size_t i = 0; i < map->nr; i++) {
		const struct idmap_extent *e = &map->extent[i];

		if (buf_addf(&text, "%u %u %u\n", e->disk, e->shown, e->count))
			return shale_err_errno(err, "cannot write %s", name);
	}
	fd = openat(procfd, name, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, buf_str(&text), text.len) != (ssize_t)text.len)
		return shale_err_errno(err, "the kernel refuses the mapping for %s", name);
	return 0;
}

static int maps_write(pid_t pid, const struct idmap *uids, const struct idmap *gids, int *ret_fd,
		      struct shale_err *err)
{
	__cleanup_fd int procfd = -1;
	__cleanup_fd int nsfd = -1;
	char path[sizeof("/proc/") + 3 * sizeof(pid)];

	snprintf(path, sizeof(path), "/proc/%d", pid);
	procfd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (procfd < 0)
		return shale_err_errno(err, "cannot open %s", path);
	if (map_write(procfd, "uid_map", uids, err) || map_write(procfd, "gid_map", gids, err))
		return -1;
	nsfd = openat(procfd, "ns/user", O_RDONLY | O_CLOEXEC);
	if (nsfd < 0)
		return shale_err_errno(err, "cannot open %s/ns/user", path);
	*ret_fd = steal_fd(&nsfd);
	return 0;
}

int idmap_open(const struct idmap *uids, const struct idmap *gids, int *ret_fd,
	       struct shale_err *err)
{
	pid_t pid = sleeper_start();
	int ret;

	if (pid < 0)
		return shale_err_errno(err, "cannot make a user namespace for the id mapping");
	ret = maps_write(pid, uids, gids, ret_fd, err);
	sleeper_stop(pid);
	return ret;
}
