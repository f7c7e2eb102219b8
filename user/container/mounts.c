// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mounts of containers; see mounts.h. Called when one is made.
 */
#include "container/mounts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "store/json.h"
#include "store/volume.h"

/* "SOURCE:TARGET:MODE" */
#define MAX_PARTS 3
#define PROPAGATION_DEFAULT "rprivate"

bool mounts_clean_path(const char *path, char ret_path[PATH_MAX])
{
	size_t len = 0, step;

	if (*path != '/')
		return false;
	for (; *path; path += step) {
		path += strspn(path, "/");
		step = strcspn(path, "/");
		if (!step || (step == 1 && path[0] == '.'))
			continue;
		if (step == 2 && path[0] == '.' && path[1] == '.') {
			while (len && ret_path[--len] != '/')
				;
			continue;
		}
		if (len + step + 2 > PATH_MAX)
			return false;
		ret_path[len++] = '/';
		memcpy(ret_path + len, path, step);
		len += step;
	}
	if (!len)
		ret_path[len++] = '/';
	ret_path[len] = '\0';
	return true;
}

static bool is_taken(const json_t *points, const char *target)
{
	const json_t *point;
	size_t i;

	json_array_foreach(points, i, point)
		if (!strcmp(json_text(point, "Destination"), target))
			return true;
	return false;
}

/* Takes the point, and gives it its target. */
static int add_point(json_t *points, json_t *point, const char *target, struct shale_err *err)
{
	char clean[PATH_MAX];
	int ret = 0;

	if (!point)
		return shale_err_set(err, ENOMEM, "out of memory");
	if (!mounts_clean_path(target, clean))
		ret = shale_err_set(err, EINVAL, "invalid mount path: '%.200s' mount path must be absolute", target);
	else if (!clean[1])
		ret = shale_err_set(err, EINVAL, "invalid volume specification: '%.200s': destination can't be '/'",
				    target);
	else if (is_taken(points, clean))
		ret = shale_err_set(err, EINVAL, "Duplicate mount point: %.200s", clean);
	else if (json_object_set_new(point, "Destination", json_string(clean)))
		ret = shale_err_set(err, EINVAL, "a mount path is not UTF-8");
	if (ret < 0) {
		json_decref(point);
		return -1;
	}
	return json_array_append_new(points, point) ? shale_err_set(err, ENOMEM, "out of memory") : 0;
}

static json_t *make_bind(const char *source, const char *mode, bool is_writable, const char *propagation,
			 bool should_create)
{
	return json_pack("{s:s, s:s, s:s, s:b, s:s, s:b}", "Type", "bind", "Source", source, "Mode", mode, "RW",
			 is_writable, "Propagation", propagation, "Create", should_create);
}

static json_t *make_volume(const char *name, const char *mode, bool is_writable, bool is_copied)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:s, s:b}", "Type", "volume", "Name", name, "Source", "",
			 "Driver", "local", "Mode", mode, "RW", is_writable, "Propagation", "", "NoCopy",
			 !is_copied);
}

static int check_volume_name(const char *name, struct shale_err *err)
{
	if (!*name || volume_is_name(name))
		return 0;
	return shale_err_set(err, EINVAL,
			     "%.200s includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path",
			     name);
}

/* What leads out of the container's namespace would have to be the machine's business as well. */
static int check_propagation(const char *text, struct shale_err *err)
{
	static const char *const known[] = { "private", "rprivate", "slave", "rslave" };

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (!strcmp(text, known[i]))
			return 0;
	return shale_err_set(err, EINVAL, "mount propagation '%.60s': there are private, rprivate, slave and rslave",
			     text);
}

struct mode {
	bool is_readonly, is_not_copied;
	const char *propagation;
};

