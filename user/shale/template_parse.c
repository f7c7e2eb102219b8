// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parses templates into the nodes of template_node.h, by recursive descent over the text; see template.h for
 * what there is. What is wrong is said with the action it is in. Called by format.c and the inspecting verbs.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shale/template_node.h"

#define OPEN	      "{{"
#define CLOSE	      "}}"
#define MAX_SHOWN     200
#define COMMENT_BEGIN "/*"
#define COMMENT_END   "*/"

struct parser {
	struct template *template;
	struct shale_err *err;
	const char *at;
	const char *action; /* the "{{" of the action we are in */
	bool trims;	    /* the text that follows loses its blanks in front */
	size_t depth;
	size_t loops;
	size_t count; /* of variables seen here */
	const char *names[TEMPLATE_MAX_VARIABLES];
};

/* What ended a list of nodes. */
enum ending {
	ENDING_TEXT,
	ENDING_END,
	ENDING_ELSE,
};

int template_no_memory(struct shale_err *err)
{
	return shale_err_set(err, ENOMEM, "out of memory");
}

void *template_alloc(struct template *template, size_t size)
{
	struct template_block *block = calloc(1, sizeof(*block) + size);

	if (!block)
		return NULL;
	block->next = template->blocks;
	template->blocks = block;
	return block->data;
}

void template_release(struct template *template)
{
	if (!template)
		return;
	for (struct template_block *block = template->blocks, *next; block; block = next) {
		next = block->next;
		free(block);
	}
	json_decref(template->constants);
	free(template);
}

/* -1, with the action and what is wrong with it. */
static int refuse(struct parser *parser, const char *why)
{
	const char *close = strstr(parser->action, CLOSE);
	size_t len = close ? (size_t)(close - parser->action) + strlen(CLOSE)
			   : strlen(parser->action);

	return shale_err_set(parser->err, EINVAL, "'%.*s' is not understood: %s",
			     len > MAX_SHOWN ? MAX_SHOWN : (int)len, parser->action, why);
}

static void *alloc(struct parser *parser, size_t size)
{
	void *data = template_alloc(parser->template, size);

	if (!data)
		template_no_memory(parser->err);
	return data;
}

static const char *copy(struct parser *parser, const char *text, size_t len)
{
	char *data = alloc(parser, len + 1);

	if (data)
		memcpy(data, text, len);
	return data;
}

static int go_deeper(struct parser *parser)
{
	if (parser->depth++ < TEMPLATE_MAX_DEPTH)
		return 0;
	return refuse(parser, "too deep");
}

static void skip_blanks(struct parser *parser)
{
	while (isspace((unsigned char)*parser->at))
		parser->at++;
}

/* "}}", or "-}}" after a blank. */
static bool is_close(const struct parser *parser)
{
	return !strncmp(parser->at, CLOSE, strlen(CLOSE)) ||
	       (parser->at > parser->action && isspace((unsigned char)parser->at[-1]) &&
		!strncmp(parser->at, "-" CLOSE, strlen(CLOSE) + 1));
}

static int take_close(struct parser *parser)
{
	skip_blanks(parser);
	if (!is_close(parser))
		return refuse(parser, *parser->at ? "more than was expected" : "it does not end");
	parser->trims = *parser->at == '-';
	parser->at += strlen(CLOSE) + parser->trims;
	return 0;
}

