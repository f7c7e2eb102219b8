// SPDX-License-Identifier: GPL-2.0-only
/*
 * expect.c - compares what was seen after a crash with what may be there; see expect.h. The oldest version
 * that may be there comes from durable.c, the trees of names that may be there from trees.c.
 */
#include "expect.h"

#include "durable.h"
#include "trees.h"

#include <stdio.h>
#include <string.h>

/* Times from here on are of the run, not set by it. */
#define NOW_FROM 1400000000L

struct check {
	const struct model *model;
	const struct seen *seen;
	struct moment moment;
	/* Is the file that the name shows this one of the model's? Answered once. */
	enum { UNKNOWN, GOOD, BAD } verdict[FILES_MAX][NAMES_MAX];
	char *why;
};

static const struct content *content_of(const struct check *check, unsigned int version, int file)
{
	return check->model->version[version].content[file];
}

static bool is_between(size_t size, size_t a, size_t b)
{
	return a < b ? a <= size && size <= b : b <= size && size <= a;
}

static bool is_size_good(const struct check *check, int file, size_t size, const struct durable *durable)
{
	if (size < durable->size_floor)
		return false;
	for (unsigned int v = durable->size; v <= check->moment.begun; v++) {
		const struct content *content = content_of(check, v, file), *before;

		if (content && size == content->size)
			return true;
		before = v > durable->size ? content_of(check, v - 1, file) : NULL;
		if (before && check->model->script.step[v - 1].verb != TRUNCATE &&
		    is_between(size, before->size, content->size))
			return true;
	}
	return false;
}

static bool is_block_good(const struct check *check, int file, const unsigned char *bytes, size_t at,
			  size_t length, unsigned int oldest)
{
	for (unsigned int v = oldest; v <= check->moment.begun; v++) {
		const struct content *content = content_of(check, v, file);

		if (content && !memcmp(content->bytes + at, bytes, length))
			return true;
	}
	return false;
}

static void block_explain(const struct check *check, int file, const unsigned char *bytes, size_t at,
			  size_t length, unsigned int oldest)
{
	const unsigned char *want = content_of(check, check->moment.begun, file)->bytes + at;
	uint64_t seen = 0, wanted = 0;
	size_t i = 0;

	while (i + WORD <= length && !memcmp(want + i, bytes + i, WORD))
		i += WORD;
	memcpy(&seen, bytes + i, i + WORD <= length ? WORD : length - i);
	memcpy(&wanted, want + i, i + WORD <= length ? WORD : length - i);
	snprintf(check->why, WHY_SIZE,
		 "block %zu is of no version from %u to %u: at %zu there is \"%s\", the newest has \"%s\"",
		 at / BLOCK, oldest, check->moment.begun, at + i, stamp_describe(seen), stamp_describe(wanted));
}

static bool are_bytes_good(const struct check *check, int file, const struct seen_name *name,
			   const struct durable *durable)
{
	size_t size = name->stat.st_size;

	for (size_t at = 0; at < size; at += BLOCK) {
		size_t length = size - at < BLOCK ? size - at : BLOCK;
		unsigned int oldest = durable->block[at / BLOCK];

		if (is_block_good(check, file, name->bytes + at, at, length, oldest))
			continue;
		block_explain(check, file, name->bytes + at, at, length, oldest);
		return false;
	}
	return true;
}

static bool are_attributes_good(const struct check *check, int file, const struct stat *stat,
				unsigned int oldest)
{
	bool is_mode_good = false, is_time_good = false;

	for (unsigned int v = oldest; v <= check->moment.begun; v++) {
		const struct attributes *want = &check->model->version[v].attributes[file];

		is_mode_good |= (stat->st_mode & 07777) == want->mode;
		is_time_good |= want->mtime ? stat->st_mtime == want->mtime : stat->st_mtime > NOW_FROM;
	}
	snprintf(check->why, WHY_SIZE, "mode %o and time %ld are of no version from %u to %u",
		 stat->st_mode & 07777, (long)stat->st_mtime, oldest, check->moment.begun);
	return is_mode_good && is_time_good;
}

