// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verbs that show containers: one with all about it, and the list, in the words of docker's API.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/du.h"
#include "engine/containers.h"
#include "engine/found.h"
#include "store/json.h"
#include "store/usage.h"

static bool is_paused(const struct opened *opened)
{
	return opened_is_running(opened) && opened_has_pause(opened);
}

static const char *status_word(const struct opened *opened)
{
	if (is_paused(opened))
		return "paused";
	if (opened_is_running(opened))
		return "running";
	return opened->state.status == RECORD_EXITED ? "exited" : "created";
}

static json_t *make_state(const struct opened *opened)
{
	const struct record_state *state = &opened->state;
	const bool is_running = opened_is_running(opened);

	return json_pack("{s:s, s:b, s:b, s:b, s:b, s:b, s:i, s:i, s:s, s:s, s:s}", "Status",
			 status_word(opened), "Running", is_running, "Paused", is_paused(opened), "Restarting", 0,
			 "OOMKilled", 0, "Dead", 0, "Pid", is_running ? (int)state->pid : 0, "ExitCode",
			 is_running ? 0 : state->exit_code, "Error", state->error, "StartedAt", state->started,
			 "FinishedAt", state->finished);
}

int shale_container_look(struct shale_containers *containers, const char *name,
			 struct shale_container_facts *ret_facts, struct shale_err *err)
{
	__cleanup_opened struct opened opened = OPENED_NONE;

	if (opened_open(containers, name, &opened, err) < 0)
		return -1;
	*ret_facts = (struct shale_container_facts){
		.is_running = opened_is_running(&opened),
		.is_paused = is_paused(&opened),
		.is_tty = opened_is_tty(&opened),
	};
	memcpy(ret_facts->id, opened.id, sizeof(ret_facts->id));
	return 0;
}

static json_t *file_path(const struct opened *opened, const char *name)
{
	return json_sprintf("%s/" CONTAINER_ROOM "/%s/%s", opened->store.path, opened->layer, name);
}

static json_t *make_networks(const struct opened *opened)
{
	const char *name = strcmp(json_text(opened_host(opened), "NetworkMode"), "host") ? "none" : "host";

	return json_pack("{s:{s:s, s:s, s:s, s:i, s:s}}", name, "NetworkID", name, "IPAddress", "", "Gateway", "",
			 "IPPrefixLen", 0, "MacAddress", "");
}

static json_t *make_network(const struct opened *opened)
{
	return json_pack("{s:s, s:s, s:{}, s:o}", "SandboxID", "", "SandboxKey", "", "Ports", "Networks",
			 make_networks(opened));
}

static json_t *make_driver(const struct opened *opened)
{
	return json_pack("{s:s, s:{s:o, s:o}}", "Name", json_text(opened->record, "Driver"), "Data", "UpperDir",
			 file_path(opened, "upper"), "WorkDir", file_path(opened, "work"));
}

static json_t *make_log_path(const struct opened *opened)
{
	char name[INSTANCE_ID_TEXT + 16];

	snprintf(name, sizeof(name), "%s-json.log", opened->id);
	return file_path(opened, name);
}

static json_t *make_name(const struct opened *opened)
{
	return json_sprintf("/%s", opened->name);
}

static int add_sizes(const struct opened *opened, json_t *json, struct shale_err *err)
{
	__cleanup_found struct found found = FOUND_NONE;
	const struct shale_opts opts = { .root = opened->store.path };
	uint64_t rw = 0, all = 0;

	if (usage_of_container(&opened->store, opened->layer, &rw, err) < 0)
		return -1;
	if (found_open(&opts, json_text(opened->record, "Image"), LOCK_SH, &found, NULL) == 0)
		all = found_size(&found.store, &found.image);
	json_object_set_new(json, "SizeRw", json_integer(rw));
	return json_object_set_new(json, "SizeRootFs", json_integer(all + rw));
}

/* Without what is only for us. */
static json_t *make_points(const struct opened *opened)
{
	static const char *const ours[] = { "NoCopy", "Create", "Anonymous", "Labels", "Options", "Recursive" };
	json_t *points = json_deep_copy(json_object_get(opened->record, "MountPoints")), *point;
	size_t i;

	json_array_foreach(points, i, point)
		for (size_t n = 0; n < sizeof(ours) / sizeof(*ours); n++)
			json_object_del(point, ours[n]);
	return points;
}

