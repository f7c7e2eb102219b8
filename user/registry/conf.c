// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading a configuration; see conf.h. YAML is turned into JSON, which everything behind it reads; what
 * YAML has beyond that (anchors, tags, several documents, keys that are no text) is refused. Called when
 * a program starts.
 */
#include "registry/conf.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "store/json.h"

#define ENVIRONMENT_PREFIX "REGISTRY_"
#define MAX_PATH	   512

struct reading {
	yaml_parser_t parser;
	unsigned int nodes;
	struct shale_err *err;
};

static int fail_at(struct reading *reading, const yaml_event_t *event, const char *why)
{
	return shale_err_set(reading->err, EINVAL, "line %zu: %s",
			     event ? event->start_mark.line + 1 : reading->parser.problem_mark.line + 1,
			     why);
}

static int next_event(struct reading *reading, yaml_event_t *event)
{
	if (yaml_parser_parse(&reading->parser, event))
		return 0;
	return fail_at(reading, NULL, reading->parser.problem ? reading->parser.problem : "not YAML");
}

/* Plain words of YAML's core schema; a quoted one is always text. */
static json_t *scalar_to_json(const char *text, bool is_plain)
{
	long long number;
	char *end;

	if (!is_plain)
		return json_string(text);
	if (!*text || !strcmp(text, "~") || !strcasecmp(text, "null"))
		return json_null();
	if (!strcasecmp(text, "true") || !strcasecmp(text, "false"))
		return json_boolean(!strcasecmp(text, "true"));
	errno = 0;
	number = strtoll(text, &end, 10);
	if (!errno && !*end && (isdigit((unsigned char)*text) || (*text == '-' && text[1])))
		return json_integer(number);
	return json_string(text);
}

static int read_value(struct reading *reading, const yaml_event_t *event, unsigned int depth,
		      json_t **ret_json);

static int read_pair(struct reading *reading, json_t *object, const yaml_event_t *key,
		     unsigned int depth)
{
	const char *name = (const char *)key->data.scalar.value;
	__attribute__((cleanup(yaml_event_delete))) yaml_event_t event = { 0 };
	json_t *value = NULL;

	if (key->type != YAML_SCALAR_EVENT)
		return fail_at(reading, key, "a key is not a text");
	if (json_object_get(object, name))
		return fail_at(reading, key, "a key is there twice");
	if (next_event(reading, &event) < 0 || read_value(reading, &event, depth, &value) < 0)
		return -1;
	if (json_object_set_new(object, name, value) < 0)
		return fail_at(reading, key, "a key is not UTF-8");
	return 0;
}

static int read_mapping(struct reading *reading, unsigned int depth, json_t *object)
{
	for (;;) {
		__attribute__((cleanup(yaml_event_delete))) yaml_event_t event = { 0 };

		if (next_event(reading, &event) < 0)
			return -1;
		if (event.type == YAML_MAPPING_END_EVENT)
			return 0;
		if (read_pair(reading, object, &event, depth) < 0)
			return -1;
	}
}

static int read_sequence(struct reading *reading, unsigned int depth, json_t *array)
{
	for (;;) {
		__attribute__((cleanup(yaml_event_delete))) yaml_event_t event = { 0 };
		json_t *value = NULL;

		if (next_event(reading, &event) < 0)
			return -1;
		if (event.type == YAML_SEQUENCE_END_EVENT)
			return 0;
		if (read_value(reading, &event, depth, &value) < 0)
			return -1;
		json_array_append_new(array, value);
	}
}

static int read_value(struct reading *reading, const yaml_event_t *event, unsigned int depth,
		      json_t **ret_json)
{
	json_t *json;
	int ret = 0;

	if (depth > CONF_MAX_DEPTH || ++reading->nodes > CONF_MAX_NODES)
		return fail_at(reading, event, "too large or too deep");
	if (event->type == YAML_SCALAR_EVENT)
		json = scalar_to_json((const char *)event->data.scalar.value,
				      event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE);
	else if (event->type == YAML_MAPPING_START_EVENT)
		json = json_object();
	else if (event->type == YAML_SEQUENCE_START_EVENT)
		json = json_array();
	else
		return fail_at(reading, event, "anchors and aliases are not taken");
	if (!json)
		return fail_at(reading, event, "a text is not UTF-8");
	if (event->type == YAML_MAPPING_START_EVENT)
		ret = read_mapping(reading, depth + 1, json);
	else if (event->type == YAML_SEQUENCE_START_EVENT)
		ret = read_sequence(reading, depth + 1, json);
	if (ret < 0)
		json_decref(json);
	else
		*ret_json = json;
	return ret;
}

