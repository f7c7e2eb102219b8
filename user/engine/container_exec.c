// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verbs about further processes in containers. One is a directory exec/ID of its container: exec.json is what was asked
 * for, the rest as a container's (container/record.h). It is gone with its container's next start, or some minutes after
 * its end.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fs.h"
#include "container/create.h"
#include "container/spec.h"
#include "engine/containers.h"

#define EXEC_NOTE    "exec.json"
#define EXEC_PROCESS "process.json"
#define EXEC_LOCK    "lock"
/* How long one that has ended can be asked about, or one that was not started be started: seconds. */
#define EXEC_KEEP 600
/* docker's, of one that cannot be started. */
#define REFUSED_CODE 126

struct exec {
	struct opened opened;
	char id[INSTANCE_ID_TEXT];
	int dir;
	json_t *note;
	struct record_state state;
	bool is_alive;
};

#define EXEC_NONE      { .opened = OPENED_NONE, .dir = -1 }
#define __cleanup_exec __attribute__((cleanup(exec_release)))

static void exec_release(struct exec *exec)
{
	fd_closep(&exec->dir);
	json_decref(exec->note);
	opened_release(&exec->opened);
}

static bool is_id(const char *text)
{
	return strlen(text) == INSTANCE_ID_TEXT - 1 &&
	       strspn(text, "0123456789abcdef") == INSTANCE_ID_TEXT - 1;
}

static void exec_path(const char *id, char ret_path[INSTANCE_ID_TEXT + 8])
{
	snprintf(ret_path, INSTANCE_ID_TEXT + 8, RECORD_EXEC "/%s", id);
}

/* Which container has it. */
struct search {
	const char *id;
	char layer[CONTAINER_ID_TEXT];
};

