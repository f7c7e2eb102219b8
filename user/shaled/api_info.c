// SPDX-License-Identifier: GPL-2.0-only
/*
 * info: the machine, the store and its storage driver, with all fields that docker's clients read. What is about
 * containers says what there is: nothing.
 */
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "httpd/log.h"
#include "shaled/api_events.h"
#include "shaled/api_handlers.h"
#include "store/json.h"

/* Of a file that the system describes itself in. */
#define INFO_MAX_FILE 65536

static const struct {
	unsigned long magic; /* statfs(2) */
	const char *name;    /* docker's */
} filesystems[] = {
	{ 0xef53, "extfs" },	  { 0x58465342, "xfs" },	{ 0x9123683e, "btrfs" },
	{ 0x01021994, "tmpfs" },  { 0x794c7630, "overlayfs" },	{ 0x2fc12fc1, "zfs" },
	{ 0xf2f52010, "f2fs" },	  { 0x6969, "nfs" },
};

static const char *backing_of(const char *root)
{
	struct statfs fs;

	if (statfs(root, &fs) == 0)
		for (size_t i = 0; i < sizeof(filesystems) / sizeof(*filesystems); i++)
			if (filesystems[i].magic == (unsigned long)fs.f_type)
				return filesystems[i].name;
	return "unknown";
}

/* What a file says in its first line that begins so; "" if nothing. */
static void read_value(const char *path, const char *key, char *value, size_t size)
{
	__cleanup_buf struct buf text = BUF_INIT;
	const char *at;

	*value = '\0';
	if (fs_read_file(AT_FDCWD, path, INFO_MAX_FILE, &text, NULL) < 0)
		return;
	at = buf_str(&text);
	while (*at && strncmp(at, key, strlen(key))) {
		at += strcspn(at, "\n");
		at += *at == '\n';
	}
	if (!*at)
		return;
	at += strlen(key);
	at += *at == '"';
	snprintf(value, size, "%.*s", (int)strcspn(at, "\"\n"), at);
}

/* os-release(5): the second is what the first is a link to, unless an administrator has changed it. */
static void read_release(const char *key, char *value, size_t size)
{
	read_value("/etc/os-release", key, value, size);
	if (!*value)
		read_value("/usr/lib/os-release", key, value, size);
}

static bool is_on(const char *path)
{
	char value[8];

	read_value(path, "", value, sizeof(value));
	return !strcmp(value, "1");
}

static bool has_cgroup_v2(void)
{
	return access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0;
}

/* Of either version. */
static bool has_controller(const char *name)
{
	char list[512], path[64];

	snprintf(path, sizeof(path), "/sys/fs/cgroup/%s", name);
	if (!has_cgroup_v2())
		return access(path, F_OK) == 0;
	read_value("/sys/fs/cgroup/cgroup.controllers", "", list, sizeof(list));
	return strstr(list, name);
}

/* The same as long as the machine and the store are. */
static void print_id(const char *root, char id[37])
{
	unsigned char sum[SHA256_DIGEST_LENGTH];
	char text[4096 + 128], machine[64];
	int len;

	read_value("/etc/machine-id", "", machine, sizeof(machine));
	len = snprintf(text, sizeof(text), "%s:%s", machine, root);
	SHA256((unsigned char *)text, len < (int)sizeof(text) ? len : (int)sizeof(text) - 1, sum);
	snprintf(id, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", sum[0],
		 sum[1], sum[2], sum[3], sum[4], sum[5], (sum[6] & 0x0f) | 0x40, sum[7],
		 (sum[8] & 0x3f) | 0x80, sum[9], sum[10], sum[11], sum[12], sum[13], sum[14], sum[15]);
}

/* What follows are parts of the answer, which api_info() joins. */
static json_t *about_machine(void)
{
	char os[256], version[64], host[256] = "", now[CLOCK_TEXT];
	struct utsname uts;
	struct sysinfo memory = { .mem_unit = 1 };

	uname(&uts);
	sysinfo(&memory);
	gethostname(host, sizeof(host) - 1);
	read_release("PRETTY_NAME=", os, sizeof(os));
	read_release("VERSION_ID=", version, sizeof(version));
	clock_print_now(now);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I}", "SystemTime", now,
			 "KernelVersion", uts.release, "OperatingSystem", *os ? os : "Linux",
			 "OSVersion", version, "OSType", "linux", "Architecture", uts.machine, "Name",
			 host, "NCPU", (json_int_t)sysconf(_SC_NPROCESSORS_ONLN), "MemTotal",
			 (json_int_t)memory.totalram * memory.mem_unit);
}

static json_t *about_limits(void)
{
	return json_pack(
		"{s:b, s:b, s:b, s:b, s:b, s:b, s:b, s:b, s:b, s:b, s:b, s:b, s:s, s:s}", "MemoryLimit",
		has_controller("memory"), "SwapLimit", has_controller("memory"), "KernelMemory", false,
		"KernelMemoryTCP", false, "CpuCfsPeriod", has_controller("cpu"), "CpuCfsQuota",
		has_controller("cpu"), "CPUShares", has_controller("cpu"), "CPUSet",
		has_controller("cpuset"), "PidsLimit", has_controller("pids"), "IPv4Forwarding",
		is_on("/proc/sys/net/ipv4/ip_forward"), "BridgeNfIptables",
		is_on("/proc/sys/net/bridge/bridge-nf-call-iptables"), "BridgeNfIp6tables",
		is_on("/proc/sys/net/bridge/bridge-nf-call-ip6tables"), "CgroupDriver", "cgroupfs",
		"CgroupVersion", has_cgroup_v2() ? "2" : "1");
}

