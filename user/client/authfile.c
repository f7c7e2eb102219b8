// SPDX-License-Identifier: GPL-2.0-only
/*
 * Credential files; see authfile.h. Keys are hosts, but old dockers wrote URLs, and podman may add a
 * path: the longest that fits counts. Called by creds.c, which knows which files there are.
 */
#include "client/authfile.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "client/base64.h"
#include "client/origin.h"

void authfile_release(struct authfile *file)
{
	json_decref(file->root);
	free(file->path);
	*file = (struct authfile){ 0 };
}

static int check_fields(const json_t *root, const char *path, struct shale_err *err)
{
	const char *text = NULL;
	json_t *object = NULL;

	if (json_get_object(root, "auths", true, path, &object, err) < 0)
		return -1;
	if (json_object_size(object) > AUTHFILE_MAX_ENTRIES)
		return shale_err_set(err, E2BIG, "%s: more than %d registries", path,
				     AUTHFILE_MAX_ENTRIES);
	if (json_get_object(root, "credHelpers", true, path, &object, err) < 0)
		return -1;
	return json_get_text(root, "credsStore", true, path, &text, err);
}

int authfile_parse(const void *data, size_t len, const char *path, struct authfile *ret_file,
		   struct shale_err *err)
{
	__cleanup_authfile struct authfile file = { 0 };

	if (len > AUTHFILE_MAX_BYTES)
		return shale_err_set(err, EFBIG, "%s: larger than %u bytes", path,
				     AUTHFILE_MAX_BYTES);
	file.path = strdup(path);
	if (!file.path)
		return shale_err_errno(err, "%s", path);
	if (json_parse_object(data, len, path, &file.root, err) < 0 ||
	    check_fields(file.root, path, err) < 0)
		return -1;
	*ret_file = file;
	file = (struct authfile){ 0 };
	return 0;
}