static json_t *describe(const struct opened *opened)
{
	json_t *json = json_pack("{s:s, s:s, s:s, s:O, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:i, s:s, s:s, s:s, s:s}",
				 "Id", opened->id, "Created", json_text(opened->record, "Created"), "Path",
				 json_text(opened->record, "Path"), "Args", json_object_get(opened->record, "Args"),
				 "State", make_state(opened), "Image", json_text(opened->record, "Image"),
				 "ResolvConfPath", file_path(opened, "resolv.conf"), "HostnamePath",
				 file_path(opened, "hostname"), "HostsPath", file_path(opened, "hosts"), "LogPath",
				 make_log_path(opened), "Name", make_name(opened), "RestartCount", 0, "Driver",
				 json_text(opened->record, "Driver"), "Platform", "linux", "MountLabel", "",
				 "ProcessLabel", "");

	if (!json)
		return NULL;
	json_object_set_new(json, "AppArmorProfile", json_string(""));
	json_object_set_new(json, "ExecIDs", json_null());
	json_object_set(json, "HostConfig", (json_t *)opened_host(opened));
	json_object_set_new(json, "GraphDriver", make_driver(opened));
	json_object_set_new(json, "Mounts", make_points(opened));
	json_object_set(json, "Config", (json_t *)opened_config(opened));
	json_object_set_new(json, "NetworkSettings", make_network(opened));
	return json;
}

int shale_container_inspect(struct shale_containers *containers, const char *name, bool has_size,
			    char **ret_json, struct shale_err *err)
{
	__cleanup_opened struct opened opened = OPENED_NONE;
	__cleanup_json json_t *json = NULL;

	if (opened_open(containers, name, &opened, err) < 0)
		return -1;
	json = describe(&opened);
	if (json && has_size && add_sizes(&opened, json, err) < 0)
		return -1;
	*ret_json = json ? json_dumps(json, JSON_COMPACT) : NULL;
	return *ret_json ? 0 : shale_err_set(err, ENOMEM, "inspecting a container");
}

/* "5 minutes", as docker rounds it. */
static void print_span(int64_t seconds, char *text, size_t size)
{
	static const struct {
		int64_t below, unit;
		const char *one, *many;
	} spans[] = {
		{ 1, 0, "Less than a second", NULL },	{ 2, 0, "1 second", NULL },
		{ 60, 1, NULL, "seconds" },		{ 120, 0, "About a minute", NULL },
		{ 2760, 60, NULL, "minutes" },		{ 5400, 0, "About an hour", NULL },
		{ 48 * 3600, 3600, NULL, "hours" },	{ 14 * 86400, 86400, NULL, "days" },
		{ 60 * 86400, 7 * 86400, NULL, "weeks" }, { 2 * 365 * 86400, 30 * 86400, NULL, "months" },
	};

	for (size_t i = 0; i < sizeof(spans) / sizeof(*spans); i++) {
		if (seconds >= spans[i].below)
			continue;
		if (spans[i].one)
			snprintf(text, size, "%s", spans[i].one);
		else
			snprintf(text, size, "%lld %s", (long long)(seconds / spans[i].unit), spans[i].many);
		return;
	}
	snprintf(text, size, "%lld years", (long long)(seconds / (365 * 86400)));
}

static json_t *status_text(const struct opened *opened)
{
	const struct record_state *state = &opened->state;
	const time_t now = time(NULL);
	char span[64];

	if (opened_is_running(opened)) {
		print_span(now - image_time(state->started), span, sizeof(span));
		return json_sprintf("Up %s%s", span, is_paused(opened) ? " (Paused)" : "");
	}
	if (state->status != RECORD_EXITED)
		return json_string("Created");
	print_span(now - image_time(state->finished), span, sizeof(span));
	return json_sprintf("Exited (%d) %s ago", state->exit_code, span);
}

static bool needs_quotes(const char *word)
{
	return !*word || strpbrk(word, " \t\n'\"\\$&|;<>()*?[]#~`");
}

/* As docker prints a command: words with blanks are quoted. */
static json_t *command_text(const struct opened *opened)
{
	__cleanup_buf struct buf text = BUF_INIT;
	const json_t *item;
	size_t i;
	int ret = buf_adds(&text, json_text(opened->record, "Path"));

	json_array_foreach(json_object_get(opened->record, "Args"), i, item) {
		const char *word = json_string_value(item);

		ret |= buf_addf(&text, needs_quotes(word) ? " '%s'" : " %s", word);
	}
	return ret < 0 ? NULL : json_string(buf_str(&text));
}

