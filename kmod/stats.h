/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * stats.h - CONTROL: what a mount counts, one set of counters for each CPU. Incremented anywhere
 * without a lock; summed by ioctl.c and genl.c.
 */
#ifndef _SHALE_STATS_H
#define _SHALE_STATS_H

#include <linux/percpu.h>
#include <linux/types.h>

struct shale_fs;

/* One field for each counter of struct shale_ioc_stats, in its order. */
struct shale_stats {
	u64 copy_ups;
	u64 copy_up_bytes;
	u64 copy_up_errors;
	u64 lookups;
	u64 layer_lookups;
	u64 whiteouts;
	u64 redirects;
	u64 merged_dirs;
	u64 block_copy_ups;
	u64 block_bytes;
	u64 map_errors;
};

#define shale_stats_add(fs, field, n) this_cpu_add((fs)->stats->field, (n))
#define shale_stats_inc(fs, field)    shale_stats_add(fs, field, 1)

int shale_stats_init(struct shale_fs *fs);
void shale_stats_release(struct shale_fs *fs);
void shale_stats_sum(const struct shale_fs *fs, struct shale_stats *ret_sum);

#endif /* _SHALE_STATS_H */
