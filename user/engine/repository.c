// SPDX-License-Identifier: GPL-2.0-only
/*
 * Repositories that are asked; see repository.h.
 */
#include "engine/repository.h"

static int poll_repository(void *arg, struct shale_err *err)
{
	struct repository *repository = arg;
	struct shale_event event = { .kind = SHALE_EVENT_CONNECT, .name = repository->name };

	return task_report(&repository->task, &event, err);
}

int repository_open(const struct shale_opts *opts, const struct ref *ref, const struct shale_registry_opts *registry,
		    struct repository *ret_repository, struct shale_err *err)
{
	struct remote_wish wish = { .opts = registry, .actions = "pull" };
	struct web_opts web_opts = {
		.stall_seconds = registry->stall_seconds,
		.poll = poll_repository,
		.arg = ret_repository,
	};
	struct origin origin;

	ret_repository->task = (struct task)TASK_INIT(opts);
	ret_repository->name = ref->name;
	if (origin_of_ref(ref, &origin, err) < 0 || web_open(&web_opts, &ret_repository->web, err) < 0)
		return -1;
	wish.web = ret_repository->web;
	wish.origin = &origin;
	return remote_open(&wish, &ret_repository->remote, err);
}

void repository_close(struct repository *repository)
{
	remote_close(&repository->remote);
	web_closep(&repository->web);
}
