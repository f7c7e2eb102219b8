// SPDX-License-Identifier: GPL-2.0-only
/*
 * The OCI runtime's configuration; see spec.h. Called by the engine at each start of a container or of a process in
 * one.
 */
#include "container/spec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "container/seccomp.h"
#include "container/spec_mounts.h"
#include "store/json.h"

#define VERSION	    "1.0.2"
#define CGROUP_ROOT "/shale"
#define PATH_DEFAULT "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static const char *const masked_paths[] = {
	"/proc/asound",	    "/proc/acpi",	"/proc/interrupts", "/proc/kcore",  "/proc/keys",
	"/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi",
	"/sys/firmware",    "/sys/devices/virtual/powercap", NULL,
};
static const char *const readonly_paths[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
					      "/proc/sysrq-trigger", NULL };

static json_t *list_of(const char *const *words)
{
	json_t *list = json_array();

	for (; list && *words; words++)
		if (json_array_append_new(list, json_string(*words))) {
			json_decref(list);
			return NULL;
		}
	return list;
}

const char *spec_security(const json_t *host, const char *name)
{
	const json_t *item;
	size_t i, len = strlen(name);

	json_array_foreach(json_object_get(host, "SecurityOpt"), i, item) {
		const char *text = json_string_value(item);

		if (!strcmp(text, name))
			return "true";
		if (!strncmp(text, name, len) && (text[len] == '=' || text[len] == ':'))
			return text + len + 1;
	}
	return NULL;
}

/* Whether an environment has a variable, given as "NAME=..." or "NAME". */
static bool env_has(const json_t *env, const char *wanted)
{
	const size_t len = strcspn(wanted, "=");
	const json_t *item;
	size_t i;

	json_array_foreach(env, i, item) {
		const char *text = json_string_value(item);

		if (strcspn(text, "=") == len && !strncmp(text, wanted, len))
			return true;
	}
	return false;
}

static int env_default(json_t *out, const json_t *env, const char *text)
{
	return env_has(env, text) ? 0 : json_array_append_new(out, json_string(text));
}

/* A variable without a value is one that is to be taken away. */
static int env_append(json_t *out, const json_t *env)
{
	const json_t *item;
	size_t i;

	json_array_foreach(env, i, item)
		if (strchr(json_string_value(item), '=') && json_array_append(out, (json_t *)item))
			return -1;
	return 0;
}

static json_t *make_env(const json_t *env, const char *hostname, bool is_tty)
{
	json_t *out = json_array();
	char host[512];
	int ret;

	snprintf(host, sizeof(host), "HOSTNAME=%s", hostname);
	ret = env_default(out, env, PATH_DEFAULT) || env_default(out, env, host) ||
	      (is_tty && env_default(out, env, "TERM=xterm")) || env_append(out, env);
	if (!ret)
		return out;
	json_decref(out);
	return NULL;
}

static json_t *make_user(const struct identity *user)
{
	json_t *groups = json_array();

	for (size_t i = 0; i < user->count; i++)
		json_array_append_new(groups, json_integer(user->groups[i]));
	return json_pack("{s:I, s:I, s:o}", "uid", (json_int_t)user->uid, "gid", (json_int_t)user->gid,
			 "additionalGids", groups);
}

/* As execve(2) would have it: who is not root has none of them in effect. */
static json_t *make_capabilities(json_t *list, bool is_root)
{
	return is_root ? json_pack("{s:O, s:O, s:O}", "bounding", list, "effective", list, "permitted", list) :
			 json_pack("{s:O}", "bounding", list);
}

static json_t *make_rlimits(const json_t *host)
{
	json_t *list = json_array();
	const json_t *item;
	char type[64];
	size_t i;

	json_array_foreach(json_object_get(host, "Ulimits"), i, item) {
		snprintf(type, sizeof(type), "RLIMIT_%s", json_text(item, "Name"));
		for (char *at = type; *at; at++)
			if (*at >= 'a' && *at <= 'z')
				*at -= 'a' - 'A';
		json_array_append_new(list, json_pack("{s:s, s:O, s:O}", "type", type, "hard",
						      json_object_get(item, "Hard"), "soft",
						      json_object_get(item, "Soft")));
	}
	return list;
}

static json_t *make_arguments(const json_t *record)
{
	json_t *list = json_array();

	if (json_array_append(list, json_object_get(record, "Path")) ||
	    json_array_extend(list, json_object_get(record, "Args"))) {
		json_decref(list);
		return NULL;
	}
	return list;
}

/* What a process and a further one have in common. */
struct process {
	bool is_tty;
	const json_t *console; /* [rows, columns], or NULL */
	const struct identity *user;
	json_t *args; /* taken */
	json_t *env;  /* taken */
	const char *cwd;
	json_t *capabilities;
	const json_t *host;
};

