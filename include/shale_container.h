/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libshale's face for containers: images that run. Verbs are as in shale.h; what they say is JSON in the words of docker's
 * API. A container's process needs nobody: it is supervised by a process of its own, and one who opens the store
 * finds it, whoever has started it.
 *
 * NAME is always a container's name, its ID, or the beginning of its ID.
 */
#ifndef SHALE_CONTAINER_H
#define SHALE_CONTAINER_H

#include <shale.h>
#include <sys/types.h>

#define SHALE_CONTAINER_ID_TEXT 65

/*
 * What one process that serves containers holds: who waits for which, and who is attached to what is not started yet.
 * All verbs may be called by any thread.
 */
struct shale_containers;

/* Texts live until the callback returns. It may be called by any thread, and must not call a verb. */
struct shale_container_event {
	const char *action; /* docker's: create start die destroy ... */
	const char *id;
	const char *name;
	const char *image;
	const char *attributes; /* a JSON object of texts: labels, and what the action has besides */
};
struct shale_container_hooks {
	void (*event)(void *arg, const struct shale_container_event *event);
	void *arg;
};

/*
 * Also takes up what runs, and clears away what a crash has left. opts and hooks live as long as it does. @runtime: "runc" or
 * "crun", of containers for which none is named; NULL is the first that is installed. ENOENT: it is not.
 */
int shale_containers_open(const struct shale_opts *opts, const char *driver, const char *runtime,
			  const struct shale_container_hooks *hooks, struct shale_containers **ret_containers,
			  struct shale_err *err);
/* Which runtimes there are: {"Default":"runc","Runtimes":{"runc":{"path":"/usr/sbin/runc"}}}, to be freed. NULL: out of memory. */
char *shale_containers_runtimes(const struct shale_containers *containers);
/* Tells all who wait that they have waited for nothing: the process ends. NULL is none. */
void shale_containers_leave(struct shale_containers *containers);
/* Containers go on. */
void shale_containers_close(struct shale_containers *containers);

/* @name: NULL makes one up. @body: of docker's request, JSON. EEXIST: the name is another's; ENOENT: no such image. */
int shale_container_create(struct shale_containers *containers, const char *name, const char *body,
			   char ret_id[SHALE_CONTAINER_ID_TEXT], struct shale_err *err);
/* *ret_was: it was running already. EINVAL: its program cannot be started. */
int shale_container_start(struct shale_containers *containers, const char *name, bool *ret_was,
			  struct shale_err *err);
/* By its stop signal, and after so many seconds by SIGKILL; less than 0: as it was made. *ret_was: it was not running. */
int shale_container_stop(struct shale_containers *containers, const char *name, int seconds, bool *ret_was,
			 struct shale_err *err);
/* @signal: "KILL", "SIGTERM", "9"; NULL is SIGKILL, which is waited for. EBUSY: it is not running. */
int shale_container_kill(struct shale_containers *containers, const char *name, const char *signal,
			 struct shale_err *err);
/* EBUSY: it is running, unless force. */
struct shale_container_remove_opts {
	bool force;
	bool has_volumes; /* those without a name go with it */
};
int shale_container_remove(struct shale_containers *containers, const char *name,
			   const struct shale_container_remove_opts *remove, struct shale_err *err);

/* EEXIST: the name is another's. */
int shale_container_rename(struct shale_containers *containers, const char *name, const char *to,
			   struct shale_err *err);
/* EBUSY: it is not running, or it is so already. */
int shale_container_pause(struct shale_containers *containers, const char *name, struct shale_err *err);
int shale_container_unpause(struct shale_containers *containers, const char *name, struct shale_err *err);
/* As shale_diff(), without what the runtime has made to mount on it. JSON text to be freed. */
int shale_container_changes(struct shale_containers *containers, const char *name, char **ret_json,
			    struct shale_err *err);
/* As shale_commit(); the image is configured as the container. should_pause: it stands still meanwhile. */
int shale_container_commit(struct shale_containers *containers, const struct shale_commit_opts *commit,
			   bool should_pause, char ret_id[SHALE_DIGEST_TEXT], struct shale_err *err);
/* Its processes, as `ps -ef` shows them. */
int shale_container_top(struct shale_containers *containers, const char *name, char **ret_json,
			struct shale_err *err);

/*
 * Files in it, and of its volumes, as docker copies them. A path is as its processes would see it, but that its last word is not
 * followed if it is a link. *ret_stat: what docker's header X-Docker-Container-Path-Stat says, to be freed;
 * it is there before the first byte of the tar.
 */
int shale_container_stat_path(struct shale_containers *containers, const char *name, const char *path,
			      char **ret_stat, struct shale_err *err);
