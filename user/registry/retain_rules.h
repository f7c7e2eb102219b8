/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Retention rules: which tags of a repository are kept, and for how long manifests without a tag. Read
 * from the configuration's `shale.retention.rules`, and asked what they keep of a list of tags. Text and
 * times only; what is in a repository is retain.c's knowledge.
 */
#ifndef SHALE_REGISTRY_RETAIN_RULES_H
#define SHALE_REGISTRY_RETAIN_RULES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "registry/name.h"
#include "registry/sum.h"

/* Of a configuration a person writes. */
#define RETAIN_MAX_RULES    256
#define RETAIN_MAX_PATTERNS 64
#define RETAIN_MAX_PATTERN  255
#define RETAIN_MAX_LAST	    1000000

struct retain_patterns {
	const char *list[RETAIN_MAX_PATTERNS]; /* the tree's */
	size_t count;
};

struct retain_rule {
	struct retain_patterns repositories;
	/* Without a keep no tag is taken. */
	bool has_keep;
	uint64_t last; /* the tags that were pushed last; 0: not asked for */
	bool has_younger;
	uint64_t younger; /* seconds */
	struct retain_patterns tags;
	bool has_untagged;
	uint64_t untagged; /* seconds */
};

struct retain_rules {
	json_t *tree;
	struct retain_rule *list;
	size_t count;
};

/* A tree NULL: no rules. EINVAL says which rule is wrong. */
int retain_rules_load(const json_t *tree, struct retain_rules *ret_rules, struct shale_err *err);
void retain_rules_release(struct retain_rules *rules);
/* The first that has the repository, or NULL. */
const struct retain_rule *retain_rules_find(const struct retain_rules *rules, const char *repo);

struct retain_tag {
	char name[NAME_MAX_TAG + 1];
	struct sum sum;
	int64_t mtime;	  /* when it was pushed last */
	bool is_bound;	  /* it is for the sake of a manifest that is there */
	const char *kept; /* why; NULL: it goes */
};

/* Says of each tag why it is kept, and puts those that were pushed last first. */
void retain_choose(const struct retain_rule *rule, int64_t now, struct retain_tag *tags,
		   size_t count);
/* "sha256-HEX.sig", cosign's, and the specification's fallback for referrers: the manifest it is for. */
bool retain_tag_subject(const char *tag, struct sum *ret_subject);

#endif
