/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What people read: docker's column layout, sizes and ages.
 */
#ifndef SHALE_CLI_TABLE_H
#define SHALE_CLI_TABLE_H

#include <stddef.h>
#include <stdint.h>

#define TABLE_MAX_COLUMNS 8

struct table {
	size_t columns;
	size_t rows;
	size_t cap;
	char **cells; /* rows * columns */
};

void table_init(struct table *table, size_t columns);
/* Takes copies. Out of memory is -1. */
int table_add(struct table *table, const char *const *cells);
/* To stdout, three blanks between columns. */
void table_print(const struct table *table);
void table_release(struct table *table);

/* 204MB, 1.2GB: SI units, three digits; four where docker tells of disk space. */
const char *table_size(uint64_t bytes, char *text, size_t len);
const char *table_space(uint64_t bytes, char *text, size_t len);
/* "2 weeks ago" of a time in seconds since the epoch; 0 is N/A. */
const char *table_age(int64_t then, int64_t now, char *text, size_t len);

#endif
