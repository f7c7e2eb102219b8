/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a parsed template consists of, between template_parse.c, which makes it, template.c, which walks it,
 * and template_call.c, which has the functions.
 */
#ifndef SHALE_CLI_TEMPLATE_NODE_H
#define SHALE_CLI_TEMPLATE_NODE_H

#include <stdbool.h>

#include "shale/template.h"
#include "store/json.h"

/* A function's arguments; Go has no limit. */
#define TEMPLATE_MAX_ARGUMENTS 32

struct template_run;

/* Arguments are borrowed, the result is owned by the caller. */
typedef int (*template_fn)(struct template_run *run, size_t argc, json_t *const *argv,
			   json_t **ret_value);

struct template_function {
	const char *name;
	size_t min;
	size_t max;
	bool keeps_headings; /* gives a heading back as it is */
	template_fn call;    /* NULL: "and" and "or", which stop at the argument that decides */
};

const struct template_function *template_function_find(const char *name, size_t len);

enum template_operand_kind {
	OPERAND_DOT,
	OPERAND_VARIABLE,
	OPERAND_CONSTANT,
	OPERAND_FUNCTION,
	OPERAND_PIPE,
};

struct template_field {
	const char *name;
	struct template_field *next;
};

struct template_operand {
	enum template_operand_kind kind;
	size_t slot;				  /* of a variable */
	json_t *constant;			  /* owned by the template */
	const struct template_function *function;
	struct template_pipe *pipe;		  /* in brackets */
	struct template_field *fields;		  /* .A.B of it */
	struct template_operand *next;
};

/* A value, or a function's name and its arguments. */
struct template_command {
	struct template_operand *operands;
	size_t count;
	struct template_command *next;
};

struct template_pipe {
	struct template_command *commands;
	bool has_variable;
	bool has_key; /* range's first of two variables */
	size_t slot;
	size_t key_slot;
};

enum template_node_kind {
	NODE_TEXT,
	NODE_PRINT,
	NODE_IF,
	NODE_WITH,
	NODE_RANGE,
	NODE_BREAK,
	NODE_CONTINUE,
};

struct template_node {
	enum template_node_kind kind;
	const char *text;
	size_t len;
	struct template_pipe *pipe;
	struct template_node *body;
	struct template_node *otherwise; /* of else, which may be a single if or with again */
	struct template_node *next;
};

/* Everything of a template is one list of blocks, freed together. */
struct template_block {
	struct template_block *next;
	max_align_t data[];
};

struct template
{
	struct template_block *blocks;
	json_t *constants;
	struct template_node *nodes;
};

/* The quoted text, character or number at *at, which goes behind it; NULL with a reason when there is none. */
json_t *template_literal(const char **at, const char **ret_why);

void *template_alloc(struct template *template, size_t size);

/* A template at work on one value. */
struct template_run {
	struct buf *out;
	struct shale_err *err;
	bool has_headings;
	bool has_row;
	size_t steps;
	json_t *slots[TEMPLATE_MAX_VARIABLES]; /* slot 0 is $ */
};

/* As Go's templates print: nothing at all is "<no value>". */
int template_print(const json_t *value, struct buf *out);
/* printf: the format and its arguments. */
int template_printf(struct template_run *run, size_t argc, json_t *const *argv, struct buf *out);
bool template_is_true(const json_t *value);
/* In Go's order, with a NULL at the end; to be freed. NULL: out of memory. */
const char **template_sorted_keys(const json_t *map);

int template_no_memory(struct shale_err *err);

#endif