static json_t *summarise(const struct opened *opened)
{
	const json_t *config = opened_config(opened), *host = opened_host(opened);
	json_t *labels = json_object_get(config, "Labels");

	return json_pack("{s:s, s:[o], s:s, s:s, s:o, s:I, s:[], s:o, s:s, s:o, s:{s:s}, s:{s:o}, s:o, s:i, s:s}",
			 "Id", opened->id, "Names", make_name(opened), "Image", json_text(config, "Image"), "ImageID",
			 json_text(opened->record, "Image"), "Command", command_text(opened), "Created",
			 (json_int_t)image_time(json_text(opened->record, "Created")), "Ports", "Labels",
			 json_is_object(labels) ? json_incref(labels) : json_object(), "State", status_word(opened),
			 "Status", status_text(opened), "HostConfig", "NetworkMode", json_text(host, "NetworkMode"),
			 "NetworkSettings", "Networks",
			 make_networks(opened), "Mounts",
			 make_points(opened), "ExitCode", opened->state.exit_code,
			 "CreatedAt", json_text(opened->record, "Created"));
}

struct listing {
	struct shale_containers *containers;
	struct buf ids;
	bool has_size;
	json_t *list;
};

static int note_id(void *arg, const struct instance_row *row, struct shale_err *err)
{
	struct listing *listing = arg;

	if (row->is_ready && buf_add(&listing->ids, row->id, strlen(row->id) + 1) < 0)
		return shale_err_set(err, ENOMEM, "listing containers");
	return 0;
}

static int read_ids(struct listing *listing, struct shale_err *err)
{
	__attribute__((cleanup(store_close))) struct store store = STORE_CLOSED;
	__cleanup_txn struct txn txn = TXN_NONE;
	struct shale_err why = { 0 };

	if (store_open(listing->containers->opts.root, false, &store, &why) < 0)
		return why.code == ENOENT ? 0 : shale_err_set(err, why.code, "%s", why.msg);
	if (txn_begin(&txn, store.db, TXN_READ, err) < 0 || instance_each(txn.db, note_id, listing, err) < 0)
		return -1;
	return txn_commit(&txn, err);
}

/* One that is removed while the list is made is not in it. */
static int add_one(struct listing *listing, const char *id, struct shale_err *err)
{
	__cleanup_opened struct opened opened = OPENED_NONE;
	struct shale_err why = { 0 };
	json_t *json;

	if (opened_open(listing->containers, id, &opened, &why) < 0)
		return why.code == ENOENT ? 0 : shale_err_set(err, why.code, "%s", why.msg);
	json = summarise(&opened);
	if (json && listing->has_size && add_sizes(&opened, json, err) < 0) {
		json_decref(json);
		return -1;
	}
	return json_array_append_new(listing->list, json) ? shale_err_set(err, ENOMEM, "listing containers") : 0;
}

int shale_containers_list(struct shale_containers *containers, bool has_size, char **ret_json,
			  struct shale_err *err)
{
	__cleanup_json json_t *list = json_array();
	struct listing listing = { .containers = containers, .has_size = has_size, .list = list };
	int ret = read_ids(&listing, err);
	const char *id = buf_str(&listing.ids), *end = id + listing.ids.len;

	for (; !ret && id && id < end; id += strlen(id) + 1)
		ret = add_one(&listing, id, err);
	buf_release(&listing.ids);
	if (ret)
		return -1;
	*ret_json = json_dumps(list, JSON_COMPACT);
	return *ret_json ? 0 : shale_err_set(err, ENOMEM, "listing containers");
}

char *shale_containers_runtimes(const struct shale_containers *containers)
{
	__cleanup_json json_t *all = json_object();
	__cleanup_json json_t *json = NULL;
	struct shale_err why = { 0 };
	struct runtime runtime;

	for (size_t i = 0; runtime_names[i]; i++)
		if (runtime_find(runtime_names[i], &runtime, &why) == 0)
			json_object_set_new(all, runtime.name, json_pack("{s:s}", "path", runtime.path));
	json = json_pack("{s:s, s:O}", "Default", containers->runtime.name ?: "", "Runtimes", all);
	return json ? json_dumps(json, JSON_COMPACT) : NULL;
}
