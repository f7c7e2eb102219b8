// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verb diff: what changed in a writable layer, as docker's API answers it: paths in order, each changed, added or
 * deleted. What there was before is what the layers show without it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "archive/walk.h"
#include "base/fs.h"
#include "engine/work.h"
#include "store/json.h"

/* The API's numbers. */
enum diff_kind { DIFF_CHANGED, DIFF_ADDED, DIFF_DELETED };

struct diff {
	int base_fd; /* the layers alone */
	int view_fd; /* with the writable one */
	json_t *rows;
};

static bool exists(int root_fd, const char *path)
{
	__cleanup_fd int fd = fs_open_beneath(root_fd, *path ? path : ".", O_PATH | O_NOFOLLOW, 0);

	return fd >= 0;
}

static int add_row(struct diff *diff, const char *path, enum diff_kind kind, struct shale_err *err)
{
	json_t *text = json_sprintf("/%s", path);

	/* JSON is UTF-8: a name that is not cannot be told as it is. */
	if (!text) {
		__cleanup_buf struct buf safe = BUF_INIT;

		for (const char *at = path; *at; at++)
			if (buf_addc(&safe, *at & 0x80 ? '?' : *at) < 0)
				return shale_err_errno(err, "listing changes");
		text = json_sprintf("/%s", buf_str(&safe));
	}
	if (json_array_append_new(diff->rows, json_pack("{s:o, s:i}", "Path", text, "Kind", kind)))
		return shale_err_set(err, ENOMEM, "listing changes");
	return 0;
}

/* Names that an opaque directory hides and does not have itself. */
static int add_hidden(struct diff *diff, const char *path, struct shale_err *err)
{
	__cleanup_walk_names struct walk_names names = { 0 };
	__cleanup_buf struct buf full = BUF_INIT;

	if (walk_names_read(diff->base_fd, path, &names, NULL) < 0)
		return 0;
	for (size_t i = 0; i < names.count; i++) {
		buf_clear(&full);
		if (buf_addf(&full, "%s%s%s", path, *path ? "/" : "", names.items[i]) < 0)
			return shale_err_errno(err, "listing changes");
		if (!exists(diff->view_fd, buf_str(&full)) &&
		    add_row(diff, buf_str(&full), DIFF_DELETED, err) < 0)
			return -1;
	}
	return 0;
}

static int diff_add(void *arg, const struct change *change, struct shale_err *err)
{
	struct diff *diff = arg;
	bool was_there = exists(diff->base_fd, change->path);

	if (change->kind == CHANGE_OPAQUE)
		return add_hidden(diff, change->path, err);
	if (change->kind == CHANGE_WHITEOUT)
		return was_there ? add_row(diff, change->path, DIFF_DELETED, err) : 0;
	return add_row(diff, change->path, was_there ? DIFF_CHANGED : DIFF_ADDED, err);
}

static int compare_rows(const void *a, const void *b)
{
	const json_t *const *left = a, *const *right = b;

	return strcmp(json_string_value(json_object_get(*left, "Path")),
		      json_string_value(json_object_get(*right, "Path")));
}

static char *print_rows(const json_t *rows)
{
	size_t count = json_array_size(rows);
	const json_t **sorted = calloc(count + 1, sizeof(*sorted));
	json_t *out = json_array();
	char *text = NULL;

	for (size_t i = 0; sorted && i < count; i++)
		sorted[i] = json_array_get(rows, i);
	if (sorted)
		qsort(sorted, count, sizeof(*sorted), compare_rows);
	for (size_t i = 0; sorted && out && i < count; i++)
		json_array_append(out, (json_t *)sorted[i]);
	if (json_array_size(out) == count)
		text = json_dumps(out, JSON_COMPACT);
	json_decref(out);
	free(sorted);
	return text;
}

static int diff_run(struct work *work, struct diff *diff, struct shale_err *err)
{
	if (work_view(work, err) < 0)
		return -1;
	diff->base_fd = work->base_fd;
	diff->view_fd = work->view_fd;
	return work->driver->diff(&work->driver_work, work->base_fd, work->view_fd, diff_add, diff,
				  err);
}

int shale_diff(const struct shale_opts *opts, const char *name, char **ret_json,
	       struct shale_err *err)
{
	__cleanup_work struct work work = WORK_NONE;
	__cleanup_json json_t *rows = json_array();
	struct diff diff = { .rows = rows };

	if (!rows)
		return shale_err_set(err, ENOMEM, "listing changes");
	if (work_open(opts, name, &work, err) < 0 || diff_run(&work, &diff, err) < 0)
		return -1;
	*ret_json = print_rows(rows);
	return *ret_json ? 0 : shale_err_set(err, ENOMEM, "listing changes");
}

int shale_usage(const struct shale_opts *opts, const char *name, struct shale_usage *ret_usage,
		struct shale_err *err)
{
	__cleanup_work struct work work = WORK_NONE;
	struct driver_usage usage;

	if (work_open(opts, name, &work, err) < 0 ||
	    work.driver->usage(&work.driver_work, &usage, err) < 0)
		return -1;
	*ret_usage = (struct shale_usage){ usage.inodes, usage.bytes };
	return 0;
}
