/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Platforms as image indexes name them, linux/arm/v7: which one is wanted, and which entry fits best.
 */
#ifndef SHALE_ENGINE_PLATFORM_H
#define SHALE_ENGINE_PLATFORM_H

#include "store/index.h"

#define PLATFORM_MAX_WORD 32

struct platform {
	char os[PLATFORM_MAX_WORD];
	char architecture[PLATFORM_MAX_WORD];
	char variant[PLATFORM_MAX_WORD]; /* empty: what comes first */
};

/* OS/ARCH[/VARIANT], or ARCH alone as docker takes it; NULL is this machine's. */
int platform_parse(const char *text, struct platform *ret_platform, struct shale_err *err);
/* The entry of an index that fits best; ENOENT when none does. */
int platform_choose(const struct platform *platform, const struct index *index, size_t *ret_entry,
		    struct shale_err *err);

#endif
