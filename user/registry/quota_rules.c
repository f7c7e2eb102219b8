// SPDX-License-Identifier: GPL-2.0-only
/*
 * Quotas' rules and accounts; see quota_rules.h. An account is text in the bucket where several servers use it;
 * so its parser trusts nothing. Called by quota.c.
 */
#include "registry/quota_rules.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/conf.h"
#include "registry/policy.h"

/* Sixteen of them still are a number. */
#define MAX_BYTES QUOTA_MAX_BYTES

bool quota_parse_size(const char *text, uint64_t *ret_bytes)
{
	static const struct {
		const char *name;
		uint64_t bytes;
	} units[] = {
		{ "", 1 }, { "KB", 1000 }, { "MB", 1000000 }, { "GB", 1000000000 },
		{ "TB", 1000000000000 }, { "KiB", 1ull << 10 }, { "MiB", 1ull << 20 },
		{ "GiB", 1ull << 30 }, { "TiB", 1ull << 40 },
	};
	unsigned long long number;
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	number = strtoull(text, &end, 10);
	for (size_t i = 0; i < sizeof(units) / sizeof(*units) && !errno; i++) {
		if (strcmp(units[i].name, end))
			continue;
		if (number > MAX_BYTES / units[i].bytes)
			return false;
		*ret_bytes = number * units[i].bytes;
		return true;
	}
	return false;
}

