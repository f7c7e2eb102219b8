// SPDX-License-Identifier: GPL-2.0-only
/*
 * Progress lines; see progress.h. Redraws a line at most ten times a second, which is as fast as
 * anybody reads and keeps a slow terminal from slowing an import down.
 */
#include "shale/progress.h"

#include <string.h>
#include <unistd.h>

#include "shale/table.h"

#define REDRAW_NSEC 100000000L
#define BAR_WIDTH   40

static const char *const words[] = {
	[SHALE_EVENT_READ] = "Reading",
	[SHALE_EVENT_COPY] = "Copying",
	[SHALE_EVENT_WAIT] = "Waiting",
	[SHALE_EVENT_UNPACK] = "Unpacking",
	[SHALE_EVENT_LAYER_DONE] = "Done",
	[SHALE_EVENT_PLANNED] = "Pulling fs layer",
	[SHALE_EVENT_EXISTS] = "Already exists",
	[SHALE_EVENT_DOWNLOAD] = "Downloading",
	[SHALE_EVENT_VERIFY] = "Verifying Checksum",
	[SHALE_EVENT_DOWNLOADED] = "Download complete",
	[SHALE_EVENT_PREPARED] = "Preparing",
	[SHALE_EVENT_PUSH] = "Pushing",
	[SHALE_EVENT_PUSHED] = "Pushed",
	[SHALE_EVENT_PUSH_EXISTS] = "Layer already exists",
	[SHALE_EVENT_MOUNTED] = "Mounted",
};

static const char *word_of(enum shale_event_kind kind)
{
	return kind < sizeof(words) / sizeof(*words) ? words[kind] : NULL;
}

/* The end of something has no bar. */
static bool has_bar(enum shale_event_kind kind)
{
	return kind <= SHALE_EVENT_UNPACK || kind == SHALE_EVENT_DOWNLOAD ||
	       kind == SHALE_EVENT_VERIFY || kind == SHALE_EVENT_PUSH;
}

void progress_init(struct progress *progress, FILE *out)
{
	memset(progress, 0, sizeof(*progress));
	progress->out = out;
	progress->is_tty = isatty(fileno(out));
}

/* The digits of a digest, or the end of a path. */
static void short_id(const char *id, char *text, size_t len)
{
	const char *slash = strrchr(id, '/');

	if (!strncmp(id, "sha256:", 7))
		id += 7;
	else if (slash && slash[1])
		id = slash + 1;
	snprintf(text, len, "%.12s", id);
	/* A path in an archive must not talk to the terminal. */
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

static struct progress_line *find_line(struct progress *progress, const char *id)
{
	struct progress_line *line;
	char text[sizeof(line->id)];

	short_id(id, text, sizeof(text));
	for (size_t i = 0; i < progress->count; i++)
		if (!strcmp(progress->lines[i].id, text))
			return &progress->lines[i];
	if (progress->count == PROGRESS_MAX_LINES)
		return NULL;
	line = &progress->lines[progress->count++];
	memcpy(line->id, text, sizeof(text));
	fputc('\n', progress->out);
	return line;
}

static bool is_too_soon(struct progress_line *line, const struct shale_event *event)
{
	struct timespec now;
	long passed;

	clock_gettime(CLOCK_MONOTONIC, &now);
	passed = (now.tv_sec - line->drawn.tv_sec) * 1000000000L + now.tv_nsec -
		 line->drawn.tv_nsec;
	if (line->is_drawn && line->kind == event->kind && passed < REDRAW_NSEC)
		return true;
	line->is_drawn = true;
	line->kind = event->kind;
	line->drawn = now;
	return false;
}

static void draw_bar(FILE *out, const struct shale_event *event)
{
	char done[32], total[32];
	int full;

	if (!event->total || !has_bar(event->kind))
		return;
	full = event->done >= event->total ? BAR_WIDTH : event->done * BAR_WIDTH / event->total;
	fprintf(out, " [%.*s>%*s] %s/%s", full, "========================================",
		BAR_WIDTH - full, "", table_size(event->done, done, sizeof(done)),
		table_size(event->total, total, sizeof(total)));
}

void progress_show(struct progress *progress, const struct shale_event *event)
{
	struct progress_line *line;
	size_t up;

	if (!progress->is_tty || !word_of(event->kind))
		return;
	line = find_line(progress, event->id);
	if (!line || is_too_soon(line, event))
		return;
	up = progress->lines + progress->count - line;
	fprintf(progress->out, "\033[%zuA\r\033[2K%s: %s", up, line->id, word_of(event->kind));
	draw_bar(progress->out, event);
	fprintf(progress->out, "\033[%zuB\r", up);
	fflush(progress->out);
}
