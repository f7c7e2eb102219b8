// SPDX-License-Identifier: GPL-2.0-only
/*
 * Carries a template out on a value; see template.h. Parsed once (template_parse.c), it is rendered for each
 * object of a list. Called by format.c and the verbs that inspect things.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shale/template_node.h"

/* What comes of a list of nodes. */
enum flow {
	FLOW_ERROR = -1,
	FLOW_ON,
	FLOW_BREAK,
	FLOW_CONTINUE,
};

static enum flow run_list(struct template_run *run, const struct template_node *node, json_t *dot);
static int eval_pipe(struct template_run *run, const struct template_pipe *pipe, json_t *dot,
		     json_t **ret_value);

static int take_step(struct template_run *run)
{
	if (++run->steps <= TEMPLATE_MAX_STEPS && run->out->len <= TEMPLATE_MAX_OUTPUT)
		return 0;
	return shale_err_set(run->err, E2BIG, "the template does not come to an end");
}

static int follow_fields(struct template_run *run, const struct template_field *field,
			 json_t **value)
{
	json_t *found;

	for (; field; field = field->next) {
		found = json_object_get(*value, field->name);
		if (!found)
			return shale_err_set(run->err, ENOENT, "there is no field '%.200s'",
					     field->name);
		json_incref(found);
		json_decref(*value);
		*value = found;
	}
	return 0;
}

/* A function that stands where a value should be has no arguments. */
static int call_bare(struct template_run *run, const struct template_function *function,
		     json_t **ret_value)
{
	if (function->min)
		return shale_err_set(run->err, EINVAL, "%s is given no value", function->name);
	return function->call(run, 0, NULL, ret_value);
}

static int eval_operand(struct template_run *run, const struct template_operand *operand,
			json_t *dot, json_t **ret_value)
{
	__cleanup_json json_t *value = NULL;

	if (take_step(run))
		return -1;
	switch (operand->kind) {
	case OPERAND_DOT:
		value = json_incref(dot);
		break;
	case OPERAND_VARIABLE:
		value = json_incref(run->slots[operand->slot]);
		break;
	case OPERAND_CONSTANT:
		value = json_incref(operand->constant);
		break;
	case OPERAND_FUNCTION:
		if (call_bare(run, operand->function, &value))
			return -1;
		break;
	case OPERAND_PIPE:
		if (eval_pipe(run, operand->pipe, dot, &value))
			return -1;
		break;
	}
	if (follow_fields(run, operand->fields, &value))
		return -1;
	*ret_value = value;
	value = NULL;
	return 0;
}

/* "and" and "or" give the first argument that decides, and do not look at those behind it. */
static int eval_logic(struct template_run *run, const struct template_command *command,
		      json_t *dot, json_t *piped, json_t **ret_value)
{
	bool stops_at = command->operands->function->name[0] == 'o';
	const struct template_operand *operand = command->operands->next;
	__cleanup_json json_t *value = NULL;

	for (; operand; operand = operand->next) {
		json_decref(value);
		value = NULL;
		if (eval_operand(run, operand, dot, &value))
			return -1;
		if (template_is_true(value) == stops_at)
			break;
	}
	if (!operand && piped) {
		json_decref(value);
		value = json_incref(piped);
	}
	*ret_value = value;
	value = NULL;
	return 0;
}

static int eval_function(struct template_run *run, const struct template_command *command,
			 json_t *dot, json_t *piped, json_t **ret_value)
{
	const struct template_function *function = command->operands->function;
	json_t *argv[TEMPLATE_MAX_ARGUMENTS + 2];
	size_t argc = 0;
	int ret = 0;

	if (!function->call)
		return eval_logic(run, command, dot, piped, ret_value);
	for (const struct template_operand *at = command->operands->next; !ret && at; at = at->next) {
		ret = eval_operand(run, at, dot, &argv[argc]);
		argc += !ret;
	}
	if (!ret && piped)
		argv[argc++] = json_incref(piped);
	if (!ret && run->has_headings && function->keeps_headings)
		*ret_value = json_incref(argv[0]);
	else if (!ret)
		ret = function->call(run, argc, argv, ret_value);
	while (argc)
		json_decref(argv[--argc]);
	return ret;
}

static int eval_command(struct template_run *run, const struct template_command *command,
			json_t *dot, json_t *piped, json_t **ret_value)
{
	if (command->operands->function)
		return eval_function(run, command, dot, piped, ret_value);
	return eval_operand(run, command->operands, dot, ret_value);
}

static void slot_set(struct template_run *run, size_t slot, json_t *value)
{
	json_t *before = run->slots[slot];

	run->slots[slot] = json_incref(value);
	json_decref(before);
}

/* What a declared variable is to be is the caller's to say in a range. */
static int eval_pipe(struct template_run *run, const struct template_pipe *pipe, json_t *dot,
		     json_t **ret_value)
{
	__cleanup_json json_t *value = NULL;
	json_t *piped;

	for (const struct template_command *at = pipe->commands; at; at = at->next) {
		__cleanup_json json_t *before = value;

		piped = before;
		value = NULL;
		if (eval_command(run, at, dot, piped, &value))
			return -1;
	}
	*ret_value = value;
	value = NULL;
	return 0;
}