/* The events around the one document; an empty file is an empty configuration. */
static int read_document(struct reading *reading, json_t **ret_json)
{
	json_t *json = NULL;
	int ret = 0;

	for (bool is_ended = false; !is_ended && ret == 0;) {
		__attribute__((cleanup(yaml_event_delete))) yaml_event_t event = { 0 };

		if (next_event(reading, &event) < 0)
			ret = -1;
		else if (event.type == YAML_STREAM_END_EVENT)
			is_ended = true;
		else if (event.type == YAML_DOCUMENT_START_EVENT && json)
			ret = fail_at(reading, &event, "more than one document");
		else if (event.type == YAML_SCALAR_EVENT || event.type == YAML_MAPPING_START_EVENT ||
			 event.type == YAML_SEQUENCE_START_EVENT || event.type == YAML_ALIAS_EVENT)
			ret = read_value(reading, &event, 0, &json);
	}
	if (ret == 0 && (!json || json_is_null(json))) {
		json_decref(json);
		json = json_object();
	}
	if (ret == 0 && !json_is_object(json))
		ret = shale_err_set(reading->err, EINVAL, "it is no mapping of keys");
	if (ret < 0)
		json_decref(json);
	else
		*ret_json = json;
	return ret;
}

int conf_parse(const char *text, size_t len, json_t **ret_json, struct shale_err *err)
{
	struct reading reading = { .err = err };
	int ret;

	if (!yaml_parser_initialize(&reading.parser))
		return shale_err_set(err, ENOMEM, "no memory for the configuration");
	yaml_parser_set_input_string(&reading.parser, (const unsigned char *)text, len);
	ret = read_document(&reading, ret_json);
	yaml_parser_delete(&reading.parser);
	return ret;
}

/* How far a path agrees with a key: all of it, as its beginning, or not. */
enum agreement { AGREE_NOT, AGREE_BEGINNING, AGREE_WHOLE };

static enum agreement path_agrees(const char *path, const char *key)
{
	size_t len, key_len;

	for (;; path += len + 1, key += key_len + 1) {
		len = strcspn(path, ".");
		key_len = strcspn(key, ".");
		if (strncmp(key, "*", key_len) && (len != key_len || strncmp(path, key, len)))
			return AGREE_NOT;
		if (!path[len])
			return key[key_len] ? AGREE_BEGINNING : AGREE_WHOLE;
		if (!key[key_len])
			return AGREE_NOT;
	}
}

static const struct conf_key *key_find(const char *path, bool *ret_is_beginning)
{
	*ret_is_beginning = false;
	for (const struct conf_key *key = conf_keys; key->path; key++) {
		enum agreement agreement = path_agrees(path, key->path);

		if (agreement == AGREE_WHOLE && !*ret_is_beginning)
			return key;
		if (agreement == AGREE_BEGINNING)
			*ret_is_beginning = true;
	}
	return NULL;
}

static int check_below(const json_t *object, const char *above, void (*ignored)(const char *key),
		       struct shale_err *err);

static int check_key(const json_t *value, const char *path, void (*ignored)(const char *key),
		     struct shale_err *err)
{
	bool is_beginning;
	const struct conf_key *key = key_find(path, &is_beginning);

	if (is_beginning && (json_is_object(value) || json_is_null(value)))
		return check_below(value, path, ignored, err);
	if (is_beginning)
		return shale_err_set(err, EINVAL, "'%s' is no mapping of keys", path);
	if (!key)
		return shale_err_set(err, EINVAL, "there is no key '%s'", path);
	if (key->use == CONF_REFUSED && !json_is_null(value))
		return shale_err_set(err, ENOTSUP, "'%s' is not supported", path);
	if (key->use == CONF_IGNORED && ignored)
		ignored(path);
	return 0;
}

static int check_below(const json_t *object, const char *above, void (*ignored)(const char *key),
		       struct shale_err *err)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)object, name, value) {
		char path[MAX_PATH];

		if ((size_t)snprintf(path, sizeof(path), "%s%s%s", above, *above ? "." : "", name) >=
		    sizeof(path))
			return shale_err_set(err, EINVAL, "there is no key '%.100s...'", path);
		if (check_key(value, path, ignored, err) < 0)
			return -1;
	}
	return 0;
}

int conf_check(const json_t *json, void (*ignored)(const char *key), struct shale_err *err)
{
	return check_below(json, "", ignored, err);
}

/* Sets what is at a path of lower-case words; what is in the way is replaced. */
static int set_path(json_t *json, char *path, json_t *value)
{
	char *dot;

	while ((dot = strchr(path, '.'))) {
		json_t *below;

		*dot = '\0';
		below = json_object_get(json, path);
		if (!json_is_object(below)) {
			below = json_object();
			if (json_object_set_new(json, path, below) < 0) {
				json_decref(value);
				return -1;
			}
		}
		json = below;
		path = dot + 1;
	}
	return json_object_set_new(json, path, value);
}

