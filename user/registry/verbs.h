/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The verbs beside serve: each works on the storage that a configuration names while no server does,
 * and prints what it did.
 */
#ifndef SHALE_REGISTRY_VERBS_H
#define SHALE_REGISTRY_VERBS_H

#include "registry/settings.h"

struct verb_options {
	bool is_dry;
	bool is_alone;
	bool is_quick;
	bool is_untagged;
	const char *to; /* a second configuration */
};

/* 0, 1 when it has found something wrong and said so, -1. */
int verb_check(const struct settings *settings, const struct verb_options *options,
	       struct shale_err *err);
int verb_gc(const struct settings *settings, const struct verb_options *options,
	    struct shale_err *err);
int verb_index(const struct settings *settings, const struct verb_options *options,
	       struct shale_err *err);
int verb_quota(const struct settings *settings, const struct verb_options *options,
	       struct shale_err *err);
int verb_retention(const struct settings *settings, const struct verb_options *options,
		   struct shale_err *err);
int verb_migrate(const struct settings *settings, const struct verb_options *options,
		 struct shale_err *err);

#endif