static int take_mode(char *text, struct mode *mode, struct shale_err *err)
{
	static const char *const ignored[] = { "", "rw", "z", "Z", "cached", "delegated", "consistent" };
	char *word;

	while ((word = strsep(&text, ","))) {
		bool is_ignored = false;

		for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
			is_ignored |= !strcmp(word, ignored[i]);
		if (is_ignored)
			continue;
		if (!strcmp(word, "ro"))
			mode->is_readonly = true;
		else if (!strcmp(word, "nocopy"))
			mode->is_not_copied = true;
		else if (check_propagation(word, err) == 0)
			mode->propagation = word;
		else
			return shale_err_set(err, EINVAL, "invalid mode: %.60s", word);
	}
	return 0;
}

static int take_parts(json_t *points, char *source, char *target, char *mode_text, struct shale_err *err)
{
	struct mode mode = { .propagation = PROPAGATION_DEFAULT };
	char shown[256], clean[PATH_MAX];

	snprintf(shown, sizeof(shown), "%s", mode_text);
	if (take_mode(mode_text, &mode, err) < 0)
		return -1;
	if (*source != '/') {
		if (check_volume_name(source, err) < 0 || !*source)
			return *source ? -1 : shale_err_set(err, EINVAL, "invalid volume specification: no source");
		return add_point(points, make_volume(source, shown, !mode.is_readonly, !mode.is_not_copied), target,
				 err);
	}
	if (!mounts_clean_path(source, clean))
		return shale_err_set(err, EINVAL, "invalid volume specification: the source is too long");
	return add_point(points, make_bind(clean, shown, !mode.is_readonly, mode.propagation, true), target, err);
}

static int take_bind(json_t *points, const char *text, struct shale_err *err)
{
	__cleanup_free char *copy = strdup(text);
	char *parts[MAX_PARTS] = { NULL };
	char *rest = copy;
	size_t count = 0;

	if (!copy)
		return shale_err_set(err, ENOMEM, "out of memory");
	while (rest && count < MAX_PARTS)
		parts[count++] = strsep(&rest, ":");
	if (rest || count < 2 || !*parts[1])
		return shale_err_set(err, EINVAL, "invalid volume specification: '%.200s'", text);
	return take_parts(points, parts[0], parts[1], count > 2 ? parts[2] : parts[1] + strlen(parts[1]), err);
}

static int take_mount_bind(json_t *points, const json_t *mount, struct shale_err *err)
{
	const json_t *options = json_object_get(mount, "BindOptions");
	const char *propagation = json_text(options, "Propagation");
	char clean[PATH_MAX];
	json_t *point;

	if (!mounts_clean_path(json_text(mount, "Source"), clean))
		return shale_err_set(err, EINVAL,
				     "invalid mount config for type \"bind\": invalid mount path: '%.200s' mount path must be absolute",
				     json_text(mount, "Source"));
	if (*propagation && check_propagation(propagation, err) < 0)
		return -1;
	point = make_bind(clean, "", !json_is_true(json_object_get(mount, "ReadOnly")),
			  *propagation ? propagation : PROPAGATION_DEFAULT,
			  json_is_true(json_object_get(options, "CreateMountpoint")));
	if (point && json_is_true(json_object_get(options, "NonRecursive")))
		json_object_set_new(point, "Recursive", json_false());
	return add_point(points, point, json_text(mount, "Target"), err);
}

static int take_mount_volume(json_t *points, const json_t *mount, struct shale_err *err)
{
	const json_t *options = json_object_get(mount, "VolumeOptions");
	const json_t *driver = json_object_get(options, "DriverConfig");
	const char *name = json_text(mount, "Source");
	json_t *point;

	if (check_volume_name(name, err) < 0)
		return -1;
	if (*json_text(options, "Subpath"))
		return shale_err_set(err, EINVAL, "a part of a volume cannot be mounted");
	if ((*json_text(driver, "Name") && strcmp(json_text(driver, "Name"), "local")) ||
	    json_object_size(json_object_get(driver, "Options")))
		return shale_err_set(err, EINVAL, "there is one driver of volumes, 'local', without options");
	point = make_volume(name, "z", !json_is_true(json_object_get(mount, "ReadOnly")),
			    !json_is_true(json_object_get(options, "NoCopy")));
	if (point && json_object_size(json_object_get(options, "Labels")))
		json_object_set(point, "Labels", json_object_get(options, "Labels"));
	return add_point(points, point, json_text(mount, "Target"), err);
}

