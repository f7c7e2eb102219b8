// SPDX-License-Identifier: GPL-2.0-only
/*
 * Formats of lists; see format.h. As docker does it, \t and \n in a format are a tab and a new
 * line, and in a table a tab is where the next column begins. Called by the verbs that list things.
 */
#include "shale/format.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "shale/table.h"
#include "shale/template.h"

#define TABLE_WORD "table"

static int expand_escapes(const char *text, struct buf *out)
{
	for (; *text; text++) {
		if (*text == '\\' && (text[1] == 't' || text[1] == 'n')) {
			if (buf_addc(out, *++text == 't' ? '\t' : '\n'))
				return -1;
		} else if (buf_addc(out, *text)) {
			return -1;
		}
	}
	return 0;
}

/* The headings are a row, too: each field's value is what stands above it. */
static json_t *make_headings(const struct format_field *fields)
{
	json_t *row = json_object();

	for (; row && fields->key; fields++)
		if (json_object_set_new(row, fields->key, json_string(fields->heading))) {
			json_decref(row);
			return NULL;
		}
	return row;
}

static size_t count_columns(const char *line)
{
	size_t count = 1;

	for (; *line; line++)
		count += *line == '\t';
	return count;
}

static int table_add_line(struct table *table, char *line)
{
	const char *cells[TABLE_MAX_COLUMNS];
	size_t n = 0;

	for (char *cell; n < table->columns && (cell = strsep(&line, "\t"));)
		cells[n++] = cell;
	while (n < table->columns)
		cells[n++] = "";
	return table_add(table, cells);
}

typedef int (*render_fn)(const struct template *template, const json_t *value, struct buf *out,
			 struct shale_err *err);

static int add_row(struct table *table, const struct template *template, render_fn render,
		   const json_t *row, struct shale_err *err)
{
	__cleanup_buf struct buf line = BUF_INIT;

	if (render(template, row, &line, err))
		return -1;
	if (buf_reserve(&line, 1) || table_add_line(table, line.data))
		return shale_err_set(err, ENOMEM, "out of memory");
	return 0;
}

static int print_table(const struct format *format, const struct template *template,
		       const char *text, const json_t *rows, struct shale_err *err)
{
	json_t *headings = make_headings(format->fields);
	struct table table;
	int ret = -1;

	table_init(&table, count_columns(text));
	if (table.columns > TABLE_MAX_COLUMNS)
		shale_err_set(err, E2BIG, "more than %d columns", TABLE_MAX_COLUMNS);
	else if (!headings)
		shale_err_set(err, ENOMEM, "out of memory");
	else
		ret = add_row(&table, template, template_render_headings, headings, err);
	for (size_t i = 0; !ret && i < json_array_size(rows); i++)
		ret = add_row(&table, template, template_render_row, json_array_get(rows, i), err);
	if (!ret)
		table_print(&table);
	table_release(&table);
	json_decref(headings);
	return ret;
}

static int print_lines(const struct format *format, const struct template *template,
		       const json_t *rows, struct shale_err *err)
{
	__cleanup_buf struct buf out = BUF_INIT;
	json_t *headings = make_headings(format->fields);
	int ret = headings ? 0 : shale_err_set(err, ENOMEM, "out of memory");

	/* A field that is not there is an error of the command line also if there is no row; other values may do. */
	if (!ret && template_render_headings(template, headings, &out, err))
		ret = err->code == ENOENT ? -1 : 0;
	json_decref(headings);
	buf_clear(&out);
	for (size_t i = 0; !ret && i < json_array_size(rows); i++) {
		ret = template_render_row(template, json_array_get(rows, i), &out, err);
		if (!ret && buf_addc(&out, '\n'))
			ret = shale_err_set(err, ENOMEM, "out of memory");
	}
	if (!ret)
		fputs(buf_str(&out), stdout);
	return ret;
}

/* What was asked for as a template; *ret_is_table says what of it. */
static const char *template_text(const struct format *format, bool *ret_is_table)
{
	const char *wanted = format->wanted;
	size_t word = strlen(TABLE_WORD);
	bool is_default = !wanted || !*wanted || !strcmp(wanted, TABLE_WORD);

	*ret_is_table = is_default && !format->quiet;
	if (is_default)
		return format->quiet ? format->quiet : format->table;
	if (!strncmp(wanted, TABLE_WORD, word)) {
		*ret_is_table = true;
		return wanted + word + strspn(wanted + word, " ");
	}
	if (!strcmp(wanted, "raw") && format->raw)
		return format->raw;
	return strcmp(wanted, "json") ? wanted : "{{json .}}";
}

static int parse(const struct format *format, struct buf *text, struct template **ret_template,
		 bool *ret_is_table, struct shale_err *err)
{
	if (expand_escapes(template_text(format, ret_is_table), text))
		return shale_err_set(err, ENOMEM, "out of memory");
	return template_parse(buf_str(text), ret_template, err);
}

static int fail(const struct cli *cli, const struct shale_err *err)
{
	return err->code == ENOMEM ? cli_fail(err) : cli_usage(cli, "--format: %s", err->msg);
}

int format_check(const struct cli *cli, const char *wanted)
{
	const struct format format = { .wanted = wanted, .table = "" };
	__cleanup_template struct template *template = NULL;
	__cleanup_buf struct buf text = BUF_INIT;
	struct shale_err err = { 0 };
	bool is_table;

	return parse(&format, &text, &template, &is_table, &err) ? fail(cli, &err) : EXIT_SUCCESS;
}

int format_print(const struct cli *cli, const struct format *format, const json_t *rows)
{
	__cleanup_template struct template *template = NULL;
	__cleanup_buf struct buf text = BUF_INIT;
	struct shale_err err = { 0 };
	bool is_table;
	int ret = parse(format, &text, &template, &is_table, &err);

	if (!ret)
		ret = is_table ? print_table(format, template, buf_str(&text), rows, &err)
			       : print_lines(format, template, rows, &err);
	return ret ? fail(cli, &err) : EXIT_SUCCESS;
}