static bool is_file_good(const struct check *check, int file, const struct seen_name *name)
{
	struct durable durable;
	char reason[WHY_SIZE];

	durable_find(check->model, file, check->moment, &durable);
	if (!is_size_good(check, file, name->stat.st_size, &durable))
		snprintf(check->why, WHY_SIZE, "a size of %ld is of no version from %u to %u, or less than %zu",
			 (long)name->stat.st_size, durable.size, check->moment.begun, durable.size_floor);
	else if (are_bytes_good(check, file, name, &durable) &&
		 are_attributes_good(check, file, &name->stat, durable.attributes))
		return true;
	snprintf(reason, sizeof(reason), "%s", check->why);
	snprintf(check->why, WHY_SIZE, "%s: %.400s", name->path, reason);
	return false;
}

static bool are_names_equal(const struct check *check, const struct names *names)
{
	for (unsigned int i = 0; i < check->seen->count; i++) {
		int file = names_find(names, check->seen->name[i].path);

		if (file == NO_NAME || (file == DIRECTORY) != !check->seen->name[i].bytes)
			return false;
	}
	return check->seen->count == names->count;
}

static bool are_files_good(struct check *check, const struct names *names)
{
	for (unsigned int i = 0; i < check->seen->count; i++) {
		int file = names_find(names, check->seen->name[i].path);

		if (file == DIRECTORY)
			continue;
		if (check->verdict[file][i] == UNKNOWN)
			check->verdict[file][i] = is_file_good(check, file, &check->seen->name[i]) ? GOOD : BAD;
		if (check->verdict[file][i] == BAD)
			return false;
	}
	return true;
}

/* Names of one file are one inode, and it knows how many they are. */
static bool are_links_good(struct check *check, const struct names *names)
{
	for (unsigned int i = 0; i < check->seen->count; i++) {
		const struct seen_name *a = &check->seen->name[i];
		int file = names_find(names, a->path);
		nlink_t links = 0;

		for (unsigned int j = 0; j < check->seen->count && file != DIRECTORY; j++) {
			const struct seen_name *b = &check->seen->name[j];
			bool is_same = names_find(names, b->path) == file;

			links += is_same;
			if (is_same == (a->stat.st_ino == b->stat.st_ino))
				continue;
			snprintf(check->why, WHY_SIZE, "%s and %s are%s links of one file, by their inodes",
				 a->path, b->path, is_same ? " not" : "");
			return false;
		}
		if (file == DIRECTORY || a->stat.st_nlink == links)
			continue;
		snprintf(check->why, WHY_SIZE, "%s has %u links and not %u", a->path,
			 (unsigned int)a->stat.st_nlink, (unsigned int)links);
		return false;
	}
	return true;
}

static void names_explain(const struct check *check, const struct names *names)
{
	size_t at = snprintf(check->why, WHY_SIZE, "names are in no possible state; beside version %u:",
			     check->moment.done);

	for (unsigned int i = 0; i < check->seen->count; i++)
		if (names_find(names, check->seen->name[i].path) == NO_NAME && at < WHY_SIZE)
			at += snprintf(check->why + at, WHY_SIZE - at, " +%s", check->seen->name[i].path);
	for (unsigned int i = 0; i < names->count; i++) {
		bool is_there = false;

		for (unsigned int j = 0; j < check->seen->count; j++)
			is_there |= !strcmp(check->seen->name[j].path, names->name[i].path);
		if (!is_there && at < WHY_SIZE)
			at += snprintf(check->why + at, WHY_SIZE - at, " -%s", names->name[i].path);
	}
}

bool expect_holds(const struct model *model, const struct seen *seen, struct moment moment, char *why)
{
	struct check check = {.model = model, .seen = seen, .moment = moment, .why = why};
	struct trees trees;
	struct names names;
	bool is_explained = false;

	trees_begin(&trees, model, moment);
	while (trees_next(&trees, &names)) {
		if (!are_names_equal(&check, &names))
			continue;
		if (are_files_good(&check, &names) && are_links_good(&check, &names))
			return true;
		is_explained = true;
	}
	if (!is_explained)
		names_explain(&check, &model->version[moment.done].names);
	return false;
}
