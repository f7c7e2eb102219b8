// SPDX-License-Identifier: GPL-2.0-only
/*
 * Records of new containers; see create.h. What the request leaves open is the image's, and then docker's default.
 */
#include "container/create.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "container/record.h"
#include "store/json.h"

#define NAMELEN 64 /* HOST_NAME_MAX */

/* Of Config, in docker's order; all are always there. */
static const struct {
	const char *field;
	const char *otherwise;
	json_type type; /* JSON_NULL: it is checked by itself */
} fields[] = {
	{ "Hostname", "\"\"", JSON_STRING },	 { "Domainname", "\"\"", JSON_STRING },
	{ "User", "\"\"", JSON_STRING },	 { "AttachStdin", "false", JSON_TRUE },
	{ "AttachStdout", "false", JSON_TRUE },	 { "AttachStderr", "false", JSON_TRUE },
	{ "Tty", "false", JSON_TRUE },		 { "OpenStdin", "false", JSON_TRUE },
	{ "StdinOnce", "false", JSON_TRUE },	 { "Env", "null", JSON_NULL },
	{ "Cmd", "null", JSON_NULL },		 { "Image", "\"\"", JSON_STRING },
	{ "Volumes", "null", JSON_OBJECT },	 { "WorkingDir", "\"\"", JSON_STRING },
	{ "Entrypoint", "null", JSON_NULL },	 { "OnBuild", "null", JSON_NULL },
	{ "Labels", "{}", JSON_NULL },
};

/* Further ones are shown when they are given. */
static const char *const further[] = { "StopSignal", "StopTimeout", "ExposedPorts", "Healthcheck", "Shell" };

static bool has_type(const json_t *value, json_type type)
{
	if (type == JSON_TRUE)
		return json_is_boolean(value);
	return type == JSON_NULL || json_typeof(value) == type;
}

static json_t *take_config(const json_t *body, struct shale_err *err)
{
	json_t *config = json_object();

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		json_t *value = json_object_get(body, fields[i].field);

		if (value && !json_is_null(value) && !has_type(value, fields[i].type)) {
			json_decref(config);
			shale_err_set(err, EINVAL, "invalid JSON: %s has the wrong type", fields[i].field);
			return NULL;
		}
		json_object_set_new(config, fields[i].field,
				    value && !json_is_null(value) ? json_incref(value) :
								    json_loads(fields[i].otherwise,
									       JSON_DECODE_ANY, NULL));
	}
	for (size_t i = 0; i < sizeof(further) / sizeof(*further); i++)
		if (json_object_get(body, further[i]))
			json_object_set(config, further[i], json_object_get(body, further[i]));
	return config;
}

/* Before 1.6 a command could be a text; clients of today send lists. */
static int make_lists(json_t *config, struct shale_err *err)
{
	static const char *const lists[] = { "Cmd", "Entrypoint" };

	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		json_t *value = json_object_get(config, lists[i]);

		if (json_is_string(value) && json_object_set_new(config, lists[i], json_pack("[O]", value)))
			return shale_err_set(err, ENOMEM, "out of memory");
	}
	return 0;
}

static bool names_variable(const json_t *list, const char *text)
{
	const size_t len = strcspn(text, "=");
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
		if (strcspn(json_string_value(item), "=") == len && !strncmp(json_string_value(item), text, len))
			return true;
	return false;
}

static int merge_env(json_t *config, const json_t *image, struct shale_err *err)
{
	const json_t *theirs = json_object_get(image, "Env"), *item;
	json_t *own = json_object_get(config, "Env");
	json_t *list = json_is_array(own) ? json_copy(own) : json_array();
	size_t i;

	if (create_check_texts(image, "Env", err) < 0) {
		json_decref(list);
		return -1;
	}
	json_array_foreach(theirs, i, item)
		if (!names_variable(list, json_string_value(item)))
			json_array_append(list, (json_t *)item);
	return json_object_set_new(config, "Env", list);
}

static int merge_map(json_t *config, const json_t *image, const char *field)
{
	json_t *theirs = json_object_get(image, field), *own = json_object_get(config, field);
	json_t *both;

	if (!json_is_object(theirs) || !json_object_size(theirs))
		return 0;
	both = json_copy(theirs);
	if (json_is_object(own))
		json_object_update(both, own);
	return json_object_set_new(config, field, both);
}

static bool is_blank_list(const json_t *list)
{
	return json_array_size(list) == 1 && !json_string_length(json_array_get(list, 0));
}

/* Who names an entry point does not get the image's command for it. */
static int merge_command(json_t *config, const json_t *image)
{
	json_t *entry = json_object_get(config, "Entrypoint");
	int ret = 0;

	if (!json_array_size(entry)) {
		if (!json_array_size(json_object_get(config, "Cmd")) &&
		    json_is_array(json_object_get(image, "Cmd")))
			ret |= json_object_set(config, "Cmd", json_object_get(image, "Cmd"));
		if (json_is_null(entry) && json_is_array(json_object_get(image, "Entrypoint")))
			ret |= json_object_set(config, "Entrypoint", json_object_get(image, "Entrypoint"));
	} else if (is_blank_list(entry)) {
		ret |= json_object_set_new(config, "Entrypoint", json_null());
	}
	return ret;
}

static void merge_text(json_t *config, const json_t *image, const char *field)
{
	json_t *theirs = json_object_get(image, field);

	if (json_is_string(theirs) && !json_string_length(json_object_get(config, field)))
		json_object_set(config, field, theirs);
}

