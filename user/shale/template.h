/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of Go's templates that people use with docker's --format: text with actions in it,
 *
 *	{{.}}  {{.A.B}}		a value, as Go prints it
 *	{{json .A}}		as JSON
 *	{{len .A}}		how many elements, keys or bytes
 *	{{lower .A}} {{upper .A}}
 *	{{join .A ","}}		the elements of a list
 *	{{index .A 0}} {{index .A "key"}}
 *
 * on a JSON value. Anything else is refused by name. Which fields there are is the caller's.
 */
#ifndef SHALE_CLI_TEMPLATE_H
#define SHALE_CLI_TEMPLATE_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"

/* Actions of one template, and bytes of it: what a person types has a few. */
#define TEMPLATE_MAX_PARTS 256
#define TEMPLATE_MAX_BYTES 65536

struct template_part {
	const struct template_function *function; /* NULL: text */
	char *text;				  /* the text, or the path ".A.B" */
	char *argument;				  /* or NULL */
};

struct template
{
	size_t count;
	struct template_part parts[TEMPLATE_MAX_PARTS];
};

#define __cleanup_template __attribute__((cleanup(template_release)))

int template_parse(const char *text, struct template *ret_template, struct shale_err *err);
/* Appends to OUT; a field the value does not have is an error. */
int template_render(const struct template *template, const json_t *value, struct buf *out,
		    struct shale_err *err);
void template_release(struct template *template);

#endif
