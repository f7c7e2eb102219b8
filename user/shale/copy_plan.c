// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where copies go; see copy_plan.h. Called by cmd_cp.c.
 */
#include "shale/copy_plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* "a/b" of "a/b/", "a/b//" and "a/b/."; "/" stays. */
static size_t clean_len(const char *path)
{
	size_t len = strlen(path);

	for (;;) {
		if (len > 1 && path[len - 1] == '/')
			len--;
		else if (len > 2 && path[len - 1] == '.' && path[len - 2] == '/')
			len--;
		else
			return len;
	}
}

static bool means_contents(const char *path)
{
	size_t len = strlen(path);

	return !strcmp(path, ".") || (len >= 2 && !strcmp(path + len - 2, "/.")) || strspn(path, "/") == len;
}

static bool means_dir(const char *path)
{
	size_t len = strlen(path);

	return means_contents(path) || (len && path[len - 1] == '/');
}

static void base_of(const char *path, char name[PATH_MAX])
{
	const size_t len = clean_len(path);
	size_t start = len;

	while (start && path[start - 1] != '/')
		start--;
	snprintf(name, PATH_MAX, "%.*s", (int)(len - start), path + start);
}

static void parent_of(const char *path, char dir[PATH_MAX])
{
	size_t len = clean_len(path);

	while (len && path[len - 1] != '/')
		len--;
	if (!len)
		snprintf(dir, PATH_MAX, ".");
	else
		snprintf(dir, PATH_MAX, "%.*s", (int)len, path);
}

int copy_plan_make(const struct copy_end *source, const struct copy_end *target, struct copy_plan *ret_plan,
		   struct shale_err *err)
{
	if (strlen(source->path) >= PATH_MAX || strlen(target->path) >= PATH_MAX)
		return shale_err_set(err, ENAMETOOLONG, "the path is too long");
	if (target->exists && target->is_dir) {
		snprintf(ret_plan->dir, PATH_MAX, "%s", target->path);
		if (means_contents(source->path))
			ret_plan->name[0] = '\0';
		else
			base_of(source->path, ret_plan->name);
		return 0;
	}
	if (target->exists && source->is_dir)
		return shale_err_set(err, ENOTDIR, "cannot copy directory: %.300s is none", target->path);
	if (!target->exists && !source->is_dir && means_dir(target->path))
		return shale_err_set(err, ENOENT, "no such directory: %.300s", target->path);
	parent_of(target->path, ret_plan->dir);
	base_of(target->path, ret_plan->name);
	return 0;
}

bool copy_plan_split(const char *word, char ret_container[PATH_MAX], const char **ret_path)
{
	const char *colon = strchr(word, ':');

	/* A path of ours that has a colon begins with a slash or a dot. */
	if (!colon || colon == word || *word == '/' || *word == '.' || colon - word >= PATH_MAX)
		return false;
	snprintf(ret_container, PATH_MAX, "%.*s", (int)(colon - word), word);
	*ret_path = colon + 1;
	return true;
}

int copy_plan_follow(const char *path, const char *link, char ret_path[PATH_MAX], struct shale_err *err)
{
	char dir[PATH_MAX] = "";

	if (*link != '/' && strlen(path) < PATH_MAX)
		parent_of(path, dir);
	if (snprintf(ret_path, PATH_MAX, "%s%s%s", dir, *dir && dir[strlen(dir) - 1] != '/' ? "/" : "", link) >= PATH_MAX)
		return shale_err_set(err, ENAMETOOLONG, "what %.200s leads to is too long", path);
	return 0;
}