static int run_print(struct template_run *run, const struct template_pipe *pipe, json_t *dot)
{
	__cleanup_json json_t *value = NULL;

	if (eval_pipe(run, pipe, dot, &value))
		return -1;
	if (pipe->has_variable) {
		slot_set(run, pipe->slot, value);
		return 0;
	}
	return template_print(value, run->out) ? template_no_memory(run->err) : 0;
}

static enum flow run_condition(struct template_run *run, const struct template_node *node,
			       json_t *dot)
{
	__cleanup_json json_t *value = NULL;

	if (eval_pipe(run, node->pipe, dot, &value))
		return FLOW_ERROR;
	if (node->pipe->has_variable)
		slot_set(run, node->pipe->slot, value);
	if (!template_is_true(value))
		return run_list(run, node->otherwise, dot);
	return run_list(run, node->body, node->kind == NODE_WITH ? value : dot);
}

static enum flow run_turn(struct template_run *run, const struct template_node *node,
			  json_t *key, json_t *element)
{
	if (!key)
		return template_no_memory(run->err), FLOW_ERROR;
	if (node->pipe->has_key)
		slot_set(run, node->pipe->key_slot, key);
	if (node->pipe->has_variable)
		slot_set(run, node->pipe->slot, element);
	json_decref(key);
	return run_list(run, node->body, element);
}

static enum flow range_list(struct template_run *run, const struct template_node *node,
			    json_t *list)
{
	enum flow flow = FLOW_ON;

	for (size_t i = 0; flow != FLOW_ERROR && flow != FLOW_BREAK && i < json_array_size(list); i++)
		flow = run_turn(run, node, json_integer(i), json_array_get(list, i));
	return flow == FLOW_ERROR ? flow : FLOW_ON;
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char **template_sorted_keys(const json_t *map)
{
	const char **keys = calloc(json_object_size(map) + 1, sizeof(*keys));
	size_t count = 0;
	const char *key;
	json_t *value;

	if (!keys)
		return NULL;
	json_object_foreach ((json_t *)map, key, value)
		keys[count++] = key;
	qsort(keys, count, sizeof(*keys), compare_keys);
	return keys;
}

static enum flow range_map(struct template_run *run, const struct template_node *node, json_t *map)
{
	const char **keys = template_sorted_keys(map);
	enum flow flow = FLOW_ON;

	if (!keys)
		return template_no_memory(run->err), FLOW_ERROR;
	for (size_t i = 0; flow != FLOW_ERROR && flow != FLOW_BREAK && keys[i]; i++)
		flow = run_turn(run, node, json_string(keys[i]), json_object_get(map, keys[i]));
	free(keys);
	return flow == FLOW_ERROR ? flow : FLOW_ON;
}

static enum flow run_range(struct template_run *run, const struct template_node *node, json_t *dot)
{
	__cleanup_json json_t *value = NULL;

	if (eval_pipe(run, node->pipe, dot, &value))
		return FLOW_ERROR;
	if (!template_is_true(value))
		return run_list(run, node->otherwise, dot);
	if (json_is_array(value))
		return range_list(run, node, value);
	if (json_is_object(value))
		return range_map(run, node, value);
	shale_err_set(run->err, EINVAL, "range over what is neither list nor map");
	return FLOW_ERROR;
}

static enum flow run_node(struct template_run *run, const struct template_node *node, json_t *dot)
{
	switch (node->kind) {
	case NODE_TEXT:
		if (buf_add(run->out, node->text, node->len))
			return template_no_memory(run->err), FLOW_ERROR;
		return FLOW_ON;
	case NODE_PRINT:
		return run_print(run, node->pipe, dot) ? FLOW_ERROR : FLOW_ON;
	case NODE_IF:
	case NODE_WITH:
		return run_condition(run, node, dot);
	case NODE_RANGE:
		return run_range(run, node, dot);
	case NODE_BREAK:
		return FLOW_BREAK;
	case NODE_CONTINUE:
		return FLOW_CONTINUE;
	}
	return FLOW_ERROR;
}

static enum flow run_list(struct template_run *run, const struct template_node *node, json_t *dot)
{
	enum flow flow = FLOW_ON;

	for (; flow == FLOW_ON && node; node = node->next)
		flow = take_step(run) ? FLOW_ERROR : run_node(run, node, dot);
	return flow;
}

static int render(struct template_run *run, const struct template *template, const json_t *value)
{
	json_t *dot = json_incref((json_t *)value);
	enum flow flow;

	for (size_t i = 0; i < TEMPLATE_MAX_VARIABLES; i++)
		run->slots[i] = json_null();
	slot_set(run, 0, dot);
	flow = run_list(run, template->nodes, dot);
	for (size_t i = 0; i < TEMPLATE_MAX_VARIABLES; i++)
		json_decref(run->slots[i]);
	json_decref(dot);
	return flow == FLOW_ERROR ? -1 : 0;
}

int template_render(const struct template *template, const json_t *value, struct buf *out,
		    struct shale_err *err)
{
	struct template_run run = { .out = out, .err = err };

	return render(&run, template, value);
}

int template_render_row(const struct template *template, const json_t *row, struct buf *out,
			struct shale_err *err)
{
	struct template_run run = { .out = out, .err = err, .has_row = true };

	return render(&run, template, row);
}

int template_render_headings(const struct template *template, const json_t *headings,
			     struct buf *out, struct shale_err *err)
{
	struct template_run run = { .out = out, .err = err, .has_headings = true };

	return render(&run, template, headings);
}
