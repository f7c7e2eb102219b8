/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bench.h - what every benchmark does the same way.
 */
#ifndef SELFTESTS_BENCH_BENCH_H
#define SELFTESTS_BENCH_BENCH_H

#include <err.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

/* In nanoseconds; in `scripts/vm --icount` that is instructions. */
static inline double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

/* Of two costs, for qsort(). */
static inline int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* WHICH as the kernel numbers them: "1" pages, "2" names and inodes, "3" both. */
static inline void drop_caches(const char *which)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	sync();
	if (fd < 0 || write(fd, which, 1) != 1 || close(fd))
		err(1, "drop_caches");
}

#endif /* SELFTESTS_BENCH_BENCH_H */
