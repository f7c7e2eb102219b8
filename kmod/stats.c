// SPDX-License-Identifier: GPL-2.0-only
/*
 * stats.c - CONTROL: the life of a mount's counters and their sum. Counting itself is in stats.h;
 * ioctl.c and genl.c ask for the sum.
 */
#include "shale.h"

int shale_stats_init(struct shale_fs *fs)
{
	fs->stats = alloc_percpu(struct shale_stats);
	return fs->stats ? 0 : -ENOMEM;
}

void shale_stats_release(struct shale_fs *fs)
{
	free_percpu(fs->stats);
	fs->stats = NULL;
}

/* Counters move while they are read: each sum is a value that was true at some moment. */
void shale_stats_sum(const struct shale_fs *fs, struct shale_stats *ret_sum)
{
	const size_t nr = sizeof(*ret_sum) / sizeof(u64);
	u64 *sum = (u64 *)ret_sum;
	const u64 *one;
	size_t i;
	int cpu;

	BUILD_BUG_ON(sizeof(*ret_sum) % sizeof(u64));
	memset(ret_sum, 0, sizeof(*ret_sum));
	for_each_possible_cpu(cpu) {
		one = (const u64 *)per_cpu_ptr(fs->stats, cpu);
		for (i = 0; i < nr; i++)
			sum[i] += READ_ONCE(one[i]);
	}
}
