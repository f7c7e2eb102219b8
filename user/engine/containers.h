/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the verbs about containers share: one that was found, with its files; and the table of what somebody waits for
 * (containers.c). Nothing in that table is needed to find a container or its state: those are on disk.
 */
#ifndef SHALE_ENGINE_CONTAINERS_H
#define SHALE_ENGINE_CONTAINERS_H

#include <jansson.h>
#include <pthread.h>
#include <shale_container.h>

#include "container/record.h"
#include "container/runtime.h"
#include "container/wire.h"
#include "store/instance.h"
#include "store/json.h"
#include "store/store.h"

struct containers_live;

struct shale_containers {
	struct shale_opts opts;
	const char *driver;
	struct shale_container_hooks hooks;
	struct runtime runtime; /* for who does not say which; without a name: there is none */
	pthread_mutex_t lock;
	pthread_cond_t idle;
	struct containers_live *lives; /* under the lock, as what they have */
	unsigned int threads;	       /* under the lock: of containers_run_later() */
	int epoll;
	int stop;
	pthread_t thread;
};

/* A container that was looked up. */
struct opened {
	struct store store;
	int dir;
	char id[INSTANCE_ID_TEXT];
	char name[INSTANCE_MAX_NAME + 1];
	char layer[CONTAINER_ID_TEXT];
	json_t *record;
	struct record_state state;
	bool is_alive; /* its supervisor had it when we looked */
	bool is_lost;  /* its supervisor was killed, and nobody has cleared away after it */
};

#define OPENED_NONE	 { .store = STORE_CLOSED, .dir = -1 }
#define __cleanup_opened __attribute__((cleanup(opened_release)))

/* ENOENT, in docker's words. */
int opened_open(const struct shale_containers *containers, const char *name, struct opened *ret_opened,
		struct shale_err *err);
void opened_release(struct opened *opened);
/* Looks at its state again. */
void opened_look(struct opened *opened);
bool opened_is_running(const struct opened *opened);
/* The mark of one that is paused is there, whether it runs or not. */
bool opened_has_pause(const struct opened *opened);
/* The lock of who starts or removes it; ENOENT when it was removed meanwhile. -1 with err. */
int opened_hold(struct opened *opened, struct shale_err *err);
const json_t *opened_config(const struct opened *opened);
const json_t *opened_host(const struct opened *opened);
bool opened_is_tty(const struct opened *opened);
/* The runtime that it was made for. ENOENT: it is not installed. */
int opened_runtime(const struct shale_containers *containers, const struct opened *opened,
		   struct runtime *ret_runtime, struct shale_err *err);
/* Calls that with WORDS, which end with NULL. */
int opened_call(const struct shale_containers *containers, const struct opened *opened, const char *const *words,
		struct shale_err *err);
/* Ends what a dead supervisor has left of it; the caller holds its lock. */
void opened_clear_lost(const struct shale_containers *containers, struct opened *opened);
/* "/etc/x" of a directory of the store. */
int opened_dir(const struct store *store, const char *layer, struct shale_err *err);

/* Tells of something that has happened; one more attribute, or NULL. */
void containers_tell(const struct shale_containers *containers, const struct opened *opened,
		     const char *action, const char *key, const char *value);

/* The table. */
/* Its supervisor is listened to from now on, by this connection. */
void containers_watch(struct shale_containers *containers, const char *id, int connection);
/* The same by one that is made, unless there is one. */
void containers_adopt(struct shale_containers *containers, const struct opened *opened);
/* It has ended, as its supervisor's hanging up has told; waiters and events hear of it before this returns. */
void containers_ended(struct shale_containers *containers, const char *id);
/* It has been removed, having ended with this code. */
void containers_removed(struct shale_containers *containers, const char *id, int exit_code);
/* A client that wants to be attached when it starts; the fd is taken. */
int containers_attach_later(struct shale_containers *containers, const char *id, int fd,
			    unsigned int streams, struct shale_err *err);
/* Hands all such over to a supervisor. */
void containers_hand_over(struct shale_containers *containers, const char *id, int connection);

/* Runs work on a thread of its own, which is waited for when containers are closed. False: it could not be. */
bool containers_run_later(struct shale_containers *containers, void *(*run)(void *), void *arg);
/* Its last act. */
void containers_run_end(struct shale_containers *containers);

/* container_end.c */
int container_remove_opened(struct shale_containers *containers, struct opened *opened,
			    const struct shale_container_remove_opts *remove, struct shale_err *err);

/*
 * container_change.c: one that runs and that a dead daemon has paused to commit it, or was about to, goes on. Whether it was
 * paused is then as its mark says.
 */
void container_mend_pause(const struct shale_containers *containers, const struct opened *opened);

/* container_files.c: hostname, hosts and resolv.conf */
int container_files_write(const struct opened *opened, struct shale_err *err);

/* container_name.c: "brisk_basalt" */
void container_name_make(char ret_name[INSTANCE_MAX_NAME + 1]);

/* container_spawn.c: a supervisor, which then has the mount and the locked file. Our end of its first connection. */
struct container_spawn {
	const char *mode; /* "run", "exec" */
	const char *flags;
	const char *runtime;
	const char *id;
	int dir;
	int alive;
	int mount; /* -1: none */
};
int container_spawn(const struct container_spawn *spawn, int *ret_connection, struct shale_err *err);
/* Tells it to go on, and waits for what comes of it. */
int container_spawn_go(int connection, struct shale_err *err);

#endif
