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

static struct workqueue_struct *wq;

static void unlimited_run(struct work_struct *work)
{
	struct unlimited *u = container_of(work, struct unlimited, work);
	const struct cred *old = shale_cred_replace(u->creds);

	u->ret = u->run(u->arg);
	shale_cred_end(old);
}

long shale_real_unlimited(loff_t end, long (*run)(void *arg), void *arg)
{
	struct unlimited u = { .run = run, .arg = arg };

	if (likely(end <= rlimit(RLIMIT_FSIZE)))
		return run(arg);
	u.creds = (struct cred *)get_current_cred();
	INIT_WORK_ONSTACK(&u.work, unlimited_run);
	queue_work(wq, &u.work);
	flush_work(&u.work);
	destroy_work_on_stack(&u.work);
	return u.ret;
}

int shale_real_limit_init(void)
{
	wq = alloc_workqueue("shale_write", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	return wq ? 0 : -ENOMEM;
}

void shale_real_limit_exit(void)
{
	destroy_workqueue(wq);
}
