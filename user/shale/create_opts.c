// SPDX-License-Identifier: GPL-2.0-only
/*
 * The options of create and run; see create_opts.h. A row of the table says where its value goes and what it must look
 * like; whether it can be had is the daemon's to say. Called by cmd_run.c.
 */
#include "shale/create_opts.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "shale/create_mount.h"
#include "shale/create_value.h"
#include "store/json.h"

/* val of a long option without a letter: the row, and this. */
#define FIRST_VAL 2000
#define MAX_LONGS 128

struct row;
typedef int (*take_fn)(struct create_opts *opts, const struct row *row, const char *value, struct shale_err *err);

enum where { IN_CONFIG, IN_HOST };

struct row {
	const char *name;
	char letter;
	take_fn take;
	enum where where;
	const char *field;
	bool is_run; /* create has it not */
};

static json_t *object_of(const struct create_opts *opts, const struct row *row)
{
	return row->where == IN_HOST ? opts->host : opts->config;
}

static json_t *member(const struct create_opts *opts, const struct row *row, json_t *fresh)
{
	json_t *object = object_of(opts, row);

	if (!json_object_get(object, row->field))
		json_object_set(object, row->field, fresh);
	json_decref(fresh);
	return json_object_get(object, row->field);
}

static int set(const struct create_opts *opts, const struct row *row, json_t *value, struct shale_err *err)
{
	return json_object_set_new(object_of(opts, row), row->field, value) ?
		       shale_err_set(err, ENOMEM, "out of memory") :
		       0;
}

/* "chown" is CAP_CHOWN, as docker's client says it. */
static int take_capability(struct create_opts *opts, const struct row *row, const char *value,
			   struct shale_err *err)
{
	const bool is_whole = !strcasecmp(value, "ALL") || !strncasecmp(value, "CAP_", 4);
	__cleanup_free char *name = NULL;

	if (asprintf(&name, "%s%s", is_whole ? "" : "CAP_", value) < 0)
		return shale_err_set(err, ENOMEM, "out of memory");
	for (char *at = name; *at; at++)
		*at = toupper((unsigned char)*at);
	return value_append(member(opts, row, json_array()), name, err);
}

static int take_text(struct create_opts *opts, const struct row *row, const char *value, struct shale_err *err)
{
	return value_set(object_of(opts, row), row->field, value, err);
}

static int take_list(struct create_opts *opts, const struct row *row, const char *value, struct shale_err *err)
{
	return value_append(member(opts, row, json_array()), value, err);
}

static int take_map(struct create_opts *opts, const struct row *row, const char *value, struct shale_err *err)
{
	return value_pair(member(opts, row, json_object()), value, err);
}

static int take_flag(struct create_opts *opts, const struct row *row, const char *value, struct shale_err *err)
{
	bool flag;

	return value_bool(value, &flag, err) ? -1 : set(opts, row, json_boolean(flag), err);
}

static int take_number(struct create_opts *opts, const struct row *row, const char *value, struct shale_err *err)
{
	int64_t number;

	return value_number(value, &number, err) ? -1 : set(opts, row, json_integer(number), err);
}

static int take_bytes(struct create_opts *opts, const struct row *row, const char *value, struct shale_err *err)
{
	int64_t bytes = -1;

	/* Less than nothing is no limit of swap. */
	if (strcmp(value, "-1") && value_bytes(value, &bytes, err))
		return -1;
	return set(opts, row, json_integer(bytes), err);
}

static int take_cpus(struct create_opts *opts, const struct row *row, const char *value, struct shale_err *err)
{
	int64_t nano;

	return value_nano(value, &nano, err) ? -1 : set(opts, row, json_integer(nano), err);
}

static int take_ulimit(struct create_opts *opts, const struct row *row, const char *value, struct shale_err *err)
{
	json_t *limit;

	return value_ulimit(value, &limit, err) || json_array_append_new(member(opts, row, json_array()), limit) ? -1 : 0;
}

static int take_restart(struct create_opts *opts, const struct row *row, const char *value, struct shale_err *err)
{
	json_t *policy;

	return value_restart(value, &policy, err) ? -1 : set(opts, row, policy, err);
}

