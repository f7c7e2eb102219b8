// SPDX-License-Identifier: GPL-2.0-only
/*
 * real_limit.c - GROUND: what the module writes to the upper for itself, beside what the caller writes: blocks with
 * what they show besides, maps, a promoted file's size. The limit on the size of the caller's files (RLIMIT_FSIZE) is
 * not to stop it, as it would not stop the caller on another filesystem. So where it is in the way a worker, who has
 * none, does it. Called by other files of GROUND.
 */
#include <linux/resource.h>
#include <linux/sched/signal.h>
#include <linux/workqueue.h>

#include "cred.h"
#include "real.h"

struct unlimited {
	struct work_struct work;
	struct cred *creds;
	long (*run)(void *arg);
	void *arg;
	long ret;
};

static void unlimited_run(struct work_struct *work)
{
	struct unlimited *u = container_of(work, struct unlimited, work);
	const struct cred *old = shale_cred_replace(u->creds);

	u->ret = u->run(u->arg);
	shale_cred_end(old);
}

static bool is_limited(loff_t end)
{
	return unlikely(end > rlimit(RLIMIT_FSIZE));
}

static long unlimited_wait(struct unlimited *u)
{
	u->creds = (struct cred *)get_current_cred();
	queue_work(system_unbound_wq, &u->work);
	flush_work(&u->work);
	destroy_work_on_stack(&u->work);
	return u->ret;
}

long shale_real_unlimited(loff_t end, long (*run)(void *arg), void *arg)
{
	struct unlimited u = { .run = run, .arg = arg };

	if (!is_limited(end))
		return run(arg);
	INIT_WORK_ONSTACK(&u.work, unlimited_run);
	return unlimited_wait(&u);
}

/* Two of the kind to lockdep: what is waited for with the access to write at hand does not ask for it. */
long shale_real_unlimited_held(loff_t end, long (*run)(void *arg), void *arg)
{
	struct unlimited u = { .run = run, .arg = arg };

	if (!is_limited(end))
		return run(arg);
	INIT_WORK_ONSTACK(&u.work, unlimited_run);
	return unlimited_wait(&u);
}