static json_t *make_process(const struct process *process)
{
	const char *cwd = *process->cwd ? process->cwd : "/";
	json_t *json = json_pack("{s:b, s:o, s:o, s:o, s:s, s:o, s:o, s:b}", "terminal", process->is_tty, "user",
				 make_user(process->user), "args", process->args, "env", process->env, "cwd",
				 cwd, "capabilities",
				 make_capabilities(process->capabilities, process->user->uid == 0), "rlimits",
				 make_rlimits(process->host), "noNewPrivileges",
				 spec_security(process->host, "no-new-privileges") &&
					 strcmp(spec_security(process->host, "no-new-privileges"), "false"));
	const json_t *oom = json_object_get(process->host, "OomScoreAdj");

	if (json && json_integer_value(oom))
		json_object_set(json, "oomScoreAdj", (json_t *)oom);
	if (json && process->is_tty && json_integer_value(json_array_get(process->console, 0)) &&
	    json_integer_value(json_array_get(process->console, 1)))
		json_object_set_new(json, "consoleSize",
				    json_pack("{s:O, s:O}", "height", json_array_get(process->console, 0),
					      "width", json_array_get(process->console, 1)));
	return json;
}

static json_t *make_namespaces(const json_t *host, bool is_cgroup2)
{
	json_t *list = json_pack("[{s:s}, {s:s}, {s:s}, {s:s}]", "type", "mount", "type", "uts", "type", "pid",
				 "type", "ipc");
	const char *cgroup = json_text(host, "CgroupnsMode");

	if (list && strcmp(json_text(host, "NetworkMode"), "host"))
		json_array_append_new(list, json_pack("{s:s}", "type", "network"));
	if (list && (*cgroup ? !strcmp(cgroup, "private") : is_cgroup2))
		json_array_append_new(list, json_pack("{s:s}", "type", "cgroup"));
	return list;
}

static void set_number(json_t *json, const char *field, const json_t *host, const char *from)
{
	const json_t *value = json_object_get(host, from);

	if (json_integer_value(value))
		json_object_set(json, field, (json_t *)value);
}

static json_t *make_cpu(const json_t *host)
{
	json_int_t nano = json_integer_value(json_object_get(host, "NanoCpus"));
	json_t *cpu = json_object();

	set_number(cpu, "shares", host, "CpuShares");
	set_number(cpu, "quota", host, "CpuQuota");
	set_number(cpu, "period", host, "CpuPeriod");
	if (nano) {
		json_object_set_new(cpu, "period", json_integer(100000));
		json_object_set_new(cpu, "quota", json_integer(nano / 10000));
	}
	if (*json_text(host, "CpusetCpus"))
		json_object_set(cpu, "cpus", json_object_get(host, "CpusetCpus"));
	if (*json_text(host, "CpusetMems"))
		json_object_set(cpu, "mems", json_object_get(host, "CpusetMems"));
	return cpu;
}

/* docker's: with a limit and nothing said of swap there may be as much again of it. */
static json_t *make_memory(const json_t *host)
{
	json_int_t limit = json_integer_value(json_object_get(host, "Memory"));
	json_int_t swap = json_integer_value(json_object_get(host, "MemorySwap"));
	json_t *memory = json_object();

	set_number(memory, "limit", host, "Memory");
	set_number(memory, "reservation", host, "MemoryReservation");
	if (swap || limit)
		json_object_set_new(memory, "swap", json_integer(swap ? swap : 2 * limit));
	return memory;
}

/* Which devices may be used; nodes of any may be made. */
static json_t *make_devices(void)
{
	static const struct {
		const char *type;
		int major, minor; /* -1: all */
		const char *access;
	} rules[] = {
		{ "c", -1, -1, "m" },  { "b", -1, -1, "m" },  { "c", 1, 3, "rwm" },   { "c", 1, 5, "rwm" },
		{ "c", 1, 7, "rwm" },  { "c", 1, 8, "rwm" },  { "c", 1, 9, "rwm" },   { "c", 5, 0, "rwm" },
		{ "c", 5, 1, "rwm" },  { "c", 5, 2, "rwm" },  { "c", 136, -1, "rwm" },
	};
	json_t *list = json_pack("[{s:b, s:s}]", "allow", 0, "access", "rwm");

	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		json_t *rule = json_pack("{s:b, s:s, s:s}", "allow", 1, "type", rules[i].type, "access",
					 rules[i].access);

		if (rules[i].major >= 0)
			json_object_set_new(rule, "major", json_integer(rules[i].major));
		if (rules[i].minor >= 0)
			json_object_set_new(rule, "minor", json_integer(rules[i].minor));
		json_array_append_new(list, rule);
	}
	return list;
}

static json_t *make_resources(const json_t *host)
{
	const json_int_t pids = json_integer_value(json_object_get(host, "PidsLimit"));
	json_t *json = json_pack("{s:o, s:o, s:o}", "devices", make_devices(), "cpu", make_cpu(host), "memory",
				 make_memory(host));

	if (json && pids)
		json_object_set_new(json, "pids", json_pack("{s:I}", "limit", pids));
	return json;
}

