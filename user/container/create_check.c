// SPDX-License-Identifier: GPL-2.0-only
/*
 * What may stand in a HostConfig: the shape of every field that is read later, and those that ask for what there is
 * not. Called by create.c.
 */
#include <errno.h>
#include <string.h>

#include "container/create.h"
#include "container/spec.h"
#include "store/json.h"

enum shape { IS_TEXT, IS_BOOL, IS_NUMBER, IS_TEXTS, IS_MAP, IS_OBJECT, IS_LIST };

static const struct {
	const char *field;
	enum shape shape;
} shapes[] = {
	{ "AutoRemove", IS_BOOL },	 { "Binds", IS_TEXTS },		{ "CapAdd", IS_TEXTS },
	{ "CapDrop", IS_TEXTS },	 { "CgroupParent", IS_TEXT },	{ "CgroupnsMode", IS_TEXT },
	{ "ConsoleSize", IS_LIST },	 { "CpuPeriod", IS_NUMBER },	{ "CpuQuota", IS_NUMBER },
	{ "CpuShares", IS_NUMBER },	 { "CpusetCpus", IS_TEXT },	{ "CpusetMems", IS_TEXT },
	{ "Dns", IS_TEXTS },		 { "DnsOptions", IS_TEXTS },	{ "DnsSearch", IS_TEXTS },
	{ "ExtraHosts", IS_TEXTS },	 { "GroupAdd", IS_TEXTS },	{ "Init", IS_BOOL },
	{ "LogConfig", IS_OBJECT },	 { "MaskedPaths", IS_TEXTS },	{ "Memory", IS_NUMBER },
	{ "MemoryReservation", IS_NUMBER }, { "MemorySwap", IS_NUMBER }, { "Mounts", IS_LIST },
	{ "NanoCpus", IS_NUMBER },	 { "NetworkMode", IS_TEXT },	{ "OomScoreAdj", IS_NUMBER },
	{ "PidsLimit", IS_NUMBER },	 { "ReadonlyPaths", IS_TEXTS }, { "ReadonlyRootfs", IS_BOOL },
	{ "Runtime", IS_TEXT },		 { "SecurityOpt", IS_TEXTS },	{ "ShmSize", IS_NUMBER },
	{ "StorageOpt", IS_MAP },	 { "Sysctls", IS_MAP },		{ "Tmpfs", IS_MAP },
	{ "Ulimits", IS_LIST },		 { "RestartPolicy", IS_OBJECT },
};

/* What has no other value but these; each ends with NULL. */
static const struct {
	const char *field;
	const char *allowed[4];
	const char *what;
} words[] = {
	{ "NetworkMode", { "", "default", "none", "host" },
	  "there are the networks none and host, and 'default', which is none" },
	{ "IpcMode", { "", "private", "shareable", "none" }, "a container has an IPC namespace of its own" },
	{ "PidMode", { "" }, "a container has a PID namespace of its own" },
	{ "UTSMode", { "" }, "a container has a UTS namespace of its own" },
	{ "UsernsMode", { "", "host" }, "containers have no user namespaces of their own" },
	{ "CgroupnsMode", { "", "private", "host" }, "--cgroupns is private or host" },
	{ "Isolation", { "", "default" }, "isolation is a matter of Windows" },
	{ "Cgroup", { "" }, "containers have their own cgroups" },
	{ "VolumeDriver", { "", "local" }, "there is one driver of volumes, 'local'" },
	{ "Runtime", { "", "runc", "crun", CREATE_CONTAINERD_RUNC }, "the runtimes are runc and crun" },
};

/* What must be empty, zero or false. */
static const struct {
	const char *field, *what;
} refused[] = {
	{ "Privileged", "privileged containers are not served; add capabilities with --cap-add" },
	{ "PublishAllPorts", "ports cannot be published: the networks are none and host" },
	{ "PortBindings", "ports cannot be published: the networks are none and host" },
	{ "Links", "containers cannot be linked: the networks are none and host" },
	{ "VolumesFrom", "--volumes-from is not served; name the volumes" },
	{ "Devices", "devices of the machine are not given to containers" },
	{ "DeviceRequests", "devices of the machine are not given to containers" },
	{ "DeviceCgroupRules", "devices of the machine are not given to containers" },
	{ "Init", "no init is put into containers" },
	{ "OomKillDisable", "the kernel's out-of-memory killer cannot be switched off" },
	{ "BlkioWeight", "limits of block devices are not served" },
	{ "BlkioWeightDevice", "limits of block devices are not served" },
	{ "BlkioDeviceReadBps", "limits of block devices are not served" },
	{ "BlkioDeviceWriteBps", "limits of block devices are not served" },
	{ "BlkioDeviceReadIOps", "limits of block devices are not served" },
	{ "BlkioDeviceWriteIOps", "limits of block devices are not served" },
	{ "CpuRealtimePeriod", "realtime limits are not served" },
	{ "CpuRealtimeRuntime", "realtime limits are not served" },
	{ "ContainerIDFile", "the client writes that file" },
};

