// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verbs that change containers or show what has changed in them: rename, pause and unpause, changes, commit, top.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fs.h"
#include "engine/containers.h"
#include "store/json.h"

/* What the runtime makes in a root filesystem to mount on it; docker has it in a layer of its own, below. */
static const char *const made_paths[] = { "proc", "dev", "sys", "etc/resolv.conf", "etc/hostname", "etc/hosts",
					  "dev/pts", "dev/shm", "dev/mqueue", "sys/fs/cgroup" };
#define MADE_COUNT (sizeof(made_paths) / sizeof(*made_paths))

/* In the mark of one that stands still as long as it is committed. */
#define FOR_COMMIT "commit"

static int set_name(const struct opened *opened, const char *name, struct shale_err *err)
{
	__cleanup_txn struct txn txn = TXN_NONE;

	if (txn_begin(&txn, opened->store.db, TXN_WRITE, err) < 0 ||
	    instance_rename(txn.db, opened->id, name, err) < 0)
		return -1;
	return txn_commit(&txn, err);
}

static int check_new_name(const struct opened *opened, const char *name, struct shale_err *err)
{
	if (!instance_is_name(name))
		return shale_err_set(err, EINVAL,
				     "Invalid container name (%.100s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
				     name);
	if (!strcmp(name, opened->name))
		return shale_err_set(err, EINVAL, "Renaming a container with the same name as its current name");
	return 0;
}

int shale_container_rename(struct shale_containers *containers, const char *name, const char *to,
			   struct shale_err *err)
{
	__cleanup_opened struct opened opened = OPENED_NONE;
	__cleanup_fd int lock = -1;
	struct shale_err why = { 0 };
	char old[INSTANCE_MAX_NAME + 2];

	to += *to == '/';
	if (opened_open(containers, name, &opened, err) < 0 || check_new_name(&opened, to, err) < 0)
		return -1;
	lock = opened_hold(&opened, err);
	if (lock < 0)
		return -1;
	if (set_name(&opened, to, &why) < 0) {
		if (why.code != EEXIST)
			return shale_err_set(err, why.code, "%s", why.msg);
		return shale_err_set(err, EEXIST,
				     "Conflict. The container name \"/%.100s\" is already in use by container \"%.64s\". You have to remove (or rename) that container to be able to reuse that name.",
				     to, why.msg);
	}
	snprintf(old, sizeof(old), "/%s", opened.name);
	snprintf(opened.name, sizeof(opened.name), "%s", to);
	json_object_set_new(opened.record, "Name", json_string(to));
	containers_tell(containers, &opened, "rename", "oldName", old);
	return record_write_config(opened.dir, opened.record, err);
}

/* The mark comes before and goes after: one that has it and runs is mended when a daemon begins. Its content says for whom. */
static int pause_opened(const struct shale_containers *containers, const struct opened *opened, const char *for_whom,
			struct shale_err *err)
{
	const char *const words[] = { "pause", opened->id, NULL };
	__cleanup_fd int mark =
		openat(opened->dir, RECORD_PAUSED, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (mark < 0)
		return shale_err_errno(err, "pausing container %s", opened->id);
	if (fs_write_full(mark, for_whom, strlen(for_whom)) == 0) {
		if (opened_call(containers, opened, words, err) == 0)
			return 0;
	} else {
		shale_err_errno(err, "pausing container %s", opened->id);
	}
	unlinkat(opened->dir, RECORD_PAUSED, 0);
	return -1;
}

/* What the runtime says; true if it says nothing. */
static bool is_frozen(const struct shale_containers *containers, const struct opened *opened)
{
	const char *const words[] = { "state", opened->id, NULL };
	__cleanup_buf struct buf text = BUF_INIT;
	__cleanup_json json_t *state = NULL;
	struct shale_err why = { 0 };
	struct runtime runtime;

	if (opened_runtime(containers, opened, &runtime, &why) < 0 || runtime_ask(&runtime, words, &text, &why) < 0 ||
	    json_parse_object(text.data, text.len, "the runtime's answer", &state, &why) < 0)
		return true;
	return !strcmp(json_text(state, "status"), "paused");
}

static int resume_opened(const struct shale_containers *containers, const struct opened *opened,
			 struct shale_err *err)
{
	const char *const words[] = { "resume", opened->id, NULL };

	if (opened_call(containers, opened, words, err) < 0 && is_frozen(containers, opened))
		return -1;
	unlinkat(opened->dir, RECORD_PAUSED, 0);
	return 0;
}

void container_mend_pause(const struct shale_containers *containers, const struct opened *opened)
{
	__cleanup_buf struct buf mark = BUF_INIT;
	__cleanup_fd int lock = -1;
	struct shale_err why = { 0 };

	/* Who pauses or commits it at this moment, by another daemon, holds its lock. */
	if (!opened_has_pause(opened) || (lock = record_hold(opened->dir, RECORD_LOCK, false, &why)) < 0 ||
	    fs_read_file(opened->dir, RECORD_PAUSED, sizeof(FOR_COMMIT), &mark, &why) < 0)
		return;
	if (!strcmp(buf_str(&mark), FOR_COMMIT))
		resume_opened(containers, opened, &why);
	else if (!is_frozen(containers, opened))
		unlinkat(opened->dir, RECORD_PAUSED, 0);
}

static int set_paused(struct shale_containers *containers, const char *name, bool should_pause,
		      struct shale_err *err)
{
	__cleanup_opened struct opened opened = OPENED_NONE;
	__cleanup_fd int lock = -1;

