// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads /proc/self/mountinfo. Called by mount.c and remount.c.
 */
#include "kapi/mountinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"

#define ATTRS_WORD   5 /* words before the mount's attributes */
#define OPTIONS_WORD 2 /* words between " - " and the filesystem's options */

static char *words_skip(char *text, int count)
{
	for (; text && count; count--) {
		text = strchr(text, ' ');
		text = text ? text + 1 : NULL;
	}
	return text;
}

int mountinfo_parse(char *line, struct mountinfo *ret_info)
{
	char *dash = strstr(line, " - ");
	char *attrs = words_skip(line, ATTRS_WORD);
	char *options = dash ? words_skip(dash + 3, OPTIONS_WORD) : NULL;

	if (!options || !attrs || attrs > dash)
		return -1;
	attrs[strcspn(attrs, " ")] = '\0';
	options[strcspn(options, " \n")] = '\0';
	ret_info->line = line;
	ret_info->attrs = attrs;
	ret_info->options = options;
	return 0;
}

int mountinfo_line(int fd, char **ret_line, struct shale_err *err)
{
	__cleanup(file_closep) FILE *file = fopen("/proc/self/mountinfo", "re");
	__cleanup_free char *line = NULL;
	struct statx st;
	size_t size = 0;

	if (!file || statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st))
		return shale_err_errno(err, "cannot read the mount's options");
	while (getline(&line, &size, file) > 0)
		if (strtoull(line, NULL, 10) == st.stx_mnt_id) {
			*ret_line = steal_ptr(line);
			return 0;
		}
	return shale_err_set(err, ENOENT, "the mount is not in /proc/self/mountinfo");
}

int mountinfo_get(int fd, struct mountinfo *ret_info, struct shale_err *err)
{
	__cleanup_free char *line = NULL;

	if (mountinfo_line(fd, &line, err))
		return -1;
	if (mountinfo_parse(line, ret_info))
		return shale_err_set(err, ENOENT, "the mount is not in /proc/self/mountinfo");
	line = NULL;
	return 0;
}

void mountinfo_release(struct mountinfo *info)
{
	free(info->line);
	info->line = NULL;
}