int authfile_load(const char *path, struct authfile *ret_file, struct shale_err *err)
{
	__cleanup_buf struct buf text = BUF_INIT;
	__cleanup_fd int fd = -1;
	struct stat st;

	/* People keep it as a link into another directory. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return authfile_parse("{}", 2, path, ret_file, err);
	if (fd < 0 || fstat(fd, &st) < 0)
		return shale_err_errno(err, "%s", path);
	if (!S_ISREG(st.st_mode) || st.st_size > AUTHFILE_MAX_BYTES)
		return shale_err_set(err, EFBIG, "%s: not a file of at most %u bytes", path,
				     AUTHFILE_MAX_BYTES);
	if (!st.st_size)
		return authfile_parse("{}", 2, path, ret_file, err);
	if (buf_reserve(&text, st.st_size) < 0 || fs_read_full(fd, text.data, st.st_size) < 0)
		return shale_err_errno(err, "%s", path);
	return authfile_parse(text.data, st.st_size, path, ret_file, err);
}

static int make_parent(const char *path)
{
	__cleanup_free char *copy = strdup(path);

	if (!copy)
		return -1;
	if (mkdir(dirname(copy), 0700) < 0 && errno != EEXIST)
		return -1;
	return 0;
}

/* Like fs_replace_file(), but nobody else may look at it, not even for a moment. */
static int replace(const char *path, const char *text)
{
	__cleanup_buf struct buf temp = BUF_INIT;
	__cleanup_fd int fd = -1;

	if (buf_addf(&temp, "%s.XXXXXX", path) < 0)
		return -1;
	fd = mkostemp(temp.data, O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (fs_write_full(fd, text, strlen(text)) == 0 && fsync(fd) == 0 &&
	    rename(buf_str(&temp), path) == 0)
		return 0;
	unlink(buf_str(&temp));
	return -1;
}

int authfile_save(const struct authfile *file, struct shale_err *err)
{
	__cleanup_free char *text = json_dumps(file->root, JSON_INDENT(8));
	__cleanup_free char *path = realpath(file->path, NULL);

	if (!text)
		return shale_err_set(err, ENOMEM, "writing %s", file->path);
	if (make_parent(file->path) < 0 || replace(path ? path : file->path, text) < 0)
		return shale_err_errno(err, "writing %s", file->path);
	return 0;
}

/* A key's host and path, without scheme and the "/v1/" of old dockers. */
static void plain_key(const char *key, char *out, size_t len)
{
	const char *hub = origin_key("docker.io");
	size_t used;

	if (!strcmp(key, hub) || !strcmp(key, "index.docker.io") ||
	    !strcmp(key, origin_endpoint("docker.io"))) {
		snprintf(out, len, "docker.io");
		return;
	}
	if (!strncasecmp(key, "https://", 8))
		key += 8;
	else if (!strncasecmp(key, "http://", 7))
		key += 7;
	snprintf(out, len, "%s", key);
	used = strlen(out);
	while (used && out[used - 1] == '/')
		out[--used] = '\0';
	if (used > 3 && (!strcmp(out + used - 3, "/v1") || !strcmp(out + used - 3, "/v2")))
		out[used - 3] = '\0';
}

/* How much of "host/repository" a key covers; 0 when it is another's. */
static size_t covers(const char *key, const char *name)
{
	char plain[2 * REF_MAX_NAME + 2];
	size_t len;

	plain_key(key, plain, sizeof(plain));
	len = strlen(plain);
	if (!len || strncmp(plain, name, len) || (name[len] && name[len] != '/'))
		return 0;
	return len;
}

static const char *find_key(const json_t *object, const char *host, const char *repository)
{
	char name[2 * REF_MAX_NAME + 2];
	const char *best = NULL;
	const char *key;
	size_t longest = 0;
	json_t *value;

	snprintf(name, sizeof(name), "%s%s%s", host, repository ? "/" : "",
		 repository ? repository : "");
	json_object_foreach((json_t *)object, key, value)
	{
		size_t len = covers(key, name);

		if (len <= longest)
			continue;
		longest = len;
		best = key;
	}
	return best;
}

const char *authfile_helper(const struct authfile *file, const char *host)
{
	const json_t *helpers = json_object_get(file->root, "credHelpers");
	const char *key = find_key(helpers, host, NULL);
	const char *helper = key ? json_string_value(json_object_get(helpers, key)) : NULL;

	if (!helper)
		helper = json_string_value(json_object_get(file->root, "credsStore"));
	return helper && *helper ? helper : NULL;
}

static int copy_text(const char *text, size_t len, char **ret_copy, struct shale_err *err)
{
	if (!len)
		return 0;
	if (len > CREDS_MAX_TEXT)
		return shale_err_set(err, EFBIG, "a credential of more than %u bytes",
				     CREDS_MAX_TEXT);
	free(*ret_copy);
	*ret_copy = strndup(text, len);
	return *ret_copy ? 0 : shale_err_errno(err, "reading credentials");
}

/* "user:password" in base64. */
static int read_auth(const char *text, struct creds *creds, struct shale_err *err)
{
	__cleanup_buf struct buf plain = BUF_INIT;
	const char *colon;

	if (strlen(text) > 2 * CREDS_MAX_TEXT || !base64_decode(text, strlen(text), &plain))
		return shale_err_set(err, EINVAL, "'auth' is not base64");
	/* Some writers end it with a NUL. */
	while (plain.len && !plain.data[plain.len - 1])
		plain.len--;
	colon = plain.len ? memchr(plain.data, ':', plain.len) : NULL;
	if (!colon || memchr(plain.data, '\0', plain.len))
		return shale_err_set(err, EINVAL, "'auth' is not a user and a password");
	if (copy_text(plain.data, colon - plain.data, &creds->username, err) < 0)
		return -1;
	return copy_text(colon + 1, plain.data + plain.len - colon - 1, &creds->password, err);
}

static int read_entry(const json_t *entry, const char *what, struct creds *creds,
		      struct shale_err *err)
{
	const struct {
		const char *field;
		char **value;
	} fields[] = {
		{ "username", &creds->username },
		{ "password", &creds->password },
		{ "identitytoken", &creds->identity_token },
		{ "registrytoken", &creds->registry_token },
	};
	const char *text = NULL;

	if (!json_is_object(entry))
		return shale_err_set(err, EINVAL, "%s is not an object", what);
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		if (json_get_text(entry, fields[i].field, true, what, &text, err) < 0)
			return -1;
		if (text && copy_text(text, strlen(text), fields[i].value, err) < 0)
			return -1;
	}
	if (json_get_text(entry, "auth", true, what, &text, err) < 0)
		return -1;
	return text && *text ? read_auth(text, creds, err) : 0;
}

int authfile_get(const struct authfile *file, const char *host, const char *repository,
		 struct creds *ret_creds, struct shale_err *err)
{
	const json_t *auths = json_object_get(file->root, "auths");
	const char *key = find_key(auths, host, repository);
	__cleanup_creds struct creds creds = { 0 };

	if (key && read_entry(json_object_get(auths, key), key, &creds, err) < 0)
		return shale_err_wrap(err, "%s", file->path);
	*ret_creds = creds;
	creds = (struct creds){ 0 };
	return 0;
}

static json_t *make_entry(const struct creds *creds, struct shale_err *err)
{
	__cleanup_buf struct buf plain = BUF_INIT;
	__cleanup_buf struct buf auth = BUF_INIT;
	json_t *entry;

	if (buf_addf(&plain, "%s:%s", creds->username ? creds->username : "",
		     creds->password ? creds->password : "") < 0 ||
	    base64_encode(plain.data, plain.len, &auth) < 0) {
		shale_err_errno(err, "writing credentials");
		return NULL;
	}
	entry = json_pack("{s:s}", "auth", buf_str(&auth));
	if (entry && creds->identity_token)
		json_object_set_new(entry, "identitytoken", json_string(creds->identity_token));
	if (!entry)
		shale_err_set(err, ENOMEM, "writing credentials");
	return entry;
}

int authfile_set(struct authfile *file, const char *host, const struct creds *creds,
		 struct shale_err *err)
{
	json_t *auths = json_object_get(file->root, "auths");
	json_t *entry = make_entry(creds, err);

	if (!entry)
		return -1;
	authfile_remove(file, host);
	if (!auths) {
		auths = json_object();
		if (json_object_set_new(file->root, "auths", auths) < 0) {
			json_decref(entry);
			return shale_err_set(err, ENOMEM, "writing credentials");
		}
	}
	if (json_object_set_new(auths, origin_key(host), entry) < 0)
		return shale_err_set(err, ENOMEM, "writing credentials");
	return 0;
}

bool authfile_remove(struct authfile *file, const char *host)
{
	json_t *auths = json_object_get(file->root, "auths");
	char plain[2 * REF_MAX_NAME + 2];
	bool found = false;
	const char *key;
	json_t *value;
	void *next;

	json_object_foreach_safe(auths, next, key, value)
	{
		plain_key(key, plain, sizeof(plain));
		if (strcmp(plain, host))
			continue;
		json_object_del(auths, key);
		found = true;
	}
	return found;
}