	if (opened_open(containers, name, &opened, err) < 0 || (lock = opened_hold(&opened, err)) < 0)
		return -1;
	if (!opened_is_running(&opened))
		return shale_err_set(err, EBUSY, "Container %s is not running", opened.id);
	if (opened_has_pause(&opened) == should_pause)
		return shale_err_set(err, EBUSY, "Container %s is %s", opened.id,
				     should_pause ? "already paused" : "not paused");
	if (should_pause ? pause_opened(containers, &opened, "", err) < 0 : resume_opened(containers, &opened, err) < 0)
		return -1;
	containers_tell(containers, &opened, should_pause ? "pause" : "unpause", NULL, NULL);
	return 0;
}

int shale_container_pause(struct shale_containers *containers, const char *name, struct shale_err *err)
{
	return set_paused(containers, name, true, err);
}

int shale_container_unpause(struct shale_containers *containers, const char *name, struct shale_err *err)
{
	return set_paused(containers, name, false, err);
}

/* Whether OTHER lies below the directory PATH. */
static bool is_below(const char *other, const char *path)
{
	const size_t len = strlen(path);

	return strlen(other) > len && !strncmp(other, path, len) && other[len] == '/';
}

static bool is_above_made(const char *path)
{
	for (size_t i = 0; i < MADE_COUNT; i++)
		if (is_below(made_paths[i], path))
			return true;
	return false;
}

/* The runtime has made it, or made something in it. */
static bool is_made(const char *path)
{
	for (size_t i = 0; i < MADE_COUNT; i++)
		if (!strcmp(path, made_paths[i]))
			return true;
	return is_above_made(path);
}

static bool has_below(const json_t *rows, const char *path)
{
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
		if (is_below(json_text(row, "Path"), path))
			return true;
	return false;
}

static void drop_made(json_t *rows)
{
	for (size_t i = json_array_size(rows); i--;) {
		const json_t *row = json_array_get(rows, i);

		if (json_integer_value(json_object_get(row, "Kind")) == 1 && is_made(json_text(row, "Path") + 1) &&
		    !has_below(rows, json_text(row, "Path")))
			json_array_remove(rows, i);
	}
	for (size_t i = json_array_size(rows); i--;) {
		const char *path = json_text(json_array_get(rows, i), "Path");

		if (json_integer_value(json_object_get(json_array_get(rows, i), "Kind")) == 0 &&
		    is_above_made(path + 1) && !has_below(rows, path))
			json_array_remove(rows, i);
	}
}

int shale_container_changes(struct shale_containers *containers, const char *name, char **ret_json,
			    struct shale_err *err)
{
	__cleanup_opened struct opened opened = OPENED_NONE;
	__cleanup_free char *text = NULL;
	__cleanup_json json_t *rows = NULL;

	if (opened_open(containers, name, &opened, err) < 0 ||
	    shale_diff(&containers->opts, opened.layer, &text, err) < 0)
		return -1;
	rows = json_loads(text, 0, NULL);
	drop_made(rows);
	*ret_json = json_dumps(rows, JSON_COMPACT);
	return *ret_json ? 0 : shale_err_set(err, ENOMEM, "listing changes");
}

static char *created_by(const struct opened *opened)
{
	__cleanup_buf struct buf text = BUF_INIT;
	const json_t *word;
	size_t i;

	json_array_foreach(json_object_get(opened_config(opened), "Cmd"), i, word)
		if (buf_addf(&text, "%s%s", i ? " " : "", json_string_value(word)) < 0)
			return NULL;
	return strdup(buf_str(&text));
}

static int commit_opened(struct shale_containers *containers, const struct opened *opened,
			 const struct shale_commit_opts *commit, char ret_id[SHALE_DIGEST_TEXT],
			 struct shale_err *err)
{
	__cleanup_free char *config = json_dumps(opened_config(opened), JSON_COMPACT);
	__cleanup_free char *command = created_by(opened);
	struct shale_commit_opts whole = *commit;

