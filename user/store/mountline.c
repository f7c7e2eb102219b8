// SPDX-License-Identifier: GPL-2.0-only
/*
 * Takes lines of mountinfo apart; see mountline.h. Called by mounts.c and inuse.c.
 */
#include "store/mountline.h"

#include <string.h>

#define OPTIONS_FIELD 4 /* of " - TYPE SOURCE OPTIONS" */

char *mountline_field(const char *line, size_t n)
{
	while (n--) {
		line += strcspn(line, " ");
		line += *line == ' ';
	}
	return strndup(line, strcspn(line, " \n"));
}

char *mountline_options(const char *line)
{
	const char *tail = strstr(line, " - ");

	return tail ? mountline_field(tail, OPTIONS_FIELD) : NULL;
}

void mountline_unescape(char *text)
{
	char *to = text;

	for (; *text; text++) {
		if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] && text[3]) {
			*to++ = (text[1] - '0') << 6 | (text[2] - '0') << 3 | (text[3] - '0');
			text += 3;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}

void mountline_drop_backslashes(char *text)
{
	char *to = text;

	for (; *text; text++)
		if (*text != '\\' || !text[1])
			*to++ = *text;
		else
			*to++ = *++text;
	*to = '\0';
}
