/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a server does beside requests, each at its own interval: uploads that were given up are purged,
 * the storage's health is looked at, retention rules are applied, the collector runs, the list of repositories is read anew where
 * others use the bucket. One thread, one task at a time.
 */
#ifndef SHALE_REGISTRY_MAINTAIN_H
#define SHALE_REGISTRY_MAINTAIN_H

#include "registry/retain.h"
#include "registry/settings.h"
#include "registry/sweep.h"

struct maintainer;

int maintain_start(struct reg *reg, const struct settings *settings,
		   struct maintainer **ret_maintainer, struct shale_err *err);
/* The collector runs soon, whether it is enabled or not. */
void maintain_sweep_now(struct maintainer *maintainer);
/* Waits for the task that runs. */
void maintain_stop(struct maintainer *maintainer);
/* One line about a collection. */
void maintain_log_sweep(const struct sweep_result *result, bool is_dry);
void maintain_log_retention(const struct retain_result *result, bool is_dry);

#endif
