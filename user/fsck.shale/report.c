// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is said: one line for each finding, on standard output, with what came of it. Nothing that is in a layer
 * gets to the terminal as it is. Called by all that look for something.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#include "fsck.shale/fsck.h"

#define ANSWER_MAX 16

static int byte_show(struct buf *out, unsigned char byte)
{
	return buf_addf(out, "\\%03o", byte);
}

/* Letters of any alphabet the terminal knows are shown as they are. */
int path_show(struct buf *out, const char *path)
{
	const size_t len = strlen(path);
	mbstate_t state = { 0 };
	wchar_t letter;
	size_t i, n;
	int ret = 0;

	for (i = 0; !ret && i < len; i += n) {
		n = mbrtowc(&letter, path + i, len - i, &state);
		if (!n || n > len - i) {
			state = (mbstate_t){ 0 };
			n = 1;
			ret = byte_show(out, (unsigned char)path[i]);
		} else if (letter != L'\\' && iswprint(letter)) {
			ret = buf_add(out, path + i, n);
		} else {
			for (size_t j = 0; !ret && j < n; j++)
				ret = byte_show(out, (unsigned char)path[i + j]);
		}
	}
	return ret;
}

static void path_print(FILE *out, const char *path)
{
	__cleanup_buf struct buf text = BUF_INIT;

	fputs(path_show(&text, path) ? "(a path too long to show)" : buf_str(&text), out);
}

static void line_print(const struct finding *finding, const char *outcome)
{
	path_print(stdout, finding->path);
	printf(": %s%s", finding->what, outcome);
	fflush(stdout);
}

static bool is_wanted(const struct fsck *fsck, const struct finding *finding)
{
	char answer[ANSWER_MAX];

	if (!finding->repair || fsck->mode == FSCK_LOOK)
		return false;
	if (fsck->mode == FSCK_REPAIR)
		return true;
	line_print(finding, ". Repair it [y/N]? ");
	return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

static bool finding_repair(struct fsck *fsck, const struct finding *finding)
{
	struct shale_err err = { 0 };

	if (finding->repair(finding->arg, &err) == 0)
		return true;
	shale_err_wrap(&err, "cannot be repaired");
	failure_report(fsck, finding->path, &err);
	return false;
}

bool finding_report(struct fsck *fsck, const struct finding *finding)
{
	bool is_repaired = is_wanted(fsck, finding) && finding_repair(fsck, finding);

	fsck->found++;
	fsck->repaired += is_repaired;
	if (is_repaired)
		line_print(finding, ": repaired\n");
	else if (finding->repair && fsck->mode == FSCK_LOOK)
		line_print(finding, ": can be repaired\n");
	else
		line_print(finding, ": left as it is\n");
	return is_repaired;
}

void failure_report(struct fsck *fsck, const char *path, const struct shale_err *err)
{
	fsck->has_failed = true;
	fflush(stdout);
	fputs("fsck.shale: ", stderr);
	path_print(stderr, path);
	fprintf(stderr, ": %s\n", err->msg);
}

void note_report(struct fsck *fsck, const char *path, const char *fmt, ...)
{
	va_list ap;

	if (!fsck->is_verbose)
		return;
	path_print(stdout, path);
	fputs(": ", stdout);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}
