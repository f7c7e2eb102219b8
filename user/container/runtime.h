/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one door to the OCI runtime, runc or crun: which there is, how it is called, and what its complaints mean.
 */
#ifndef SHALE_CONTAINER_RUNTIME_H
#define SHALE_CONTAINER_RUNTIME_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* What the runtime remembers; gone with the next start of the machine, as the containers are. */
#define RUNTIME_ROOT "/run/shale/runtime"
#define RUNTIME_PATH 256
/* What a call may have to say. */
#define RUNTIME_MAX_LOG (64u << 10)

struct runtime {
	char path[RUNTIME_PATH];
	const char *name; /* "runc", "crun" */
};

/* The names there are, ending with NULL. */
extern const char *const runtime_names[];

/* By name, or for NULL or "" the first there is. ENOENT. */
int runtime_find(const char *name, struct runtime *ret_runtime, struct shale_err *err);

/*
 * Begins `run` of the bundle in the working directory, or `exec` of process.json there, with these three as the
 * process's own, or a console socket's path in their place. What it complains of goes to RECORD_RUNTIME, the
 * process's id to RECORD_PID, both in the working directory. The runtime's own process, which dies with us; or -1 with
 * errno.
 */
struct runtime_start {
	const char *path;
	const char *id;
	bool is_exec;
	const char *console; /* NULL: stdio */
	int stdio[3];
};
pid_t runtime_spawn(const struct runtime_start *start);

/* Calls it and waits: WORDS end with NULL, and the container's ID is their last. */
int runtime_call(const struct runtime *runtime, const char *const *words, struct shale_err *err);
/* The same for what it prints. */
int runtime_ask(const struct runtime *runtime, const char *const *words, struct buf *out,
		struct shale_err *err);
/* Ends and forgets it, whatever state it is in; of one that it does not know nothing is said. */
int runtime_delete(const char *path, const char *id);
/* Removes its notes about one that has ended. Of one that it was killed over it can make nothing itself. */
void runtime_forget(const char *id);

/*
 * What a log says went wrong, as a sentence in docker's words, by which its clients choose their exit status; and the
 * exit code it counts as: 127 there is no such program, 126 it cannot be started, 128 something else.
 */
int runtime_fault(const char *log, size_t len, char *ret_text, size_t size);

#endif
