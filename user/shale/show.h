/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How docker shows single values of what its API answers: IDs, times, texts that are cut.
 */
#ifndef SHALE_CLI_SHOW_H
#define SHALE_CLI_SHOW_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Digits of an ID. */
#define SHOW_ID 12

/* A value to be put into a row: the whole ID, or its first digits. */
json_t *show_id(const char *id, bool is_whole);
/* The first characters of a text, with an ellipsis as the last one if it was longer. */
json_t *show_cut(const char *text, size_t chars);
/* "a=b,c=d" */
json_t *show_labels(const json_t *labels);
/* "2026-11-24 04:11:19 +0000 UTC", as Go prints a time; 0 is N/A. */
const char *show_time(int64_t when, char *text, size_t len);
/* "2026-11-24T04:11:19Z", of RFC 3339 */
const char *show_date(int64_t when, char *text, size_t len);

#endif
