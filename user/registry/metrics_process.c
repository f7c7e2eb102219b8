// SPDX-License-Identifier: GPL-2.0-only
/*
 * Metrics of the process, from /proc/self; see metrics_process.h. The names are the usual ones.
 */
#include "registry/metrics_process.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

static void add_value(struct buf *buf, const char *name, const char *kind, const char *help,
		      double value)
{
	buf_addf(buf, "# HELP %s %s\n# TYPE %s %s\n%s %.15g\n", name, help, name, kind, name,
		 value);
}

static double cpu_seconds(void)
{
	struct timespec spent;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
	return spent.tv_sec + spent.tv_nsec * 1e-9;
}

/* The directory's own descriptor is one of them, and is not counted. */
static int open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = -1;

	if (!dir)
		return -1;
	for (struct dirent *entry; (entry = readdir(dir));)
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

/* Fields 22 to 24 of stat(5) of proc; the name before them may hold anything but ends at the last
 * ')'. */
static void add_stat(struct buf *buf)
{
	__cleanup_fd int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	unsigned long long start, size;
	long long pages;
	struct timespec now, up;
	char text[1024];
	ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	char *at;

	text[len < 0 ? 0 : len] = '\0';
	at = strrchr(text, ')');
	if (!at || sscanf(at,
			  ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
			  "%*d %*d %llu %llu %lld",
			  &start, &size, &pages) != 3)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	clock_gettime(CLOCK_BOOTTIME, &up);
	add_value(buf, "process_start_time_seconds", "gauge",
		  "Start time of the process since unix epoch in seconds.",
		  now.tv_sec - up.tv_sec + (double)start / sysconf(_SC_CLK_TCK));
	add_value(buf, "process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.",
		  size);
	add_value(buf, "process_resident_memory_bytes", "gauge", "Resident memory size in bytes.",
		  (double)pages * sysconf(_SC_PAGESIZE));
}

int metrics_process(struct buf *buf)
{
	int fds = open_fds();
	struct rlimit limit;

	add_value(buf, "process_cpu_seconds_total", "counter",
		  "Total user and system CPU time spent in seconds.", cpu_seconds());
	if (fds >= 0)
		add_value(buf, "process_open_fds", "gauge", "Number of open file descriptors.",
			  fds);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		add_value(buf, "process_max_fds", "gauge",
			  "Maximum number of open file descriptors.", limit.rlim_cur);
	add_stat(buf);
	return buf_reserve(buf, 1);
}
