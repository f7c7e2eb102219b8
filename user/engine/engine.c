// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tasks; see engine.h. The verbs are in files of their own.
 */
#include "engine/engine.h"

#include <errno.h>

void task_stop(struct task *task)
{
	atomic_store(&task->stopped, true);
}

int task_report(struct task *task, const struct shale_event *event, struct shale_err *err)
{
	const struct shale_opts *opts = task->opts;

	if (!atomic_load(&task->stopped) && opts->progress) {
		pthread_mutex_lock(&task->lock);
		if (opts->progress(opts->arg, event))
			task_stop(task);
		pthread_mutex_unlock(&task->lock);
	}
	if (atomic_load(&task->stopped))
		return shale_err_set(err, ECANCELED, "cancelled");
	return 0;
}
