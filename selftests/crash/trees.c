// SPDX-License-Identifier: GPL-2.0-only
/*
 * trees.c - leaves out one set after another of the steps that nothing has synced; see trees.h.
 */
#include "trees.h"

#include "durable.h"
#include "say.h"

#include <errno.h>

static unsigned int last_synced(const struct model *model, struct moment moment)
{
	if (moment.is_live)
		return moment.done;
	for (unsigned int i = moment.done; i-- > 0;)
		if (step_syncs_all(&model->script.step[i]))
			return i + 1;
	return 0;
}

/* Does the step give FILE a name? */
static bool names_file(const struct model *model, unsigned int number, int file)
{
	const struct step *step = &model->script.step[number];
	const struct names *before = &model->version[number].names;

	switch (step->verb) {
	case CREATE:
		return names_find(&model->version[number + 1].names, step->path) == file;
	case LINK:
	case RENAME:
		return names_find(before, step->path) == file;
	case EXCHANGE:
		return names_find(before, step->path) == file || names_find(before, step->to) == file;
	default:
		return false;
	}
}

/* A file that was renamed or linked is found by its old name, too: a sync of data need not write the new one. */
static bool is_covered(const struct model *model, unsigned int number, unsigned int by)
{
	const struct step *step = &model->script.step[number], *sync = &model->script.step[by];

	if (step_syncs_file(sync))
		return (step->verb == CREATE || step_syncs_names(sync)) &&
		       names_file(model, number, model->subject[by]);
	if (sync->verb != SYNCDIR)
		return false;
	return path_is_in(step->path, sync->path) || (step->to[0] && path_is_in(step->to, sync->path));
}

static void pending_add(struct trees *trees, unsigned int number, unsigned int done)
{
	errno = 0;
	if (trees->count == PENDING_MAX)
		die("more than %d changes of names without a sync", PENDING_MAX);
	for (unsigned int by = number + 1; by < done; by++)
		if (is_covered(trees->model, number, by))
			trees->must |= 1U << trees->count;
	trees->step[trees->count++] = number;
}

void trees_begin(struct trees *trees, const struct model *model, struct moment moment)
{
	*trees = (struct trees){.model = model, .base = last_synced(model, moment)};
	for (unsigned int i = trees->base; i < moment.begun; i++)
		if (step_is_of_names(&model->script.step[i]))
			pending_add(trees, i, moment.done);
}

static bool tree_make(const struct trees *trees, unsigned int left_out, struct names *names)
{
	const struct model *model = trees->model;

	*names = model->version[trees->base].names;
	for (unsigned int i = 0; i < trees->count; i++) {
		unsigned int number = trees->step[i];
		const struct step *step = &model->script.step[number];

		if (left_out & 1U << i)
			continue;
		if (!names_apply(names, step, names_find(&model->version[number + 1].names, step->path)))
			return false;
	}
	return true;
}

bool trees_next(struct trees *trees, struct names *ret_names)
{
	while (trees->next < 1U << trees->count) {
		unsigned int left_out = trees->next++;

		if (!(left_out & trees->must) && tree_make(trees, left_out, ret_names))
			return true;
	}
	return false;
}