static int take_mount(struct create_opts *opts, const struct row *row, const char *value, struct shale_err *err)
{
	json_t *mount;

	return mount_parse(value, &mount, err) || json_array_append_new(member(opts, row, json_array()), mount) ? -1 : 0;
}

static int take_volume(struct create_opts *opts, const struct row *row, const char *value, struct shale_err *err)
{
	(void)row;
	return mount_take_volume(opts->config, opts->host, value, err);
}

static int take_tmpfs(struct create_opts *opts, const struct row *row, const char *value, struct shale_err *err)
{
	(void)row;
	return mount_take_tmpfs(opts->host, value, err);
}

static int take_env(struct create_opts *opts, const struct row *row, const char *value, struct shale_err *err)
{
	(void)row;
	return value_variable(opts->env, value, err);
}

static int take_env_file(struct create_opts *opts, const struct row *row, const char *value, struct shale_err *err)
{
	(void)row;
	return value_file(opts->env_of_files, value, false, err);
}

static int take_label_file(struct create_opts *opts, const struct row *row, const char *value, struct shale_err *err)
{
	(void)row;
	return value_file(opts->labels_of_files, value, true, err);
}

static int take_entrypoint(struct create_opts *opts, const struct row *row, const char *value, struct shale_err *err)
{
	json_t *list = json_array();

	return value_append(list, value, err) || set(opts, row, list, err) ? -1 : 0;
}

static int take_no_healthcheck(struct create_opts *opts, const struct row *row, const char *value,
			       struct shale_err *err)
{
	bool flag;

	if (value_bool(value, &flag, err))
		return -1;
	return flag ? set(opts, row, json_pack("{s:[s]}", "Test", "NONE"), err) : 0;
}

static int take_log_driver(struct create_opts *opts, const struct row *row, const char *value, struct shale_err *err)
{
	json_t *log = member(opts, row, json_object());

	if (!json_object_get(log, "Config"))
		json_object_set_new(log, "Config", json_object());
	return value_set(log, "Type", value, err);
}

static int take_log_opt(struct create_opts *opts, const struct row *row, const char *value, struct shale_err *err)
{
	json_t *log = member(opts, row, json_object());

	if (!json_object_get(log, "Config"))
		json_object_set_new(log, "Config", json_object());
	return value_pair(json_object_get(log, "Config"), value, err);
}

static int take_attach(struct create_opts *opts, const struct row *row, const char *value, struct shale_err *err)
{
	static const char *const streams[] = { "stdin", "stdout", "stderr" };

	(void)row;
	for (size_t i = 0; i < sizeof(streams) / sizeof(*streams); i++)
		if (!strcasecmp(value, streams[i])) {
			opts->attach |= CREATE_STDIN << i;
			return 0;
		}
	return shale_err_set(err, EINVAL, "valid streams are STDIN, STDOUT and STDERR");
}

static int take_pull(struct create_opts *opts, const struct row *row, const char *value, struct shale_err *err)
{
	(void)row;
	if (strcmp(value, "missing") && strcmp(value, "always") && strcmp(value, "never"))
		return shale_err_set(err, EINVAL, "invalid pull option: '%.100s': must be one of \"always\", \"missing\" or \"never\"",
				     value);
	opts->pull = value;
	return 0;
}

static int take_name(struct create_opts *opts, const struct row *row, const char *value, struct shale_err *err)
{
	(void)row, (void)err;
	opts->name = value;
	return 0;
}

static int take_platform(struct create_opts *opts, const struct row *row, const char *value, struct shale_err *err)
{
	(void)row, (void)err;
	opts->platform = value;
	return 0;
}

static int take_cidfile(struct create_opts *opts, const struct row *row, const char *value, struct shale_err *err)
{
	(void)row, (void)err;
	opts->cidfile = value;
	return 0;
}

static int take_detach_keys(struct create_opts *opts, const struct row *row, const char *value,
			    struct shale_err *err)
{
	(void)row, (void)err;
	opts->detach_keys = value;
	return 0;
}

static int take_quiet(struct create_opts *opts, const struct row *row, const char *value, struct shale_err *err)
{
	(void)row;
	return value_bool(value, &opts->is_quiet, err);
}

