// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where credentials are looked for and kept; see creds.h. podman's order: the file that was named, then
 * podman's own, then docker's; the first that knows the host. What is stored goes to the file that was
 * named, or to docker's. Called by remote.c and the verbs login and logout.
 */
#include "client/creds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "client/authfile.h"
#include "client/credhelper.h"
#include "client/origin.h"

void creds_release(struct creds *creds)
{
	char **texts[] = { &creds->username, &creds->password, &creds->identity_token,
			   &creds->registry_token };

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		if (*texts[i])
			explicit_bzero(*texts[i], strlen(*texts[i]));
		free(*texts[i]);
		*texts[i] = NULL;
	}
}

bool creds_are_empty(const struct creds *creds)
{
	return !creds->username && !creds->password && !creds->identity_token &&
	       !creds->registry_token;
}

static char *dup_or_null(const char *text)
{
	return text && *text ? strdup(text) : NULL;
}

static bool are_given(const struct shale_registry_opts *opts)
{
	return opts->username || opts->identity_token || opts->registry_token;
}

static int take_given(const struct shale_registry_opts *opts, struct creds *ret_creds)
{
	*ret_creds = (struct creds){
		.username = dup_or_null(opts->username),
		.password = dup_or_null(opts->password),
		.identity_token = dup_or_null(opts->identity_token),
		.registry_token = dup_or_null(opts->registry_token),
	};
	return 0;
}

static char *join(const char *dir, const char *file)
{
	__cleanup_buf struct buf path = BUF_INIT;

	if (!dir || !*dir || buf_addf(&path, "%s/%s", dir, file) < 0)
		return NULL;
	return buf_steal(&path);
}

static const char *from_env(const char *name)
{
	const char *value = secure_getenv(name);

	return value && *value ? value : NULL;
}

static char *docker_file(void)
{
	const char *dir = from_env("DOCKER_CONFIG");

	return dir ? join(dir, "config.json") : join(from_env("HOME"), ".docker/config.json");
}

static char *podman_file(void)
{
	const char *dir = from_env("XDG_RUNTIME_DIR");
	__cleanup_buf struct buf path = BUF_INIT;

	if (dir)
		return join(dir, "containers/auth.json");
	if (buf_addf(&path, "/run/containers/%u/auth.json", geteuid()) < 0)
		return NULL;
	return buf_steal(&path);
}

static const char *named_file(const struct shale_registry_opts *opts)
{
	return opts->auth_file ? opts->auth_file : from_env("REGISTRY_AUTH_FILE");
}

static int find_in(const char *path, const char *host, const char *repository,
		   struct creds *ret_creds, struct shale_err *err)
{
	__cleanup_authfile struct authfile file = { 0 };
	const char *helper;

	if (authfile_load(path, &file, err) < 0)
		return -1;
	helper = authfile_helper(&file, host);
	if (helper) {
		if (credhelper_get(helper, origin_key(host), ret_creds, err) < 0)
			return shale_err_wrap(err, "%s", path);
		if (!creds_are_empty(ret_creds))
			return 0;
	}
	return authfile_get(&file, host, repository, ret_creds, err);
}

int creds_find(const struct shale_registry_opts *opts, const char *host, const char *repository,
	       struct creds *ret_creds, struct shale_err *err)
{
	__cleanup_free char *podman = podman_file();
	__cleanup_free char *docker = docker_file();
	const char *paths[] = { named_file(opts), podman, docker };

	if (are_given(opts) || opts->is_anonymous)
		return take_given(opts, ret_creds);
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		if (!paths[i])
			continue;
		if (find_in(paths[i], host, repository, ret_creds, err) < 0)
			return -1;
		if (!creds_are_empty(ret_creds))
			return 0;
	}
	return 0;
}

static int load_own(const struct shale_registry_opts *opts, struct authfile *ret_file,
		    struct shale_err *err)
{
	__cleanup_free char *docker = docker_file();
	const char *path = named_file(opts) ? named_file(opts) : docker;

	if (!path)
		return shale_err_set(err, ENOENT,
				     "there is no place to keep credentials: $HOME is not set");
	return authfile_load(path, ret_file, err);
}

int creds_store(const struct shale_registry_opts *opts, const char *host,
		const struct creds *creds, struct shale_err *err)
{
	__cleanup_authfile struct authfile file = { 0 };
	const char *helper;

	if (load_own(opts, &file, err) < 0)
		return -1;
	helper = authfile_helper(&file, host);
	if (!helper)
		return authfile_set(&file, host, creds, err) < 0 ? -1 : authfile_save(&file, err);
	return credhelper_store(helper, origin_key(host), creds, err);
}

int creds_erase(const struct shale_registry_opts *opts, const char *host, struct shale_err *err)
{
	__cleanup_authfile struct authfile file = { 0 };
	__cleanup_creds struct creds kept = { 0 };
	bool found = false;
	const char *helper;

	if (load_own(opts, &file, err) < 0)
		return -1;
	helper = authfile_helper(&file, host);
	if (helper) {
		if (credhelper_get(helper, origin_key(host), &kept, err) < 0)
			return -1;
		found = !creds_are_empty(&kept);
		if (found && credhelper_erase(helper, origin_key(host), err) < 0)
			return -1;
	}
	if (authfile_remove(&file, host)) {
		found = true;
		if (authfile_save(&file, err) < 0)
			return -1;
	}
	return found ? 0 : shale_err_set(err, ENOENT, "not logged in to %s", host);
}
