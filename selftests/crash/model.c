// SPDX-License-Identifier: GPL-2.0-only
/*
 * model.c - runs a workload in memory; see model.h.
 */
#include "model.h"

#include "say.h"
#include "stamp.h"
#include "world.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct content *content_new(size_t size)
{
	struct content *content = malloc(sizeof(*content));

	content->size = size;
	content->bytes = calloc(1, CONTENT_MAX);
	return content;
}

static void content_free(const struct content *content)
{
	if (!content)
		return;
	free(content->bytes);
	free((void *)content);
}

static void files_begin(struct model *model)
{
	struct version *first = &model->version[0];

	for (int i = 0; i < world_file_count; i++) {
		struct content *content = content_new(world_files[i].size);

		world_fill(i, content->bytes);
		first->content[i] = content;
		first->attributes[i] = (struct attributes){.mode = 0644, .mtime = WORLD_TIME};
	}
	model->files = world_file_count;
}

static void names_begin(struct names *names)
{
	for (const char *const *dir = world_dirs; *dir; dir++)
		names_add(names, *dir, DIRECTORY);
	for (int i = 0; i < world_file_count; i++) {
		if (world_files[i].is_hidden)
			continue;
		names_add(names, world_files[i].path, i);
		if (world_files[i].link)
			names_add(names, world_files[i].link, i);
	}
}

/* A version shares what does not change; who changes a file's bytes takes a copy first. */
static struct content *content_own(struct version *version, int file)
{
	const struct content *old = version->content[file];
	struct content *copy = content_new(old->size);

	memcpy(copy->bytes, old->bytes, old->size);
	version->content[file] = copy;
	return copy;
}

static void content_grow(struct content *content, size_t end)
{
	errno = 0;
	if (end > CONTENT_MAX)
		die("a file is longer than %lu bytes", CONTENT_MAX);
	if (end > content->size)
		content->size = end;
}

static void range_zero(struct content *content, size_t offset, size_t length)
{
	if (offset < content->size)
		memset(content->bytes + offset, 0,
		       offset + length < content->size ? length : content->size - offset);
}

static void size_set(struct content *content, size_t size)
{
	content_grow(content, size);
	range_zero(content, size, CONTENT_MAX - size);
	content->size = size;
}

static void range_collapse(struct content *content, size_t offset, size_t length)
{
	memmove(content->bytes + offset, content->bytes + offset + length, content->size - offset - length);
	size_set(content, content->size - length);
}

static void range_insert(struct content *content, size_t offset, size_t length)
{
	size_t moved = content->size - offset;

	content_grow(content, content->size + length);
	memmove(content->bytes + offset + length, content->bytes + offset, moved);
	range_zero(content, offset, length);
}

static void range_copy(const struct version *version, const struct step *step, struct content *to)
{
	int from = names_find(&version->names, step->path);

	content_grow(to, step->to_offset + step->length);
	memmove(to->bytes + step->to_offset, version->content[from]->bytes + step->offset, step->length);
}

static void range_write(struct content *content, const struct step *step, int file, unsigned int generation)
{
	content_grow(content, step->offset + step->length);
	stamp_fill(content->bytes + step->offset, file, generation, step->offset, step->length);
}

/* A word in every other block. */
static void range_scatter(struct content *content, const struct step *step, int file, unsigned int generation)
{
	size_t end = step->offset + step->length;

	content_grow(content, end);
	for (size_t at = step->offset; at < end; at += SCATTER_STEP)
		stamp_fill(content->bytes + at, file, generation, at, WORD);
}

static void bytes_change(struct version *version, const struct step *step, int file, unsigned int generation)
{
	struct content *content = content_own(version, file);

	version->attributes[file].mtime = 0;
	switch (step->verb) {
	case TRUNCATE:
		size_set(content, step->offset);
		break;
	case PUNCH:
	case ZERO:
		range_zero(content, step->offset, step->length);
		break;
	case ALLOCATE:
		content_grow(content, step->offset + step->length);
		break;
	case COLLAPSE:
		range_collapse(content, step->offset, step->length);
		break;
	case INSERT:
		range_insert(content, step->offset, step->length);
		break;
	case SCATTER:
		range_scatter(content, step, file, generation);
		break;
	case COPY:
		range_copy(version, step, content);
		break;
	default:
		range_write(content, step, file, generation);
	}
}

static void file_create(struct model *model, struct version *version)
{
	int file = model->files++;

	errno = 0;
	if (model->files > FILES_MAX)
		die("more than %d files", FILES_MAX);
	version->content[file] = content_new(0);
	version->attributes[file] = (struct attributes){.mode = 0644};
}

/* The file a step is about, which has to be there. */
static int find_subject(const struct names *names, const struct step *step)
{
	int file = names_find(names, step->verb == COPY ? step->to : step->path);

	if (!step->path[0] || step_is_of_names(step) || step->verb == SYNCDIR)
		return NO_NAME;
	errno = 0;
	if (file < 0)
		die("no file for: %s", step_describe(step));
	return file;
}

static void file_change(struct version *version, struct step *step, int file, unsigned int generation)
{
	if (step->verb == APPEND)
		step->offset = version->content[file]->size;
	if (step->verb <= COPY)
		bytes_change(version, step, file, generation);
	else if (step->verb == CHMOD)
		version->attributes[file].mode = step->number;
	else if (step->verb == UTIMES)
		version->attributes[file].mtime = step->number;
}

static void step_do(struct model *model, unsigned int number)
{
	struct step *step = &model->script.step[number];
	struct version *version = &model->version[number + 1];
	int file;

	*version = model->version[number];
	file = find_subject(&version->names, step);
	model->subject[number] = file;
	if (step->verb == CREATE)
		file_create(model, version);
	errno = 0;
	if (!names_apply(&version->names, step, model->files - 1))
		die("cannot be done: %s", step_describe(step));
	if (file >= 0)
		file_change(version, step, file, number + 1);
}

void model_build(struct model *model, const char *script)
{
	memset(model, 0, sizeof(*model));
	script_parse(&model->script, script);
	files_begin(model);
	names_begin(&model->version[0].names);
	for (unsigned int i = 0; i < model->script.count; i++)
		step_do(model, i);
}

void model_free(struct model *model)
{
	for (int file = 0; file < model->files; file++)
		for (unsigned int i = 0; i <= model->script.count; i++)
			if (i == 0 || model->version[i].content[file] != model->version[i - 1].content[file])
				content_free(model->version[i].content[file]);
}
