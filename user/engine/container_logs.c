// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verb logs: lines of the log file, chosen and framed as docker's API has them. Who follows is told by inotify that
 * there are more; what has been said before the supervisor lets the container go is in the file.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fs.h"
#include "container/jsonlog.h"
#include "engine/containers.h"
#include "store/image.h"

/* Of one line of the file: JSON may need six bytes for one. */
#define MAX_LINE (8 * JSONLOG_MAX_LINE)
#define CHUNK	 (64u << 10)
/* How often it is asked whether to stop. */
#define ASK_MS 200

struct reading {
	const struct shale_logs_opts *opts;
	const struct shale_sink *sink;
	struct opened *opened;
	bool is_tty;
	int fd;
	struct buf rest; /* of a line that is not whole yet */
	int64_t to_skip; /* lines, of those that are wanted */
};

static int64_t nanoseconds_of(const char *time)
{
	const char *dot = strchr(time, '.');
	int64_t value = (int64_t)image_time(time) * 1000000000;
	int64_t unit = 100000000;

	for (dot = dot ? dot + 1 : ""; *dot >= '0' && *dot <= '9' && unit; dot++, unit /= 10)
		value += (*dot - '0') * unit;
	return value;
}

static bool is_wanted(const struct reading *reading, const struct jsonlog_entry *entry)
{
	const struct shale_logs_opts *opts = reading->opts;
	int64_t when;

	if (entry->stream == 1 ? !opts->has_stdout : !opts->has_stderr)
		return false;
	if (!opts->since && !opts->until)
		return true;
	when = nanoseconds_of(entry->time);
	return when >= opts->since && (!opts->until || when <= opts->until);
}

static int send_entry(const struct reading *reading, const struct jsonlog_entry *entry, struct shale_err *err)
{
	__cleanup_buf struct buf out = BUF_INIT;
	unsigned char header[WIRE_FRAME_HEADER];
	const size_t stamp = reading->opts->has_times ? strlen(entry->time) + 1 : 0;

	wire_frame_header(entry->stream, stamp + entry->len, header);
	if ((!reading->is_tty && buf_add(&out, header, sizeof(header)) < 0) ||
	    (stamp && buf_addf(&out, "%s ", entry->time) < 0) || buf_add(&out, entry->text, entry->len) < 0)
		return shale_err_set(err, ENOMEM, "reading a log");
	if (reading->sink->write(reading->sink->arg, out.data, out.len) < 0)
		return shale_err_set(err, ECANCELED, "nobody reads the log any more");
	return 0;
}

/* A line that is damaged, by a full disk, is passed over. */
static int take_line(struct reading *reading, const char *line, size_t len, bool is_counting, struct shale_err *err)
{
	struct jsonlog_entry entry;
	int ret = 0;

	if (!jsonlog_parse(line, len, &entry))
		return 0;
	if (is_wanted(reading, &entry)) {
		if (is_counting)
			reading->to_skip++;
		else if (reading->to_skip > 0)
			reading->to_skip--;
		else
			ret = send_entry(reading, &entry, err);
	}
	jsonlog_entry_release(&entry);
	return ret;
}

static int take_lines(struct reading *reading, bool is_counting, struct shale_err *err)
{
	char *start = reading->rest.data, *end = start + reading->rest.len, *next;

	while (start < end && (next = memchr(start, '\n', end - start))) {
		if (take_line(reading, start, next - start, is_counting, err) < 0)
			return -1;
		start = next + 1;
	}
	reading->rest.len = end - start;
	memmove(reading->rest.data, start, reading->rest.len);
	if (reading->rest.len > MAX_LINE)
		return shale_err_set(err, EINVAL, "the log has a line of more than %d bytes", MAX_LINE);
	return 0;
}

static bool should_stop(const struct reading *reading)
{
	return reading->opts->stop && reading->opts->stop(reading->opts->stop_arg);
}

/* What is there now. */
static int read_on(struct reading *reading, bool is_counting, struct shale_err *err)
{
	char chunk[CHUNK];
	ssize_t got;

	while ((got = read(reading->fd, chunk, sizeof(chunk))) > 0) {
		if (buf_add(&reading->rest, chunk, got) < 0)
			return shale_err_set(err, ENOMEM, "reading a log");
		if (take_lines(reading, is_counting, err) < 0)
			return -1;
		if (should_stop(reading))
			return shale_err_set(err, ECANCELED, "nobody reads the log any more");
	}
	return got < 0 ? shale_err_errno(err, "reading a log") : 0;
}

/* How many of the lines come before the last ones that are asked for. */
static int count_lines(struct reading *reading, struct shale_err *err)
{
	if (reading->opts->tail < 0)
		return 0;
	if (read_on(reading, true, err) < 0)
		return -1;
	reading->to_skip = reading->to_skip > reading->opts->tail ? reading->to_skip - reading->opts->tail : 0;
	buf_clear(&reading->rest);
	return lseek(reading->fd, 0, SEEK_SET) < 0 ? shale_err_errno(err, "reading a log") : 0;
}

static int follow(struct reading *reading, struct shale_err *err)
{
	__cleanup_fd int notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	struct pollfd fd = { .fd = notify, .events = POLLIN };
	char path[64], events[4096];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", reading->fd);
	if (notify < 0 || inotify_add_watch(notify, path, IN_MODIFY) < 0)
		return shale_err_errno(err, "following a log");
	for (;;) {
		opened_look(reading->opened);
		if (read_on(reading, false, err) < 0)
			return -1;
		if (!reading->opened->is_alive)
			return 0;
		poll(&fd, 1, ASK_MS);
		while (read(notify, events, sizeof(events)) > 0)
			;
		if (should_stop(reading))
			return shale_err_set(err, ECANCELED, "nobody reads the log any more");
	}
}

static int open_log(struct reading *reading, struct shale_err *err)
{
	const json_t *log = json_object_get(opened_host(reading->opened), "LogConfig");
	char name[INSTANCE_ID_TEXT + 16];

	if (!strcmp(json_string_value(json_object_get(log, "Type")) ?: "", "none"))
		return shale_err_set(err, EINVAL, "configured logging driver does not support reading");
	snprintf(name, sizeof(name), "%s-json.log", reading->opened->id);
	reading->fd = openat(reading->opened->dir, name, O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	return reading->fd < 0 ? shale_err_errno(err, "cannot open the log") : 0;
}

static void reading_release(struct reading *reading)
{
	fd_closep(&reading->fd);
	buf_release(&reading->rest);
}

int shale_container_logs(struct shale_containers *containers, const char *name,
			 const struct shale_logs_opts *logs, const struct shale_sink *sink, struct shale_err *err)
{
	__cleanup_opened struct opened opened = OPENED_NONE;
	__attribute__((cleanup(reading_release))) struct reading reading = {
		.opts = logs,
		.sink = sink,
		.opened = &opened,
		.fd = -1,
	};

	if (opened_open(containers, name, &opened, err) < 0)
		return -1;
	reading.is_tty = opened_is_tty(&opened);
	if (open_log(&reading, err) < 0 || count_lines(&reading, err) < 0)
		return -1;
	return logs->is_following ? follow(&reading, err) : read_on(&reading, false, err);
}
