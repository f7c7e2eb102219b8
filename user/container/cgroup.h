/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The end of a container's cgroup when nobody else can end it: a runtime that was killed in the middle of its work
 * has one and knows nothing of it.
 */
#ifndef SHALE_CONTAINER_CGROUP_H
#define SHALE_CONTAINER_CGROUP_H

/* A path below each hierarchy: what is in it is killed, and it goes. One that is not there is none. */
void cgroup_end(const char *path);

#endif