static int take_mount_tmpfs(json_t *points, const json_t *mount, struct shale_err *err)
{
	const json_t *options = json_object_get(mount, "TmpfsOptions");
	json_int_t size = json_integer_value(json_object_get(options, "SizeBytes"));
	json_int_t mode = json_integer_value(json_object_get(options, "Mode"));
	char text[128] = "noexec,nosuid,nodev";
	size_t len = strlen(text);

	if (size < 0 || mode < 0 || mode > 07777)
		return shale_err_set(err, EINVAL, "invalid mount config for type \"tmpfs\"");
	if (size)
		len += snprintf(text + len, sizeof(text) - len, ",size=%lld", (long long)size);
	if (mode)
		len += snprintf(text + len, sizeof(text) - len, ",mode=%llo", (unsigned long long)mode);
	if (json_is_true(json_object_get(mount, "ReadOnly")))
		snprintf(text + len, sizeof(text) - len, ",ro");
	return add_point(points,
			 json_pack("{s:s, s:s, s:s, s:b, s:s, s:s}", "Type", "tmpfs", "Source", "", "Mode", "", "RW",
				   !json_is_true(json_object_get(mount, "ReadOnly")), "Propagation", "", "Options",
				   text),
			 json_text(mount, "Target"), err);
}

static int take_mount(json_t *points, const json_t *mount, struct shale_err *err)
{
	static const struct {
		const char *type;
		int (*take)(json_t *points, const json_t *mount, struct shale_err *err);
	} kinds[] = {
		{ "bind", take_mount_bind },
		{ "volume", take_mount_volume },
		{ "tmpfs", take_mount_tmpfs },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (!strcmp(json_text(mount, "Type"), kinds[i].type))
			return kinds[i].take(points, mount, err);
	return shale_err_set(err, EINVAL, "mount type '%.60s': there are bind, volume and tmpfs", json_text(mount, "Type"));
}

/* Those of the image, and of who wants a volume but no certain one. */
static int take_volumes(json_t *points, json_t *volumes, struct shale_err *err)
{
	char clean[PATH_MAX];
	const char *target;
	json_t *ignored;

	json_object_foreach(volumes, target, ignored) {
		if (mounts_clean_path(target, clean) && is_taken(points, clean))
			continue;
		if (add_point(points, make_volume("", "", true, true), target, err) < 0)
			return -1;
	}
	return 0;
}

static int check_tmpfs(json_t *tmpfs, const json_t *points, struct shale_err *err)
{
	char clean[PATH_MAX];
	const char *target;
	json_t *ignored;

	json_object_foreach(tmpfs, target, ignored) {
		if (!mounts_clean_path(target, clean) || !clean[1])
			return shale_err_set(err, EINVAL, "invalid mount path: '%.200s' mount path must be absolute",
					     target);
		if (is_taken(points, clean))
			return shale_err_set(err, EINVAL, "Duplicate mount point: %.200s", clean);
	}
	return 0;
}

int mounts_take(json_t *record, struct shale_err *err)
{
	const json_t *host = json_object_get(record, "HostConfig");
	json_t *points = json_object_get(record, "MountPoints");
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(host, "Binds"), i, item)
		if (take_bind(points, json_string_value(item), err) < 0)
			return -1;
	json_array_foreach(json_object_get(host, "Mounts"), i, item)
		if (take_mount(points, item, err) < 0)
			return -1;
	if (take_volumes(points, json_object_get(json_object_get(record, "Config"), "Volumes"), err) < 0)
		return -1;
	return check_tmpfs(json_object_get(host, "Tmpfs"), points, err);
}
