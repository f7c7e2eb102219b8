/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Times as text.
 */
#ifndef SHALE_BASE_CLOCK_H
#define SHALE_BASE_CLOCK_H

/* "2024-05-06T07:08:09.123456789Z" and its NUL, with room for years of more digits. */
#define CLOCK_TEXT 64

/* RFC 3339 with nanoseconds, as docker writes what is now. */
void clock_print_now(char ret_text[CLOCK_TEXT]);

#endif