	if (!config || !command)
		return shale_err_set(err, ENOMEM, "out of memory");
	whole.container = opened->layer;
	whole.config = config;
	whole.created_by = command;
	whole.skipped = made_paths;
	whole.skipped_count = MADE_COUNT;
	return shale_commit(&containers->opts, &whole, ret_id, err);
}

int shale_container_commit(struct shale_containers *containers, const struct shale_commit_opts *commit,
			   bool should_pause, char ret_id[SHALE_DIGEST_TEXT], struct shale_err *err)
{
	__cleanup_opened struct opened opened = OPENED_NONE;
	__cleanup_fd int lock = -1;
	bool has_paused = false;
	int ret;

	if (opened_open(containers, commit->container, &opened, err) < 0 ||
	    (lock = opened_hold(&opened, err)) < 0)
		return -1;
	if (should_pause && opened_is_running(&opened) && !opened_has_pause(&opened))
		has_paused = pause_opened(containers, &opened, FOR_COMMIT, err) == 0;
	ret = commit_opened(containers, &opened, commit, ret_id, err);
	if (has_paused)
		resume_opened(containers, &opened, NULL);
	if (ret == 0)
		containers_tell(containers, &opened, "commit", "imageID", ret_id);
	return ret;
}

/* The fields of /proc/PID/stat behind the program's name: state is the first. */
#define STAT_FIELDS 20
enum { STAT_PPID = 1, STAT_TTY = 4, STAT_UTIME = 11, STAT_STIME = 12, STAT_START = 19 };

static bool read_stat(int pid, long long fields[STAT_FIELDS])
{
	__cleanup_buf struct buf text = BUF_INIT;
	char path[64], *at;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (fs_read_file(AT_FDCWD, path, 4096, &text, NULL) < 0 || !(at = strrchr(text.data, ')')))
		return false;
	at += 3;
	for (int i = 1; i < STAT_FIELDS; i++) {
		at = strchr(at, ' ');
		if (!at)
			return false;
		fields[i] = strtoll(++at, NULL, 10);
	}
	return true;
}

static json_t *owner_of(int pid)
{
	char path[64], names[1024];
	struct passwd user, *found = NULL;
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d", pid);
	if (stat(path, &st) < 0)
		return NULL;
	getpwuid_r(st.st_uid, &user, names, sizeof(names), &found);
	return found ? json_string(user.pw_name) : json_sprintf("%u", st.st_uid);
}

static json_t *command_of(int pid)
{
	__cleanup_buf struct buf text = BUF_INIT;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	fs_read_file(AT_FDCWD, path, 1u << 20, &text, NULL);
	while (text.len && !text.data[text.len - 1])
		text.len--;
	for (size_t i = 0; i < text.len; i++)
		if (!text.data[i] || text.data[i] & 0x80)
			text.data[i] = text.data[i] ? '?' : ' ';
	return json_stringn(text.len ? text.data : "", text.len);
}

static json_t *start_of(long long ticks)
{
	struct timespec up, now;
	time_t when;
	struct tm tm;
	char text[16];

	clock_gettime(CLOCK_BOOTTIME, &up);
	clock_gettime(CLOCK_REALTIME, &now);
	when = now.tv_sec - up.tv_sec + ticks / sysconf(_SC_CLK_TCK);
	localtime_r(&when, &tm);
	strftime(text, sizeof(text), now.tv_sec - when < 86400 ? "%H:%M" : "%b%d", &tm);
	return json_string(text);
}

/* As `ps -ef` has it. */
static void add_process(json_t *rows, int pid)
{
	long long stat[STAT_FIELDS];
	long long seconds;
	char time[32];

	/* One that has ended meanwhile is not shown. */
	if (!read_stat(pid, stat))
		return;
	seconds = (stat[STAT_UTIME] + stat[STAT_STIME]) / sysconf(_SC_CLK_TCK);
	snprintf(time, sizeof(time), "%02lld:%02lld:%02lld", seconds / 3600, seconds / 60 % 60, seconds % 60);
	json_array_append_new(rows,
			      json_pack("[o, o, o, s, o, s, s, o]", owner_of(pid), json_sprintf("%d", pid),
					json_sprintf("%lld", stat[STAT_PPID]), "0", start_of(stat[STAT_START]),
					stat[STAT_TTY] ? "pts/0" : "?", time, command_of(pid)));
}

int shale_container_top(struct shale_containers *containers, const char *name, char **ret_json,
			struct shale_err *err)
{
	__cleanup_opened struct opened opened = OPENED_NONE;
	__cleanup_buf struct buf text = BUF_INIT;
	__cleanup_json json_t *pids = NULL;
	struct runtime runtime;
	__cleanup_json json_t *rows = json_array();
	__cleanup_json json_t *json = NULL;
	const json_t *pid;
	size_t i;

	if (opened_open(containers, name, &opened, err) < 0)
		return -1;
	if (!opened_is_running(&opened))
		return shale_err_set(err, EBUSY, "Container %s is not running", opened.id);
	if (opened_runtime(containers, &opened, &runtime, err) < 0 ||
	    runtime_ask(&runtime, (const char *[]){ "ps", "--format", "json", opened.id, NULL }, &text,
			err) < 0 ||
	    json_parse_array(text.data, text.len, "the runtime's answer", &pids, err) < 0)
		return -1;
	json_array_foreach(pids, i, pid)
		add_process(rows, json_integer_value(pid));
	json = json_pack("{s:[s, s, s, s, s, s, s, s], s:O}", "Titles", "UID", "PID", "PPID", "C", "STIME", "TTY",
			 "TIME", "CMD", "Processes", rows);
	*ret_json = json ? json_dumps(json, JSON_COMPACT) : NULL;
	return *ret_json ? 0 : shale_err_set(err, ENOMEM, "out of memory");
}
