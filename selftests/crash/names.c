// SPDX-License-Identifier: GPL-2.0-only
/*
 * names.c - a tree as a list of paths; see names.h. Lists are short, so everything is a linear search.
 */
#include "names.h"

#include "say.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* No path begins like this: where the first of two names waits while they change places. */
#define ASIDE "\001"

/* Is PATH the directory DIR or below it? */
static bool path_is_below(const char *path, const char *dir)
{
	size_t length = strlen(dir);

	return !strncmp(path, dir, length) && (path[length] == '/' || path[length] == '\0');
}

bool path_is_in(const char *path, const char *dir)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return !strcmp(dir, ".");
	return strlen(dir) == (size_t)(slash - path) && !strncmp(path, dir, slash - path);
}

static const struct name *find(const struct names *names, const char *path)
{
	for (unsigned int i = 0; i < names->count; i++)
		if (!strcmp(names->name[i].path, path))
			return &names->name[i];
	return NULL;
}

int names_find(const struct names *names, const char *path)
{
	const struct name *name = find(names, path);

	return name ? name->file : NO_NAME;
}

void names_add(struct names *names, const char *path, int file)
{
	struct name *name = &names->name[names->count++];

	errno = 0;
	if (names->count > NAMES_MAX)
		die("more than %d names", NAMES_MAX);
	snprintf(name->path, sizeof(name->path), "%s", path);
	name->file = file;
}

static void name_remove(struct names *names, const char *path)
{
	const struct name *name = find(names, path);

	names->name[name - names->name] = names->name[--names->count];
}

static bool has_children(const struct names *names, const char *dir)
{
	for (unsigned int i = 0; i < names->count; i++)
		if (path_is_in(names->name[i].path, dir))
			return true;
	return false;
}

static bool has_parent(const struct names *names, const char *path)
{
	char parent[PATH_SIZE];
	char *slash;

	snprintf(parent, sizeof(parent), "%s", path);
	slash = strrchr(parent, '/');
	if (!slash)
		return true;
	*slash = '\0';
	return names_find(names, parent) == DIRECTORY;
}

static bool add_new(struct names *names, const char *path, int file)
{
	if (find(names, path) || !has_parent(names, path))
		return false;
	names_add(names, path, file);
	return true;
}

static bool unlink_file(struct names *names, const char *path)
{
	if (names_find(names, path) < 0)
		return false;
	name_remove(names, path);
	return true;
}

static bool remove_dir(struct names *names, const char *path)
{
	if (names_find(names, path) != DIRECTORY || has_children(names, path))
		return false;
	name_remove(names, path);
	return true;
}

static void move_below(struct names *names, const char *from, const char *to)
{
	for (unsigned int i = 0; i < names->count; i++) {
		char *path = names->name[i].path, moved[2 * PATH_SIZE];

		if (!path_is_below(path, from))
			continue;
		snprintf(moved, sizeof(moved), "%s%s", to, path + strlen(from));
		errno = 0;
		if (strlen(moved) >= PATH_SIZE)
			die("a path is longer than %d bytes", PATH_SIZE);
		strcpy(path, moved);
	}
}

static bool rename_over(struct names *names, const char *from, const char *to)
{
	int over = names_find(names, to);

	if (!find(names, from) || !has_parent(names, to))
		return false;
	if (over == DIRECTORY && !remove_dir(names, to))
		return false;
	if (over >= 0)
		name_remove(names, to);
	move_below(names, from, to);
	return true;
}

static bool exchange(struct names *names, const char *a, const char *b)
{
	if (!find(names, a) || !find(names, b))
		return false;
	move_below(names, a, ASIDE);
	move_below(names, b, a);
	move_below(names, ASIDE, b);
	return true;
}

bool step_is_of_names(const struct step *step)
{
	return step->verb >= CREATE && step->verb <= EXCHANGE;
}

bool names_apply(struct names *names, const struct step *step, int created)
{
	int file;

	switch (step->verb) {
	case CREATE:
		return add_new(names, step->path, created);
	case MAKEDIR:
		return add_new(names, step->path, DIRECTORY);
	case REMOVEDIR:
		return remove_dir(names, step->path);
	case LINK:
		file = names_find(names, step->path);
		return file >= 0 && add_new(names, step->to, file);
	case UNLINK:
		return unlink_file(names, step->path);
	case RENAME:
		return rename_over(names, step->path, step->to);
	case EXCHANGE:
		return exchange(names, step->path, step->to);
	default:
		return true;
	}
}
