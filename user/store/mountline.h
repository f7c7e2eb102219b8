/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Lines of mountinfo in pieces. Names in them are escaped twice: mountinfo writes space, tab, newline and
 * backslash as \ooo, and options put a backslash before what separates them.
 */
#ifndef SHALE_STORE_MOUNTLINE_H
#define SHALE_STORE_MOUNTLINE_H

#include <stddef.h>

#define MOUNTLINE_ROOT	 3
#define MOUNTLINE_TARGET 4

/* The n-th field (from 0) of a line, as a copy. */
char *mountline_field(const char *line, size_t n);
/* The options of the filesystem, as a copy that is escaped as they are; NULL also if there are none. */
char *mountline_options(const char *line);
/* In place: \ooo becomes the byte. */
void mountline_unescape(char *text);
/* In place: a backslash before another byte goes. */
void mountline_drop_backslashes(char *text);

#endif
