/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mapper.h - the device mapper's ioctls as far as tests need them: a device of one target that is made, changed under a
 * filesystem that uses it, spoken to and removed. A process that cannot have one ends.
 */
#ifndef SELFTESTS_CRASH_MAPPER_H
#define SELFTESTS_CRASH_MAPPER_H

#include <stddef.h>
#include <stdint.h>

/* What is done with the COUNT sectors that there are. */
struct mapper_target {
	uint64_t count;
	const char *type;
	char parameters[96];
};

/* Returns the path of the device; valid until the next call. */
const char *mapper_create(const char *name, const struct mapper_target *target);
/* From one moment on it is this. Nothing is flushed for that, and nobody frozen. */
void mapper_change(const char *name, const struct mapper_target *target);
void mapper_message(const char *name, const char *text);
/* Nobody uses it any more. */
void mapper_remove(const char *name);
/* The same of what a killed process has left; there may be nothing. */
void mapper_cleanup(const char *name);

#endif /* SELFTESTS_CRASH_MAPPER_H */
