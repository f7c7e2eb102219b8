/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Go's templates, as people use them with docker's --format, on a JSON value:
 *
 *	{{.}} {{.A.B}} {{$x := .A}} {{$x}}	a value, as Go prints it; variables
 *	{{if}} {{else if}} {{else}} {{end}} {{with}} {{range $i, $e := .A}} {{break}} {{continue}}
 *	{{- -}} {{/ * * /}}			blanks that are cut, comments
 *	and or not eq ne lt le gt ge len index slice print printf println
 *	json split join title lower upper pad truncate		docker's own
 *	A | f | g, (f A)			pipes and nesting
 *
 * What else Go has (define, template, block, call, html, js, urlquery) is refused by name. Which fields
 * there are is the caller's.
 */
#ifndef SHALE_CLI_TEMPLATE_H
#define SHALE_CLI_TEMPLATE_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"

/* Bytes of a template: what a person types has a few. */
#define TEMPLATE_MAX_BYTES 65536
/* Blocks and brackets in each other; Go's own limit is far beyond what anybody reads. */
#define TEMPLATE_MAX_DEPTH 64
/* Variables that are seen at one place. */
#define TEMPLATE_MAX_VARIABLES 64
/* What a template may do and print for one value, and how large a text it may make, or one of JSON: loops in loops end. */
#define TEMPLATE_MAX_STEPS  1000000
#define TEMPLATE_MAX_OUTPUT (64u << 20)
#define TEMPLATE_MAX_TEXT   (1u << 20)
#define TEMPLATE_MAX_JSON   (16u << 20)

struct template;

#define __cleanup_template __attribute__((cleanup(template_releasep)))

int template_parse(const char *text, struct template **ret_template, struct shale_err *err);
/* Appends to OUT; a field the value does not have is an error. */
int template_render(const struct template *template, const json_t *value, struct buf *out,
		    struct shale_err *err);
/* The same for a row of a list, whose JSON as a whole docker writes in another way. */
int template_render_row(const struct template *template, const json_t *row, struct buf *out,
			struct shale_err *err);
/* The same for the headings of a table: docker's functions leave them as they are. */
int template_render_headings(const struct template *template, const json_t *headings,
			     struct buf *out, struct shale_err *err);
void template_release(struct template *template);

static inline void template_releasep(struct template **template)
{
	template_release(*template);
}

#endif