static int apply_one(json_t *json, const char *name, const char *text, struct shale_err *err)
{
	char path[MAX_PATH];
	json_t *value;

	if ((size_t)snprintf(path, sizeof(path), "%s", name) >= sizeof(path))
		return shale_err_set(err, EINVAL, "the variable REGISTRY_%.50s... is too long", name);
	for (char *at = path; *at; at++)
		*at = *at == '_' ? '.' : tolower((unsigned char)*at);
	value = scalar_to_json(text, true);
	if (!value || set_path(json, path, value) < 0)
		return shale_err_set(err, EINVAL, "the variable REGISTRY_%s is not UTF-8", name);
	return 0;
}

int conf_apply_environment(json_t *json, char **environment, struct shale_err *err)
{
	const size_t prefix = strlen(ENVIRONMENT_PREFIX);

	for (; environment && *environment; environment++) {
		const char *equal = strchr(*environment, '=');
		__cleanup_free char *name = NULL;

		if (strncmp(*environment, ENVIRONMENT_PREFIX, prefix) || !equal)
			continue;
		name = strndup(*environment + prefix, equal - *environment - prefix);
		if (!name || apply_one(json, name, equal + 1, err) < 0)
			return -1;
	}
	return 0;
}

int conf_load(const char *path, char **environment, json_t **ret_json,
	      void (*ignored)(const char *key), struct shale_err *err)
{
	__cleanup_buf struct buf text = BUF_INIT;
	__cleanup_json json_t *json = NULL;

	if (fs_read_file(AT_FDCWD, path, CONF_MAX_BYTES, &text, err) < 0)
		return -1;
	if (conf_parse(buf_str(&text), text.len, &json, err) < 0 ||
	    conf_apply_environment(json, environment, err) < 0 ||
	    conf_check(json, ignored, err) < 0)
		return shale_err_wrap(err, "%s", path);
	*ret_json = steal_ptr(json);
	return 0;
}

const json_t *conf_get(const json_t *json, const char *path)
{
	char word[MAX_PATH];
	size_t len;

	for (; json; path += len + 1) {
		len = strcspn(path, ".");
		snprintf(word, sizeof(word), "%.*s", (int)len, path);
		json = json_object_get(json, word);
		if (!path[len])
			break;
	}
	return json_is_null(json) ? NULL : json;
}

static int wrong(const char *path, const char *what, struct shale_err *err)
{
	return shale_err_set(err, EINVAL, "'%s' is not %s", path, what);
}

int conf_text(const json_t *json, const char *path, const char **value, struct shale_err *err)
{
	const json_t *node = conf_get(json, path);

	if (!node)
		return 0;
	if (!json_is_string(node))
		return wrong(path, "a text", err);
	*value = json_string_value(node);
	return 0;
}

int conf_bool(const json_t *json, const char *path, bool *value, struct shale_err *err)
{
	const json_t *node = conf_get(json, path);

	if (!node)
		return 0;
	if (!json_is_boolean(node))
		return wrong(path, "true or false", err);
	*value = json_is_true(node);
	return 0;
}

int conf_number(const json_t *json, const char *path, uint64_t min, uint64_t max,
		uint64_t *value, struct shale_err *err)
{
	const json_t *node = conf_get(json, path);

	if (!node)
		return 0;
	if (!json_is_integer(node) || json_integer_value(node) < 0 ||
	    (uint64_t)json_integer_value(node) < min || (uint64_t)json_integer_value(node) > max)
		return shale_err_set(err, EINVAL, "'%s' is not a number from %llu to %llu", path,
				     (unsigned long long)min, (unsigned long long)max);
	*value = json_integer_value(node);
	return 0;
}

/* Go's durations. */
bool conf_parse_seconds(const char *text, uint64_t *ret_seconds)
{
	static const struct {
		const char *name;
		double seconds;
	} units[] = {
		{ "ns", 1e-9 }, { "us", 1e-6 }, { "ms", 1e-3 }, { "s", 1 }, { "m", 60 }, { "h", 3600 },
	};
	double total = 0;

	if (!isdigit((unsigned char)*text))
		return false;
	while (*text) {
		char *end;
		double value = strtod(text, &end);
		size_t len = strspn(end, "abcdefghijklmnopqrstuvwxyz");
		size_t i = 0;

		if (end == text || !isdigit((unsigned char)*text))
			return false;
		while (i < sizeof(units) / sizeof(*units) &&
		       (strlen(units[i].name) != len || strncmp(units[i].name, end, len)))
			i++;
		if (i == sizeof(units) / sizeof(*units))
			return false;
		total += value * units[i].seconds;
		text = end + len;
	}
	if (!(total < 1e12))
		return false;
	*ret_seconds = (uint64_t)total + (total > (double)(uint64_t)total);
	return true;
}

int conf_seconds(const json_t *json, const char *path, uint64_t *value, struct shale_err *err)
{
	const json_t *node = conf_get(json, path);

	if (!node)
		return 0;
	if (json_is_integer(node))
		return conf_number(json, path, 0, 1000000000000, value, err);
	if (!json_is_string(node) || !conf_parse_seconds(json_string_value(node), value))
		return wrong(path, "a duration like 1h30m", err);
	return 0;
}