/* An explicit empty list is who wants none (docker's systempaths=unconfined). */
static json_t *paths_or(const json_t *host, const char *field, const char *const *otherwise)
{
	json_t *given = json_object_get(host, field);

	return json_is_array(given) ? json_incref(given) : list_of(otherwise);
}

char *spec_cgroup(const json_t *record)
{
	const char *parent = json_text(json_object_get(record, "HostConfig"), "CgroupParent");
	char *path;

	if (asprintf(&path, "%s%s/%s", *parent && *parent != '/' ? "/" : "", *parent ? parent : CGROUP_ROOT,
		     json_text(record, "Id")) < 0)
		return NULL;
	return path;
}

static json_t *make_cgroup_path(const struct spec_input *input)
{
	__cleanup_free char *path = spec_cgroup(input->record);

	return path ? json_string(path) : NULL;
}

static json_t *make_linux(const struct spec_input *input, const json_t *capabilities)
{
	const json_t *host = json_object_get(input->record, "HostConfig");
	const char *seccomp = spec_security(host, "seccomp");
	json_t *json = json_pack("{s:o, s:o, s:o, s:o, s:o}", "cgroupsPath", make_cgroup_path(input), "namespaces",
				 make_namespaces(host, input->is_cgroup2), "resources", make_resources(host),
				 "maskedPaths", paths_or(host, "MaskedPaths", masked_paths), "readonlyPaths",
				 paths_or(host, "ReadonlyPaths", readonly_paths));

	if (json && (!seccomp || strcmp(seccomp, "unconfined")))
		json_object_set_new(json, "seccomp", seccomp_make(capabilities));
	if (json && json_object_size(json_object_get(host, "Sysctls")))
		json_object_set(json, "sysctl", json_object_get(host, "Sysctls"));
	return json;
}

static json_t *make_own_process(const struct spec_input *input, json_t *capabilities)
{
	const json_t *config = json_object_get(input->record, "Config");
	const json_t *host = json_object_get(input->record, "HostConfig");
	const bool is_tty = json_is_true(json_object_get(config, "Tty"));
	const struct process process = {
		.is_tty = is_tty,
		.console = json_object_get(host, "ConsoleSize"),
		.user = input->user,
		.args = make_arguments(input->record),
		.env = make_env(json_object_get(config, "Env"), json_text(config, "Hostname"), is_tty),
		.cwd = json_text(config, "WorkingDir"),
		.capabilities = capabilities,
		.host = host,
	};

	return make_process(&process);
}

int spec_make(const struct spec_input *input, json_t **ret_spec, struct shale_err *err)
{
	const json_t *config = json_object_get(input->record, "Config");
	const json_t *host = json_object_get(input->record, "HostConfig");
	__cleanup_json json_t *capabilities = spec_capabilities(host, err);

	if (!capabilities)
		return -1;
	*ret_spec = json_pack("{s:s, s:o, s:{s:s, s:b}, s:s, s:o, s:o}", "ociVersion", VERSION, "process",
			      make_own_process(input, capabilities), "root", "path", "rootfs", "readonly",
			      json_is_true(json_object_get(host, "ReadonlyRootfs")), "hostname",
			      json_text(config, "Hostname"), "mounts", spec_mounts(input), "linux",
			      make_linux(input, capabilities));
	return *ret_spec ? 0 : shale_err_set(err, ENOMEM, "out of memory");
}

/* The container's own variables first, then those of this one. */
static json_t *make_exec_env(const json_t *record, const json_t *body, bool is_tty)
{
	const json_t *config = json_object_get(record, "Config");
	const json_t *own = json_object_get(config, "Env"), *item;
	__cleanup_json json_t *both = json_array();
	json_t *more = json_object_get(body, "Env");
	size_t i;

	json_array_foreach(own, i, item)
		if (!env_has(more, json_string_value(item)))
			json_array_append(both, (json_t *)item);
	if (json_is_array(more) && json_array_extend(both, more))
		return NULL;
	return make_env(both, json_text(config, "Hostname"), is_tty);
}

int spec_make_process(const json_t *record, const json_t *body, const struct identity *user,
		      json_t **ret_process, struct shale_err *err)
{
	const json_t *config = json_object_get(record, "Config");
	const json_t *host = json_object_get(record, "HostConfig");
	__cleanup_json json_t *capabilities = spec_capabilities(host, err);
	const bool is_tty = json_is_true(json_object_get(body, "Tty"));
	const char *cwd = json_text(body, "WorkingDir");
	struct process process = {
		.is_tty = is_tty,
		.console = json_object_get(body, "ConsoleSize"),
		.user = user,
		.cwd = *cwd ? cwd : json_text(config, "WorkingDir"),
		.capabilities = capabilities,
		.host = host,
	};

	if (!capabilities)
		return -1;
	process.args = json_incref(json_object_get(body, "Cmd"));
	process.env = make_exec_env(record, body, is_tty);
	*ret_process = make_process(&process);
	return *ret_process ? 0 : shale_err_set(err, ENOMEM, "out of memory");
}
