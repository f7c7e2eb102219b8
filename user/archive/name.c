// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names in a layer's tar; see name.h. A leading '/' is dropped as tar does, since some builders
 * write it and it cannot leave the layer; ".." is refused wherever it stands.
 */
#include "archive/name.h"

#include <errno.h>
#include <linux/shale.h>
#include <linux/shale_disk.h>
#include <stdbool.h>
#include <string.h>

#define AUFS_PRIVATE_PREFIX ".wh..wh."

static bool has_prefix(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

const char *name_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool is_word(const char *text, size_t len, const char *word)
{
	return len == strlen(word) && !strncmp(text, word, len);
}

static int add_component(struct buf *path, const char *text, size_t len, struct shale_err *err)
{
	if (is_word(text, len, ".."))
		return shale_err_set(err, EINVAL, "the name contains '..'");
	/* What a whiteout is of may have a name of full length. */
	if (len > NAME_MAX_COMPONENT +
			  (has_prefix(text, AUFS_WHITEOUT_PREFIX) ? strlen(AUFS_WHITEOUT_PREFIX) : 0))
		return shale_err_set(err, ENAMETOOLONG, "a component is longer than %d bytes",
				     NAME_MAX_COMPONENT);
	if (path->len + 1 + len > NAME_MAX_PATH)
		return shale_err_set(err, ENAMETOOLONG, "the name is longer than %d bytes",
				     NAME_MAX_PATH);
	if (!path->len && is_word(text, len, SHALE_PRIVATE_DIR))
		return shale_err_set(err, EINVAL, "the name %s is reserved", SHALE_PRIVATE_DIR);
	if ((path->len && buf_addc(path, '/') < 0) || buf_add(path, text, len) < 0)
		return shale_err_errno(err, "cleaning a name");
	return 0;
}

int name_clean(const char *text, struct buf *path, struct shale_err *err)
{
	size_t len;

	buf_clear(path);
	for (; *text; text += len + (text[len] == '/')) {
		len = strcspn(text, "/");
		if (!len || is_word(text, len, "."))
			continue;
		if (add_component(path, text, len, err) < 0)
			return -1;
	}
	return 0;
}

/* The layer is marked as free of AUFS's names, so only a whole entry may be one. */
static int check_directories(const char *path, struct shale_err *err)
{
	const char *slash;

	for (; (slash = strchr(path, '/')); path = slash + 1)
		if (has_prefix(path, AUFS_WHITEOUT_PREFIX))
			return shale_err_set(err, EINVAL, "a whiteout is not a directory");
	return 0;
}

/* "dir/.wh.NAME" becomes "dir/NAME". */
static int strip_prefix(struct buf *path, size_t parent, struct shale_err *err)
{
	const char *base = path->data + parent + strlen(AUFS_WHITEOUT_PREFIX);

	if (!*base || !strcmp(base, ".") || !strcmp(base, ".."))
		return shale_err_set(err, EINVAL, "a whiteout of nothing");
	memmove(path->data + parent, base, strlen(base) + 1);
	path->len = strlen(path->data);
	if (!strcmp(path->data, SHALE_PRIVATE_DIR))
		return shale_err_set(err, EINVAL, "the name %s is reserved", SHALE_PRIVATE_DIR);
	return 0;
}

/* AUFS keeps its own files, like .wh..wh.plnk/, at the root. */
static bool is_bookkeeping(const char *path)
{
	return has_prefix(path, AUFS_PRIVATE_PREFIX) && strcmp(path, AUFS_WHITEOUT_OPAQUE);
}

static enum name_kind classify(const char *base)
{
	if (!strcmp(base, AUFS_WHITEOUT_OPAQUE))
		return NAME_OPAQUE;
	if (has_prefix(base, AUFS_PRIVATE_PREFIX))
		return NAME_IGNORED;
	return has_prefix(base, AUFS_WHITEOUT_PREFIX) ? NAME_WHITEOUT : NAME_PLAIN;
}

int name_parse(const char *text, struct buf *path, enum name_kind *ret_kind,
	       struct shale_err *err)
{
	enum name_kind kind;
	size_t parent;

	if (name_clean(text, path, err) < 0)
		return -1;
	if (is_bookkeeping(buf_str(path))) {
		*ret_kind = NAME_IGNORED;
		return 0;
	}
	if (check_directories(buf_str(path), err) < 0)
		return -1;
	parent = name_base(buf_str(path)) - buf_str(path);
	kind = classify(buf_str(path) + parent);
	if (kind == NAME_WHITEOUT && strip_prefix(path, parent, err) < 0)
		return -1;
	if (kind == NAME_OPAQUE) {
		path->len = parent ? parent - 1 : 0;
		path->data[path->len] = '\0';
	}
	*ret_kind = kind;
	return 0;
}
