// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is in .shale/map, after all files were looked at: sidecars of no file, which a crash leaves between
 * writing one and naming it in its file's xattr, and what a repair left that was cut short. If a map could not
 * be read, nobody knows that a sidecar is not its. Called by main.c.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "fsck.shale/fsck.h"

struct leftover {
	struct fsck *fsck;
	const char *name;
	char path[NAME_MAX + 16];
	bool is_file;
};

static int leftover_remove(void *arg, struct shale_err *err)
{
	const struct leftover *leftover = arg;

	if (unlinkat(leftover->fsck->map_fd, leftover->name, 0) ||
	    fs_sync_dir(leftover->fsck->map_fd))
		return shale_err_errno(err, "removing it");
	return 0;
}

static void leftover_report(struct leftover *leftover, const char *what, bool can_go)
{
	const struct finding found = { leftover->path, what, can_go ? leftover_remove : NULL,
				       leftover };

	finding_report(leftover->fsck, &found);
}

/* The ID a name begins with, which the module and we write in one way. */
static bool name_parse(const char *name, uint64_t *ret_id, const char **ret_rest)
{
	uint64_t id = 0;

	for (int i = 0; i < SIDECAR_NAME - 1; i++) {
		const char *digits = "0123456789abcdef", *digit = strchr(digits, name[i]);

		if (!name[i] || !digit)
			return false;
		id = id << 4 | (uint64_t)(digit - digits);
	}
	*ret_id = id;
	*ret_rest = name + SIDECAR_NAME - 1;
	return true;
}

/* What a newer version put there is not ours. */
static bool is_newer(const struct leftover *leftover, uint64_t id)
{
	__cleanup_fd int fd = fs_open_entry(leftover->fsck->map_fd, leftover->name,
					    O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
	struct shale_disk_map_sector sector;

	return fd >= 0 && pread(fd, &sector, sizeof(sector), 0) == sizeof(sector) &&
	       map_verdict(map_sector_check(&sector, id, 0)) == MAP_NEWER;
}

static void sidecar_leftover(struct leftover *leftover, uint64_t id)
{
	const struct fsck *fsck = leftover->fsck;

	if (table_has(&fsck->sidecars, id, 0))
		return;
	if (is_newer(leftover, id))
		leftover_report(leftover, "is a sidecar of no file, and of a newer version", false);
	else if (fsck->has_unread)
		leftover_report(leftover, "is a sidecar of no file, or of one whose map cannot be read",
				false);
	else
		leftover_report(leftover, "is a sidecar of no file", true);
}

static void entry_check(struct fsck *fsck, const char *name)
{
	struct leftover leftover = { .fsck = fsck, .name = name };
	const char *rest = "?";
	struct stat st;
	uint64_t id;

	snprintf(leftover.path, sizeof(leftover.path), "/.shale/map/%s", name);
	leftover.is_file = !fstatat(fsck->map_fd, name, &st, AT_SYMLINK_NOFOLLOW) &&
			   S_ISREG(st.st_mode);
	if (!leftover.is_file || !name_parse(name, &id, &rest) || (*rest && strcmp(rest, SIDECAR_TEMP)))
		leftover_report(&leftover, "is no sidecar", false);
	else if (*rest)
		leftover_report(&leftover, "is left of a repair that was cut short", true);
	else
		sidecar_leftover(&leftover, id);
}

static bool is_dot(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

void leftovers_check(struct fsck *fsck)
{
	__cleanup(dir_closep) DIR *dir = NULL;
	struct shale_err err = { 0 };
	struct dirent *entry;
	int fd;

	if (fsck->map_fd < 0)
		return;
	fd = openat(fsck->map_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	while (dir && (errno = 0, entry = readdir(dir)))
		if (!is_dot(entry->d_name))
			entry_check(fsck, entry->d_name);
	if (dir && !errno)
		return;
	shale_err_errno(&err, "cannot be read");
	failure_report(fsck, "/.shale/map", &err);
}
