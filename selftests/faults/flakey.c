// SPDX-License-Identifier: GPL-2.0-only
/*
 * flakey.c - tables of dm-flakey, dm-linear and dm-error; see flakey.h.
 */
#include "flakey.h"

#include "../crash/device.h"
#include "../crash/mapper.h"

#include <stdio.h>

#define NAME	     "shale-flakey"
#define SECTOR_SHIFT 9

/* The device has a time in which it is sound, of no length here, and one in which it is not. */
static struct mapper_target target(const struct disk *disk, enum flakey how)
{
	static const char *const types[] = {"linear", "flakey", "flakey", "error"};
	static const char *const behaviour[] = {"", " 0 3600 1 error_writes", " 0 3600 1 drop_writes", ""};
	struct mapper_target t = {
		.count = disk->size >> SECTOR_SHIFT,
		.type = types[how],
	};

	if (how != FLAKEY_DEAD)
		snprintf(t.parameters, sizeof(t.parameters), "%s 0%s", disk->path, behaviour[how]);
	return t;
}

const char *flakey_start(const struct disk *disk)
{
	struct mapper_target sound = target(disk, FLAKEY_SOUND);

	return mapper_create(NAME, &sound);
}

void flakey_set(const struct disk *disk, enum flakey how)
{
	struct mapper_target all = target(disk, how);

	mapper_change(NAME, &all);
}

void flakey_stop(void)
{
	mapper_remove(NAME);
}

void flakey_cleanup(void)
{
	mapper_cleanup(NAME);
}
