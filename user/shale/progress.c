// SPDX-License-Identifier: GPL-2.0-only
/*
 * Progress of pull, push and load; see progress.h. How often a bar moves is the daemon's to say.
 */
#include "shale/progress.h"

#include <string.h>
#include <unistd.h>

#include "shale/show.h"
#include "store/json.h"

void progress_init(struct progress *progress, FILE *out)
{
	memset(progress, 0, sizeof(*progress));
	progress->out = out;
	progress->is_tty = isatty(fileno(out));
}

/* What others have named must not talk to the terminal. */
static void print_clean(FILE *out, const char *text)
{
	for (; *text; text++)
		fputc((unsigned char)*text < ' ' && *text != '\n' ? '?' : *text == 0x7f ? '?' : *text, out);
}

/* The bar comes drawn; older daemons' clients draw it from numbers, of which these two are kept. */
static const char *bar_of(const json_t *message)
{
	const json_t *detail = json_object_get(message, "progressDetail");

	if (!json_integer_value(json_object_get(detail, "current")) &&
	    !json_integer_value(json_object_get(detail, "total")))
		return "";
	return json_text(message, "progress");
}

static bool has_numbers(const json_t *message)
{
	const json_t *detail = json_object_get(message, "progressDetail");

	return json_integer_value(json_object_get(detail, "current")) > 0 ||
	       json_integer_value(json_object_get(detail, "total")) > 0;
}

static void print_message(struct progress *progress, const json_t *message, const char *end)
{
	const char *id = json_text(message, "id");
	const char *stream = json_text(message, "stream");
	const char *bar = bar_of(message);

	if (*id) {
		print_clean(progress->out, id);
		fputs(": ", progress->out);
	}
	print_clean(progress->out, *stream ? stream : json_text(message, "status"));
	if (*bar) {
		fputc(' ', progress->out);
		print_clean(progress->out, bar);
	}
	fputs(*stream ? "" : end, progress->out);
}

/* The line of a layer, from the top; a new one is made below the others. -1: there are too many. */
static int find_line(struct progress *progress, const char *id)
{
	for (size_t i = 0; i < progress->count; i++)
		if (!strncmp(progress->ids[i], id, PROGRESS_MAX_ID))
			return i;
	if (progress->count == PROGRESS_MAX_LINES)
		return -1;
	snprintf(progress->ids[progress->count], PROGRESS_MAX_ID + 1, "%s", id);
	fputc('\n', progress->out);
	return progress->count++;
}

static void redraw(struct progress *progress, const json_t *message)
{
	int line = find_line(progress, json_text(message, "id"));
	size_t up = progress->count - line;

	if (line < 0)
		return;
	fprintf(progress->out, "\033[%zuA\r\033[2K", up);
	print_message(progress, message, "");
	fprintf(progress->out, "\033[%zuB\r", up);
}

/* A line that is about no layer ends what was drawn before it. */
void progress_show(struct progress *progress, const json_t *message)
{
	bool is_layer = json_is_object(json_object_get(message, "progressDetail")) &&
			*json_text(message, "id");

	if (!*json_text(message, "status") && !*json_text(message, "stream"))
		return;
	if (progress->is_tty && is_layer) {
		redraw(progress, message);
	} else if (progress->is_tty || !has_numbers(message)) {
		progress->count = 0;
		print_message(progress, message, "\n");
	}
	fflush(progress->out);
}
