// SPDX-License-Identifier: GPL-2.0-only
/*
 * certs.d; see tlsdir.h. The first directory that is there counts. curl reads certificate and key
 * itself, the roots are put together here, since they come on top of the system's. Called by remote.c.
 */
#include "client/tlsdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fs.h"

static const char *const parents[] = {
	"/etc/containers/certs.d",
	"/etc/docker/certs.d",
};

void tlsdir_release(struct tlsdir *dir)
{
	buf_release(&dir->roots);
	free(dir->cert);
	free(dir->key);
	*dir = (struct tlsdir){ 0 };
}

static bool has_ending(const char *name, const char *ending)
{
	size_t len = strlen(name);
	size_t cut = strlen(ending);

	return len > cut && !strcmp(name + len - cut, ending);
}

static int add_roots(int dirfd, const char *name, struct tlsdir *dir, struct shale_err *err)
{
	__cleanup_fd int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t left = TLSDIR_MAX_BYTES - dir->roots.len;
	char chunk[4096];
	ssize_t got;

	if (fd < 0)
		return shale_err_errno(err, "%s", name);
	while ((got = read(fd, chunk, sizeof(chunk))) > 0) {
		if ((size_t)got > left)
			return shale_err_set(err, EFBIG, "more than %u bytes of certificates",
					     TLSDIR_MAX_BYTES);
		left -= got;
		if (buf_add(&dir->roots, chunk, got) < 0)
			return shale_err_errno(err, "%s", name);
	}
	if (got < 0 || buf_addc(&dir->roots, '\n') < 0)
		return shale_err_errno(err, "%s", name);
	return 0;
}

/* NAME.cert, with its NAME.key. */
static int take_pair(const char *path, int dirfd, const char *name, struct tlsdir *dir,
		     struct shale_err *err)
{
	__cleanup_buf struct buf cert = BUF_INIT;
	__cleanup_buf struct buf key = BUF_INIT;
	int stem = strlen(name) - strlen(".cert");

	if (buf_addf(&cert, "%s/%s", path, name) < 0 ||
	    buf_addf(&key, "%s/%.*s.key", path, stem, name) < 0)
		return shale_err_errno(err, "%s", name);
	if (faccessat(dirfd, buf_str(&key) + strlen(path) + 1, R_OK, 0) < 0)
		return shale_err_errno(err, "%s has no key", name);
	free(dir->cert);
	free(dir->key);
	dir->cert = buf_steal(&cert);
	dir->key = buf_steal(&key);
	return 0;
}

static int load_entries(const char *path, DIR *stream, struct tlsdir *dir, struct shale_err *err)
{
	struct dirent *entry;
	size_t count = 0;
	int ret = 0;

	while (!ret && (errno = 0, (entry = readdir(stream)))) {
		if (++count > TLSDIR_MAX_FILES)
			return shale_err_set(err, E2BIG, "more than %d files", TLSDIR_MAX_FILES);
		if (has_ending(entry->d_name, ".crt"))
			ret = add_roots(dirfd(stream), entry->d_name, dir, err);
		else if (has_ending(entry->d_name, ".cert") && !dir->cert)
			ret = take_pair(path, dirfd(stream), entry->d_name, dir, err);
	}
	return ret;
}

static int load_dir(const char *path, struct tlsdir *dir, struct shale_err *err)
{
	__cleanup(dir_closep) DIR *stream = opendir(path);

	if (!stream)
		return shale_err_errno(err, "%s", path);
	if (load_entries(path, stream, dir, err) < 0) {
		tlsdir_release(dir);
		return shale_err_wrap(err, "%s", path);
	}
	return 0;
}

int tlsdir_load(const char *path, const char *endpoint, struct tlsdir *ret_dir,
		struct shale_err *err)
{
	*ret_dir = (struct tlsdir){ 0 };
	if (path)
		return load_dir(path, ret_dir, err);
	for (size_t i = 0; i < sizeof(parents) / sizeof(*parents); i++) {
		__cleanup_buf struct buf candidate = BUF_INIT;

		if (buf_addf(&candidate, "%s/%s", parents[i], endpoint) < 0)
			return shale_err_errno(err, "%s", parents[i]);
		if (faccessat(AT_FDCWD, buf_str(&candidate), F_OK, 0) == 0)
			return load_dir(buf_str(&candidate), ret_dir, err);
	}
	return 0;
}
