// SPDX-License-Identifier: GPL-2.0-only
/*
 * Looks for a directory among the layers of mounts; see inuse.h. Called by fsck.shale.
 */
#include "store/inuse.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "store/mountline.h"
#include "store/mounts.h"

/* A name too long for one option (255 bytes, with its escapes) is given as a descriptor of somebody else's. */
#define LONG_PATH     120
#define DESCRIPTOR    "/proc/"
/* The backslash that is before a comma. */
#define BACKSLASH     "\\134"
#define BACKSLASH_LEN (sizeof(BACKSLASH) - 1)

static const struct {
	const char *key;
	enum inuse use;
} options[] = {
	{ "upperdir", INUSE_UPPER },  { "workdir", INUSE_UPPER },  { "lowerdir", INUSE_LOWER },
	{ "lowerdir+", INUSE_LOWER }, { "datadir+", INUSE_LOWER },
};

int inuse_dir_get(int fd, struct inuse_dir *ret_dir, struct shale_err *err)
{
	char magic[64];
	struct stat st;
	char *path;

	snprintf(magic, sizeof(magic), "/proc/self/fd/%d", fd);
	path = realpath(magic, NULL);
	if (!path || fstat(fd, &st)) {
		shale_err_errno(err, "cannot find its path");
		free(path);
		return -1;
	}
	*ret_dir = (struct inuse_dir){ st.st_dev, st.st_ino, path };
	return 0;
}

void inuse_dir_release(struct inuse_dir *dir)
{
	free(dir->path);
	dir->path = NULL;
}

static bool leads_to(const struct inuse_dir *dir, const char *root, const char *path)
{
	__cleanup_buf struct buf full = BUF_INIT;
	struct stat st;

	if (buf_addf(&full, "%s%s", root, path))
		return true;
	return !stat(buf_str(&full), &st) && st.st_dev == dir->dev && st.st_ino == dir->ino;
}

/* Where it began nobody knows any more. */
static bool may_lead_to(const struct inuse_dir *dir, const char *path)
{
	size_t len, dir_len = strlen(dir->path);

	while (!strncmp(path, "./", 2) || !strncmp(path, "../", 3))
		path += strcspn(path, "/") + 1;
	len = strlen(path);
	while (len && path[len - 1] == '/')
		len--;
	return len && dir_len > len && dir->path[dir_len - len - 1] == '/' &&
	       !memcmp(dir->path + dir_len - len, path, len);
}

bool inuse_is_named(const struct inuse_dir *dir, const char *path, const char *root)
{
	if (path[0] != '/')
		return may_lead_to(dir, path);
	if (!strncmp(path, DESCRIPTOR, sizeof(DESCRIPTOR) - 1))
		return strlen(dir->path) > LONG_PATH;
	return !strcmp(path, dir->path) || leads_to(dir, root, path) || leads_to(dir, "", path);
}

/* One name of an option, escaped as shale does it, or not at all. */
static bool is_named(const struct inuse_dir *dir, char *name, const char *root)
{
	if (inuse_is_named(dir, name, root))
		return true;
	mountline_drop_backslashes(name);
	return inuse_is_named(dir, name, root);
}

/* The end of the first name of a list: a colon without a backslash. */
static char *name_end(char *list)
{
	while (*list && *list != ':')
		list += *list == '\\' && list[1] ? 2 : 1;
	return list;
}

static bool is_listed(const struct inuse_dir *dir, char *list, const char *root)
{
	bool is_last, ret = false;
	char *end;

	do {
		end = name_end(list);
		is_last = !*end;
		*end = '\0';
		ret = is_named(dir, list, root);
		list = end + 1;
	} while (!ret && !is_last);
	return ret;
}

/* The end of the first option: a comma without a backslash, which is still in its octal form. */
static char *option_end(char *text)
{
	while (*text && *text != ',') {
		if (!strncmp(text, BACKSLASH, BACKSLASH_LEN)) {
			text += BACKSLASH_LEN;
			text += !strncmp(text, BACKSLASH, BACKSLASH_LEN) ? BACKSLASH_LEN : !!*text;
		} else {
			text++;
		}
	}
	return text;
}

static enum inuse option_use(const struct inuse_dir *dir, char *option, const char *root)
{
	char *value = strchr(option, '=');

	if (!value)
		return INUSE_NOT;
	*value++ = '\0';
	mountline_unescape(value);
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (!strcmp(option, options[i].key))
			/* overlayfs shows a colon in a single name as it is. */
			return inuse_is_named(dir, value, root) || is_listed(dir, value, root) ?
				       options[i].use :
				       INUSE_NOT;
	return INUSE_NOT;
}

enum inuse inuse_of_line(const struct inuse_dir *dir, const char *line, const char *root)
{
	__cleanup_free char *text = mountline_options(line);
	enum inuse use = INUSE_NOT, one;
	char *option = text, *end;
	bool is_last = !text;

	for (; !is_last; option = end + 1) {
		end = option_end(option);
		is_last = !*end;
		*end = '\0';
		one = option_use(dir, option, root);
		use = one > use ? one : use;
	}
	return use;
}

struct finder {
	const struct inuse_dir *dir;
	enum inuse use;
	char *target;
};

static int line_seen(void *arg, const char *line, const char *root)
{
	struct finder *finder = arg;
	enum inuse use = inuse_of_line(finder->dir, line, root);

	if (use <= finder->use)
		return 0;
	free(finder->target);
	finder->use = use;
	finder->target = mountline_field(line, MOUNTLINE_TARGET);
	if (!finder->target)
		return -1;
	mountline_unescape(finder->target);
	return 0;
}

int inuse_find(const struct inuse_dir *dir, enum inuse *ret_use, char **ret_target,
	       struct shale_err *err)
{
	struct finder finder = { .dir = dir };

	if (mounts_each_line(line_seen, &finder, err)) {
		free(finder.target);
		return -1;
	}
	*ret_use = finder.use;
	*ret_target = finder.target;
	return 0;
}
