// SPDX-License-Identifier: GPL-2.0-only
/*
 * handles.c - takes and opens file handles; see handles.h.
 */
#include "handles.h"

#include "durable.h"
#include "world.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool handles_take(struct handles *handles, int root, const char *path, unsigned int step)
{
	struct taken *taken = &handles->taken[handles->count];
	struct stat st;
	int mount_id;

	if (!world_is_shale())
		return true;
	errno = ENOSPC;
	if (handles->count == HANDLES_MAX)
		return false;
	*taken = (struct taken){.head.handle_bytes = MAX_HANDLE_SZ, .step = step};
	snprintf(taken->path, sizeof(taken->path), "%s", path);
	if (name_to_handle_at(root, path, &taken->head, &mount_id, 0) < 0 ||
	    fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	taken->ino = st.st_ino;
	handles->count++;
	return true;
}

/* From the first handle on each rename is recorded, but a crash may keep the rename and lose the record. */
static bool may_be_stale(const struct handles *handles, const struct model *model, struct moment moment)
{
	bool is_pending = false;

	for (unsigned int i = handles->taken[0].step; i < moment.begun; i++) {
		const struct step *step = &model->script.step[i];

		if (step_is_of_names(step))
			is_pending = true;
		else if (i < moment.done && step_syncs_all(step))
			is_pending = false;
	}
	return is_pending && !moment.is_live;
}

static bool taken_holds(const struct taken *taken, int root, bool may_be_stale, char *why)
{
	struct taken copy = *taken;
	int fd = open_by_handle_at(root, &copy.head, O_RDONLY | O_CLOEXEC);
	struct stat st = {0};

	if (fd < 0 && errno == ESTALE && may_be_stale)
		return true;
	if (fd < 0) {
		snprintf(why, WHY_SIZE, "the handle that was taken as %s gives: %s", taken->path, strerror(errno));
		return false;
	}
	fstat(fd, &st);
	close(fd);
	if (st.st_ino != taken->ino)
		snprintf(why, WHY_SIZE, "the handle that was taken as %s opens another file", taken->path);
	return st.st_ino == taken->ino;
}

bool handles_hold(const struct handles *handles, const struct model *model, struct moment moment, char *why)
{
	int root = open(world_union(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool good = true;

	for (unsigned int i = 0; good && i < handles->count; i++)
		good = taken_holds(&handles->taken[i], root, may_be_stale(handles, model, moment), why);
	close(root);
	return good;
}