static int search_container(void *arg, int dirfd, const char *name)
{
	struct search *search = arg;
	char path[CONTAINER_ID_TEXT + INSTANCE_ID_TEXT + 8];

	if (!container_is_id(name))
		return 0;
	snprintf(path, sizeof(path), "%s/" RECORD_EXEC "/%s", name, search->id);
	if (faccessat(dirfd, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	snprintf(search->layer, sizeof(search->layer), "%s", name);
	return -1;
}

static int no_exec(const char *id, struct shale_err *err)
{
	return shale_err_set(err, ENOENT, "No such exec instance: %.100s", id);
}

static int read_note(struct exec *exec, struct shale_err *err)
{
	__cleanup_buf struct buf text = BUF_INIT;

	if (fs_read_file(exec->dir, EXEC_NOTE, RECORD_MAX_BYTES, &text, err) < 0 ||
	    json_parse_object(text.data, text.len, EXEC_NOTE, &exec->note, err) < 0)
		return -1;
	exec->is_alive = record_is_held(exec->dir, RECORD_ALIVE);
	record_read_state(exec->dir, &exec->state);
	return 0;
}

static int exec_open(struct shale_containers *containers, const char *id, struct exec *exec, struct shale_err *err)
{
	__attribute__((cleanup(store_close))) struct store store = STORE_CLOSED;
	struct search search = { .id = id };
	char path[INSTANCE_ID_TEXT + 8];
	struct shale_err why = { 0 };

	if (!is_id(id) || store_open(containers->opts.root, false, &store, NULL) < 0)
		return no_exec(id, err);
	fs_each_name(store.dirfd, CONTAINER_ROOM, search_container, &search);
	if (!search.layer[0] || opened_open(containers, search.layer, &exec->opened, &why) < 0)
		return no_exec(id, err);
	memcpy(exec->id, id, sizeof(exec->id));
	exec_path(id, path);
	exec->dir = fs_open_beneath(exec->opened.dir, path, O_RDONLY | O_DIRECTORY, 0);
	if (exec->dir < 0 || read_note(exec, &why) < 0)
		return no_exec(id, err);
	return 0;
}

static int check_body(const json_t *body, struct shale_err *err)
{
	static const char *const flags[] = { "Tty", "AttachStdin", "AttachStdout", "AttachStderr", "Detach" };
	const char *dir = json_string_value(json_object_get(body, "WorkingDir"));

	if (create_check_texts(body, "Cmd", err) < 0 || create_check_texts(body, "Env", err) < 0)
		return -1;
	if (!json_array_size(json_object_get(body, "Cmd")))
		return shale_err_set(err, EINVAL, "No exec command specified");
	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
		const json_t *value = json_object_get(body, flags[i]);

		if (value && !json_is_null(value) && !json_is_boolean(value))
			return shale_err_set(err, EINVAL, "invalid JSON: %s has the wrong type", flags[i]);
	}
	if (json_is_true(json_object_get(body, "Privileged")))
		return shale_err_set(err, EINVAL, "privileged processes are not served");
	if (dir && *dir && *dir != '/')
		return shale_err_set(err, EINVAL, "the working directory '%.200s' is no absolute path", dir);
	return 0;
}

static int check_running(const struct opened *opened, struct shale_err *err)
{
	if (!opened_is_running(opened))
		return shale_err_set(err, EBUSY, "Container %s is not running", opened->id);
	if (faccessat(opened->dir, RECORD_PAUSED, F_OK, 0) == 0)
		return shale_err_set(err, EBUSY, "Container %s is paused, unpause the container before exec",
				     opened->id);
	return 0;
}

/* Those that nobody will ask about any more. */
static int drop_old(void *arg, int dirfd, const char *name)
{
	const time_t *before = arg;
	struct stat st;
	int dir;

	if (!is_id(name) || fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_mtime >= *before)
		return 0;
	dir = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return 0;
	if (!record_is_held(dir, RECORD_ALIVE))
		fs_remove_tree(dirfd, name);
	close(dir);
	return 0;
}

static int write_json(int dir, const char *name, const json_t *json, struct shale_err *err)
{
	__cleanup_free char *text = json_dumps(json, JSON_COMPACT);
	__cleanup_fd int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (!text)
		return shale_err_set(err, ENOMEM, "out of memory");
	if (fd < 0 || fs_write_full(fd, text, strlen(text)) < 0)
		return shale_err_errno(err, "cannot write %s", name);
	return 0;
}

static int make_dir(const struct opened *opened, const char *id, const json_t *body, struct shale_err *err)
{
	char path[INSTANCE_ID_TEXT + 8];
	__cleanup_fd int dir = -1;

	exec_path(id, path);
	if (fs_mkdir(opened->dir, RECORD_EXEC, 0700) < 0 || mkdirat(opened->dir, path, 0700) < 0)
		return shale_err_errno(err, "making %s", path);
	dir = fs_open_beneath(opened->dir, path, O_RDONLY | O_DIRECTORY, 0);
	if (dir >= 0 && write_json(dir, EXEC_NOTE, body, err) == 0)
		return 0;
	fs_remove_tree(opened->dir, path);
	return -1;
}

static void tell(const struct shale_containers *containers, const struct opened *opened, const char *action,
		 const json_t *body, const char *id)
{
	__cleanup_buf struct buf text = BUF_INIT;
	const json_t *word;
	size_t i;

	if (buf_addf(&text, "%s:", action) < 0)
		return;
	json_array_foreach(json_object_get(body, "Cmd"), i, word)
		if (buf_addf(&text, " %s", json_string_value(word)) < 0)
			return;
	containers_tell(containers, opened, buf_str(&text), "execID", id);
}

int shale_exec_create(struct shale_containers *containers, const char *name, const char *body,
		      char ret_id[SHALE_CONTAINER_ID_TEXT], struct shale_err *err)
{
	__cleanup_opened struct opened opened = OPENED_NONE;
	const time_t before = time(NULL) - EXEC_KEEP;
	__cleanup_json json_t *json = NULL;

	if (opened_open(containers, name, &opened, err) < 0)
		return -1;
	if (json_parse_object(body, strlen(body), "the body", &json, err) < 0)
		return shale_err_set(err, EINVAL, "the body is no JSON object");
	if (check_body(json, err) < 0 || check_running(&opened, err) < 0 || instance_make_id(ret_id, err) < 0)
		return -1;
	fs_each_name(opened.dir, RECORD_EXEC, drop_old, (void *)&before);
	if (make_dir(&opened, ret_id, json, err) < 0)
		return -1;
	tell(containers, &opened, "exec_create", json, ret_id);
	return 0;
}

/* It was told to begin, whatever came of it. */
static bool was_started(const struct exec *exec)
{
	return faccessat(exec->dir, RECORD_ALIVE, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int check_startable(const struct exec *exec, struct shale_err *err)
{
	if (was_started(exec))
		return shale_err_set(err, EBUSY, "Error: Exec command %s has already run", exec->id);
	return check_running(&exec->opened, err);
}

int shale_exec_check(struct shale_containers *containers, const char *id, bool *ret_is_tty, struct shale_err *err)
{
	__cleanup_exec struct exec exec = EXEC_NONE;

	if (exec_open(containers, id, &exec, err) < 0 || check_startable(&exec, err) < 0)
		return -1;
	*ret_is_tty = json_is_true(json_object_get(exec.note, "Tty"));
	return 0;
}

/* The container's root as its first process sees it, which must still be that one when we have it. */
static int open_root(const struct opened *opened, struct shale_err *err)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/root", (int)opened->state.pid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && record_is_held(opened->dir, RECORD_ALIVE))
		return fd;
	fd_closep(&fd);
	return shale_err_set(err, EBUSY, "Container %s is not running", opened->id);
}

static int make_process(const struct exec *exec, struct shale_err *err)
{
	__cleanup_fd int root = open_root(&exec->opened, err);
	const char *user = json_string_value(json_object_get(exec->note, "User"));
	const char *own = json_string_value(json_object_get(opened_config(&exec->opened), "User"));
	__cleanup_free struct identity *identity = calloc(1, sizeof(*identity));
	__cleanup_json json_t *process = NULL;

	if (root < 0)
		return -1;
	if (!identity)
		return shale_err_set(err, ENOMEM, "out of memory");
	if (identity_find(root, user && *user ? user : own ? own : "",
			  json_object_get(opened_host(&exec->opened), "GroupAdd"), identity, err) < 0 ||
	    spec_make_process(exec->opened.record, exec->note, identity, &process, err) < 0)
		return -1;
	return write_json(exec->dir, EXEC_PROCESS, process, err);
}

static unsigned int streams_of(const struct exec *exec)
{
	return (json_is_true(json_object_get(exec->note, "AttachStdin")) ? WIRE_STDIN : 0) |
	       (json_is_true(json_object_get(exec->note, "AttachStdout")) ? WIRE_STDOUT : 0) |
	       (json_is_true(json_object_get(exec->note, "AttachStderr")) ? WIRE_STDERR : 0);
}

/* It was started, and nothing came of it: clients ask for the code. */
static void note_refusal(const struct exec *exec)
{
	struct record_state state = exec->state;
	int alive;

	state.exit_code = REFUSED_CODE;
	record_write_state(exec->dir, &state, false, NULL);
	alive = record_hold(exec->dir, RECORD_ALIVE, false, NULL);
	fd_closep(&alive);
}

static int start(struct shale_containers *containers, struct exec *exec, int *fd, struct shale_err *err)
{
	const struct wire_message attach = { .kind = WIRE_ATTACH, .number = streams_of(exec) };
	const bool is_tty = json_is_true(json_object_get(exec->note, "Tty"));
	__cleanup_fd int connection = -1;
	__cleanup_fd int alive = -1;
	char flags[8];
	struct runtime runtime;
	struct container_spawn spawn = {
		.mode = "exec",
		.flags = flags,
		.runtime = runtime.path,
		.id = exec->opened.id,
		.dir = exec->dir,
		.mount = -1,
	};

	snprintf(flags, sizeof(flags), "-%s%s", is_tty ? "t" : "", attach.number & WIRE_STDIN ? "i1" : "");
	if (opened_runtime(containers, &exec->opened, &runtime, err) < 0 || make_process(exec, err) < 0) {
		note_refusal(exec);
		return -1;
	}
	alive = record_hold(exec->dir, RECORD_ALIVE, false, err);
	spawn.alive = alive;
	if (alive < 0 || container_spawn(&spawn, &connection, err) < 0)
		return -1;
	if (*fd >= 0 && wire_send(connection, &attach, *fd) == 0) {
		close(*fd);
		*fd = -1;
	}
	fd_closep(&alive);
	alive = -1;
	tell(containers, &exec->opened, "exec_start", exec->note, exec->id);
	return container_spawn_go(connection, err);
}

int shale_exec_start(struct shale_containers *containers, const char *id, int fd, struct shale_err *err)
{
	__cleanup_exec struct exec exec = EXEC_NONE;
	__cleanup_fd int client = fd;
	__cleanup_fd int lock = -1;

	if (exec_open(containers, id, &exec, err) < 0)
		return -1;
	lock = record_hold(exec.dir, EXEC_LOCK, true, err);
	if (lock < 0 || check_startable(&exec, err) < 0)
		return -1;
	return start(containers, &exec, &client, err);
}

struct later {
	struct shale_containers *containers;
	char id[INSTANCE_ID_TEXT];
	bool is_tty;
	int fd;
};

/* Said to the client as docker does, where output would be. */
static void complain(int fd, bool is_tty, const char *text)
{
	__cleanup_buf struct buf line = BUF_INIT;
	unsigned char header[WIRE_FRAME_HEADER];

	wire_frame_header(1, strlen(text) + 2, header);
	if ((is_tty || buf_add(&line, header, sizeof(header)) == 0) && buf_addf(&line, "%s\r\n", text) == 0)
		fs_write_full(fd, line.data, line.len);
}

static void *run_later(void *arg)
{
	struct later *later = arg;
	struct shale_containers *containers = later->containers;
	struct shale_err err = { 0 };
	int copy = fcntl(later->fd, F_DUPFD_CLOEXEC, 3);

	/* What the runtime refuses the supervisor says; see loop.c of user/shim. */
	if (shale_exec_start(containers, later->id, later->fd, &err) < 0 && strncmp(err.msg, "OCI runtime", 11))
		complain(copy, later->is_tty, err.msg);
	fd_closep(&copy);
	free(later);
	containers_run_end(containers);
	return NULL;
}

void shale_exec_start_later(struct shale_containers *containers, const char *id, bool is_tty, int fd)
{
	struct later *later = calloc(1, sizeof(*later));

	if (later) {
		*later = (struct later){ .containers = containers, .is_tty = is_tty, .fd = fd };
		snprintf(later->id, sizeof(later->id), "%s", id);
		if (containers_run_later(containers, run_later, later))
			return;
	}
	free(later);
	close(fd);
}

static json_t *describe(const struct exec *exec)
{
	json_t *command = json_object_get(exec->note, "Cmd");
	__cleanup_json json_t *rest = json_copy(command);
	const char *user = json_string_value(json_object_get(exec->note, "User"));
	const bool is_running = exec->is_alive && exec->state.status == RECORD_RUNNING;
	const bool has_code = was_started(exec) && !exec->is_alive;
	const unsigned int streams = streams_of(exec);

	json_array_remove(rest, 0);
	return json_pack("{s:s, s:s, s:b, s:o, s:{s:b, s:O, s:O, s:b, s:s}, s:b, s:b, s:b, s:b, s:s, s:i}", "ID",
			 exec->id, "ContainerID", exec->opened.id, "Running", is_running || exec->is_alive,
			 "ExitCode", has_code ? json_integer(exec->state.exit_code) : json_null(), "ProcessConfig",
			 "tty", json_is_true(json_object_get(exec->note, "Tty")), "entrypoint",
			 json_array_get(command, 0), "arguments", rest, "privileged", 0, "user", user ? user : "",
			 "OpenStdin", streams & WIRE_STDIN, "OpenStdout", streams & WIRE_STDOUT, "OpenStderr",
			 streams & WIRE_STDERR, "CanRemove", has_code, "DetachKeys", "", "Pid",
			 is_running ? (int)exec->state.pid : 0);
}

int shale_exec_inspect(struct shale_containers *containers, const char *id, char **ret_json, struct shale_err *err)
{
	__cleanup_exec struct exec exec = EXEC_NONE;
	__cleanup_json json_t *json = NULL;

	if (exec_open(containers, id, &exec, err) < 0)
		return -1;
	json = describe(&exec);
	*ret_json = json ? json_dumps(json, JSON_COMPACT) : NULL;
	return *ret_json ? 0 : shale_err_set(err, ENOMEM, "out of memory");
}

int shale_exec_resize(struct shale_containers *containers, const char *id, unsigned int rows, unsigned int columns,
		      struct shale_err *err)
{
	const struct wire_message message = { .kind = WIRE_RESIZE,
					      .number = (rows & 0xffff) << 16 | (columns & 0xffff) };
	__cleanup_exec struct exec exec = EXEC_NONE;
	__cleanup_fd int connection = -1;

	if (exec_open(containers, id, &exec, err) < 0)
		return -1;
	connection = wire_connect(exec.dir, RECORD_SOCKET);
	if (connection < 0 || wire_send(connection, &message, -1) < 0)
		return shale_err_set(err, EBUSY, "Exec command %s is not running", id);
	return 0;
}
