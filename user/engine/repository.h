/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One repository of a registry, as verbs need it that ask the registry something and bring nothing into the store. Mirrors
 * are not asked: it is the registry that says. Called by distribution and tags.
 */
#ifndef SHALE_ENGINE_REPOSITORY_H
#define SHALE_ENGINE_REPOSITORY_H

#include "client/remote.h"
#include "engine/engine.h"
#include "store/ref.h"

struct repository {
	struct task task;
	const char *name;
	struct web *web;
	struct remote remote;
};

#define REPOSITORY_NONE { .web = NULL }
#define __cleanup_repository __attribute__((cleanup(repository_close)))

/* *ret_repository stays where it is. What is given lives as long as it. */
int repository_open(const struct shale_opts *opts, const struct ref *ref, const struct shale_registry_opts *registry,
		    struct repository *ret_repository, struct shale_err *err);
void repository_close(struct repository *repository);

#endif