static int check_text(const json_t *item, const char *field, struct shale_err *err)
{
	if (!json_is_string(item))
		return shale_err_set(err, EINVAL, "invalid JSON: %s must have texts", field);
	if (json_string_length(item) > CREATE_MAX_STRING)
		return shale_err_set(err, EINVAL, "%s has a text of more than %d bytes", field, CREATE_MAX_STRING);
	return 0;
}

int create_check_texts(const json_t *json, const char *field, struct shale_err *err)
{
	const json_t *list = json_object_get(json, field), *item;
	size_t i;

	if (!list || json_is_null(list))
		return 0;
	if (!json_is_array(list) || json_array_size(list) > CREATE_MAX_ITEMS)
		return shale_err_set(err, EINVAL, "invalid JSON: %s must be a list of at most %d texts", field,
				     CREATE_MAX_ITEMS);
	json_array_foreach(list, i, item)
		if (check_text(item, field, err) < 0)
			return -1;
	return 0;
}

int create_check_map(const json_t *json, const char *field, struct shale_err *err)
{
	json_t *map = json_object_get(json, field), *item;
	const char *key;

	if (!map || json_is_null(map))
		return 0;
	if (!json_is_object(map) || json_object_size(map) > CREATE_MAX_ITEMS)
		return shale_err_set(err, EINVAL, "invalid JSON: %s must be an object of at most %d texts", field,
				     CREATE_MAX_ITEMS);
	json_object_foreach(map, key, item)
		if (check_text(item, field, err) < 0)
			return -1;
	return 0;
}

static bool has_type(const json_t *value, enum shape shape)
{
	switch (shape) {
	case IS_TEXT:
		return json_is_string(value);
	case IS_BOOL:
		return json_is_boolean(value);
	case IS_NUMBER:
		return json_is_integer(value);
	case IS_OBJECT:
		return json_is_object(value);
	case IS_LIST:
		return json_is_array(value) && json_array_size(value) <= CREATE_MAX_ITEMS;
	default:
		return true;
	}
}

static int check_shape(const json_t *host, const char *field, enum shape shape, struct shale_err *err)
{
	const json_t *value = json_object_get(host, field);

	if (!value || json_is_null(value))
		return 0;
	if (shape == IS_TEXTS)
		return create_check_texts(host, field, err);
	if (shape == IS_MAP)
		return create_check_map(host, field, err);
	if (has_type(value, shape))
		return 0;
	return shale_err_set(err, EINVAL, "invalid JSON: HostConfig.%s has the wrong type", field);
}

static bool is_empty(const json_t *value)
{
	return !value || json_is_null(value) || json_is_false(value) ||
	       (json_is_integer(value) && !json_integer_value(value)) ||
	       (json_is_string(value) && !json_string_length(value)) ||
	       (json_is_array(value) && !json_array_size(value)) ||
	       (json_is_object(value) && !json_object_size(value));
}

static int check_words(const json_t *host, size_t row, struct shale_err *err)
{
	const json_t *value = json_object_get(host, words[row].field);
	const char *text = json_string_value(value);

	if (!value || json_is_null(value))
		return 0;
	for (size_t i = 0; text && i < 4 && words[row].allowed[i]; i++)
		if (!strcmp(text, words[row].allowed[i]))
			return 0;
	return shale_err_set(err, EINVAL, "HostConfig.%s '%.100s': %s", words[row].field, text ? text : "",
			     words[row].what);
}

static int check_restart(const json_t *host, struct shale_err *err)
{
	const char *name = json_string_value(json_object_get(json_object_get(host, "RestartPolicy"), "Name"));

	if (!name || !*name || !strcmp(name, "no"))
		return 0;
	return shale_err_set(err, EINVAL, "restart policy '%.100s': containers are not started by themselves", name);
}

static int check_log(const json_t *host, struct shale_err *err)
{
	const json_t *log = json_object_get(host, "LogConfig");
	const char *type = json_string_value(json_object_get(log, "Type"));

	if (type && *type && strcmp(type, "json-file") && strcmp(type, "none"))
		return shale_err_set(err, EINVAL, "log driver '%.100s': there are json-file and none", type);
	if (json_object_size(json_object_get(log, "Config")))
		return shale_err_set(err, EINVAL, "log drivers have no options here");
	return 0;
}

