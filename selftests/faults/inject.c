// SPDX-License-Identifier: GPL-2.0-only
/*
 * inject.c - /proc/thread-self/fail-nth and the files below debugfs; see inject.h.
 */
#include "inject.h"

#include "../crash/say.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEBUGFS	 "/sys/kernel/debug/"
#define FAIL_NTH "/proc/thread-self/fail-nth"

static int nth_file = -1; /* opened in advance, since to open it allocates */
static pid_t nth_owner;	  /* whose it is: a child's file of that name is another */

static bool file_put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t size = strlen(text);
	bool good = fd >= 0 && write(fd, text, size) == size;

	if (fd >= 0)
		close(fd);
	return good;
}

static void setting_put(const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), DEBUGFS "%s", name);
	if (!file_put(path, text))
		die("write '%s' to %s", text, path);
}

/* The kernel's defaults leave out nearly everything, and tell of each fault at length. */
static void settings_make(void)
{
	static const char *const settings[][2] = {
		{"failslab/ignore-gfp-wait", "N"}, {"failslab/task-filter", "Y"}, {"failslab/verbose", "0"},
		{"failslab/times", "-1"}, {"fail_page_alloc/ignore-gfp-wait", "N"},
		{"fail_page_alloc/ignore-gfp-highmem", "N"}, {"fail_page_alloc/min-order", "0"},
		{"fail_page_alloc/task-filter", "Y"}, {"fail_page_alloc/verbose", "0"},
		{"fail_page_alloc/times", "-1"}, {"fail_make_request/verbose", "0"},
		{"fail_make_request/times", "-1"},
	};

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		setting_put(settings[i][0], settings[i][1]);
}

bool inject_can(void)
{
	if (nth_file >= 0 && nth_owner != getpid()) {
		close(nth_file);
		nth_file = -1;
	}
	if (nth_file < 0) {
		nth_file = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
		nth_owner = getpid();
		if (nth_file >= 0)
			settings_make();
	}
	return nth_file >= 0;
}

void inject_nth(unsigned int nth)
{
	char text[16];
	int size = snprintf(text, sizeof(text), "%u", nth);

	if (pwrite(nth_file, text, size, 0) != size)
		die("%s", FAIL_NTH);
}

unsigned int inject_nth_end(void)
{
	char left[16] = "";

	if (pread(nth_file, left, sizeof(left) - 1, 0) <= 0)
		die("%s", FAIL_NTH);
	inject_nth(0);
	return strtoul(left, NULL, 10);
}

void inject_tell(void)
{
	setting_put("failslab/verbose", "2");
	setting_put("fail_page_alloc/verbose", "2");
}

void inject_me(void)
{
	if (!file_put("/proc/self/make-it-fail", "1"))
		die("make-it-fail");
}

static void every_put(const char *what, unsigned int every)
{
	char name[64], text[16];

	snprintf(name, sizeof(name), "%s/interval", what);
	snprintf(text, sizeof(text), "%u", every ?: 1);
	setting_put(name, text);
	snprintf(name, sizeof(name), "%s/probability", what);
	setting_put(name, every ? "100" : "0");
}

void inject_memory(unsigned int every)
{
	every_put("failslab", every);
	every_put("fail_page_alloc", every);
}

void inject_requests(const char *device, unsigned int every)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/block/%s/make-it-fail", strrchr(device, '/') + 1);
	if (!file_put(path, "1"))
		die("%s", path);
	every_put("fail_make_request", every);
}

void inject_end(void)
{
	inject_memory(0);
	every_put("fail_make_request", 0);
}
