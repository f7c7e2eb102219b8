// SPDX-License-Identifier: GPL-2.0-only
/*
 * Remounts. mount(8) repeats every option the mount has together with those to change; this file
 * keeps the ones that change something, and refuses another stack. Called through mount.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "kapi/context.h"
#include "kapi/mountinfo.h"
#include "kapi/stack.h"

#define ATTR_ALL                                                                                   \
	(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC |            \
	 MOUNT_ATTR_NODIRATIME | MOUNT_ATTR_NOSYMFOLLOW)

static int stack_check(int fd, const struct mount_spec *spec, struct shale_err *err)
{
	const char *other = NULL;

	if (stack_compare(fd, spec, &other, err))
		return -1;
	return other ? shale_err_set(err, EINVAL, "a remount cannot change %s", other) : 0;
}

/* mountinfo writes blanks and backslashes as "\040"; options are compared in that form. */
static int option_encode(const struct mount_param *param, struct buf *out)
{
	const char *const parts[] = { param->key, param->value ? "=" : "",
				      param->value ? param->value : "" };

	for (size_t i = 0; i < 3; i++)
		for (const char *p = parts[i]; *p; p++)
			if (strchr(" \t\n\\", *p) ? buf_addf(out, "\\%03o", (unsigned char)*p) :
						    buf_addc(out, *p))
				return -1;
	return 0;
}

static bool option_is_shown(const char *options, const char *option)
{
	size_t len = strlen(option);

	for (const char *p = options; (p = strstr(p, option)); p += len)
		if ((p == options || p[-1] == ',') && (!p[len] || p[len] == ','))
			return true;
	return false;
}

/* What a mount has without being told, and so does not show. */
static const struct {
	const char *key;
	const char *value;
} implied[] = {
	{ "whiteout", "both" }, { "cow", "auto" }, { "xino", "on" }, { "xino", "auto" },
	{ "redirect_dir", "on" }, { "redirect_dir", "follow" }, { "index", "on" },
	{ "metacopy", "on" }, { "nfs_export", "on" },
};

static bool option_is_implied(const char *options, const struct mount_param *param)
{
	char other[32];

	snprintf(other, sizeof(other), ",%s=", param->key);
	for (size_t i = 0; i < sizeof(implied) / sizeof(implied[0]); i++)
		if (param->value && !strcmp(param->key, implied[i].key) &&
		    !strcmp(param->value, implied[i].value))
			return !strstr(options, other);
	return false;
}

static int params_set(struct context *context, const struct mount_spec *spec, const char *shown,
		      struct shale_err *err)
{
	for (size_t i = 0; i < spec->nr_params; i++) {
		__cleanup_buf struct buf option = BUF_INIT;

		if (option_encode(&spec->params[i], &option))
			return shale_err_errno(err, "cannot compare the options");
		if (!option_is_shown(shown, buf_str(&option)) &&
		    !option_is_implied(shown, &spec->params[i]) &&
		    context_set_param(context, &spec->params[i], err))
			return -1;
	}
	return context_set_flag(context, spec->attr_set & MOUNT_ATTR_RDONLY ? "ro" : "rw", err);
}

/* As mount(2) with MS_REMOUNT has it: what is not asked for is off, and atime stays unless asked. */
static int attr_set(int fd, const struct mount_spec *spec, struct shale_err *err)
{
	struct mount_attr attr = { .attr_set = spec->attr_set };

	attr.attr_clr = ATTR_ALL & ~spec->attr_set;
	if ((spec->attr_set | spec->attr_clr) & MOUNT_ATTR__ATIME)
		attr.attr_clr |= MOUNT_ATTR__ATIME;
	if (mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)))
		return shale_err_errno(err, "cannot change the mount's attributes");
	return 0;
}

int mount_reconfigure(const struct mount_spec *spec, const char *target, struct mount_log *log,
		      struct shale_err *err)
{
	__cleanup_context struct context context = CONTEXT_INIT;
	__cleanup_fd int fd = -1;
	__cleanup_mountinfo struct mountinfo info = { .line = NULL };

	if (mount_check_ours(target, err))
		return -1;
	fd = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return shale_err_errno(err, "cannot open it");
	if (stack_check(fd, spec, err) || mountinfo_get(fd, &info, err) ||
	    context_pick(&context, target, log, err) || params_set(&context, spec, info.options, err) ||
	    context_reconfigure(&context, err))
		return -1;
	return attr_set(fd, spec, err);
}
