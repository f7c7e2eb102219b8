// SPDX-License-Identifier: GPL-2.0-only
/*
 * durable.c - walks through the steps that were done and finds what they have made durable; see durable.h.
 */
#include "durable.h"

bool step_syncs_all(const struct step *step)
{
	return step->verb == SYNCFS || step->verb == SYNC || step->verb == REMOUNT || step->verb == READONLY;
}

static bool syncs_range(const struct step *step)
{
	return step->verb == MSYNC || step->verb == SWRITE || step->verb == DSWRITE || step_goes_on(step);
}

static bool syncs_whole(const struct step *step)
{
	return step->verb == FSYNC || step->verb == FDATASYNC || step->verb == FILL;
}

bool step_syncs_file(const struct step *step)
{
	return syncs_whole(step) || syncs_range(step);
}

bool step_syncs_names(const struct step *step)
{
	return step->verb == FSYNC || step->verb == FILL || step->verb == SWRITE;
}

static void whole_set(struct durable *durable, unsigned int version, bool with_attributes)
{
	for (size_t i = 0; i < BLOCKS_MAX; i++)
		durable->block[i] = version;
	durable->size = version;
	durable->size_floor = 0;
	if (with_attributes)
		durable->attributes = version;
}

static void range_set(struct durable *durable, unsigned int version, const struct step *step,
		      const struct content *content)
{
	size_t end = step->offset + step->length;

	if (end > content->size)
		end = content->size;
	for (size_t at = step->offset / BLOCK * BLOCK; at < end; at += BLOCK)
		durable->block[at / BLOCK] = version;
	if (end > durable->size_floor)
		durable->size_floor = end;
}

static void step_apply(const struct model *model, unsigned int number, int file, struct durable *durable)
{
	const struct step *step = &model->script.step[number];
	unsigned int version = number + 1;

	if (step_syncs_all(step))
		whole_set(durable, version, true);
	if (model->subject[number] != file)
		return;
	if (syncs_whole(step))
		whole_set(durable, version, step->verb != FDATASYNC);
	else if (syncs_range(step))
		range_set(durable, version, step, model->version[version].content[file]);
	else if (step->verb == TRUNCATE && durable->size_floor > step->offset)
		durable->size_floor = step->offset;
	else if (step->verb == COLLAPSE)
		durable->size_floor = 0;
}

void durable_find(const struct model *model, int file, struct moment moment, struct durable *durable)
{
	unsigned int created = 0;

	while (created < moment.begun && !model->version[created].content[file])
		created++;
	whole_set(durable, moment.is_live ? moment.done : created, true);
	for (unsigned int i = created; i < moment.done && !moment.is_live; i++)
		step_apply(model, i, file, durable);
}