static bool is_name_char(char c)
{
	return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static size_t name_len(const char *text)
{
	size_t len = 0;

	while (is_name_char(text[len]))
		len++;
	return isdigit((unsigned char)*text) ? 0 : len;
}

/* A word, if it is the next one. */
static bool take_word(struct parser *parser, const char *word)
{
	size_t len = name_len(parser->at);

	if (len != strlen(word) || strncmp(parser->at, word, len))
		return false;
	parser->at += len;
	return true;
}

static int variable_add(struct parser *parser, const char *name, size_t *ret_slot)
{
	if (parser->count == TEMPLATE_MAX_VARIABLES)
		return refuse(parser, "too many variables");
	parser->names[parser->count] = name;
	*ret_slot = parser->count++;
	return 0;
}

/* "$" or "$name"; the newest of a name counts. */
static int variable_find(struct parser *parser, const char *name, size_t len, size_t *ret_slot)
{
	for (size_t i = parser->count; i--;)
		if (strlen(parser->names[i]) == len && !strncmp(parser->names[i], name, len)) {
			*ret_slot = i;
			return 0;
		}
	return refuse(parser, "a variable that is not declared");
}

static int take_fields(struct parser *parser, struct template_operand *operand)
{
	struct template_field **last = &operand->fields;
	size_t len;

	while (*parser->at == '.') {
		len = name_len(++parser->at);
		if (!len)
			return refuse(parser, "a field without a name");
		*last = alloc(parser, sizeof(**last));
		if (!*last)
			return -1;
		(*last)->name = copy(parser, parser->at, len);
		if (!(*last)->name)
			return -1;
		parser->at += len;
		last = &(*last)->next;
	}
	return 0;
}

static int keep_constant(struct parser *parser, struct template_operand *operand, json_t *value)
{
	operand->kind = OPERAND_CONSTANT;
	operand->constant = value;
	/* The list takes the reference also when it fails. */
	if (!value || json_array_append_new(parser->template->constants, value))
		return template_no_memory(parser->err);
	return 0;
}

static int take_literal(struct parser *parser, struct template_operand *operand)
{
	const char *why = NULL;
	json_t *value = template_literal(&parser->at, &why);

	return value ? keep_constant(parser, operand, value) : refuse(parser, why);
}

static int refuse_function(struct parser *parser, size_t len)
{
	char why[80];

	snprintf(why, sizeof(why), "there is no function '%.*s'", len > 40 ? 40 : (int)len,
		 parser->at);
	return refuse(parser, why);
}

static int take_name(struct parser *parser, struct template_operand *operand)
{
	size_t len = name_len(parser->at);

	if (take_word(parser, "true"))
		return keep_constant(parser, operand, json_true());
	if (take_word(parser, "false"))
		return keep_constant(parser, operand, json_false());
	if (take_word(parser, "nil"))
		return keep_constant(parser, operand, json_null());
	operand->kind = OPERAND_FUNCTION;
	operand->function = template_function_find(parser->at, len);
	if (!operand->function)
		return refuse_function(parser, len);
	parser->at += len;
	return 0;
}

static int take_variable(struct parser *parser, struct template_operand *operand)
{
	size_t len = 1 + name_len(parser->at + 1);

	operand->kind = OPERAND_VARIABLE;
	if (variable_find(parser, parser->at, len, &operand->slot))
		return -1;
	parser->at += len;
	return take_fields(parser, operand);
}

static int take_pipe(struct parser *parser, struct template_pipe **ret_pipe);

static int take_brackets(struct parser *parser, struct template_operand *operand)
{
	operand->kind = OPERAND_PIPE;
	parser->at++;
	if (go_deeper(parser) || take_pipe(parser, &operand->pipe))
		return -1;
	parser->depth--;
	if (*parser->at != ')')
		return refuse(parser, "a bracket that is not closed");
	parser->at++;
	return take_fields(parser, operand);
}

static int take_value(struct parser *parser, struct template_operand *operand)
{
	switch (*parser->at) {
	case '.':
		operand->kind = OPERAND_DOT;
		if (name_len(parser->at + 1))
			return take_fields(parser, operand);
		parser->at++;
		return 0;
	case '$':
		return take_variable(parser, operand);
	case '(':
		return take_brackets(parser, operand);
	}
	if (name_len(parser->at))
		return take_name(parser, operand);
	return take_literal(parser, operand);
}

static bool is_end_of_value(const struct parser *parser)
{
	return isspace((unsigned char)*parser->at) || *parser->at == '|' || *parser->at == ')' ||
	       is_close(parser);
}

static bool is_end_of_command(const struct parser *parser)
{
	return *parser->at == '|' || *parser->at == ')' || is_close(parser);
}

/* A function gets as many arguments as it takes; what is no function gets none. */
static int check_command(struct parser *parser, const struct template_command *command,
			 bool is_piped)
{
	const struct template_function *function = command->operands->function;
	size_t count = command->count - 1 + is_piped;
	char why[80];

	if (!function)
		return count ? refuse(parser, "what is no function is given a value") : 0;
	if (count >= function->min && count <= function->max)
		return 0;
	snprintf(why, sizeof(why), "%s is given %zu values", function->name, count);
	return refuse(parser, why);
}

static int take_command(struct parser *parser, bool is_piped, struct template_command **ret_command)
{
	struct template_command *command = alloc(parser, sizeof(*command));
	struct template_operand **last;

	if (!command)
		return -1;
	last = &command->operands;
	for (skip_blanks(parser); !is_end_of_command(parser); skip_blanks(parser)) {
		*last = alloc(parser, sizeof(**last));
		if (!*last || take_value(parser, *last))
			return -1;
		if (!is_end_of_value(parser))
			return refuse(parser, *parser->at ? "a value that does not end"
							  : "it does not end");
		if (command->count++ > TEMPLATE_MAX_ARGUMENTS)
			return refuse(parser, "too many values");
		last = &(*last)->next;
	}
	if (!command->operands)
		return refuse(parser, "a value is missing");
	*ret_command = command;
	return check_command(parser, command, is_piped);
}

/* The length of "$name" when ":=" or "=" follows, or "," in a range. */
static size_t declared_len(const struct parser *parser, const char **ret_sign)
{
	size_t len = 1 + name_len(parser->at + 1);
	const char *sign = parser->at + len;

	while (isspace((unsigned char)*sign))
		sign++;
	*ret_sign = sign;
	return len;
}

struct declaration {
	const char *name;
	size_t len;
};

static int declare(struct parser *parser, const struct declaration *one, bool is_new,
		   size_t *ret_slot)
{
	const char *name;

	if (!is_new)
		return variable_find(parser, one->name, one->len, ret_slot);
	name = copy(parser, one->name, one->len);
	return name ? variable_add(parser, name, ret_slot) : -1;
}

/* "$x :=", "$x =" and, in a range, "$i, $x :=", whose variables are known behind the pipe only. */
static int take_declarations(struct parser *parser, bool is_range, struct declaration list[2],
			     bool *ret_new, size_t *ret_count)
{
	const char *before = parser->at;
	const char *sign;
	size_t count = 0;

	while (count < 2 && *parser->at == '$') {
		list[count].name = parser->at;
		list[count++].len = declared_len(parser, &sign);
		parser->at = sign;
		if (*sign != ',' || !is_range)
			break;
		parser->at++;
		skip_blanks(parser);
	}
	*ret_new = !strncmp(parser->at, ":=", 2);
	*ret_count = count;
	if (count && (*ret_new || (*parser->at == '=' && parser->at[1] != '='))) {
		parser->at += *ret_new ? 2 : 1;
		return 0;
	}
	if (count == 2)
		return refuse(parser, "two variables without ':='");
	parser->at = before;
	*ret_count = 0;
	return 0;
}

static int take_commands(struct parser *parser, struct template_pipe *pipe)
{
	struct template_command **last = &pipe->commands;

	for (;;) {
		if (take_command(parser, last != &pipe->commands, last))
			return -1;
		if (*parser->at != '|')
			return 0;
		parser->at++;
		last = &(*last)->next;
	}
}

static int take_pipe(struct parser *parser, struct template_pipe **ret_pipe)
{
	*ret_pipe = alloc(parser, sizeof(**ret_pipe));
	return *ret_pipe ? take_commands(parser, *ret_pipe) : -1;
}

static int take_declaring_pipe(struct parser *parser, bool is_range,
			       struct template_pipe **ret_pipe)
{
	struct declaration list[2];
	struct template_pipe *pipe;
	bool is_new;
	size_t count;

	skip_blanks(parser);
	if (take_declarations(parser, is_range, list, &is_new, &count) || take_pipe(parser, ret_pipe))
		return -1;
	pipe = *ret_pipe;
	pipe->has_variable = count > 0;
	pipe->has_key = count == 2;
	if (count == 2 && declare(parser, &list[0], is_new, &pipe->key_slot))
		return -1;
	return count ? declare(parser, &list[count - 1], is_new, &pipe->slot) : 0;
}

static struct template_node *node_add(struct parser *parser, struct template_node ***last,
				      enum template_node_kind kind)
{
	struct template_node *node = alloc(parser, sizeof(*node));

	if (!node)
		return NULL;
	node->kind = kind;
	**last = node;
	*last = &node->next;
	return node;
}

static int take_list(struct parser *parser, struct template_node **list, enum ending *ret_ending);
static int take_block(struct parser *parser, struct template_node *node);

static const struct {
	const char *word;
	enum template_node_kind kind;
} blocks[] = { { "if", NODE_IF }, { "with", NODE_WITH }, { "range", NODE_RANGE } };

/* What follows else: a list of its own up to end, or an if or with, which has the end. */
static int take_else(struct parser *parser, struct template_node *node)
{
	struct template_node **last = &node->otherwise;
	enum ending ending;

	skip_blanks(parser);
	for (size_t i = 0; i < 2; i++)
		if (take_word(parser, blocks[i].word)) {
			if (node->kind == NODE_RANGE)
				return refuse(parser, "a range has no such else");
			node = node_add(parser, &last, blocks[i].kind);
			return node ? take_block(parser, node) : -1;
		}
	if (take_close(parser) || take_list(parser, &node->otherwise, &ending))
		return -1;
	return ending == ENDING_END ? take_close(parser) : refuse(parser, "a second else");
}

/* Behind the word: the value, "}}", the body, and up to end. */
static int take_block(struct parser *parser, struct template_node *node)
{
	const char *action = parser->action;
	size_t variables = parser->count;
	enum ending ending;

	if (go_deeper(parser) || take_declaring_pipe(parser, node->kind == NODE_RANGE, &node->pipe) ||
	    take_close(parser))
		return -1;
	parser->loops += node->kind == NODE_RANGE;
	if (take_list(parser, &node->body, &ending))
		return -1;
	parser->loops -= node->kind == NODE_RANGE;
	if (ending == ENDING_TEXT) {
		parser->action = action;
		return refuse(parser, "there is no {{end}}");
	}
	if (ending == ENDING_ELSE ? take_else(parser, node) : take_close(parser))
		return -1;
	parser->depth--;
	parser->count = variables;
	return 0;
}

static int take_loop_word(struct parser *parser, struct template_node ***last,
			  enum template_node_kind kind)
{
	if (!parser->loops)
		return refuse(parser, "there is no range around it");
	return node_add(parser, last, kind) ? take_close(parser) : -1;
}

/* A comment is the whole of its action. */
static int take_comment(struct parser *parser)
{
	const char *close = strstr(parser->at + strlen(COMMENT_BEGIN), COMMENT_END);

	if (!close)
		return refuse(parser, "a comment that does not end");
	parser->at = close + strlen(COMMENT_END);
	return take_close(parser);
}

/* One action behind its "{{", unless it ends the list: then what follows the word is the caller's. */
static int take_action(struct parser *parser, struct template_node ***last, enum ending *ret_ending)
{
	struct template_node *node;

	skip_blanks(parser);
	if (!strncmp(parser->at, COMMENT_BEGIN, strlen(COMMENT_BEGIN)))
		return take_comment(parser);
	if (take_word(parser, "end"))
		*ret_ending = ENDING_END;
	else if (take_word(parser, "else"))
		*ret_ending = ENDING_ELSE;
	if (*ret_ending != ENDING_TEXT)
		return 0;
	for (size_t i = 0; i < sizeof(blocks) / sizeof(*blocks); i++)
		if (take_word(parser, blocks[i].word)) {
			node = node_add(parser, last, blocks[i].kind);
			return node ? take_block(parser, node) : -1;
		}
	if (take_word(parser, "break"))
		return take_loop_word(parser, last, NODE_BREAK);
	if (take_word(parser, "continue"))
		return take_loop_word(parser, last, NODE_CONTINUE);
	node = node_add(parser, last, NODE_PRINT);
	if (!node || take_declaring_pipe(parser, false, &node->pipe))
		return -1;
	return take_close(parser);
}

static int add_text(struct parser *parser, struct template_node ***last, const char *text,
		    const char *end)
{
	struct template_node *node;

	while (parser->trims && text < end && isspace((unsigned char)*text))
		text++;
	parser->trims = false;
	if (text == end)
		return 0;
	node = node_add(parser, last, NODE_TEXT);
	if (!node)
		return -1;
	node->text = copy(parser, text, end - text);
	node->len = end - text;
	return node->text ? 0 : -1;
}

static int take_list(struct parser *parser, struct template_node **list, enum ending *ret_ending)
{
	struct template_node **last = list;
	const char *text, *open, *end;

	*ret_ending = ENDING_TEXT;
	while (*ret_ending == ENDING_TEXT) {
		text = parser->at;
		open = strstr(text, OPEN);
		if (!open) {
			parser->at = text + strlen(text);
			return add_text(parser, &last, text, parser->at);
		}
		parser->action = open;
		parser->at = open + strlen(OPEN);
		end = open;
		if (*parser->at == '-' && isspace((unsigned char)parser->at[1])) {
			parser->at++;
			while (end > text && isspace((unsigned char)end[-1]))
				end--;
		}
		if (add_text(parser, &last, text, end) || take_action(parser, &last, ret_ending))
			return -1;
	}
	return 0;
}

int template_parse(const char *text, struct template **ret_template, struct shale_err *err)
{
	struct parser parser = { .err = err, .at = text, .action = text, .names = { "$" }, .count = 1 };
	enum ending ending;
	int ret;

	*ret_template = NULL;
	if (strlen(text) > TEMPLATE_MAX_BYTES)
		return shale_err_set(err, E2BIG, "longer than %d bytes", TEMPLATE_MAX_BYTES);
	parser.template = calloc(1, sizeof(*parser.template));
	if (!parser.template)
		return template_no_memory(err);
	parser.template->constants = json_array();
	ret = parser.template->constants ? take_list(&parser, &parser.template->nodes, &ending)
					 : template_no_memory(err);
	if (!ret && ending != ENDING_TEXT)
		ret = refuse(&parser, "there is nothing that it ends");
	if (ret)
		template_release(parser.template);
	else
		*ret_template = parser.template;
	return ret;
}
