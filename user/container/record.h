/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a container has on disk beside its writable layer, in the layer's directory containers/ID12 of the store:
 *
 *	container.json	what it was made of: Config and HostConfig as docker's API has them, the image, mounts
 *	state.json	what became of its last start; written by the process that supervises it (user/shim)
 *	alive		locked with flock(2) by that process for as long as it has the container
 *	lock		locked by who starts or removes it
 *	shim.sock	where that process is talked to (wire.h)
 *	config.json	for the OCI runtime, written at each start; rootfs/ is where the mount goes
 *	hostname hosts resolv.conf	what is mounted on the files of that name
 *	ID-json.log	what it printed (jsonlog.h)
 *	paused		it stands still; with "commit" in it only for a commit
 *	removing	its volumes are gone or going, and so is it
 *	exec/ID/	the same of a further process
 *
 * So there is nothing to be kept in step when processes die: who is gone has no lock, and what state.json says of
 * a running container without a lock is what a crash has left.
 */
#ifndef SHALE_CONTAINER_RECORD_H
#define SHALE_CONTAINER_RECORD_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/err.h"
#include "store/instance.h"

#define RECORD_CONFIG INSTANCE_NOTE
#define RECORD_STATE  "state.json"
#define RECORD_ALIVE  "alive"
#define RECORD_LOCK   "lock"
#define RECORD_SOCKET "shim.sock"
#define RECORD_BUNDLE "config.json"
#define RECORD_ROOTFS "rootfs"
#define RECORD_EXEC   "exec"
#define RECORD_PAUSED "paused"
/* It is being removed together with its volumes, which go first: who dies over it is finished for. */
#define RECORD_REMOVING "removing"
/* The pid of what the runtime has started, and what it has to say about a failure. */
#define RECORD_PID     "pid"
#define RECORD_RUNTIME "runtime.log"
/* Both come from a request, which is bounded by API_MAX_JSON, and an image's config. */
#define RECORD_MAX_BYTES (4u << 20)
#define RECORD_MAX_ERROR 512

/* docker's word for a time that has not been. */
#define RECORD_NO_TIME "0001-01-01T00:00:00Z"

enum record_status { RECORD_CREATED, RECORD_RUNNING, RECORD_EXITED };

struct record_state {
	enum record_status status;
	pid_t pid; /* while it is running */
	int exit_code;
	char started[CLOCK_TEXT];
	char finished[CLOCK_TEXT];
	char error[RECORD_MAX_ERROR]; /* why it could not be started */
};

/* One without a file was made and never started; one that cannot be read counts as lost. */
void record_read_state(int dirfd, struct record_state *ret_state);
/* is_lasting: survives a power failure. Otherwise a crash may leave the old or none. */
int record_write_state(int dirfd, const struct record_state *state, bool is_lasting,
		       struct shale_err *err);

int record_read_config(int dirfd, json_t **ret_config, struct shale_err *err);
int record_write_config(int dirfd, json_t *config, struct shale_err *err);

/* Whether somebody holds the lock of that name. */
bool record_is_held(int dirfd, const char *name);
/* The lock's fd, which waits for who has it; -1 with err. For should_wait false EBUSY instead. */
int record_hold(int dirfd, const char *name, bool should_wait, struct shale_err *err);

#endif
