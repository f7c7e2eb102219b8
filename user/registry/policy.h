/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who may do what with which repositories, from the configuration's `policy:`. Rules only ever
 * grant: what none of them grants is refused, and their order means nothing. Documentation/
 * registry-auth.md has the grammar.
 */
#ifndef SHALE_REGISTRY_POLICY_H
#define SHALE_REGISTRY_POLICY_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

/* Of a configuration a person writes; each request looks at every rule. */
#define POLICY_MAX_RULES    1024
#define POLICY_MAX_PATTERNS 256
#define POLICY_MAX_NAMES    16384
#define POLICY_MAX_TEXT	    255

struct policy;

/* The tree below `policy:`, as YAML's mappings, sequences and scalars in JSON. */
int policy_load(const json_t *tree, struct policy **ret_policy, struct shale_err *err);
void policy_free(struct policy *policy);
void policy_freep(struct policy **policy);

/*
 * The actions (GRANT_*) that @user may do with a repository; NULL is who has not logged in. Without
 * a policy who has logged in may do everything and nobody else anything.
 */
unsigned int policy_actions(const struct policy *policy, const char *user, const char *repository);
bool policy_may_list(const struct policy *policy, const char *user);

/* For its tests: whether a repository's name matches a pattern. */
bool policy_matches(const char *pattern, const char *user, const char *name);

#endif
