// SPDX-License-Identifier: GPL-2.0-only
/*
 * Grants; see grant.h. Names are compared byte for byte and never resolved, so the grammar here has
 * only to keep out what no repository is called.
 */
#include "registry/grant.h"

#include <errno.h>
#include <string.h>

struct named_bit {
	const char *name;
	unsigned int bit;
};

static const struct named_bit actions[] = {
	{"pull", GRANT_PULL},
	{"push", GRANT_PUSH},
	{"delete", GRANT_DELETE},
	{"*", GRANT_ANY},
};

#define ACTIONS (sizeof(actions) / sizeof(*actions))

static const char *const types[] = {
	[GRANT_REPOSITORY] = "repository",
	[GRANT_REGISTRY] = "registry",
};

#define TYPES (sizeof(types) / sizeof(*types))

static bool is_word(const char *text, size_t len, const char *word)
{
	return strlen(word) == len && !memcmp(text, word, len);
}

unsigned int grant_action(const char *text, size_t len)
{
	for (size_t i = 0; i < ACTIONS; i++)
		if (is_word(text, len, actions[i].name))
			return actions[i].bit;
	return 0;
}

bool grant_covers(unsigned int held, unsigned int wanted)
{
	return held & GRANT_ANY || !(wanted & ~held);
}

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Between letters and digits only, at most one '.' or ':' at a time. */
static bool is_component(const char *text, size_t len)
{
	if (!len || !is_alnum(text[0]) || !is_alnum(text[len - 1]))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!is_alnum(text[i]) && !strchr("._-:", text[i]))
			return false;
		if (i && strchr(".:", text[i]) && !is_alnum(text[i - 1]))
			return false;
	}
	return true;
}

bool grant_is_name(const char *text, size_t len)
{
	size_t at = 0;

	if (len > GRANT_MAX_NAME || memchr(text, '\0', len))
		return false;
	for (;;) {
		const char *slash = memchr(text + at, '/', len - at);
		size_t piece = slash ? (size_t)(slash - text) - at : len - at;

		if (!is_component(text + at, piece))
			return false;
		/* A colon comes with a host, and a host comes first. */
		if (at && memchr(text + at, ':', piece))
			return false;
		if (!slash)
			return at || !memchr(text, ':', len);
		at += piece + 1;
	}
}

int grant_init(struct grant *grant, enum grant_type type, const char *name, unsigned int wanted)
{
	size_t len = strnlen(name, GRANT_MAX_NAME + 1);

	if (len > GRANT_MAX_NAME) {
		errno = ENAMETOOLONG;
		return -1;
	}
	grant->type = type;
	grant->actions = wanted;
	memcpy(grant->name, name, len + 1);
	return 0;
}

/* "repository", or "repository(plugin)" with a class, which makes no difference here. */
static int find_type(const char *text, size_t len)
{
	const char *class = memchr(text, '(', len);

	if (class && text[len - 1] == ')')
		len = class - text;
	for (size_t i = 0; i < TYPES; i++)
		if (is_word(text, len, types[i]))
			return i;
	return -1;
}

static unsigned int parse_actions(const char *text, size_t len)
{
	unsigned int found = 0;

	for (;;) {
		const char *comma = memchr(text, ',', len);
		size_t word = comma ? (size_t)(comma - text) : len;

		found |= grant_action(text, word);
		if (!comma)
			return found;
		text += word + 1;
		len -= word + 1;
	}
}

static int add_scope(const char *text, size_t len, struct grants *grants, struct shale_err *err)
{
	const char *first = memchr(text, ':', len);
	const char *last = memrchr(text, ':', len);
	struct grant *grant = &grants->list[grants->count];
	size_t name_len;
	int type;

	if (!first || first == last)
		return shale_err_set(err, EINVAL, "scope '%.*s' is not type:name:actions",
				     (int)(len < 100 ? len : 100), text);
	if (grants->count == GRANT_MAX)
		return shale_err_set(err, E2BIG, "more than %d scopes", GRANT_MAX);
	name_len = last - first - 1;
	type = find_type(text, first - text);
	if (type < 0 || !grant_is_name(first + 1, name_len))
		return 0;
	grant->type = type;
	grant->actions = parse_actions(last + 1, text + len - last - 1);
	memcpy(grant->name, first + 1, name_len);
	grant->name[name_len] = '\0';
	grants->count++;
	return 0;
}

int grant_parse_scopes(const char *text, size_t len, struct grants *grants, struct shale_err *err)
{
	while (len) {
		const char *blank = memchr(text, ' ', len);
		size_t word = blank ? (size_t)(blank - text) : len;

		if (word && add_scope(text, word, grants, err) < 0)
			return -1;
		word += blank ? 1 : 0;
		text += word;
		len -= word;
	}
	return 0;
}

int grant_add_scope(const struct grant *grant, struct buf *buf)
{
	const char *comma = "";

	if (buf_addf(buf, "%s:%s:", types[grant->type], grant->name) < 0)
		return -1;
	for (size_t i = 0; i < ACTIONS; i++) {
		if (!(grant->actions & actions[i].bit))
			continue;
		if (buf_addf(buf, "%s%s", comma, actions[i].name) < 0)
			return -1;
		comma = ",";
	}
	return 0;
}

json_t *grant_to_json(const struct grant *grant)
{
	json_t *list = json_array();

	for (size_t i = 0; i < ACTIONS; i++)
		if (grant->actions & actions[i].bit)
			json_array_append_new(list, json_string(actions[i].name));
	return json_pack("{s:s, s:s, s:o}", "type", types[grant->type], "name", grant->name,
			 "actions", list);
}

static bool is_same(const json_t *value, const char *text)
{
	return json_is_string(value) && json_string_length(value) == strlen(text) &&
	       !strcmp(json_string_value(value), text);
}

static unsigned int read_actions(const json_t *list)
{
	unsigned int found = 0;
	json_t *action;
	size_t i;

	json_array_foreach ((json_t *)list, i, action)
		if (json_is_string(action))
			found |=
				grant_action(json_string_value(action), json_string_length(action));
	return found;
}

unsigned int grant_held(const json_t *access, const struct grant *wanted)
{
	unsigned int held = 0;
	json_t *entry;
	size_t i;

	json_array_foreach ((json_t *)access, i, entry)
		if (is_same(json_object_get(entry, "type"), types[wanted->type]) &&
		    is_same(json_object_get(entry, "name"), wanted->name))
			held |= read_actions(json_object_get(entry, "actions"));
	return held;
}
