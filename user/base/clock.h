/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Times as text, and the time that only goes forward.
 */
#ifndef SHALE_BASE_CLOCK_H
#define SHALE_BASE_CLOCK_H

#include <stdint.h>

/* "2024-05-06T07:08:09.123456789Z" and its NUL, with room for years of more digits. */
#define CLOCK_TEXT 64

/* RFC 3339 with nanoseconds, as docker writes what is now. */
void clock_print_now(char ret_text[CLOCK_TEXT]);

/* For how long something takes or may take: it says nothing of the date, and setting the date does not change it. */
int64_t clock_seconds(void);
int64_t clock_ms(void);

#endif