static bool is_security_word(const char *text)
{
	static const char *const known[] = { "no-new-privileges", "no-new-privileges=true",
					     "no-new-privileges=false", "no-new-privileges:true",
					     "no-new-privileges:false", "seccomp=unconfined",
					     "seccomp=builtin",	"seccomp:unconfined", "apparmor=unconfined",
					     "apparmor:unconfined", "label=disable", "label:disable" };

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (!strcmp(text, known[i]))
			return true;
	return false;
}

static int check_security(const json_t *host, struct shale_err *err)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(host, "SecurityOpt"), i, item)
		if (!is_security_word(json_string_value(item)))
			return shale_err_set(err, EINVAL,
					     "security option '%.60s': there are no-new-privileges, seccomp=unconfined, apparmor=unconfined and label=disable",
					     json_string_value(item));
	return 0;
}

static int check_ulimits(const json_t *host, struct shale_err *err)
{
	static const char *const known[] = { "as", "core", "cpu", "data", "fsize", "locks", "memlock",
					     "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio",
					     "rttime", "sigpending", "stack" };
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(host, "Ulimits"), i, item) {
		const char *name = json_string_value(json_object_get(item, "Name"));
		bool is_known = false;

		for (size_t n = 0; name && n < sizeof(known) / sizeof(*known); n++)
			is_known |= !strcmp(name, known[n]);
		if (!is_known || !json_is_integer(json_object_get(item, "Hard")) ||
		    !json_is_integer(json_object_get(item, "Soft")))
			return shale_err_set(err, EINVAL, "invalid ulimit '%.60s'", name ? name : "");
		if (json_integer_value(json_object_get(item, "Soft")) >
			    json_integer_value(json_object_get(item, "Hard")) &&
		    json_integer_value(json_object_get(item, "Hard")) != -1)
			return shale_err_set(err, EINVAL, "ulimit '%s': the soft limit is above the hard one", name);
	}
	return 0;
}

static int check_memory(const json_t *host, struct shale_err *err)
{
	json_int_t limit = json_integer_value(json_object_get(host, "Memory"));
	json_int_t swap = json_integer_value(json_object_get(host, "MemorySwap"));

	if (limit < 0 || (limit && limit < CREATE_MIN_MEMORY))
		return shale_err_set(err, EINVAL, "Minimum memory limit allowed is 6MB");
	if (swap > 0 && !limit)
		return shale_err_set(err, EINVAL, "You should always set the Memory limit when using Memoryswap limit, see usage");
	if (swap > 0 && swap < limit)
		return shale_err_set(err, EINVAL, "Minimum memoryswap limit should be larger than memory limit, see usage");
	if (json_integer_value(json_object_get(host, "ShmSize")) < 0)
		return shale_err_set(err, EINVAL, "SHM size can not be less than 0");
	return 0;
}

static int check_cgroup(const json_t *host, struct shale_err *err)
{
	const char *parent = json_string_value(json_object_get(host, "CgroupParent"));

	if (parent && (strstr(parent, "..") || strchr(parent, ':')))
		return shale_err_set(err, EINVAL, "cgroup parent '%.100s' is no path of a cgroup", parent);
	return 0;
}

static int check_storage(const json_t *host, const char *driver, struct shale_err *err)
{
	if (!json_object_size(json_object_get(host, "StorageOpt")))
		return 0;
	return shale_err_set(err, EINVAL, "--storage-opt: the storage driver '%s' cannot limit what a container takes",
			     driver);
}

static int check_capabilities(const json_t *host, struct shale_err *err)
{
	json_t *list = spec_capabilities(host, err);

	json_decref(list);
	return list ? 0 : -1;
}

int create_check_host(const json_t *host, const char *driver, struct shale_err *err)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++)
		if (check_shape(host, shapes[i].field, shapes[i].shape, err) < 0)
			return -1;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (check_words(host, i, err) < 0)
			return -1;
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
		if (!is_empty(json_object_get(host, refused[i].field)))
			return shale_err_set(err, EINVAL, "HostConfig.%s: %s", refused[i].field, refused[i].what);
	if (check_restart(host, err) < 0 || check_log(host, err) < 0 || check_security(host, err) < 0 ||
	    check_ulimits(host, err) < 0 || check_memory(host, err) < 0 || check_cgroup(host, err) < 0)
		return -1;
	return check_storage(host, driver, err) < 0 ? -1 : check_capabilities(host, err);
}