static int take_detach(struct create_opts *opts, const struct row *row, const char *value, struct shale_err *err)
{
	(void)row;
	return value_bool(value, &opts->is_detached, err);
}

static int take_proxy(struct create_opts *opts, const struct row *row, const char *value, struct shale_err *err)
{
	(void)row;
	return value_bool(value, &opts->has_proxy, err);
}

static int take_rm(struct create_opts *opts, const struct row *row, const char *value, struct shale_err *err)
{
	return value_bool(value, &opts->is_removed, err) || set(opts, row, json_boolean(opts->is_removed), err) ? -1 : 0;
}

/* By name. */
static const struct row rows[] = {
	{ "add-host", 0, take_list, IN_HOST, "ExtraHosts", false },
	{ "attach", 'a', take_attach, IN_CONFIG, NULL, false },
	{ "cap-add", 0, take_capability, IN_HOST, "CapAdd", false },
	{ "cap-drop", 0, take_capability, IN_HOST, "CapDrop", false },
	{ "cgroup-parent", 0, take_text, IN_HOST, "CgroupParent", false },
	{ "cgroupns", 0, take_text, IN_HOST, "CgroupnsMode", false },
	{ "cidfile", 0, take_cidfile, IN_CONFIG, NULL, false },
	{ "cpu-period", 0, take_number, IN_HOST, "CpuPeriod", false },
	{ "cpu-quota", 0, take_number, IN_HOST, "CpuQuota", false },
	{ "cpu-shares", 'c', take_number, IN_HOST, "CpuShares", false },
	{ "cpus", 0, take_cpus, IN_HOST, "NanoCpus", false },
	{ "cpuset-cpus", 0, take_text, IN_HOST, "CpusetCpus", false },
	{ "cpuset-mems", 0, take_text, IN_HOST, "CpusetMems", false },
	{ "detach", 'd', take_detach, IN_CONFIG, NULL, true },
	{ "detach-keys", 0, take_detach_keys, IN_CONFIG, NULL, true },
	{ "dns", 0, take_list, IN_HOST, "Dns", false },
	{ "dns-opt", 0, take_list, IN_HOST, "DnsOptions", false },
	{ "dns-option", 0, take_list, IN_HOST, "DnsOptions", false },
	{ "dns-search", 0, take_list, IN_HOST, "DnsSearch", false },
	{ "domainname", 0, take_text, IN_CONFIG, "Domainname", false },
	{ "entrypoint", 0, take_entrypoint, IN_CONFIG, "Entrypoint", false },
	{ "env", 'e', take_env, IN_CONFIG, NULL, false },
	{ "env-file", 0, take_env_file, IN_CONFIG, NULL, false },
	{ "group-add", 0, take_list, IN_HOST, "GroupAdd", false },
	{ "hostname", 'h', take_text, IN_CONFIG, "Hostname", false },
	{ "init", 0, take_flag, IN_HOST, "Init", false },
	{ "interactive", 'i', take_flag, IN_CONFIG, "OpenStdin", false },
	{ "ipc", 0, take_text, IN_HOST, "IpcMode", false },
	{ "label", 'l', take_map, IN_CONFIG, "Labels", false },
	{ "label-file", 0, take_label_file, IN_CONFIG, NULL, false },
	{ "log-driver", 0, take_log_driver, IN_HOST, "LogConfig", false },
	{ "log-opt", 0, take_log_opt, IN_HOST, "LogConfig", false },
	{ "memory", 'm', take_bytes, IN_HOST, "Memory", false },
	{ "memory-reservation", 0, take_bytes, IN_HOST, "MemoryReservation", false },
	{ "memory-swap", 0, take_bytes, IN_HOST, "MemorySwap", false },
	{ "mount", 0, take_mount, IN_HOST, "Mounts", false },
	{ "name", 0, take_name, IN_CONFIG, NULL, false },
	{ "net", 0, take_text, IN_HOST, "NetworkMode", false },
	{ "network", 0, take_text, IN_HOST, "NetworkMode", false },
	{ "no-healthcheck", 0, take_no_healthcheck, IN_CONFIG, "Healthcheck", false },
	{ "oom-score-adj", 0, take_number, IN_HOST, "OomScoreAdj", false },
	{ "pid", 0, take_text, IN_HOST, "PidMode", false },
	{ "pids-limit", 0, take_number, IN_HOST, "PidsLimit", false },
	{ "platform", 0, take_platform, IN_CONFIG, NULL, false },
	{ "privileged", 0, take_flag, IN_HOST, "Privileged", false },
	{ "publish-all", 'P', take_flag, IN_HOST, "PublishAllPorts", false },
	{ "pull", 0, take_pull, IN_CONFIG, NULL, false },
	{ "quiet", 'q', take_quiet, IN_CONFIG, NULL, false },
	{ "read-only", 0, take_flag, IN_HOST, "ReadonlyRootfs", false },
	{ "restart", 0, take_restart, IN_HOST, "RestartPolicy", false },
	{ "rm", 0, take_rm, IN_HOST, "AutoRemove", false },
	{ "runtime", 0, take_text, IN_HOST, "Runtime", false },
	{ "security-opt", 0, take_list, IN_HOST, "SecurityOpt", false },
	{ "shm-size", 0, take_bytes, IN_HOST, "ShmSize", false },
	{ "sig-proxy", 0, take_proxy, IN_CONFIG, NULL, true },
	{ "stop-signal", 0, take_text, IN_CONFIG, "StopSignal", false },
	{ "stop-timeout", 0, take_number, IN_CONFIG, "StopTimeout", false },
	{ "storage-opt", 0, take_map, IN_HOST, "StorageOpt", false },
	{ "sysctl", 0, take_map, IN_HOST, "Sysctls", false },
	{ "tmpfs", 0, take_tmpfs, IN_HOST, NULL, false },
	{ "tty", 't', take_flag, IN_CONFIG, "Tty", false },
	{ "ulimit", 0, take_ulimit, IN_HOST, "Ulimits", false },
	{ "user", 'u', take_text, IN_CONFIG, "User", false },
	{ "userns", 0, take_text, IN_HOST, "UsernsMode", false },
	{ "uts", 0, take_text, IN_HOST, "UTSMode", false },
	{ "volume", 'v', take_volume, IN_HOST, NULL, false },
	{ "volume-driver", 0, take_text, IN_HOST, "VolumeDriver", false },
	{ "volumes-from", 0, take_list, IN_HOST, "VolumesFrom", false },
	{ "workdir", 'w', take_text, IN_CONFIG, "WorkingDir", false },
};

