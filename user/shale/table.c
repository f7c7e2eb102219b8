// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tables, sizes and ages; see table.h. Called by the verbs which list things.
 */
#include "shale/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* docker's: ten wide at least, whatever the content. */
#define TABLE_MIN_WIDTH 10
#define TABLE_GUTTER	3

void table_init(struct table *table, size_t columns)
{
	*table = (struct table){ .columns = columns };
}

int table_add(struct table *table, const char *const *cells)
{
	size_t base = table->rows * table->columns;
	char **grown;

	if (table->rows == table->cap) {
		grown = reallocarray(table->cells, (table->cap * 2 + 16) * table->columns,
				     sizeof(*grown));
		if (!grown)
			return -1;
		table->cells = grown;
		table->cap = table->cap * 2 + 16;
	}
	for (size_t i = 0; i < table->columns; i++) {
		table->cells[base + i] = strdup(cells[i]);
		if (!table->cells[base + i])
			return -1;
	}
	table->rows++;
	return 0;
}

/* Characters, as docker counts them, not the bytes of their UTF-8. */
static size_t count_chars(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += (*text & 0xc0) != 0x80;
	return count;
}

static size_t column_width(const struct table *table, size_t column)
{
	size_t width = TABLE_MIN_WIDTH - TABLE_GUTTER;

	for (size_t row = 0; row < table->rows; row++) {
		size_t len = count_chars(table->cells[row * table->columns + column]);

		if (len > width)
			width = len;
	}
	return width + TABLE_GUTTER;
}

void table_print(const struct table *table)
{
	size_t width[TABLE_MAX_COLUMNS];
	const char *cell;

	for (size_t i = 0; i < table->columns; i++)
		width[i] = column_width(table, i);
	for (size_t row = 0; row < table->rows; row++) {
		for (size_t i = 0; i < table->columns; i++) {
			cell = table->cells[row * table->columns + i];
			if (i + 1 == table->columns)
				puts(cell);
			else
				printf("%s%*s", cell, (int)(width[i] - count_chars(cell)), "");
		}
	}
}

void table_release(struct table *table)
{
	for (size_t i = 0; i < table->rows * table->columns; i++)
		free(table->cells[i]);
	free(table->cells);
	*table = (struct table){ 0 };
}

static const char *print_size(uint64_t bytes, int digits, double max, char *text, size_t len)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
	double size = bytes;
	size_t unit = 0;

	/* From max on so many digits would round up into the next unit. */
	while (size >= (unit ? max : 1000.0) && unit + 1 < sizeof(units) / sizeof(*units)) {
		size /= 1000;
		unit++;
	}
	snprintf(text, len, "%.*g%s", digits, size, units[unit]);
	return text;
}

const char *table_size(uint64_t bytes, char *text, size_t len)
{
	return print_size(bytes, 3, 999.5, text, len);
}

const char *table_space(uint64_t bytes, char *text, size_t len)
{
	return print_size(bytes, 4, 999.95, text, len);
}

#define MINUTE 60
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static const struct {
	int64_t below; /* seconds */
	int64_t unit;  /* 0: the text is the whole age */
	const char *text;
} ages[] = {
	{ 1, 0, "Less than a second" },
	{ 2, 0, "1 second" },
	{ MINUTE, 1, "seconds" },
	{ 2 * MINUTE, 0, "About a minute" },
	{ HOUR, MINUTE, "minutes" },
	{ 2 * HOUR, 0, "About an hour" },
	{ 48 * HOUR, HOUR, "hours" },
	{ 14 * DAY, DAY, "days" },
	{ 60 * DAY, 7 * DAY, "weeks" },
	{ 730 * DAY, 30 * DAY, "months" },
	{ INT64_MAX, 365 * DAY, "years" },
};

const char *table_age(int64_t then, int64_t now, char *text, size_t len)
{
	int64_t age = now > then ? now - then : 0;
	size_t i = 0;

	if (!then) {
		snprintf(text, len, "N/A");
		return text;
	}
	while (age >= ages[i].below)
		i++;
	if (!ages[i].unit) {
		snprintf(text, len, "%s ago", ages[i].text);
		return text;
	}
	snprintf(text, len, "%lld %s ago", (long long)(age / ages[i].unit), ages[i].text);
	return text;
}
