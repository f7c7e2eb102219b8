/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The system calls that a container may make unless it is told otherwise, as the OCI runtime is told: what is not
 * allowed fails with EPERM. Capabilities that are added allow what they are for.
 */
#ifndef SHALE_CONTAINER_SECCOMP_H
#define SHALE_CONTAINER_SECCOMP_H

#include <jansson.h>
#include <stddef.h>

/* Names, each with a blank behind it or at the end. */
extern const char seccomp_for_all[];
extern const struct seccomp_for_capability {
	const char *capability;
	const char *calls;
} seccomp_for_capabilities[];
extern const size_t seccomp_for_capability_count;

/* linux.seccomp for a container with these capabilities, an array of names; NULL when out of memory. */
json_t *seccomp_make(const json_t *capabilities);

#endif