static bool is_namespace(const char *text)
{
	return text && *text && *text != '/' && strlen(text) <= NAME_MAX_REPO &&
	       text[strlen(text) - 1] != '/' && !strstr(text, "//") && !strstr(text, "**") &&
	       !text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._-/*")];
}

static int read_bytes(const json_t *tree, uint64_t *bytes, struct shale_err *err)
{
	const json_t *value = conf_get(tree, "bytes");

	if (!value)
		return 0;
	if (json_is_integer(value))
		return conf_number(tree, "bytes", 0, MAX_BYTES, bytes, err);
	if (json_is_string(value) && quota_parse_size(json_string_value(value), bytes))
		return 0;
	return shale_err_set(err, EINVAL, "'bytes' is not a size like 10GiB");
}

static int read_rule(const json_t *tree, size_t i, struct quota_rule *rule, struct shale_err *err)
{
	const char *name;
	json_t *value;

	*rule = (struct quota_rule){ NULL, QUOTA_NO_LIMIT, QUOTA_NO_LIMIT };
	if (!json_is_object(tree))
		return shale_err_set(err, EINVAL, "shale.quotas[%zu] is no mapping of keys", i);
	json_object_foreach((json_t *)tree, name, value)
		if (strcmp(name, "namespace") && strcmp(name, "bytes") && strcmp(name, "repositories"))
			return shale_err_set(err, EINVAL, "shale.quotas[%zu]: there is no key '%.50s'", i,
					     name);
	if (conf_text(tree, "namespace", &rule->namespace, err) < 0 ||
	    read_bytes(tree, &rule->bytes, err) < 0 ||
	    conf_number(tree, "repositories", 0, 1000000000, &rule->repositories, err) < 0)
		return shale_err_wrap(err, "shale.quotas[%zu]", i);
	if (is_namespace(rule->namespace))
		return 0;
	return shale_err_set(err, EINVAL, "shale.quotas[%zu].namespace is no pattern of components", i);
}

int quota_rules_load(const json_t *tree, struct quota_rules *ret_rules, struct shale_err *err)
{
	json_t *value;
	size_t i;

	*ret_rules = (struct quota_rules){ 0 };
	if (!json_is_array(tree) || json_array_size(tree) > QUOTA_MAX_RULES)
		return shale_err_set(err, EINVAL, "shale.quotas: not a list of at most %d rules",
				     QUOTA_MAX_RULES);
	json_array_foreach((json_t *)tree, i, value)
		if (read_rule(value, i, &ret_rules->list[i], err) < 0)
			return -1;
	ret_rules->count = json_array_size(tree);
	ret_rules->tree = json_incref((json_t *)tree);
	return 0;
}

void quota_rules_release(struct quota_rules *rules)
{
	json_decref(rules->tree);
	*rules = (struct quota_rules){ 0 };
}

static size_t count_components(const char *text)
{
	size_t count = 1;

	for (; *text; text++)
		count += *text == '/';
	return count;
}

/* The first components of a name; false when it has fewer. */
static bool cut_name(const char *repo, size_t components, char *name)
{
	const char *at = repo;

	while (components--) {
		at += strcspn(at, "/");
		if (components && !*at++)
			return false;
	}
	snprintf(name, NAME_MAX_REPO + 1, "%.*s", (int)(at - repo), repo);
	return true;
}

const struct quota_rule *quota_rules_find(const struct quota_rules *rules, const char *repo,
					  char ret_name[NAME_MAX_REPO + 1])
{
	for (size_t i = 0; i < rules->count; i++) {
		const struct quota_rule *rule = &rules->list[i];

		if (cut_name(repo, count_components(rule->namespace), ret_name) &&
		    policy_matches(rule->namespace, NULL, ret_name))
			return rule;
	}
	return NULL;
}

uint64_t quota_account_reserved(const struct quota_account *account, int64_t now)
{
	uint64_t reserved = 0;

	for (size_t i = 0; i < account->server_count; i++)
		if (now - account->servers[i].at < QUOTA_SERVER_SECONDS)
			reserved += account->servers[i].reserved;
	return reserved;
}

/* Its own, or one that nobody uses any more, or a new one. */
static struct quota_server *find_server(struct quota_account *account, uint64_t id, int64_t now)
{
	struct quota_server *free_one = NULL;

	for (size_t i = 0; i < account->server_count; i++) {
		struct quota_server *server = &account->servers[i];

		if (server->id == id)
			return server;
		if (!server->reserved || now - server->at >= QUOTA_SERVER_SECONDS)
			free_one = server;
	}
	if (!free_one && account->server_count < QUOTA_MAX_SERVERS)
		free_one = &account->servers[account->server_count++];
	if (free_one)
		*free_one = (struct quota_server){ .id = id };
	return free_one;
}

static uint64_t change_by(uint64_t value, int64_t delta)
{
	return delta < 0 && value < (uint64_t)-delta ? 0 : value + delta;
}

static int exceeded(const char *what, const char *name, uint64_t limit, uint64_t used,
		    uint64_t reserved, int64_t more, struct shale_err *err)
{
	return shale_err_set(err, QUOTA_EXCEEDED,
			     "the quota of '%s' is %" PRIu64 " %s: %" PRIu64 " are used, %" PRIu64
			     " reserved by uploads, and %" PRId64 " more do not fit",
			     name, limit, what, used, reserved, more);
}

int quota_account_apply(struct quota_account *account, const struct quota_change *change,
			const struct quota_rule *rule, const char *name, struct shale_err *err)
{
	struct quota_account next = *account;
	struct quota_server *server = find_server(&next, change->server, change->now);
	uint64_t reserved;

	if (!server)
		return shale_err_set(err, EAGAIN, "more than %d servers have uploads in '%s'",
				     QUOTA_MAX_SERVERS, name);
	server->reserved = change_by(server->reserved, change->reserved);
	server->at = change->now;
	next.bytes = change_by(next.bytes, change->bytes);
	next.repositories = change_by(next.repositories, change->repositories);
	reserved = quota_account_reserved(&next, change->now);
	if (change->bytes + change->reserved > 0 && next.bytes + reserved > rule->bytes)
		return exceeded("bytes", name, rule->bytes, account->bytes,
				quota_account_reserved(account, change->now),
				change->bytes + change->reserved, err);
	if (change->repositories > 0 && next.repositories > rule->repositories)
		return exceeded("repositories", name, rule->repositories, account->repositories, 0,
				change->repositories, err);
	*account = next;
	return 0;
}

int quota_account_print(const struct quota_account *account, struct buf *buf)
{
	if (buf_addf(buf, "quota 1 %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", account->generation,
		     account->bytes, account->repositories) < 0)
		return -1;
	for (size_t i = 0; i < account->server_count; i++) {
		const struct quota_server *server = &account->servers[i];

		if (server->reserved &&
		    buf_addf(buf, "%016" PRIx64 " %" PRIu64 " %" PRId64 "\n", server->id,
			     server->reserved, server->at) < 0)
			return -1;
	}
	return 0;
}

bool quota_account_parse(const char *text, struct quota_account *ret_account)
{
	struct quota_account account = { 0 };
	int used = 0;

	if (sscanf(text, "quota 1 %19" SCNu64 " %19" SCNu64 " %19" SCNu64 "%n", &account.generation,
		   &account.bytes, &account.repositories, &used) != 3 || text[used] != '\n')
		return false;
	for (text += used + 1; *text; text += used + 1) {
		struct quota_server *server = &account.servers[account.server_count];

		if (account.server_count++ == QUOTA_MAX_SERVERS ||
		    sscanf(text, "%16" SCNx64 " %19" SCNu64 " %18" SCNd64 "%n", &server->id,
			   &server->reserved, &server->at, &used) != 3 || text[used] != '\n')
			return false;
	}
	if (account.bytes > MAX_BYTES || account.repositories > MAX_BYTES ||
	    account.generation > MAX_BYTES)
		return false;
	for (size_t i = 0; i < account.server_count; i++)
		if (account.servers[i].reserved > MAX_BYTES || account.servers[i].at < 0)
			return false;
	*ret_account = account;
	return true;
}
