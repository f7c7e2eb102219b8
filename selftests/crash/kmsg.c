// SPDX-License-Identifier: GPL-2.0-only
/*
 * kmsg.c - reads the kernel's log; see kmsg.h. Faults of the kernel itself fail the whole run, which is the
 * virtual machine's business; this is about filesystems that find damage and go on.
 */
#include "kmsg.h"

#include "say.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_SIZE 2048

static int kmsg = -1;

static const char *const reports[] = {
	"EXT4-fs error", "EXT4-fs warning", "JBD2: ", "orruption", "orrupted", "Internal error", "BTRFS error",
	"BTRFS critical", "BTRFS warning", "csum failed", "Buffer I/O error", "shale: ", "overlayfs: ",
	"WARNING: ", "BUG: ",
};

void kmsg_begin(void)
{
	if (kmsg < 0)
		kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg < 0 || lseek(kmsg, 0, SEEK_END) < 0)
		die("/dev/kmsg");
}

static bool is_report(const char *line)
{
	for (size_t i = 0; i < sizeof(reports) / sizeof(reports[0]); i++)
		if (strstr(line, reports[i]))
			return true;
	return false;
}

bool kmsg_has_report(char *report, size_t size)
{
	char line[LINE_SIZE];
	bool found = false;
	ssize_t got;

	/* EPIPE: the log has overtaken us, the next line is the oldest there is. */
	while ((got = read(kmsg, line, sizeof(line) - 1)) > 0 || errno == EPIPE) {
		line[got > 0 ? got : 0] = '\0';
		if (found || !is_report(line))
			continue;
		found = true;
		line[strcspn(line, "\n")] = '\0';
		snprintf(report, size, "%s", strchr(line, ';') ? strchr(line, ';') + 1 : line);
	}
	return found;
}