int shale_container_get_path(struct shale_containers *containers, const char *name, const char *path,
			     const struct shale_sink *sink, char **ret_stat, struct shale_err *err);
/* Unpacks a tar, read from fd, in a directory. keeps_kinds: no directory takes the place of something else, nor the other way. */
int shale_container_put_path(struct shale_containers *containers, const char *name, const char *path, int fd,
			     bool keeps_kinds, struct shale_err *err);
/* All of its files as a tar, without what is mounted in it. */
int shale_container_export(struct shale_containers *containers, const char *name, const struct shale_sink *sink,
			   struct shale_err *err);

/* The least that is to be known of one. */
struct shale_container_facts {
	char id[SHALE_CONTAINER_ID_TEXT];
	bool is_running;
	bool is_paused;
	bool is_tty;
};
int shale_container_look(struct shale_containers *containers, const char *name,
			 struct shale_container_facts *ret_facts, struct shale_err *err);
/* How many containers have a volume, whether they run or not. */
int shale_volume_users(const struct shale_opts *opts, const char *name, size_t *ret_count, struct shale_err *err);
/* JSON text to be freed. @has_size: with what the writable layer takes. */
int shale_container_inspect(struct shale_containers *containers, const char *name, bool has_size,
			    char **ret_json, struct shale_err *err);
/* All, newest first, as docker lists them; and State, ExitCode and Created's nanoseconds for who chooses among them. */
int shale_containers_list(struct shale_containers *containers, bool has_size, char **ret_json,
			  struct shale_err *err);

/*
 * Waits without a thread: done() is called once, by any thread, maybe before this returns. ENOENT: there is none.
 * shale_waiter_end() has to follow; afterwards done() is not called any more. *ret_waiter is set before done() is called.
 */
enum shale_wait { SHALE_WAIT_NOT_RUNNING, SHALE_WAIT_NEXT_EXIT, SHALE_WAIT_REMOVED };
struct shale_waiter;
/* @exit_code: less than 0 when the process that waits ends before the container. */
typedef void (*shale_waited_fn)(void *arg, int exit_code);
int shale_container_wait(struct shale_containers *containers, const char *name, enum shale_wait what,
			 shale_waited_fn done, void *arg, struct shale_waiter **ret_waiter, struct shale_err *err);
void shale_waiter_end(struct shale_waiter *waiter);

/*
 * Attaches a client to it, now or at its next start; the connection, fd, is taken, and is the supervisor's from then on: output
 * is written to it in frames, or plain when it has a terminal, and what it sends is the input.
 */
enum shale_stream { SHALE_STDIN = 1, SHALE_STDOUT = 2, SHALE_STDERR = 4 };
int shale_container_attach(struct shale_containers *containers, const char *name, unsigned int streams, int fd,
			   struct shale_err *err);
/* Of its terminal. EBUSY: it is not running. */
int shale_container_resize(struct shale_containers *containers, const char *name, unsigned int rows,
			   unsigned int columns, struct shale_err *err);

/*
 * Further processes in a container that runs. Each is supervised as the container is, and can be asked about for some minutes
 * after its end. @body: of docker's request, JSON. EBUSY: the container does not run.
 */
int shale_exec_create(struct shale_containers *containers, const char *name, const char *body,
		      char ret_id[SHALE_CONTAINER_ID_TEXT], struct shale_err *err);
/* What can be done with one: ENOENT, or EBUSY when it was started or its container does not run any more. */
int shale_exec_check(struct shale_containers *containers, const char *id, bool *ret_is_tty, struct shale_err *err);
/* EINVAL: its program cannot be started. The client's connection, fd, is taken; -1: there is none. */
int shale_exec_start(struct shale_containers *containers, const char *id, int fd, struct shale_err *err);
/* The same on a thread of its own; a failure is written to the client. */
void shale_exec_start_later(struct shale_containers *containers, const char *id, bool is_tty, int fd);
int shale_exec_inspect(struct shale_containers *containers, const char *id, char **ret_json, struct shale_err *err);
int shale_exec_resize(struct shale_containers *containers, const char *id, unsigned int rows, unsigned int columns,
		      struct shale_err *err);

/*
 * What it has printed, from its log: lines of frames as docker's API has them, or plain when it has a terminal.
 * @since, @until: nanoseconds of the epoch; 0: no limit. @tail: the last lines; less than 0: all.
 * @is_following: goes on until it ends, or stop() says so, which is asked some times a second.
 */
struct shale_logs_opts {
	bool has_stdout, has_stderr, has_times, is_following;
	int64_t since, until;
	int64_t tail;
	bool (*stop)(void *arg);
	void *stop_arg;
};
int shale_container_logs(struct shale_containers *containers, const char *name,
			 const struct shale_logs_opts *logs, const struct shale_sink *sink, struct shale_err *err);

#endif