#define ROW_COUNT (sizeof(rows) / sizeof(*rows))

/* Go's flags need no value for true, and take one behind '=' only. */
static bool is_flag(const struct row *row)
{
	static const take_fn flags[] = { take_flag, take_quiet, take_detach, take_proxy, take_rm, take_no_healthcheck };

	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		if (row->take == flags[i])
			return true;
	return false;
}

const char *create_opts_shorts(bool is_run)
{
	static char shorts[3 + 2 * ROW_COUNT];
	char *at = shorts;

	/* '+': what follows the image is the container's. */
	*at++ = '+';
	*at++ = ':';
	for (size_t i = 0; i < ROW_COUNT; i++) {
		if (!rows[i].letter || (rows[i].is_run && !is_run))
			continue;
		*at++ = rows[i].letter;
		if (!is_flag(&rows[i]))
			*at++ = ':';
	}
	*at = '\0';
	return shorts;
}

const struct option *create_opts_longs(const struct option *first, bool is_run)
{
	static struct option longs[MAX_LONGS];
	size_t count = 0;

	for (; first->name && count < MAX_LONGS - ROW_COUNT - 1; first++)
		longs[count++] = *first;
	for (size_t i = 0; i < ROW_COUNT; i++)
		if (!rows[i].is_run || is_run)
			longs[count++] = (struct option){ .name = rows[i].name,
							  .has_arg = is_flag(&rows[i]) ? optional_argument :
											 required_argument,
							  .val = FIRST_VAL + i };
	longs[count] = (struct option){ .name = NULL };
	return longs;
}

