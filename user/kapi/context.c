// SPDX-License-Identifier: GPL-2.0-only
/*
 * fsopen(2), fspick(2) and fsconfig(2), and what the kernel says when it refuses. Called by mount.c
 * and remount.c only.
 */
#include "kapi/context.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>

#include "base/cleanup.h"

/* Bytes read of one line of a context's log; the kernel makes them of any length. */
#define LOG_LINE_MAX 4096

static void text_append(char *text, size_t size, const char *line)
{
	size_t used = strlen(text);

	snprintf(text + used, size - used, "%s%s", used ? "; " : "", line);
}

/* A line is "e shale: text": a level, who says it, and what. */
static const char *line_text(char *line)
{
	static const char who[] = MOUNT_FSTYPE ": ";
	char *text = line + 2;

	text[strcspn(text, "\n")] = '\0';
	return strncmp(text, who, sizeof(who) - 1) ? text : text + sizeof(who) - 1;
}

/* Empties the log: errors into *errors, which may be NULL, the rest into the mount's log. */
static void log_drain(struct context *context, char *errors, size_t size)
{
	struct mount_log *log = context->log;
	char line[LOG_LINE_MAX];

	for (;;) {
		ssize_t len = read(context->fd, line, sizeof(line) - 1);

		/* A line too long for us is dropped by the kernel, and the next read has the next. */
		if (len < 0 && (errno == EMSGSIZE || errno == EINTR))
			continue;
		if (len <= 2)
			return;
		line[len] = '\0';
		if (line[0] == 'e' && errors)
			text_append(errors, size, line_text(line));
		else if (line[0] != 'e' && log)
			text_append(log->text, sizeof(log->text), line_text(line));
	}
}

/* A call on the context failed: what the kernel says about it, or else what errno says. */
static int err_context(struct context *context, struct shale_err *err, const char *doing)
{
	int code = errno;
	char errors[sizeof(err->msg)] = "";

	log_drain(context, errors, sizeof(errors));
	if (*errors)
		return shale_err_set(err, code, "%s", errors);
	errno = code;
	return shale_err_errno(err, "%s", doing);
}

static int err_open(struct shale_err *err)
{
	switch (errno) {
	case ENODEV:
		return shale_err_set(err, ENODEV, "this kernel has no filesystem type " MOUNT_FSTYPE);
	case EPERM:
		return shale_err_set(err, EPERM, "only root can mount");
	default:
		return shale_err_errno(err, "cannot open a filesystem context");
	}
}

static void context_init(struct context *context, int fd, struct mount_log *log)
{
	context->fd = fd;
	context->log = log;
	if (log)
		log->text[0] = '\0';
}

int context_open(struct context *context, struct mount_log *log, struct shale_err *err)
{
	int fd = fsopen(MOUNT_FSTYPE, FSOPEN_CLOEXEC);

	if (fd < 0)
		return err_open(err);
	context_init(context, fd, log);
	return 0;
}

int context_pick(struct context *context, const char *target, struct mount_log *log,
		 struct shale_err *err)
{
	int fd = fspick(AT_FDCWD, target, FSPICK_CLOEXEC);

	if (fd < 0)
		return err_open(err);
	context_init(context, fd, log);
	return 0;
}

void context_close(struct context *context)
{
	fd_closep(&context->fd);
	context->fd = -1;
}

int context_set_string(struct context *context, const char *key, const char *value,
		       struct shale_err *err)
{
	char doing[160];

	if (strlen(value) > MOUNT_STRING_MAX)
		return shale_err_set(err, ENAMETOOLONG,
				     "the value of option %.60s is longer than %d bytes", key,
				     MOUNT_STRING_MAX);
	if (!fsconfig(context->fd, FSCONFIG_SET_STRING, key, value, 0))
		return 0;
	snprintf(doing, sizeof(doing), "the kernel refuses option %.60s=%.60s", key, value);
	return err_context(context, err, doing);
}

int context_set_flag(struct context *context, const char *key, struct shale_err *err)
{
	char doing[160];

	if (!fsconfig(context->fd, FSCONFIG_SET_FLAG, key, NULL, 0))
		return 0;
	snprintf(doing, sizeof(doing), "the kernel refuses option %.60s", key);
	return err_context(context, err, doing);
}

int context_set_param(struct context *context, const struct mount_param *param,
		      struct shale_err *err)
{
	if (param->value)
		return context_set_string(context, param->key, param->value, err);
	return context_set_flag(context, param->key, err);
}

int context_set_fd(struct context *context, const char *key, int fd, struct shale_err *err)
{
	char doing[160];

	if (!fsconfig(context->fd, FSCONFIG_SET_FD, key, NULL, fd))
		return 0;
	snprintf(doing, sizeof(doing), "the kernel refuses option %.60s", key);
	return err_context(context, err, doing);
}

int context_create(struct context *context, uint64_t attr, int *ret_mntfd, struct shale_err *err)
{
	int fd;

	if (fsconfig(context->fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return err_context(context, err, "the kernel refuses the mount");
	fd = fsmount(context->fd, FSMOUNT_CLOEXEC, (unsigned int)attr);
	if (fd < 0)
		return err_context(context, err, "the kernel refuses the mount");
	log_drain(context, NULL, 0);
	*ret_mntfd = fd;
	return 0;
}

int context_reconfigure(struct context *context, struct shale_err *err)
{
	if (fsconfig(context->fd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0))
		return err_context(context, err, "the kernel refuses the new options");
	log_drain(context, NULL, 0);
	return 0;
}
