// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer harness of the accounts of quotas, which lie in a bucket that others can write, and of what is read out of tags
 * and of rules: the first byte chooses. An account that is taken can be changed and printed, and is the same
 * then. Built and run by scripts/fuzz; its corpus is selftests/corpus/reg_rules.
 */
#include "base/cleanup.h"
#include "fuzz.h"
#include "registry/conf.h"
#include "registry/quota_rules.h"
#include "registry/retain_rules.h"

static void try_account(const char *text)
{
	static const struct quota_rule rule = { "a", 1000, 10 };
	const struct quota_change change = { 1, 1, 1, 1, 1700000000 };
	struct quota_account account, again;
	__cleanup_buf struct buf printed = BUF_INIT;
	struct shale_err err = { 0 };

	if (!quota_account_parse(text, &account))
		return;
	promise(account.server_count <= QUOTA_MAX_SERVERS);
	if (quota_account_apply(&account, &change, &rule, "a", &err) < 0)
		promise(err.code && err.msg[0]);
	else
		promise(account.bytes + quota_account_reserved(&account, change.now) <= rule.bytes &&
			account.repositories <= rule.repositories);
	promise(quota_account_print(&account, &printed) == 0 && printed.len < QUOTA_MAX_ACCOUNT);
	promise(quota_account_parse(buf_str(&printed), &again));
	promise(again.bytes == account.bytes && again.repositories == account.repositories);
}

static void try_words(const char *text)
{
	struct sum sum;
	uint64_t bytes;

	if (quota_parse_size(text, &bytes))
		promise(bytes <= QUOTA_MAX_BYTES);
	if (retain_tag_subject(text, &sum))
		promise(strlen(text) > strlen(sum_hex(&sum)));
}

static void try_rules(const char *text)
{
	struct retain_rules retain;
	struct quota_rules *quota = malloc(sizeof(*quota));
	char name[NAME_MAX_REPO + 1];
	struct shale_err err = { 0 };
	json_t *json = NULL;

	promise(quota);
	if (conf_parse(text, strlen(text), &json, &err) == 0) {
		if (retain_rules_load(conf_get(json, "r"), &retain, &err) == 0) {
			retain_rules_find(&retain, "team/app");
			retain_rules_release(&retain);
		}
		if (quota_rules_load(conf_get(json, "q"), quota, &err) == 0) {
			if (quota_rules_find(quota, "team/app", name))
				promise(!strncmp("team/app", name, strlen(name)));
			quota_rules_release(quota);
		}
		json_decref(json);
	}
	free(quota);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const tries[])(const char *) = { try_account, try_words, try_rules };
	__cleanup_free char *text = NULL;

	if (!size)
		return 0;
	text = malloc(size);
	promise(text);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	tries[data[0] % 3](text);
	return 0;
}
