// SPDX-License-Identifier: GPL-2.0-only
/*
 * workload.c - makes steps of a workload's text; see workload.h. What a step does to the union is in run.c,
 * what it makes of names and bytes in names.c and model.c.
 */
#include "workload.h"

#include "say.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The letters say what follows a verb: p path, t path of the other file, o offset, l length, d offset in the
 * other file, n a decimal number, m an octal one. */
static const struct verb_form {
	const char *name;
	enum verb verb;
	const char *takes;
} forms[] = {
	{"write", WRITE, "pol"},
	{"dwrite", DWRITE, "pol"},   /* O_DIRECT */
	{"swrite", SWRITE, "pol"},   /* O_SYNC */
	{"dswrite", DSWRITE, "pol"}, /* O_DSYNC */
	{"dswrite_on", DSWRITE_ON, "pol"}, /* and the same bytes again and again, beside all later steps */
	{"append", APPEND, "pl"},
	{"store", STORE, "pol"}, /* through a shared mapping */
	{"store_on", STORE_ON, "pol"}, /* with msync, and on and on likewise */
	{"truncate", TRUNCATE, "po"},
	{"punch", PUNCH, "pol"},
	{"zero", ZERO, "pol"},
	{"allocate", ALLOCATE, "pol"},
	{"collapse", COLLAPSE, "pol"},
	{"insert", INSERT, "pol"},
	{"scatter", SCATTER, "pol"}, /* a few bytes of every other block */
	{"copy", COPY, "potdl"},
	{"create", CREATE, "p"},
	{"mkdir", MAKEDIR, "p"},
	{"rmdir", REMOVEDIR, "p"},
	{"link", LINK, "pt"},
	{"unlink", UNLINK, "p"},
	{"rename", RENAME, "pt"},
	{"exchange", EXCHANGE, "pt"},
	{"chmod", CHMOD, "pm"},
	{"utimes", UTIMES, "pn"},
	{"fsync", FSYNC, "p"},
	{"fdatasync", FDATASYNC, "p"},
	{"fill", FILL, "p"}, /* so that the file needs no lower layer; where there are none, fsync */
	{"msync", MSYNC, "pol"},
	{"syncdir", SYNCDIR, "p"},
	{"syncfs", SYNCFS, ""},
	{"sync", SYNC, ""},
	{"remount", REMOUNT, ""},
	{"readonly", READONLY, ""}, /* read-only, with a sync that then concerns nobody, and writable again */
	{"handle", HANDLE, "p"}, /* a file handle is taken, which is tried after the crash */
	{"writeback", WRITEBACK, "p"}, /* the upper's data goes to the disk, and nobody promises anything */
	{"commit", COMMIT, ""}, /* likewise all that the filesystem below knows of, as another user of it may do */
	{"elsewhere", ELSEWHERE, ""}, /* likewise, but the other user syncs a file of its own */
};

#define FORMS (sizeof(forms) / sizeof(forms[0]))

static size_t size_parse(const char *word)
{
	size_t sum = 0, part;
	char *end;

	for (;; word = end + 1) {
		part = strtoul(word, &end, 10);
		if (*end == 'k') {
			part *= 1024;
			end++;
		}
		sum += part;
		if (*end != '+')
			break;
	}
	errno = 0;
	if (*end)
		die("'%s' is no size", word);
	return sum;
}

static void word_take(struct step *step, char letter, const char *word)
{
	switch (letter) {
	case 'p':
		snprintf(step->path, sizeof(step->path), "%s", word);
		break;
	case 't':
		snprintf(step->to, sizeof(step->to), "%s", word);
		break;
	case 'o':
		step->offset = size_parse(word);
		break;
	case 'l':
		step->length = size_parse(word);
		break;
	case 'd':
		step->to_offset = size_parse(word);
		break;
	default:
		step->number = strtoul(word, NULL, letter == 'm' ? 8 : 10);
	}
}

static const struct verb_form *form_find(const char *name)
{
	for (size_t i = 0; i < FORMS; i++)
		if (!strcmp(forms[i].name, name))
			return &forms[i];
	errno = 0;
	die("no verb '%s'", name);
}

static void step_parse(struct step *step, char *text)
{
	char *save = NULL, *word = strtok_r(text, " ", &save);
	const struct verb_form *form = form_find(word ?: "");

	*step = (struct step){.verb = form->verb};
	for (const char *letter = form->takes; *letter; letter++) {
		word = strtok_r(NULL, " ", &save);
		errno = 0;
		if (!word)
			die("%s needs more words", form->name);
		word_take(step, *letter, word);
	}
}

void script_parse(struct script *script, const char *text)
{
	char *copy = strdup(text), *save = NULL;

	script->count = 0;
	for (char *part = strtok_r(copy, ";", &save); part; part = strtok_r(NULL, ";", &save)) {
		errno = 0;
		if (script->count == STEPS_MAX)
			die("a workload has more than %d steps", STEPS_MAX);
		step_parse(&script->step[script->count++], part);
	}
	free(copy);
}

static const char *verb_name(enum verb verb)
{
	for (size_t i = 0; i < FORMS; i++)
		if (forms[i].verb == verb)
			return forms[i].name;
	return "?";
}

bool step_goes_on(const struct step *step)
{
	return step->verb == DSWRITE_ON || step->verb == STORE_ON;
}

const char *step_describe(const struct step *step)
{
	static char text[128];

	snprintf(text, sizeof(text), "%s %s%s%s %zu %zu", verb_name(step->verb), step->path,
		 step->to[0] ? " " : "", step->to, step->offset, step->length);
	return text;
}