int create_opts_init(struct create_opts *opts, struct shale_err *err)
{
	opts->host = json_object();
	opts->config = json_pack("{s:O}", "HostConfig", opts->host);
	opts->env_of_files = json_array();
	opts->env = json_array();
	opts->labels_of_files = json_array();
	if (opts->config && opts->env_of_files && opts->env && opts->labels_of_files)
		return 0;
	return shale_err_set(err, ENOMEM, "out of memory");
}

void create_opts_release(struct create_opts *opts)
{
	json_decref(opts->config);
	json_decref(opts->host);
	json_decref(opts->env_of_files);
	json_decref(opts->env);
	json_decref(opts->labels_of_files);
}

static const struct row *find_row(int opt)
{
	if (opt >= FIRST_VAL && opt < FIRST_VAL + (int)ROW_COUNT)
		return &rows[opt - FIRST_VAL];
	for (size_t i = 0; i < ROW_COUNT; i++)
		if (rows[i].letter && rows[i].letter == opt)
			return &rows[i];
	return NULL;
}

int create_opts_take(struct create_opts *opts, int opt, const char *value, struct shale_err *err)
{
	const struct row *row = find_row(opt);
	char letter[8] = "";

	if (!row)
		return shale_err_set(err, EINVAL, "unknown option");
	if (row->take(opts, row, value, err) == 0)
		return 0;
	if (row->letter)
		snprintf(letter, sizeof(letter), "-%c, ", row->letter);
	return shale_err_wrap(err, "invalid argument \"%.200s\" for \"%s--%s\" flag", value ? value : "", letter, row->name);
}

/* Those of files first: what is said on the command line counts more. */
static int put_lists(struct create_opts *opts, struct shale_err *err)
{
	json_t *labels = json_object_get(opts->config, "Labels"), *given, *item;
	size_t i;

	json_array_extend(opts->env_of_files, opts->env);
	if (json_array_size(opts->env_of_files))
		json_object_set(opts->config, "Env", opts->env_of_files);
	if (!json_array_size(opts->labels_of_files))
		return 0;
	given = labels ? json_copy(labels) : json_object();
	labels = json_object();
	json_array_foreach(opts->labels_of_files, i, item)
		if (value_pair(labels, json_string_value(item), err))
			break;
	json_object_update(labels, given);
	json_decref(given);
	json_object_set_new(opts->config, "Labels", labels);
	return i < json_array_size(opts->labels_of_files) ? -1 : 0;
}

static void put_streams(struct create_opts *opts)
{
	static const char *const fields[] = { "AttachStdin", "AttachStdout", "AttachStderr" };
	const bool has_stdin = json_is_true(json_object_get(opts->config, "OpenStdin"));

	if (!opts->attach)
		opts->attach = CREATE_STDOUT | CREATE_STDERR;
	if (has_stdin)
		opts->attach |= CREATE_STDIN;
	if (opts->is_detached)
		opts->attach = 0;
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		if (opts->attach & CREATE_STDIN << i)
			json_object_set_new(opts->config, fields[i], json_true());
	if (has_stdin && opts->attach & CREATE_STDIN)
		json_object_set_new(opts->config, "StdinOnce", json_true());
}

static bool has_restart(const struct create_opts *opts)
{
	const char *name = json_text(json_object_get(opts->host, "RestartPolicy"), "Name");

	return *name && strcmp(name, "no");
}

int create_opts_finish(struct create_opts *opts, char **words, struct shale_err *err)
{
	json_t *command = NULL;

	if (!*words)
		return shale_err_set(err, EINVAL, "an image is missing");
	if (opts->attach && opts->is_detached)
		return shale_err_set(err, EINVAL, "conflicting options: cannot specify both --attach and --detach");
	if (opts->is_removed && has_restart(opts))
		return shale_err_set(err, EINVAL, "conflicting options: cannot specify both --restart and --rm");
	opts->image = *words;
	if (value_set(opts->config, "Image", *words, err))
		return -1;
	for (words++; *words; words++) {
		if (!command)
			json_object_set_new(opts->config, "Cmd", command = json_array());
		if (value_append(command, *words, err))
			return -1;
	}
	put_streams(opts);
	return put_lists(opts, err);
}
