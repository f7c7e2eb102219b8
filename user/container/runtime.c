// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls of the OCI runtime; see runtime.h. It is started without a shell and finds only what it needs open. The
 * supervising process starts containers, the engine does everything else.
 */
#include "container/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/process.h"
#include "container/record.h"

#define MAX_WORDS 24

const char *const runtime_names[] = { "runc", "crun", NULL };
static const char *const places[] = { "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin",
				      "/sbin",		 "/bin" };

static bool find_name(const char *name, struct runtime *runtime)
{
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		snprintf(runtime->path, sizeof(runtime->path), "%s/%s", places[i], name);
		if (access(runtime->path, X_OK) == 0) {
			runtime->name = name;
			return true;
		}
	}
	return false;
}

int runtime_find(const char *name, struct runtime *ret_runtime, struct shale_err *err)
{
	if (name && !*name)
		name = NULL;
	for (size_t i = 0; runtime_names[i]; i++)
		if ((!name || !strcmp(name, runtime_names[i])) && find_name(runtime_names[i], ret_runtime))
			return 0;
	if (name)
		return shale_err_set(err, ENOENT,
				     "there is no OCI runtime '%.100s': of runc and crun one has to be installed",
				     name);
	return shale_err_set(err, ENOENT, "containers need an OCI runtime: neither runc nor crun is installed");
}

static pid_t spawn(const char *path, const char *const *argv, const int stdio[3])
{
	/* What goes on behind the back of who looks after what we leave could make it anew. */
	const struct process_spec spec = {
		.path = path, .argv = argv, .fds = stdio, .fd_count = 3, .dir = -1, .ends_with_us = true
	};
	pid_t pid;

	return process_start(&spec, &pid) < 0 ? -1 : pid;
}

pid_t runtime_spawn(const struct runtime_start *start)
{
	const char *argv[MAX_WORDS] = { start->path, "--root", RUNTIME_ROOT, "--log", RECORD_RUNTIME,
					"--log-format", "json" };
	static const int nothing[3] = { -1, -1, -1 };
	size_t count = 7;

	argv[count++] = start->is_exec ? "exec" : "run";
	argv[count++] = "--detach";
	argv[count++] = "--pid-file";
	argv[count++] = RECORD_PID;
	if (start->console) {
		argv[count++] = "--console-socket";
		argv[count++] = start->console;
	}
	if (start->is_exec) {
		argv[count++] = "--process";
		argv[count++] = "process.json";
	} else {
		argv[count++] = "--bundle";
		argv[count++] = ".";
	}
	argv[count++] = start->id;
	return spawn(start->path, argv, start->console ? nothing : start->stdio);
}

static int read_all(int fd, struct buf *out)
{
	char chunk[4096];
	ssize_t got;
	off_t at = 0;

	while (out->len < RUNTIME_MAX_LOG && (got = pread(fd, chunk, sizeof(chunk), at)) > 0) {
		if (buf_add(out, chunk, got) < 0)
			return -1;
		at += got;
	}
	return 0;
}

static int memory_file(void)
{
	return memfd_create("runtime", MFD_CLOEXEC);
}

static int call(const char *path, const char *const *words, struct buf *out, struct shale_err *err)
{
	const char *argv[MAX_WORDS] = { path, "--root", RUNTIME_ROOT };
	__cleanup_fd int output = memory_file();
	__cleanup_fd int errors = memory_file();
	const int stdio[3] = { -1, output, errors };
	__cleanup_buf struct buf said = BUF_INIT;
	size_t count = 3;
	pid_t pid;

	while (*words && count + 1 < MAX_WORDS)
		argv[count++] = *words++;
	pid = output < 0 || errors < 0 ? -1 : spawn(path, argv, stdio);
	if (pid < 0)
		return shale_err_errno(err, "%s cannot be started", path);
	if (process_wait(pid) == 0)
		return out ? read_all(output, out) : 0;
	if (read_all(errors, &said) < 0)
		return shale_err_errno(err, "%s", path);
	while (said.len && said.data[said.len - 1] == '\n')
		said.data[--said.len] = '\0';
	return shale_err_set(err, EIO, "%s %s: %.600s", path, argv[3], buf_str(&said));
}

int runtime_call(const struct runtime *runtime, const char *const *words, struct shale_err *err)
{
	return call(runtime->path, words, NULL, err);
}

int runtime_ask(const struct runtime *runtime, const char *const *words, struct buf *out,
		struct shale_err *err)
{
	return call(runtime->path, words, out, err);
}

int runtime_delete(const char *path, const char *id)
{
	const char *const words[] = { "delete", "--force", id, NULL };
	struct shale_err why = { 0 };

	return call(path, words, NULL, &why);
}

void runtime_forget(const char *id)
{
	__cleanup_fd int dir = open(RUNTIME_ROOT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir >= 0)
		fs_remove_tree(dir, id);
}

/* The message of the last error in a log of JSON lines. */
static void last_error(const char *log, size_t len, char *text, size_t size)
{
	const char *end = log + len, *next;

	for (const char *line = log; line < end; line = next + 1) {
		json_t *json;
		const char *word;

		next = memchr(line, '\n', end - line);
		next = next ? next : end;
		json = json_loadb(line, next - line, 0, NULL);
		word = json_string_value(json_object_get(json, "msg"));
		if (word && !strcmp(json_string_value(json_object_get(json, "level")) ?: "", "error"))
			snprintf(text, size, "%s", word);
		json_decref(json);
	}
	for (char *at = text; *at; at++)
		if (*at == '\n')
			*at = ' ';
}

static const struct {
	const char *sign;
	int code;
	const char *words; /* docker's, which have to be in the message */
} faults[] = {
	{ "executable file not found", 127, "executable file not found" },
	{ "not found in $PATH", 127, "executable file not found" },
	{ "permission denied", 126, "permission denied" },
	{ "is a directory", 126, "permission denied" },
	{ "exec format error", 126, "exec format error" },
	{ "no such file or directory", 127, "no such file or directory" },
};

int runtime_fault(const char *log, size_t len, char *ret_text, size_t size)
{
	char text[1024] = "the runtime does not say why";

	last_error(log, len, text, sizeof(text));
	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
		if (!strcasestr(text, faults[i].sign))
			continue;
		snprintf(ret_text, size, "OCI runtime create failed: %s%s%s", text,
			 strstr(text, faults[i].words) ? "" : ": ",
			 strstr(text, faults[i].words) ? "" : faults[i].words);
		return faults[i].code;
	}
	snprintf(ret_text, size, "OCI runtime create failed: %s", text);
	return 128;
}