static json_t *about_registries(void)
{
	return json_pack("{s:[], s:[], s:[s, s], s:{s:{s:s, s:[], s:b, s:b}}, s:[]}",
			 "AllowNondistributableArtifactsCIDRs",
			 "AllowNondistributableArtifactsHostnames", "InsecureRegistryCIDRs",
			 "::1/128", "127.0.0.0/8", "IndexConfigs", "docker.io", "Name", "docker.io",
			 "Mirrors", "Secure", true, "Official", true, "Mirrors");
}

struct counts {
	int all, running, paused;
};

static void count_containers(struct api *api, struct counts *counts)
{
	struct shale_err err = { 0 };
	struct shale_containers *containers = api_containers(api, &err);
	__cleanup_json json_t *list = NULL;
	__cleanup_free char *text = NULL;
	const json_t *one;
	size_t i;

	if (!containers || shale_containers_list(containers, false, &text, &err) < 0)
		return;
	list = json_loads(text, 0, NULL);
	json_array_foreach(list, i, one) {
		const char *state = json_string_value(json_object_get(one, "State"));

		counts->all++;
		counts->running += !strcmp(state, "running");
		counts->paused += !strcmp(state, "paused");
	}
}

static void add_runtimes(struct api *api, json_t *json)
{
	struct shale_err err = { 0 };
	struct shale_containers *containers = api_containers(api, &err);
	__cleanup_free char *text = containers ? shale_containers_runtimes(containers) : NULL;
	__cleanup_json json_t *all = text ? json_loads(text, 0, NULL) : NULL;

	if (!json || !all)
		return;
	json_object_set(json, "Runtimes", json_object_get(all, "Runtimes"));
	json_object_set(json, "DefaultRuntime", json_object_get(all, "Default"));
}

static json_t *about_containers(struct api *api)
{
	struct counts counts = { 0 };
	json_t *json;

	count_containers(api, &counts);
	json = json_pack("{s:i, s:i, s:i, s:i, s:{s:[s], s:[], s:n, s:[]}, s:s, s:{}, s:s, "
			 "s:{s:s, s:s, s:s, s:b, s:s, s:n}, s:b, s:s, s:s, s:{s:s, s:s}, s:{s:s, s:s}, "
			 "s:{s:s, s:s}, s:[], s:n, s:b, s:n}",
			 "Containers", counts.all, "ContainersRunning", counts.running,
			 "ContainersPaused", counts.paused, "ContainersStopped",
			 counts.all - counts.running - counts.paused, "Plugins", "Volume", "local", "Network",
			 "Authorization", "Log", "LoggingDriver", "json-file", "Runtimes", "DefaultRuntime",
			 "", "Swarm", "NodeID", "", "NodeAddr", "", "LocalNodeState", "inactive",
			 "ControlAvailable", false, "Error", "", "RemoteManagers", "LiveRestoreEnabled",
			 false, "Isolation", "", "InitBinary", "", "ContainerdCommit", "ID", "",
			 "Expected", "", "RuncCommit", "ID", "", "Expected", "", "InitCommit", "ID", "",
			 "Expected", "", "SecurityOptions", "Warnings", "OomKillDisable", false,
			 "GenericResources");
	add_runtimes(api, json);
	return json;
}

static json_t *about_daemon(struct api *api, size_t images)
{
	char driver[SHALE_DRIVER_TEXT] = "none";
	struct shale_err err = { 0 };
	char id[37];

	if (api_driver(api, driver, &err) < 0)
		log_text(LOG_LEVEL_WARN, "store", "%s", err.msg);
	print_id(api->root, id);
	return json_pack("{s:s, s:I, s:s, s:[[s, s]], s:b, s:i, s:i, s:I, s:s, s:s, s:s, s:s, s:s, s:[], "
			 "s:b, s:s}",
			 "ID", id, "Images", (json_int_t)images, "Driver", driver, "DriverStatus",
			 "Backing Filesystem", backing_of(api->root), "Debug", false, "NFd", -1,
			 "NGoroutines", -1, "NEventsListener",
			 (json_int_t)api_events_count(api->events), "IndexServerAddress",
			 "https://index.docker.io/v1/", "DockerRootDir", api->root, "HttpProxy", "",
			 "HttpsProxy", "", "NoProxy", "", "Labels", "ExperimentalBuild", false,
			 "ServerVersion", SHALE_VERSION);
}

static int count_images(const struct api *api, size_t *ret_count, struct shale_err *err)
{
	struct shale_opts opts = { .root = api->root };
	__cleanup_free char *text = NULL;
	json_t *list;

	if (shale_summaries(&opts, &text, err) < 0)
		return -1;
	list = json_loads(text, 0, NULL);
	*ret_count = json_array_size(list);
	json_decref(list);
	return 0;
}

void api_info(struct api_call *call)
{
	json_t *parts[] = { about_machine(), about_limits(), about_containers(call->api) };
	struct shale_err err = { 0 };
	size_t images = 0;
	json_t *json = NULL;

	if (count_images(call->api, &images, &err) < 0)
		api_fail_err(call, &err);
	else
		json = about_daemon(call->api, images);
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		if (json && json_object_update(json, parts[i]) < 0) {
			json_decref(json);
			json = NULL;
		}
		json_decref(parts[i]);
	}
	if (json)
		json_object_set_new(json, "RegistryConfig", about_registries());
	if (!err.code)
		api_answer_json(call, 200, json);
}
