/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Quotas' rules and accounts: how much the repositories below a name may hold, and what is held. Text and
 * numbers only; who counts is quota.c.
 */
#ifndef SHALE_REGISTRY_QUOTA_RULES_H
#define SHALE_REGISTRY_QUOTA_RULES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "registry/name.h"

/* Of a configuration a person writes; each change looks at every one. */
#define QUOTA_MAX_RULES 256
/* Servers on one bucket whose uploads an account can tell apart. */
#define QUOTA_MAX_SERVERS 16
/* An account's text: a line for each server, and one. */
#define QUOTA_MAX_ACCOUNT 2048
/* Seconds after which what a server has reserved counts no more, if it has changed nothing since. */
#define QUOTA_SERVER_SECONDS 3600

/* What a failure has as its code: no driver uses it. */
#define QUOTA_EXCEEDED EXFULL

#define QUOTA_NO_LIMIT UINT64_MAX
/* 32 PiB: a limit, and what is reserved at once. */
#define QUOTA_MAX_BYTES (1ull << 55)

struct quota_rule {
	const char *namespace; /* a pattern, the tree's; as many components as the names it is for */
	uint64_t bytes;
	uint64_t repositories;
};

struct quota_rules {
	json_t *tree;
	struct quota_rule list[QUOTA_MAX_RULES];
	size_t count;
};

/* "10GiB", "5MB", a bare number of bytes. */
bool quota_parse_size(const char *text, uint64_t *ret_bytes);
/* EINVAL says which rule is wrong. */
int quota_rules_load(const json_t *tree, struct quota_rules *ret_rules, struct shale_err *err);
void quota_rules_release(struct quota_rules *rules);
/* The first rule for a repository and the name it counts for: its first components. NULL: none. */
const struct quota_rule *quota_rules_find(const struct quota_rules *rules, const char *repo,
					  char ret_name[NAME_MAX_REPO + 1]);

struct quota_server {
	uint64_t id;
	uint64_t reserved;
	int64_t at; /* seconds since 1970 of its last change */
};

struct quota_account {
	uint64_t generation; /* grows with each count of what is there */
	uint64_t bytes;
	uint64_t repositories;
	struct quota_server servers[QUOTA_MAX_SERVERS];
	size_t server_count;
};

/* What is about to change; all of it, or nothing. */
struct quota_change {
	int64_t bytes;
	int64_t repositories;
	int64_t reserved;
	uint64_t server;
	int64_t now;
};

uint64_t quota_account_reserved(const struct quota_account *account, int64_t now);
/* QUOTA_EXCEEDED says what is used and what the limit is. What only becomes less is never refused. */
int quota_account_apply(struct quota_account *account, const struct quota_change *change,
			const struct quota_rule *rule, const char *name, struct shale_err *err);
int quota_account_print(const struct quota_account *account, struct buf *buf);
/* False: it is none. */
bool quota_account_parse(const char *text, struct quota_account *ret_account);

#endif
