// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mounts; see spec_mounts.h. What is mounted below something else comes after it.
 */
#include "container/spec_mounts.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "store/json.h"

#define SHM_DEFAULT (64ll << 20)

static const struct {
	const char *destination, *type, *options; /* with blanks between */
} standard[] = {
	{ "/proc", "proc", "nosuid noexec nodev" },
	{ "/dev", "tmpfs", "nosuid strictatime mode=755 size=65536k" },
	{ "/dev/pts", "devpts", "nosuid noexec newinstance ptmxmode=0666 mode=0620 gid=5" },
	{ "/sys", "sysfs", "nosuid noexec nodev ro" },
	{ "/sys/fs/cgroup", "cgroup", "ro nosuid noexec nodev" },
	{ "/dev/mqueue", "mqueue", "nosuid noexec nodev" },
};

static json_t *words_of(const char *text, char separator)
{
	const char between[] = { separator, '\0' };
	json_t *list = json_array();
	size_t len;

	for (; *text; text += len) {
		text += strspn(text, between);
		len = strcspn(text, between);
		if (len)
			json_array_append_new(list, json_stringn(text, len));
	}
	return list;
}

static void add(json_t *list, const char *destination, const char *type, const char *source, json_t *options)
{
	json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o}", "destination", destination, "type", type,
					      "source", source, "options", options));
}

/* Something of the record's is mounted there, and takes the place of ours. */
static bool is_taken(const json_t *record, const char *destination)
{
	const json_t *item;
	const char *key;
	size_t i;

	json_array_foreach(json_object_get(record, "MountPoints"), i, item)
		if (!strcmp(json_text(item, "Destination"), destination))
			return true;
	json_object_foreach(json_object_get(json_object_get(record, "HostConfig"), "Tmpfs"), key, item)
		if (!strcmp(key, destination))
			return true;
	return false;
}

static void add_standard(json_t *list, const json_t *record)
{
	for (size_t i = 0; i < sizeof(standard) / sizeof(*standard); i++)
		if (!is_taken(record, standard[i].destination))
			add(list, standard[i].destination, standard[i].type, standard[i].type,
			    words_of(standard[i].options, ' '));
}

static void add_shm(json_t *list, const json_t *record)
{
	const json_t *host = json_object_get(record, "HostConfig");
	json_int_t size = json_integer_value(json_object_get(host, "ShmSize"));
	char options[128];

	if (is_taken(record, "/dev/shm"))
		return;
	snprintf(options, sizeof(options), "nosuid noexec nodev mode=1777 size=%lld",
		 (long long)(size ? size : SHM_DEFAULT));
	add(list, "/dev/shm", "tmpfs", "shm", words_of(options, ' '));
}

static void add_own(json_t *list, const struct spec_input *input)
{
	static const char *const names[] = { "resolv.conf", "hostname", "hosts" };
	const bool is_readonly = json_is_true(
		json_object_get(json_object_get(input->record, "HostConfig"), "ReadonlyRootfs"));
	char destination[64];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		__cleanup_free char *source = NULL;

		snprintf(destination, sizeof(destination), "/etc/%s", names[i]);
		if (is_taken(input->record, destination))
			continue;
		if (asprintf(&source, "%s/%s", input->dir, names[i]) < 0) {
			source = NULL;
			return;
		}
		add(list, destination, "bind", source,
		    words_of(is_readonly ? "rbind rprivate ro" : "rbind rprivate", ' '));
	}
}

static json_t *bind_options(const json_t *point)
{
	const char *propagation = json_text(point, "Propagation");
	json_t *options = json_pack("[s, s]", json_is_false(json_object_get(point, "Recursive")) ? "bind" : "rbind",
				    *propagation ? propagation : "rprivate");

	if (!json_is_true(json_object_get(point, "RW")))
		json_array_append_new(options, json_string("ro"));
	return options;
}

static void add_point(json_t *list, const json_t *point)
{
	if (!strcmp(json_text(point, "Type"), "tmpfs"))
		add(list, json_text(point, "Destination"), "tmpfs", "tmpfs",
		    words_of(json_text(point, "Options"), ','));
	else
		add(list, json_text(point, "Destination"), "bind", json_text(point, "Source"), bind_options(point));
}

static void add_tmpfs(json_t *list, const json_t *record)
{
	static const char always[] = "noexec,nosuid,nodev,";
	const json_t *item;
	const char *key;

	json_object_foreach(json_object_get(json_object_get(record, "HostConfig"), "Tmpfs"), key, item) {
		__cleanup_free char *options = NULL;

		if (asprintf(&options, "%s%s", always, json_string_value(item)) < 0) {
			options = NULL;
			return;
		}
		add(list, key, "tmpfs", "tmpfs", words_of(options, ','));
	}
}

static size_t depth_of(const char *path)
{
	size_t depth = 0;

	for (; *path; path++)
		depth += *path == '/' && path[1] && path[1] != '/';
	return depth;
}

struct ranked {
	json_t *mount;
	size_t depth, order;
};

static int compare(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->depth != y->depth)
		return x->depth < y->depth ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* What the record has is sorted by how deep it lies; the machine's filesystems stay first. */
static json_t *sorted(json_t *list)
{
	const size_t count = json_array_size(list);
	__cleanup_free struct ranked *items = calloc(count + 1, sizeof(*items));
	json_t *out = json_array();

	for (size_t i = 0; items && i < count; i++) {
		items[i].mount = json_array_get(list, i);
		items[i].depth = depth_of(json_text(items[i].mount, "destination"));
		items[i].order = i;
	}
	if (items)
		qsort(items, count, sizeof(*items), compare);
	for (size_t i = 0; items && i < count; i++)
		json_array_append(out, items[i].mount);
	json_decref(list);
	return out;
}

json_t *spec_mounts(const struct spec_input *input)
{
	const json_t *points = json_object_get(input->record, "MountPoints"), *point;
	json_t *list = json_array();
	size_t i;

	if (!list)
		return NULL;
	add_standard(list, input->record);
	add_shm(list, input->record);
	add_own(list, input);
	json_array_foreach(points, i, point)
		add_point(list, point);
	add_tmpfs(list, input->record);
	return sorted(list);
}
