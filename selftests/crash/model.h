/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * model.h - everything a workload makes of the union's files and names, known before it runs: one version of
 * the whole for each step, version N being what N steps have made. No system call is made here. What of it
 * has to be there after a crash is in expect.c; run.c takes the bytes it writes from here.
 */
#ifndef SELFTESTS_CRASH_MODEL_H
#define SELFTESTS_CRASH_MODEL_H

#include "names.h"
#include "workload.h"

#define FILES_MAX   24
#define CONTENT_MAX (4UL * 1024 * 1024)

/* Zero beyond its size, so that it can be compared with a longer one. */
struct content {
	size_t size;
	unsigned char *bytes; /* room for CONTENT_MAX, most of which is never touched */
};

struct attributes {
	unsigned int mode;
	long mtime; /* in seconds; 0: some moment of the run */
};

struct version {
	struct names names;
	const struct content *content[FILES_MAX]; /* shared while nothing changes; NULL: not created yet */
	struct attributes attributes[FILES_MAX];
};

struct model {
	struct script script;
	struct version version[STEPS_MAX + 1];
	int subject[STEPS_MAX]; /* the file a step changes or syncs, or NO_NAME */
	int files;
};

void model_build(struct model *model, const char *script);
void model_free(struct model *model);

#endif /* SELFTESTS_CRASH_MODEL_H */
