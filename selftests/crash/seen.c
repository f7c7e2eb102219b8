// SPDX-License-Identifier: GPL-2.0-only
/*
 * seen.c - reads the union; see seen.h.
 */
#include "seen.h"

#include "say.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool failed(const char *path, const char *what)
{
	say("%s: %s: %s", path, what, strerror(errno));
	return false;
}

/* One byte more is asked for than the size says: both must agree. */
static bool read_bytes(int dir, const char *entry, struct seen_name *name)
{
	size_t size = name->stat.st_size;
	int fd = openat(dir, entry, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return failed(name->path, "open");
	name->bytes = malloc(size + 1);
	got = read(fd, name->bytes, size + 1);
	close(fd);
	if (got == (ssize_t)size)
		return true;
	if (got >= 0)
		errno = EIO;
	return failed(name->path, "read");
}

static bool read_dir(struct seen *seen, int dir, const char *path);

static bool read_name(struct seen *seen, int dir, const char *prefix, const char *entry)
{
	struct seen_name *name = &seen->name[seen->count];
	int below;

	errno = ENAMETOOLONG;
	if (seen->count == NAMES_MAX || strlen(prefix) + strlen(entry) >= sizeof(name->path))
		return failed(entry, "unexpected");
	memset(name, 0, sizeof(*name));
	snprintf(name->path, sizeof(name->path), "%s%s", prefix, entry);
	seen->count++;
	if (fstatat(dir, entry, &name->stat, AT_SYMLINK_NOFOLLOW) < 0)
		return failed(name->path, "stat");
	if (S_ISREG(name->stat.st_mode))
		return read_bytes(dir, entry, name);
	below = openat(dir, entry, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (below < 0)
		return failed(name->path, "open");
	return read_dir(seen, below, name->path);
}

/* Closes DIR. */
static bool read_dir(struct seen *seen, int dir, const char *path)
{
	DIR *stream = fdopendir(dir);
	const struct dirent *entry;
	char prefix[PATH_SIZE + 1];
	bool good = true;

	snprintf(prefix, sizeof(prefix), "%s%s", path, *path ? "/" : "");
	errno = 0;
	while (good && (entry = readdir(stream))) {
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			good = read_name(seen, dir, prefix, entry->d_name);
		errno = 0;
	}
	if (good && errno)
		good = failed(path, "readdir");
	closedir(stream);
	return good;
}

bool seen_read(struct seen *seen, const char *root)
{
	int dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	seen->count = 0;
	if (dir < 0)
		return failed(root, "open");
	return read_dir(seen, dir, "");
}

void seen_free(struct seen *seen)
{
	for (unsigned int i = 0; i < seen->count; i++)
		free(seen->name[i].bytes);
	seen->count = 0;
}
