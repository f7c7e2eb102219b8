// SPDX-License-Identifier: GPL-2.0-only
/*
 * Policies; see policy.h. Read once, with each rule's users and groups resolved into one sorted
 * list, then asked by any thread. Called by access.c and issuer.c.
 */
#include "registry/policy.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "registry/grant.h"
#include "store/json.h"

#define USER_WORD "{user}"

struct names {
	char **list;
	size_t count;
	size_t cap;
};

struct rule {
	struct names patterns;
	struct names users; /* sorted */
	bool everyone;	    /* who has logged in */
	bool anonymous;	    /* who has not, too */
	bool catalog;
	unsigned int actions;
};

struct policy {
	struct rule *rules;
	size_t count;
};

static void names_release(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->list[i]);
	free(names->list);
}

void policy_free(struct policy *policy)
{
	if (!policy)
		return;
	for (size_t i = 0; i < policy->count; i++) {
		names_release(&policy->rules[i].patterns);
		names_release(&policy->rules[i].users);
	}
	free(policy->rules);
	free(policy);
}

void policy_freep(struct policy **policy)
{
	policy_free(*policy);
}

static int names_add(struct names *names, const char *text, const char *what, struct shale_err *err)
{
	char **list = names->list;

	if (names->count == POLICY_MAX_NAMES)
		return shale_err_set(err, E2BIG, "%s: more than %d names", what, POLICY_MAX_NAMES);
	if (names->count == names->cap) {
		names->cap = names->cap ? 2 * names->cap : 8;
		list = reallocarray(names->list, names->cap, sizeof(*list));
		if (!list)
			return shale_err_set(err, ENOMEM, "%s", what);
		names->list = list;
	}
	list[names->count] = strdup(text);
	if (!list[names->count])
		return shale_err_set(err, ENOMEM, "%s", what);
	names->count++;
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool names_have(const struct names *names, const char *text)
{
	return names->count &&
	       bsearch(&text, names->list, names->count, sizeof(*names->list), compare_names);
}

/* One text of a list, or the list's place in the configuration in the message. */
static int get_entry(const json_t *entry, const char *what, size_t i, const char **ret_text,
		     struct shale_err *err)
{
	const char *text = json_string_value(entry);

	if (!text || !text[0] || strlen(text) > POLICY_MAX_TEXT)
		return shale_err_set(err, EINVAL, "%s[%zu]: not a text of 1 to %d letters", what, i,
				     POLICY_MAX_TEXT);
	*ret_text = text;
	return 0;
}

/* What stands before the first '*' or '{' of each piece is matched letter by letter. */
static int check_pattern(const char *pattern, const char *what, size_t i, struct shale_err *err)
{
	for (const char *at = pattern; *at; at++) {
		if (!strncmp(at, USER_WORD, strlen(USER_WORD)))
			at += strlen(USER_WORD) - 1;
		else if (!strncmp(at, "***", 3) ||
			 !strchr("abcdefghijklmnopqrstuvwxyz0123456789._-/*", *at))
			return shale_err_set(err, EINVAL, "%s[%zu]: '%s' is not a pattern of names",
					     what, i, pattern);
	}
	return 0;
}

static int load_patterns(const json_t *list, const char *what, struct rule *rule,
			 struct shale_err *err)
{
	const char *text;
	json_t *entry;
	size_t i;

	json_array_foreach ((json_t *)list, i, entry)
		if (get_entry(entry, what, i, &text, err) < 0 ||
		    check_pattern(text, what, i, err) < 0 ||
		    names_add(&rule->patterns, text, what, err) < 0)
			return -1;
	return 0;
}

static int load_users(const json_t *list, const char *what, struct rule *rule,
		      struct shale_err *err)
{
	const char *text;
	json_t *entry;
	size_t i;

	json_array_foreach ((json_t *)list, i, entry) {
		if (get_entry(entry, what, i, &text, err) < 0)
			return -1;
		if (!strcmp(text, "*"))
			rule->everyone = true;
		else if (names_add(&rule->users, text, what, err) < 0)
			return -1;
	}
	return 0;
}

static int load_groups(const json_t *list, const json_t *groups, const char *what,
		       struct rule *rule, struct shale_err *err)
{
	const char *text;
	json_t *entry;
	size_t i;

	json_array_foreach ((json_t *)list, i, entry) {
		const json_t *members;

		if (get_entry(entry, what, i, &text, err) < 0)
			return -1;
		members = json_object_get(groups, text);
		if (!members)
			return shale_err_set(err, EINVAL, "%s[%zu]: there is no group '%s'", what,
					     i, text);
		if (load_users(members, text, rule, err) < 0)
			return -1;
	}
	return 0;
}

static int load_actions(const json_t *list, const char *what, struct rule *rule,
			struct shale_err *err)
{
	const char *text;
	json_t *entry;
	size_t i;

	json_array_foreach ((json_t *)list, i, entry) {
		unsigned int bit;

		if (get_entry(entry, what, i, &text, err) < 0)
			return -1;
		bit = grant_action(text, strlen(text));
		if (!bit)
			return shale_err_set(err, EINVAL,
					     "%s[%zu]: '%s' is not pull, push, delete or *", what,
					     i, text);
		rule->actions |= bit;
	}
	return 0;
}

static int get_flag(const json_t *object, const char *field, const char *what, bool *ret_flag,
		    struct shale_err *err)
{
	const json_t *value = json_object_get(object, field);

	if (value && !json_is_boolean(value))
		return shale_err_set(err, EINVAL, "%s.%s: neither true nor false", what, field);
	*ret_flag = json_is_true(value);
	return 0;
}

static int check_keys(const json_t *object, const char *const *known, const char *what,
		      struct shale_err *err)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)object, key, value) {
		const char *const *at = known;

		while (*at && strcmp(*at, key))
			at++;
		if (!*at)
			return shale_err_set(err, EINVAL, "%s: unknown key '%.100s'", what, key);
	}
	return 0;
}

