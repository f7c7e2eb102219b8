// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes and removes the directories of writable layers. Called by the engine's mount and umount.
 */
#include "store/container.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/fs.h"

#define DIRECTORY "containers"

static int id_make(char id[CONTAINER_ID_TEXT], struct shale_err *err)
{
	unsigned char random[(CONTAINER_ID_TEXT - 1) / 2];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return shale_err_errno(err, "cannot make up an ID");
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(id + 2 * i, 3, "%02x", random[i]);
	return 0;
}

static char *path_make(const struct store *store, const char *id, const char *name)
{
	char *path;

	return asprintf(&path, "%s/" DIRECTORY "/%s/%s", store->path, id, name) < 0 ? NULL : path;
}

/* The union shows the upper's root as its own, so it has to be like the image's. */
static int root_like(int dirfd, const char *base, struct shale_err *err)
{
	struct stat st;

	if (stat(base, &st))
		return shale_err_errno(err, "%s", base);
	if (fchownat(dirfd, "upper", st.st_uid, st.st_gid, 0) ||
	    fchmodat(dirfd, "upper", st.st_mode & 07777, 0))
		return shale_err_errno(err, "cannot give the writable layer its owner and mode");
	return 0;
}

static int dirs_make(const struct store *store, const char *id, const char *base,
		     struct shale_err *err)
{
	__cleanup_fd int all = -1;
	__cleanup_fd int own = -1;

	if (fs_mkdir(store->dirfd, DIRECTORY, 0700))
		return shale_err_errno(err, "%s/" DIRECTORY, store->path);
	all = openat(store->dirfd, DIRECTORY, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (all < 0 || mkdirat(all, id, 0700))
		return shale_err_errno(err, "%s/" DIRECTORY "/%s", store->path, id);
	own = openat(all, id, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (own < 0 || mkdirat(own, "upper", 0700) || mkdirat(own, "work", 0700))
		return shale_err_errno(err, "%s/" DIRECTORY "/%s", store->path, id);
	return root_like(own, base, err);
}

int container_create(const struct store *store, const char *base, struct container *ret_container,
		     struct shale_err *err)
{
	__cleanup_container struct container container = { .upper = NULL };

	if (id_make(container.id, err))
		return -1;
	container.upper = path_make(store, container.id, "upper");
	container.work = path_make(store, container.id, "work");
	if (!container.upper || !container.work)
		return shale_err_set(err, ENOMEM, "out of memory");
	if (dirs_make(store, container.id, base, err)) {
		container_remove(store, container.id, NULL);
		return -1;
	}
	*ret_container = container;
	container = (struct container){ .upper = NULL };
	return 0;
}

void container_release(struct container *container)
{
	free(container->upper);
	free(container->work);
	*container = (struct container){ .upper = NULL };
}

int container_remove(const struct store *store, const char *id, struct shale_err *err)
{
	char path[sizeof(DIRECTORY) + CONTAINER_ID_TEXT];

	snprintf(path, sizeof(path), DIRECTORY "/%s", id);
	if (fs_remove_tree(store->dirfd, path))
		return shale_err_errno(err, "cannot remove %s/%s", store->path, path);
	return 0;
}

bool container_of_upper(const struct store *store, const char *upper,
			char ret_id[CONTAINER_ID_TEXT])
{
	size_t len = strlen(store->path);
	const char *id = upper + len + sizeof("/" DIRECTORY "/") - 1;

	if (strncmp(upper, store->path, len) ||
	    strncmp(upper + len, "/" DIRECTORY "/", sizeof("/" DIRECTORY "/") - 1))
		return false;
	if (strspn(id, "0123456789abcdef") != CONTAINER_ID_TEXT - 1 ||
	    strcmp(id + CONTAINER_ID_TEXT - 1, "/upper"))
		return false;
	memcpy(ret_id, id, CONTAINER_ID_TEXT - 1);
	ret_id[CONTAINER_ID_TEXT - 1] = '\0';
	return true;
}