static int merge(json_t *config, const json_t *image, struct shale_err *err)
{
	static const char *const texts[] = { "User", "WorkingDir", "StopSignal" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		merge_text(config, image, texts[i]);
	if (!json_object_get(config, "ExposedPorts") && json_object_size(json_object_get(image, "ExposedPorts")))
		json_object_set(config, "ExposedPorts", json_object_get(image, "ExposedPorts"));
	if (merge_env(config, image, err) < 0)
		return -1;
	if (merge_command(config, image) ||
	    merge_map(config, image, "Labels") || merge_map(config, image, "Volumes"))
		return shale_err_set(err, ENOMEM, "out of memory");
	return 0;
}

static int check_config(const json_t *config, struct shale_err *err)
{
	static const char *const lists[] = { "Env", "Cmd", "Entrypoint" };
	const char *dir = json_string_value(json_object_get(config, "WorkingDir"));
	const json_t *item;
	size_t n;

	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
		if (create_check_texts(config, lists[i], err) < 0)
			return -1;
	if (create_check_map(config, "Labels", err) < 0)
		return -1;
	json_array_foreach(json_object_get(config, "Env"), n, item)
		if (!*json_string_value(item) || *json_string_value(item) == '=')
			return shale_err_set(err, EINVAL, "invalid environment variable: %.100s",
					     json_string_value(item));
	if (*dir && *dir != '/')
		return shale_err_set(err, EINVAL,
				     "the working directory '%.200s' is invalid, it needs to be an absolute path", dir);
	if (json_string_length(json_object_get(config, "Hostname")) > NAMELEN)
		return shale_err_set(err, EINVAL, "invalid hostname: it has more than %d characters", NAMELEN);
	return 0;
}

/* What is run: the entry point's first word, or the command's. */
static int split_command(const json_t *config, json_t *record, struct shale_err *err)
{
	__cleanup_json json_t *all = json_array();
	json_t *entry = json_object_get(config, "Entrypoint"), *command = json_object_get(config, "Cmd");

	if (json_is_array(entry))
		json_array_extend(all, entry);
	if (json_is_array(command))
		json_array_extend(all, command);
	if (!json_array_size(all) || !json_string_length(json_array_get(all, 0)))
		return shale_err_set(err, EINVAL, "no command specified");
	json_object_set(record, "Path", json_array_get(all, 0));
	json_array_remove(all, 0);
	return json_object_set(record, "Args", all);
}

/* What clients of docker's expect to be there. */
static void host_defaults(json_t *host)
{
	static const struct {
		const char *field, *value;
	} defaults[] = {
		{ "NetworkMode", "\"default\"" },
		{ "LogConfig", "{\"Type\":\"json-file\",\"Config\":{}}" },
		{ "RestartPolicy", "{\"Name\":\"no\",\"MaximumRetryCount\":0}" },
		{ "AutoRemove", "false" },
		{ "ReadonlyRootfs", "false" },
		{ "Privileged", "false" },
		{ "ShmSize", "67108864" },
		{ "Binds", "null" },
		{ "PortBindings", "{}" },
	};

	for (size_t i = 0; i < sizeof(defaults) / sizeof(*defaults); i++) {
		const json_t *value = json_object_get(host, defaults[i].field);

		if (!value || json_is_null(value) || (json_is_string(value) && !json_string_length(value)) ||
		    (json_is_integer(value) && !json_integer_value(value)))
			json_object_set_new(host, defaults[i].field,
					    json_loads(defaults[i].value, JSON_DECODE_ANY, NULL));
	}
	if (!json_string_length(json_object_get(json_object_get(host, "LogConfig"), "Type")))
		json_object_set_new(json_object_get(host, "LogConfig"), "Type", json_string("json-file"));
}

/* A container stays with the runtime that has begun it. The long name is containerd's for its runc. */
static void host_runtime(json_t *host, const char *otherwise)
{
	const char *given = json_string_value(json_object_get(host, "Runtime"));

	if (!given || !*given || !strcmp(given, CREATE_CONTAINERD_RUNC))
		json_object_set_new(host, "Runtime", json_string(otherwise));
}

static json_t *take_host(const struct create_input *input, struct shale_err *err)
{
	json_t *given = json_object_get(input->body, "HostConfig");
	json_t *host;

	if (given && !json_is_null(given) && !json_is_object(given)) {
		shale_err_set(err, EINVAL, "invalid JSON: HostConfig must be an object");
		return NULL;
	}
	host = json_is_object(given) ? json_deep_copy(given) : json_object();
	if (create_check_host(host, input->driver, err) < 0) {
		json_decref(host);
		return NULL;
	}
	host_defaults(host);
	host_runtime(host, input->runtime);
	return host;
}

static void set_hostname(json_t *config, const char *id)
{
	char name[13];

	snprintf(name, sizeof(name), "%s", id);
	if (!json_string_length(json_object_get(config, "Hostname")))
		json_object_set_new(config, "Hostname", json_string(name));
}

int create_record(const struct create_input *input, json_t **ret_record, struct shale_err *err)
{
	__cleanup_json json_t *config = take_config(input->body, err);
	__cleanup_json json_t *host = config ? take_host(input, err) : NULL;
	__cleanup_json json_t *record = NULL;
	char now[CLOCK_TEXT];

	if (!host || make_lists(config, err) < 0 || check_config(config, err) < 0 ||
	    merge(config, input->image, err) < 0 || check_config(config, err) < 0)
		return -1;
	set_hostname(config, input->id);
	clock_print_now(now);
	record = json_pack("{s:s, s:s, s:s, s:s, s:s, s:O, s:O, s:[]}", "Id", input->id, "Name", input->name,
			   "Created", now, "Image", input->image_id, "Driver", input->driver, "Config", config,
			   "HostConfig", host, "MountPoints");
	if (!record || split_command(config, record, err) < 0)
		return record ? -1 : shale_err_set(err, ENOMEM, "out of memory");
	*ret_record = json_incref(record);
	return 0;
}
