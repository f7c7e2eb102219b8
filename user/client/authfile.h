/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * docker's config.json and podman's auth.json, which is the same for what concerns us: "auths" by
 * registry, "credHelpers" by registry and "credsStore" for all others. What else is in it is kept.
 */
#ifndef SHALE_CLIENT_AUTHFILE_H
#define SHALE_CLIENT_AUTHFILE_H

#include "client/creds.h"
#include "store/json.h"

/* docker's own file also holds themes of its plugins and the like; credentials are short. */
#define AUTHFILE_MAX_BYTES   (1u << 20)
#define AUTHFILE_MAX_ENTRIES 1024

struct authfile {
	char *path;
	json_t *root;
};

#define __cleanup_authfile __attribute__((cleanup(authfile_release)))
void authfile_release(struct authfile *file);

/* A file that is not there is an empty one. */
int authfile_load(const char *path, struct authfile *ret_file, struct shale_err *err);
int authfile_parse(const void *data, size_t len, const char *path, struct authfile *ret_file,
		   struct shale_err *err);
/* Replaces the file, which only its owner may read. */
int authfile_save(const struct authfile *file, struct shale_err *err);

/* The credentials of a host; empty if there are none. */
int authfile_get(const struct authfile *file, const char *host, const char *repository,
		 struct creds *ret_creds, struct shale_err *err);
int authfile_set(struct authfile *file, const char *host, const struct creds *creds,
		 struct shale_err *err);
/* Whether it had any. */
bool authfile_remove(struct authfile *file, const char *host);

/* The helper that has a host's credentials, "pass" of docker-credential-pass; NULL: none. */
const char *authfile_helper(const struct authfile *file, const char *host);

#endif
