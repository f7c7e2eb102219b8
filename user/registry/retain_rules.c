// SPDX-License-Identifier: GPL-2.0-only
/*
 * Retention rules; see retain_rules.h. Called by settings.c, which reads them, and by retain.c.
 */
#include "registry/retain_rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/conf.h"
#include "registry/policy.h"

static int check_keys(const json_t *tree, const char *const *known, const char *what,
		      struct shale_err *err)
{
	const char *name;
	json_t *value;
	size_t i;

	if (!json_is_object(tree))
		return shale_err_set(err, EINVAL, "%s is no mapping of keys", what);
	json_object_foreach((json_t *)tree, name, value) {
		for (i = 0; known[i] && strcmp(known[i], name); i++)
			;
		if (!known[i])
			return shale_err_set(err, EINVAL, "%s: there is no key '%.50s'", what, name);
	}
	return 0;
}

static bool is_pattern(const char *text, const char *letters)
{
	return text && *text && strlen(text) <= RETAIN_MAX_PATTERN && !strstr(text, "***") &&
	       text[strspn(text, letters)] == '\0';
}

static int read_patterns(const json_t *list, const char *letters, const char *what,
			 struct retain_patterns *patterns, struct shale_err *err)
{
	json_t *value;
	size_t i;

	if (!list)
		return 0;
	if (!json_is_array(list) || !json_array_size(list) ||
	    json_array_size(list) > RETAIN_MAX_PATTERNS)
		return shale_err_set(err, EINVAL, "%s: not a list of 1 to %d patterns", what,
				     RETAIN_MAX_PATTERNS);
	json_array_foreach((json_t *)list, i, value) {
		if (!is_pattern(json_string_value(value), letters))
			return shale_err_set(err, EINVAL, "%s[%zu] is not a pattern of names", what, i);
		patterns->list[patterns->count++] = json_string_value(value);
	}
	return 0;
}

#define SMALL "abcdefghijklmnopqrstuvwxyz0123456789._-*"

static int read_keep(const json_t *tree, const char *what, struct retain_rule *rule,
		     struct shale_err *err)
{
	static const char *const known[] = { "last", "tags", "younger", NULL };

	if (!tree)
		return 0;
	if (check_keys(tree, known, what, err) < 0)
		return -1;
	rule->has_keep = true;
	rule->has_younger = conf_get(tree, "younger");
	if (conf_number(tree, "last", 1, RETAIN_MAX_LAST, &rule->last, err) < 0 ||
	    conf_seconds(tree, "younger", &rule->younger, err) < 0 ||
	    read_patterns(conf_get(tree, "tags"), SMALL "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "tags",
			  &rule->tags, err) < 0)
		return shale_err_wrap(err, "%s", what);
	if (rule->last || rule->has_younger || rule->tags.count)
		return 0;
	return shale_err_set(err, EINVAL, "%s keeps nothing: last, tags or younger is needed", what);
}

static int read_rule(const json_t *tree, size_t i, struct retain_rule *rule, struct shale_err *err)
{
	static const char *const known[] = { "repositories", "keep", "untagged", NULL };
	char what[64];

	snprintf(what, sizeof(what), "shale.retention.rules[%zu]", i);
	if (check_keys(tree, known, what, err) < 0)
		return -1;
	if (!conf_get(tree, "repositories"))
		return shale_err_set(err, EINVAL, "%s names no repositories", what);
	rule->has_untagged = conf_get(tree, "untagged");
	if (read_patterns(conf_get(tree, "repositories"), SMALL "/", "repositories",
			  &rule->repositories, err) < 0 ||
	    conf_seconds(tree, "untagged", &rule->untagged, err) < 0 ||
	    read_keep(conf_get(tree, "keep"), "keep", rule, err) < 0)
		return shale_err_wrap(err, "%s", what);
	return 0;
}

int retain_rules_load(const json_t *tree, struct retain_rules *ret_rules, struct shale_err *err)
{
	struct retain_rules rules = { 0 };
	json_t *value;
	size_t i;

	*ret_rules = rules;
	if (!tree)
		return 0;
	if (!json_is_array(tree) || json_array_size(tree) > RETAIN_MAX_RULES)
		return shale_err_set(err, EINVAL, "shale.retention.rules: not a list of at most %d rules",
				     RETAIN_MAX_RULES);
	rules.count = json_array_size(tree);
	rules.list = calloc(rules.count + 1, sizeof(*rules.list));
	if (!rules.list)
		return shale_err_set(err, ENOMEM, "no memory for the retention rules");
	rules.tree = json_incref((json_t *)tree);
	json_array_foreach((json_t *)tree, i, value)
		if (read_rule(value, i, &rules.list[i], err) < 0) {
			retain_rules_release(&rules);
			return -1;
		}
	*ret_rules = rules;
	return 0;
}

void retain_rules_release(struct retain_rules *rules)
{
	json_decref(rules->tree);
	free(rules->list);
	*rules = (struct retain_rules){ 0 };
}

static bool patterns_have(const struct retain_patterns *patterns, const char *name)
{
	for (size_t i = 0; i < patterns->count; i++)
		if (policy_matches(patterns->list[i], NULL, name))
			return true;
	return false;
}

const struct retain_rule *retain_rules_find(const struct retain_rules *rules, const char *repo)
{
	for (size_t i = 0; i < rules->count; i++)
		if (patterns_have(&rules->list[i].repositories, repo))
			return &rules->list[i];
	return NULL;
}

/* Of two that were pushed in the same second the greater name is the newer one. */
static int compare_tags(const void *a, const void *b)
{
	const struct retain_tag *one = a;
	const struct retain_tag *other = b;

	if (one->mtime != other->mtime)
		return one->mtime < other->mtime ? 1 : -1;
	return strcmp(other->name, one->name);
}

/* A clock that was set back makes no tag old. */
static bool is_younger(const struct retain_rule *rule, int64_t now, int64_t mtime)
{
	return rule->has_younger && (mtime >= now || (uint64_t)(now - mtime) < rule->younger);
}

void retain_choose(const struct retain_rule *rule, int64_t now, struct retain_tag *tags,
		   size_t count)
{
	uint64_t counted = 0;

	if (count)
		qsort(tags, count, sizeof(*tags), compare_tags);
	for (size_t i = 0; i < count; i++) {
		struct retain_tag *tag = &tags[i];

		if (!rule->has_keep)
			tag->kept = "no tag is taken";
		else if (tag->is_bound)
			tag->kept = "what it is for is there";
		else if (counted++ < rule->last)
			tag->kept = "it is one of the last";
		else if (patterns_have(&rule->tags, tag->name))
			tag->kept = "its name";
		else
			tag->kept = is_younger(rule, now, tag->mtime) ? "its age" : NULL;
	}
}

bool retain_tag_subject(const char *tag, struct sum *ret_subject)
{
	char text[SUM_MAX_TEXT + 1];
	const char *dash = strchr(tag, '-');
	size_t hex = dash ? strspn(dash + 1, "0123456789abcdef") : 0;

	if (!hex || (dash[1 + hex] && dash[1 + hex] != '.'))
		return false;
	if ((size_t)snprintf(text, sizeof(text), "%.*s:%.*s", (int)(dash - tag), tag, (int)hex,
			     dash + 1) >= sizeof(text))
		return false;
	return sum_parse(text, ret_subject);
}
