/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The line of /proc/self/mountinfo about the mount a descriptor is on. Names in it keep the kernel's
 * octal escapes.
 */
#ifndef SHALE_KAPI_MOUNTINFO_H
#define SHALE_KAPI_MOUNTINFO_H

#include "base/err.h"

struct mountinfo {
	char *line;	     /* owned; the others point into it */
	const char *attrs;   /* of the mount: "rw,nosuid,idmapped" */
	const char *options; /* of the filesystem: "rw,lowerdir=..." */
};

#define __cleanup_mountinfo __attribute__((cleanup(mountinfo_release)))

/* The line of the mount that fd is on, as it is; to be freed. */
int mountinfo_line(int fd, char **ret_line, struct shale_err *err);
int mountinfo_get(int fd, struct mountinfo *ret_info, struct shale_err *err);
/* Takes a line apart in place; -1 if it is none. For tests too. */
int mountinfo_parse(char *line, struct mountinfo *ret_info);
void mountinfo_release(struct mountinfo *info);

#endif
