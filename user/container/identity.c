// SPDX-License-Identifier: GPL-2.0-only
/*
 * Users of containers; see identity.h. A number need not be in any file. Called at the start of a container and of a
 * further process in it.
 */
#include "container/identity.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "container/rootfs.h"

/* The largest number that is one: the next means "no user" to the kernel. */
#define MAX_NUMBER 0xfffffffeul
#define MAX_FIELDS 4

struct lookup {
	int rootfd;
	struct buf passwd;
	struct buf group;
	struct identity *identity;
	char name[256]; /* of the user, "" if nobody knows it */
};

static bool parse_number(const char *text, unsigned long *ret_number)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*ret_number = strtoul(text, &end, 10);
	return !*end && !errno && *ret_number <= MAX_NUMBER;
}

/* The fields of a line, which is cut into them. */
static size_t split(char *line, char *fields[MAX_FIELDS])
{
	size_t count = 0;

	while (line && count < MAX_FIELDS)
		fields[count++] = strsep(&line, ":");
	return count;
}

/* Calls each() for every line with four fields, until it returns true. */
typedef bool (*line_fn)(void *arg, char *fields[MAX_FIELDS]);

static bool each_line(const struct buf *file, line_fn each, void *arg)
{
	__cleanup_free char *copy = strdup(buf_str(file));
	char *fields[MAX_FIELDS];
	char *rest = copy;

	while (rest) {
		char *line = strsep(&rest, "\n");

		if (*line != '#' && split(line, fields) == MAX_FIELDS && each(arg, fields))
			return true;
	}
	return false;
}

struct wanted {
	struct lookup *lookup;
	const char *text;
	unsigned long number;
	bool is_number;
};

static bool is_wanted(const struct wanted *wanted, const char *name, const char *number)
{
	unsigned long value;

	if (!parse_number(number, &value))
		return false;
	return !strcmp(name, wanted->text) || (wanted->is_number && value == wanted->number);
}

static bool take_user(void *arg, char *fields[MAX_FIELDS])
{
	struct wanted *wanted = arg;
	struct identity *identity = wanted->lookup->identity;
	unsigned long uid, gid;

	if (!is_wanted(wanted, fields[0], fields[2]) || !parse_number(fields[2], &uid) ||
	    !parse_number(fields[3], &gid))
		return false;
	identity->uid = uid;
	identity->gid = gid;
	snprintf(wanted->lookup->name, sizeof(wanted->lookup->name), "%s", fields[0]);
	return true;
}

static int find_user(struct lookup *lookup, const char *text, struct shale_err *err)
{
	struct wanted wanted = { .lookup = lookup, .text = text };

	wanted.is_number = parse_number(text, &wanted.number);
	if (each_line(&lookup->passwd, take_user, &wanted))
		return 0;
	if (!wanted.is_number)
		return shale_err_set(err, EINVAL, "unable to find user %.100s: no matching entries in passwd file",
				     text);
	lookup->identity->uid = wanted.number;
	return 0;
}

static bool take_group(void *arg, char *fields[MAX_FIELDS])
{
	struct wanted *wanted = arg;

	return is_wanted(wanted, fields[0], fields[2]) && parse_number(fields[2], &wanted->number);
}

static int find_group(struct lookup *lookup, const char *text, gid_t *ret_gid, struct shale_err *err)
{
	struct wanted wanted = { .lookup = lookup, .text = text };

	wanted.is_number = parse_number(text, &wanted.number);
	if (!each_line(&lookup->group, take_group, &wanted) && !wanted.is_number)
		return shale_err_set(err, EINVAL, "unable to find group %.100s: no matching entries in group file",
				     text);
	*ret_gid = wanted.number;
	return 0;
}

static void add_group(struct identity *identity, gid_t gid)
{
	for (size_t i = 0; i < identity->count; i++)
		if (identity->groups[i] == gid)
			return;
	if (identity->count < IDENTITY_MAX_GROUPS)
		identity->groups[identity->count++] = gid;
}

static bool is_member(char *list, const char *name)
{
	char *one;

	while ((one = strsep(&list, ",")))
		if (!strcmp(one, name))
			return true;
	return false;
}

static bool take_membership(void *arg, char *fields[MAX_FIELDS])
{
	struct lookup *lookup = arg;
	unsigned long gid;

	if (lookup->name[0] && is_member(fields[3], lookup->name) && parse_number(fields[2], &gid))
		add_group(lookup->identity, gid);
	return false;
}

static int add_more(struct lookup *lookup, const json_t *more, struct shale_err *err)
{
	const json_t *item;
	gid_t gid;
	size_t i;

	json_array_foreach(more, i, item) {
		if (find_group(lookup, json_string_value(item) ?: "", &gid, err) < 0)
			return -1;
		add_group(lookup->identity, gid);
	}
	return 0;
}

static void lookup_release(struct lookup *lookup)
{
	buf_release(&lookup->passwd);
	buf_release(&lookup->group);
}

/* An image need not have them. */
static void read_files(struct lookup *lookup)
{
	struct shale_err why;

	rootfs_read_file(lookup->rootfd, "/etc/passwd", IDENTITY_MAX_FILE, &lookup->passwd, &why);
	rootfs_read_file(lookup->rootfd, "/etc/group", IDENTITY_MAX_FILE, &lookup->group, &why);
}

/* As docker: who says the group gets no others but those he adds. */
static int find_both(struct lookup *lookup, const char *user, const char *group, struct shale_err *err)
{
	if (find_user(lookup, *user ? user : "0", err) < 0)
		return -1;
	if (group && *group)
		return find_group(lookup, group, &lookup->identity->gid, err);
	each_line(&lookup->group, take_membership, lookup);
	return 0;
}

int identity_find(int rootfd, const char *user, const json_t *more, struct identity *ret_identity,
		  struct shale_err *err)
{
	__attribute__((cleanup(lookup_release))) struct lookup lookup = {
		.rootfd = rootfd,
		.identity = ret_identity,
	};
	__cleanup_free char *copy = strdup(user);
	char *group = copy;

	if (!copy)
		return shale_err_set(err, ENOMEM, "out of memory");
	strsep(&group, ":");
	*ret_identity = (struct identity){ .uid = 0 };
	read_files(&lookup);
	return find_both(&lookup, copy, group, err) < 0 ? -1 : add_more(&lookup, more, err);
}