/* What makes a rule that can never grant anything is a mistake of whoever wrote it. */
static int check_rule(const struct rule *rule, const char *what, struct shale_err *err)
{
	if (!rule->patterns.count && !rule->catalog)
		return shale_err_set(err, EINVAL, "%s: neither repositories nor catalog", what);
	if (!rule->users.count && !rule->everyone && !rule->anonymous)
		return shale_err_set(err, EINVAL, "%s: neither users, groups nor anonymous", what);
	if (rule->patterns.count && !rule->actions)
		return shale_err_set(err, EINVAL, "%s: no actions", what);
	return 0;
}

static int load_rule(const json_t *tree, const json_t *groups, const char *what, struct rule *rule,
		     struct shale_err *err)
{
	static const char *const known[] = {"repositories", "users",   "groups", "anonymous",
					    "actions",	    "catalog", NULL};
	json_t *patterns, *users, *in_groups, *actions;

	if (!json_is_object(tree))
		return shale_err_set(err, EINVAL, "%s: not a mapping", what);
	if (check_keys(tree, known, what, err) < 0 ||
	    json_get_array(tree, "repositories", POLICY_MAX_PATTERNS, true, what, &patterns, err) <
		    0 ||
	    json_get_array(tree, "users", POLICY_MAX_NAMES, true, what, &users, err) < 0 ||
	    json_get_array(tree, "groups", POLICY_MAX_NAMES, true, what, &in_groups, err) < 0 ||
	    json_get_array(tree, "actions", 8, true, what, &actions, err) < 0 ||
	    get_flag(tree, "anonymous", what, &rule->anonymous, err) < 0 ||
	    get_flag(tree, "catalog", what, &rule->catalog, err) < 0)
		return -1;
	if (load_patterns(patterns, "repositories", rule, err) < 0 ||
	    load_users(users, "users", rule, err) < 0 ||
	    load_groups(in_groups, groups, "groups", rule, err) < 0 ||
	    load_actions(actions, "actions", rule, err) < 0)
		return shale_err_wrap(err, "%s", what);
	if (rule->users.count)
		qsort(rule->users.list, rule->users.count, sizeof(char *), compare_names);
	return check_rule(rule, what, err);
}

static int check_groups(const json_t *groups, struct shale_err *err)
{
	const char *name;
	json_t *members;

	json_object_foreach ((json_t *)groups, name, members)
		if (!json_is_array(members) || json_array_size(members) > POLICY_MAX_NAMES)
			return shale_err_set(err, EINVAL,
					     "policy.groups.%.100s: not a list of users", name);
	return 0;
}

