// SPDX-License-Identifier: GPL-2.0-only
/*
 * op_stage.c - operations that change no bytes: flushing, names and modes, caches, closing, comparing
 * whole files, and mounting the union anew with the same layers or with the upper sealed.
 */
#include "oracle.h"

static long run_fsync(struct op *op)
{
	return op_errno(fsync(op->fd));
}

static long run_fdatasync(struct op *op)
{
	return op_errno(fdatasync(op->fd));
}

static long run_sync_range(struct op *op)
{
	return op_errno(sync_file_range(op->fd, op->at, op->length,
					SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
						SYNC_FILE_RANGE_WAIT_AFTER));
}

static long run_fadvise(struct op *op)
{
	return -posix_fadvise(op->fd, op->at, op->length, op->kind->flags);
}

static void choose_file(struct op *op)
{
	op->length = 1;
	op->flags = pick(HANDLES * NAMES);
}

static long run_close(struct op *op)
{
	handle_close(op->file, op->flags % HANDLES);
	return 0;
}

static long run_chmod(struct op *op)
{
	char path[PATH_SIZE];

	file_path(op->file, path);
	op->file->mode ^= 0100 << op->flags % 3;
	return op_errno(chmod(path, op->file->mode));
}

static void new_name(const struct op *op, char name[NAME_SIZE], char path[PATH_SIZE])
{
	snprintf(name, NAME_SIZE, "%sf%d.%lu", op->flags % 2 ? "d/" : "", op->file->number % FILES,
		 (tally->step + NAMES) % 10000000);
	snprintf(path, PATH_SIZE, "m/%s", name);
}

static long run_rename(struct op *op)
{
	char old[PATH_SIZE], path[PATH_SIZE], *name = op->file->names[op->flags % op->file->name_count];

	snprintf(old, sizeof(old), "m/%s", name);
	new_name(op, name, path);
	return op_errno(rename(old, path));
}

static long run_link(struct op *op)
{
	char old[PATH_SIZE], path[PATH_SIZE];

	if (op->file->name_count == NAMES)
		return 0;
	op->file->had_links = true;
	file_path(op->file, old);
	new_name(op, op->file->names[op->file->name_count++], path);
	return op_errno(link(old, path));
}

static long run_unlink(struct op *op)
{
	int which = op->flags % op->file->name_count, last = op->file->name_count - 1;
	char path[PATH_SIZE];

	if (last == 0)
		return 0;
	snprintf(path, sizeof(path), "m/%s", op->file->names[which]);
	memmove(op->file->names[which], op->file->names[last], NAME_SIZE);
	op->file->name_count = last;
	return op_errno(unlink(path));
}

static long run_drop_caches(struct op *op)
{
	(void)op;
	stage_drop_caches();
	return 0;
}

static long run_check(struct op *op)
{
	check_file(op->file);
	return 0;
}

static long run_remount(struct op *op)
{
	(void)op;
	files_close();
	stage_umount();
	stage_mount();
	check_all();
	return 0;
}

static long run_seal(struct op *op)
{
	(void)op;
	files_close();
	files_relink();
	stage_umount();
	stage_seal();
	stage_mount();
	files_sealed();
	check_all();
	return 0;
}

const struct kind stage_kinds[] = {
	{"fsync", 4, op_take, run_fsync, op_nothing, 0, 0},
	{"fdatasync", 2, op_take, run_fdatasync, op_nothing, 0, 0},
	{"sync_range", 2, op_take, run_sync_range, op_nothing, 0, 0},
	{"fadvise_dontneed", 4, op_take, run_fadvise, op_nothing, 0, POSIX_FADV_DONTNEED},
	{"fadvise_willneed", 2, op_take, run_fadvise, op_nothing, 0, POSIX_FADV_WILLNEED},
	{"close", 12, choose_file, run_close, op_nothing, NO_TWIN, 0},
	{"chmod", 4, choose_file, run_chmod, op_nothing, NO_TWIN, 0},
	{"rename", 4, choose_file, run_rename, op_nothing, NO_TWIN, 0},
	{"link", 3, choose_file, run_link, op_nothing, NO_TWIN, 0},
	{"unlink", 3, choose_file, run_unlink, op_nothing, NO_TWIN, 0},
	{"drop_caches", 3, choose_file, run_drop_caches, op_nothing, NO_TWIN, 0},
	{"check", 8, choose_file, run_check, op_nothing, NO_TWIN, 0},
	{"remount", 1, choose_file, run_remount, op_nothing, NO_TWIN, 0},
	{"seal", 1, choose_file, run_seal, op_nothing, NO_TWIN, 0},
	{0},
};
