// SPDX-License-Identifier: GPL-2.0-only
/*
 * A module that does one thing wrong when it is loaded: the one that its parameter names. Only the
 * self-test of scripts/vm loads it, to see that each fault ends the run with a failure. Nothing of
 * shale is in here.
 */
#include <linux/delay.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

static char *fault;
module_param(fault, charp, 0);
MODULE_PARM_DESC(fault, "what to do wrong");

static DEFINE_MUTEX(first_lock);
static DEFINE_MUTEX(second_lock);
static DEFINE_SPINLOCK(spin);

static void fault_oops(void)
{
	*(volatile int *)8 = 1;
}

static void fault_warn(void)
{
	WARN(1, "a warning on purpose\n");
}

static void fault_panic(void)
{
	panic("a panic on purpose");
}

static void fault_softlockup(void)
{
	preempt_disable();
	for (;;)
		cpu_relax();
}

static void fault_silent(void)
{
	local_irq_disable();
	for (;;)
		cpu_relax();
}

static void fault_hung(void)
{
	for (;;) {
		set_current_state(TASK_UNINTERRUPTIBLE);
		schedule();
	}
}

/* The pointers are in freed memory: nothing refers to the objects any more. */
static void fault_leak(void)
{
	void **holder = kmalloc(64 * sizeof(*holder), GFP_KERNEL);
	int i;

	for (i = 0; holder && i < 64; i++)
		holder[i] = kzalloc(200, GFP_KERNEL);
	kfree(holder);
}

static void fault_uaf(void)
{
	int *freed = kmalloc(sizeof(*freed), GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(freed);
	kfree(freed);
	OPTIMIZER_HIDE_VAR(freed);
	WRITE_ONCE(*freed, 1);
}

static void fault_inversion(void)
{
	mutex_lock(&first_lock);
	mutex_lock(&second_lock);
	mutex_unlock(&second_lock);
	mutex_unlock(&first_lock);

	mutex_lock(&second_lock);
	mutex_lock(&first_lock);
	mutex_unlock(&first_lock);
	mutex_unlock(&second_lock);
}

static void fault_atomic(void)
{
	spin_lock(&spin);
	msleep(1);
	spin_unlock(&spin);
}

static void fault_list(void)
{
	LIST_HEAD(head);
	struct list_head entry = { .next = &head, .prev = &head };

	list_del(&entry);
}

static const struct {
	const char *name;
	void (*act)(void);
} faults[] = {
	{ "oops", fault_oops },
	{ "warn", fault_warn },
	{ "panic", fault_panic },
	{ "softlockup", fault_softlockup },
	{ "silent", fault_silent },
	{ "hung", fault_hung },
	{ "leak", fault_leak },
	{ "uaf", fault_uaf },
	{ "inversion", fault_inversion },
	{ "atomic", fault_atomic },
	{ "list", fault_list },
};

static int __init faults_init(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(faults); i++) {
		if (fault && !strcmp(fault, faults[i].name)) {
			faults[i].act();
			return 0;
		}
	}
	return -EINVAL;
}

static void __exit faults_exit(void)
{
}

module_init(faults_init);
module_exit(faults_exit);
MODULE_DESCRIPTION("faults on purpose");
MODULE_LICENSE("GPL");