int policy_load(const json_t *tree, struct policy **ret_policy, struct shale_err *err)
{
	static const char *const known[] = {"groups", "rules", NULL};
	__cleanup(policy_freep) struct policy *policy = calloc(1, sizeof(*policy));
	json_t *groups, *rules, *entry;
	char what[64];
	size_t i;

	if (!json_is_object(tree))
		return shale_err_set(err, EINVAL, "policy: not a mapping");
	if (check_keys(tree, known, "policy", err) < 0 ||
	    json_get_object(tree, "groups", true, "policy", &groups, err) < 0 ||
	    check_groups(groups, err) < 0 ||
	    json_get_array(tree, "rules", POLICY_MAX_RULES, false, "policy", &rules, err) < 0)
		return -1;
	if (policy)
		policy->rules = calloc(json_array_size(rules) + 1, sizeof(*policy->rules));
	if (!policy || !policy->rules)
		return shale_err_set(err, ENOMEM, "policy");
	json_array_foreach (rules, i, entry) {
		snprintf(what, sizeof(what), "policy.rules[%zu]", i);
		policy->count++;
		if (load_rule(entry, groups, what, &policy->rules[i], err) < 0)
			return -1;
	}
	*ret_policy = steal_ptr(policy);
	return 0;
}

/*
 * The places in the name where the pattern so far can end; those that can are between low and high.
 * One pass over the pattern, so that no pattern is slow on any name.
 */
struct reach {
	bool at[GRANT_MAX_NAME + 1];
	size_t low;
	size_t high;
};

static void reach_star(struct reach *reach, const char *name, size_t len, bool over_slash)
{
	bool can = false;

	for (size_t i = reach->low; i <= len; i++) {
		can = can || (i <= reach->high && reach->at[i]);
		if (i > reach->high && !can)
			break;
		reach->at[i] = can;
		if (can && i > reach->high)
			reach->high = i;
		if (!over_slash && name[i] == '/')
			can = false;
	}
}

static bool reach_text(struct reach *reach, const char *name, size_t len, const char *text,
		       size_t text_len)
{
	size_t low = len + 1, high = 0;
	size_t top = reach->high;

	for (size_t i = top + 1; i-- > reach->low;) {
		if (!reach->at[i])
			continue;
		reach->at[i] = false;
		if (len - i < text_len || memcmp(name + i, text, text_len))
			continue;
		reach->at[i + text_len] = true;
		low = i + text_len;
		high = high ? high : low;
	}
	reach->low = low;
	reach->high = high;
	return low <= len;
}

bool policy_matches(const char *pattern, const char *user, const char *name)
{
	struct reach reach = {.at = {true}};
	const size_t len = strlen(name);

	if (len > GRANT_MAX_NAME)
		return false;
	while (*pattern) {
		size_t stars = strspn(pattern, "*");
		size_t text = strcspn(pattern, "*{");

		if (stars) {
			reach_star(&reach, name, len, stars > 1);
			pattern += stars;
		} else if (text) {
			if (!reach_text(&reach, name, len, pattern, text))
				return false;
			pattern += text;
		} else {
			if (!user || !user[0] || !reach_text(&reach, name, len, user, strlen(user)))
				return false;
			pattern += strlen(USER_WORD);
		}
	}
	return reach.at[len];
}

static bool is_meant(const struct rule *rule, const char *user)
{
	if (rule->anonymous)
		return true;
	return user && (rule->everyone || names_have(&rule->users, user));
}

static bool has_repository(const struct rule *rule, const char *user, const char *repository)
{
	for (size_t i = 0; i < rule->patterns.count; i++)
		if (policy_matches(rule->patterns.list[i], user, repository))
			return true;
	return false;
}

unsigned int policy_actions(const struct policy *policy, const char *user, const char *repository)
{
	unsigned int held = 0;

	if (!policy)
		return user ? GRANT_ANY : 0;
	for (size_t i = 0; i < policy->count; i++) {
		const struct rule *rule = &policy->rules[i];

		if (is_meant(rule, user) && !grant_covers(held, rule->actions) &&
		    has_repository(rule, user, repository))
			held |= rule->actions;
	}
	return held;
}

bool policy_may_list(const struct policy *policy, const char *user)
{
	if (!policy)
		return user;
	for (size_t i = 0; i < policy->count; i++)
		if (policy->rules[i].catalog && is_meant(&policy->rules[i], user))
			return true;
	return false;
}
