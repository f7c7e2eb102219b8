// SPDX-License-Identifier: GPL-2.0-only
/*
 * Key files of the token service; see issuer_keys.h.
 */
#include "registry/issuer_keys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "registry/keyfile.h"

#define FIRST_KEY  "0001.pem"
#define KEY_SUFFIX ".pem"

static int add_key_file(int dirfd, const char *name, struct jwk_ring *ring, struct shale_err *err)
{
	__cleanup(keyfile_wipe) struct buf text = BUF_INIT;
	struct stat seen;

	if (keyfile_read(dirfd, name, ISSUER_KEY_MAX, &text, &seen, err) < 0)
		return -1;
	if (seen.st_mode & (S_IWGRP | S_IRWXO))
		return shale_err_set(err, EPERM, "%s: others than its owner may use it (mode %04o)",
				     name, seen.st_mode & 07777);
	return jwk_ring_add_private(ring, buf_str(&text), text.len, name, err);
}

static int is_key_name(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && len > strlen(KEY_SUFFIX) &&
	       !strcmp(entry->d_name + len - strlen(KEY_SUFFIX), KEY_SUFFIX);
}

/* By bytes, whatever the locale. */
static int compare_key_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int load_all(int dirfd, struct jwk_ring *ring, struct shale_err *err)
{
	struct dirent **names;
	int count = scandirat(dirfd, ".", &names, is_key_name, compare_key_names);
	int ret = 0;

	if (count < 0)
		return shale_err_errno(err, "cannot be listed");
	for (int i = 0; i < count; i++) {
		if (ret == 0)
			ret = add_key_file(dirfd, names[i]->d_name, ring, err);
		free(names[i]);
	}
	free(names);
	return ret;
}

static int write_key(int fd, struct shale_err *err)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	BIO *bio = BIO_new(BIO_s_secmem());
	char *text;
	long len;
	int ret = -1;

	if (!key || !bio || PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1) {
		shale_err_set(err, ENOMEM, "no key could be made");
	} else {
		len = BIO_get_mem_data(bio, &text);
		ret = fs_write_full(fd, text, len) < 0 || fsync(fd) < 0
			      ? shale_err_errno(err, "a new key cannot be written")
			      : 0;
	}
	BIO_free(bio);
	EVP_PKEY_free(key);
	return ret;
}

/* A nameless file gets its name when it is complete; whoever comes second uses what is there. */
static int make_first(int dirfd, struct shale_err *err)
{
	__cleanup_fd int fd = openat(dirfd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	char path[64];

	if (fd < 0)
		return shale_err_errno(err, "a new key cannot be written");
	if (write_key(fd, err) < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, path, dirfd, FIRST_KEY, AT_SYMLINK_FOLLOW) < 0 && errno != EEXIST)
		return shale_err_errno(err, "%s", FIRST_KEY);
	return fs_sync_dir(dirfd) < 0 ? shale_err_errno(err, "cannot be synced") : 0;
}

static int open_dir(const char *dir, struct shale_err *err)
{
	int fd;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return shale_err_errno(err, "%s", dir);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? shale_err_errno(err, "%s", dir) : fd;
}

int issuer_keys_load(const char *dir, struct jwk_ring *ring, struct shale_err *err)
{
	__cleanup_fd int dirfd = open_dir(dir, err);

	if (dirfd < 0)
		return -1;
	if (load_all(dirfd, ring, err) < 0 ||
	    (!ring->count && (make_first(dirfd, err) < 0 || load_all(dirfd, ring, err) < 0)))
		return shale_err_wrap(err, "%s", dir);
	return ring->count ? 0 : shale_err_set(err, ENOENT, "%s: no key", dir);
}
