// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of containers that somebody waits for, or wants to be attached to, or whose end has to be told; and the
 * thread that hears of their ends. A supervisor hangs up when its container has ended and everything of it is
 * undone. Called by the daemon, and by the verbs.
 */
#include "engine/containers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/thread.h"
#include "engine/container_volumes.h"

/* Clients that wait for one start. */
#define MAX_PENDING 64
#define EVENTS	    16

struct pending {
	int fd;
	unsigned int streams;
};

struct containers_live {
	struct containers_live *next;
	char id[INSTANCE_ID_TEXT];
	int connection; /* to its supervisor, or -1 */
	int last_code;	/* of its last end */
	struct shale_waiter *waiters;
	struct pending pending[MAX_PENDING];
	size_t pending_count;
};

struct shale_waiter {
	struct shale_waiter *next;
	struct shale_containers *containers;
	char id[INSTANCE_ID_TEXT];
	enum shale_wait what;
	shale_waited_fn done;
	void *arg;
	bool is_over;
};

static struct containers_live *live_find_locked(const struct shale_containers *containers, const char *id)
{
	struct containers_live *live = containers->lives;

	while (live && strcmp(live->id, id))
		live = live->next;
	return live;
}

static struct containers_live *live_get_locked(struct shale_containers *containers, const char *id)
{
	struct containers_live *live = live_find_locked(containers, id);

	if (live)
		return live;
	live = calloc(1, sizeof(*live));
	if (!live)
		return NULL;
	snprintf(live->id, sizeof(live->id), "%s", id);
	live->connection = -1;
	live->next = containers->lives;
	containers->lives = live;
	return live;
}

/* Nobody is interested any more. */
static void live_put_locked(struct shale_containers *containers, struct containers_live *live)
{
	struct containers_live **at = &containers->lives;

	if (live->connection >= 0 || live->waiters || live->pending_count)
		return;
	while (*at != live)
		at = &(*at)->next;
	*at = live->next;
	free(live);
}

static void live_hang_up_locked(struct shale_containers *containers, struct containers_live *live)
{
	if (live->connection < 0)
		return;
	epoll_ctl(containers->epoll, EPOLL_CTL_DEL, live->connection, NULL);
	close(live->connection);
	live->connection = -1;
}

static void drop_pending_locked(struct containers_live *live)
{
	while (live->pending_count)
		close(live->pending[--live->pending_count].fd);
}

void containers_watch(struct shale_containers *containers, const char *id, int connection)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = connection };
	struct containers_live *live;

	fcntl(connection, F_SETFL, O_NONBLOCK);
	pthread_mutex_lock(&containers->lock);
	live = live_get_locked(containers, id);
	if (live)
		live_hang_up_locked(containers, live);
	if (live && epoll_ctl(containers->epoll, EPOLL_CTL_ADD, connection, &event) == 0)
		live->connection = connection;
	else
		close(connection);
	pthread_mutex_unlock(&containers->lock);
}

void containers_adopt(struct shale_containers *containers, const struct opened *opened)
{
	struct containers_live *live;
	bool is_watched;
	int connection;

	pthread_mutex_lock(&containers->lock);
	live = live_find_locked(containers, opened->id);
	is_watched = live && live->connection >= 0;
	pthread_mutex_unlock(&containers->lock);
	if (is_watched)
		return;
	connection = wire_connect(opened->dir, RECORD_SOCKET);
	if (connection >= 0)
		containers_watch(containers, opened->id, connection);
}

int containers_attach_later(struct shale_containers *containers, const char *id, int fd,
			    unsigned int streams, struct shale_err *err)
{
	struct containers_live *live;
	int ret = -1;

	pthread_mutex_lock(&containers->lock);
	live = live_get_locked(containers, id);
	if (live && live->pending_count < MAX_PENDING) {
		live->pending[live->pending_count++] = (struct pending){ fd, streams };
		ret = 0;
	}
	pthread_mutex_unlock(&containers->lock);
	if (ret < 0) {
		close(fd);
		shale_err_set(err, EBUSY, "more than %d clients wait for one container", MAX_PENDING);
	}
	return ret;
}

void containers_hand_over(struct shale_containers *containers, const char *id, int connection)
{
	struct containers_live *live;

	pthread_mutex_lock(&containers->lock);
	live = live_find_locked(containers, id);
	for (size_t i = 0; live && i < live->pending_count; i++) {
		struct wire_message message = { .kind = WIRE_ATTACH, .number = live->pending[i].streams };

		wire_send(connection, &message, live->pending[i].fd);
	}
	if (live) {
		drop_pending_locked(live);
		live_put_locked(containers, live);
	}
	pthread_mutex_unlock(&containers->lock);
}

static void call_waiters_locked(struct containers_live *live, bool is_removed, int exit_code)
{
	for (struct shale_waiter *waiter = live->waiters; waiter; waiter = waiter->next) {
		if (waiter->is_over || (waiter->what == SHALE_WAIT_REMOVED) != is_removed)
			continue;
		waiter->is_over = true;
		waiter->done(waiter->arg, exit_code);
	}
}

void containers_removed(struct shale_containers *containers, const char *id, int exit_code)
{
	struct containers_live *live;

	pthread_mutex_lock(&containers->lock);
	live = live_find_locked(containers, id);
	if (live) {
		call_waiters_locked(live, false, exit_code);
		call_waiters_locked(live, true, exit_code);
		drop_pending_locked(live);
		live_put_locked(containers, live);
	}
	pthread_mutex_unlock(&containers->lock);
}

void containers_run_end(struct shale_containers *containers)
{
	pthread_mutex_lock(&containers->lock);
	if (!--containers->threads)
		pthread_cond_broadcast(&containers->idle);
	pthread_mutex_unlock(&containers->lock);
}

bool containers_run_later(struct shale_containers *containers, void *(*run)(void *), void *arg)
{
	pthread_t thread;

	pthread_mutex_lock(&containers->lock);
	containers->threads++;
	pthread_mutex_unlock(&containers->lock);
	if (thread_start(&thread, 0, run, arg) == 0) {
		pthread_detach(thread);
		return true;
	}
	containers_run_end(containers);
	return false;
}

/* What a thread of its own does about a container. */
struct task {
	struct shale_containers *containers;
	char id[INSTANCE_ID_TEXT];
};

static void task_start(struct shale_containers *containers, const char *id, void *(*run)(void *))
{
	struct task *task = calloc(1, sizeof(*task));

	if (!task)
		return;
	task->containers = containers;
	snprintf(task->id, sizeof(task->id), "%s", id);
	if (!containers_run_later(containers, run, task))
		free(task);
}

static void *removal_run(void *arg)
{
	const struct shale_container_remove_opts remove = { .has_volumes = true };
	__cleanup_opened struct opened opened = OPENED_NONE;
	struct task *task = arg;
	struct shale_containers *containers = task->containers;
	struct shale_err why = { 0 };

	if (opened_open(containers, task->id, &opened, &why) == 0)
		container_remove_opened(containers, &opened, &remove, &why);
	free(task);
	containers_run_end(containers);
	return NULL;
}

/* Others' ends must not wait for the deletion of files. */
static void removal_start(struct shale_containers *containers, const char *id)
{
	task_start(containers, id, removal_run);
}

static void tell_waiters(struct shale_containers *containers, const struct opened *opened)
{
	struct containers_live *live;

	pthread_mutex_lock(&containers->lock);
	live = live_find_locked(containers, opened->id);
	if (live) {
		live->last_code = opened->state.exit_code;
		call_waiters_locked(live, false, opened->state.exit_code);
		live_put_locked(containers, live);
	}
	pthread_mutex_unlock(&containers->lock);
}

/* It has ended, and can be removed or started. */
static void tell_end(struct shale_containers *containers, const struct opened *opened)
{
	char code[16];

	snprintf(code, sizeof(code), "%d", opened->state.exit_code);
	containers_tell(containers, opened, "die", "exitCode", code);
	tell_waiters(containers, opened);
	if (json_is_true(json_object_get(opened_host(opened), "AutoRemove")))
		removal_start(containers, opened->id);
}

/* What a killed supervisor has left is ended before anybody is told. That it has ended is an event for who has heard it. */
static void clear_and_tell(struct shale_containers *containers, const char *id, bool has_heard)
{
	__cleanup_opened struct opened opened = OPENED_NONE;
	struct shale_err why = { 0 };
	int lock;

	if (opened_open(containers, id, &opened, &why) < 0)
		return;
	if (opened.is_lost) {
		lock = opened_hold(&opened, &why);
		if (lock < 0)
			return;
		opened_clear_lost(containers, &opened);
		close(lock);
	}
	if (has_heard)
		tell_end(containers, &opened);
	else
		tell_waiters(containers, &opened);
}

static void task_clear(void *arg, bool has_heard)
{
	struct task *task = arg;
	struct shale_containers *containers = task->containers;

	clear_and_tell(containers, task->id, has_heard);
	free(task);
	containers_run_end(containers);
}

static void *lost_run(void *arg)
{
	task_clear(arg, true);
	return NULL;
}

static void *found_run(void *arg)
{
	task_clear(arg, false);
	return NULL;
}

/* On the thread that hears of ends: a runtime takes its time, and others' ends must not wait for it. */
static void heard_end(struct shale_containers *containers, const char *id)
{
	__cleanup_opened struct opened opened = OPENED_NONE;
	struct shale_err why = { 0 };

	if (opened_open(containers, id, &opened, &why) < 0)
		return;
	if (opened.is_lost)
		task_start(containers, id, lost_run);
	else
		tell_end(containers, &opened);
}

/* What a supervisor says is not needed here, only that it has hung up. */
static bool has_hung_up(int connection)
{
	struct wire_message message;
	int fd = -1, ret;

	while ((ret = wire_receive(connection, &message, &fd)) > 0)
		fd_closep(&fd);
	return ret == 0 || errno != EAGAIN;
}

static void hear(struct shale_containers *containers, int connection)
{
	struct containers_live *live;
	char id[INSTANCE_ID_TEXT] = "";

	pthread_mutex_lock(&containers->lock);
	live = containers->lives;
	while (live && live->connection != connection)
		live = live->next;
	if (live && has_hung_up(connection)) {
		live_hang_up_locked(containers, live);
		snprintf(id, sizeof(id), "%s", live->id);
	}
	pthread_mutex_unlock(&containers->lock);
	if (id[0])
		heard_end(containers, id);
}

/* Who has waited for the end by himself tells it, if the thread has not yet. */
void containers_ended(struct shale_containers *containers, const char *id)
{
	struct containers_live *live;
	bool is_ours;

	pthread_mutex_lock(&containers->lock);
	live = live_find_locked(containers, id);
	is_ours = live && live->connection >= 0;
	if (is_ours)
		live_hang_up_locked(containers, live);
	pthread_mutex_unlock(&containers->lock);
	if (is_ours)
		clear_and_tell(containers, id, true);
}

static void *containers_run(void *arg)
{
	struct shale_containers *containers = arg;
	struct epoll_event events[EVENTS];
	int count;

	for (;;) {
		count = epoll_wait(containers->epoll, events, EVENTS, -1);
		for (int i = 0; i < count; i++) {
			if (events[i].data.fd == containers->stop)
				return NULL;
			hear(containers, events[i].data.fd);
		}
	}
}

/* IDs of rows, each with its NUL. */
struct found_rows {
	struct buf ready;
	struct buf unfinished;
};

static int note_row(void *arg, const struct instance_row *row, struct shale_err *err)
{
	struct found_rows *rows = arg;

	if (buf_add(row->is_ready ? &rows->ready : &rows->unfinished, row->id, strlen(row->id) + 1) < 0)
		return shale_err_set(err, ENOMEM, "out of memory");
	return 0;
}

static int read_rows(const struct store *store, struct found_rows *rows, struct shale_err *err)
{
	__cleanup_txn struct txn txn = TXN_NONE;

	if (txn_begin(&txn, store->db, TXN_READ, err) < 0 || instance_each(txn.db, note_row, rows, err) < 0)
		return -1;
	return txn_commit(&txn, err);
}

/* One whose maker has died; a maker that lives holds its lock. Its record comes before its volumes. */
static void drop_unfinished(const struct shale_containers *containers, const struct store *store, const char *id)
{
	__cleanup_json json_t *record = NULL;
	char layer[CONTAINER_ID_TEXT];
	int dir, lock = -1;

	instance_layer(id, layer);
	dir = opened_dir(store, layer, NULL);
	if (dir >= 0)
		lock = record_hold(dir, RECORD_LOCK, false, NULL);
	if (lock >= 0 && record_read_config(dir, &record, NULL) == 0)
		container_volumes_drop(containers, record);
	if (dir < 0 || lock >= 0)
		mounting_drop(store, layer, NULL);
	if (lock >= 0)
		close(lock);
	if (dir >= 0)
		close(dir);
}

static void take_up(struct shale_containers *containers, const char *id)
{
	__cleanup_opened struct opened opened = OPENED_NONE;
	struct shale_err why = { 0 };
	int lock;

	if (opened_open(containers, id, &opened, &why) < 0)
		return;
	if (opened.is_alive) {
		containers_adopt(containers, &opened);
		container_mend_pause(containers, &opened);
		return;
	}
	lock = opened_hold(&opened, &why);
	if (lock < 0)
		return;
	opened_clear_lost(containers, &opened);
	close(lock);
	if ((opened.state.status == RECORD_EXITED &&
	     json_is_true(json_object_get(opened_host(&opened), "AutoRemove"))) ||
	    faccessat(opened.dir, RECORD_REMOVING, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		removal_start(containers, id);
}

static void take_up_all(struct shale_containers *containers)
{
	struct found_rows rows = { BUF_INIT, BUF_INIT };
	struct store store = STORE_CLOSED;
	const char *id;

	if (store_open(containers->opts.root, false, &store, NULL) == 0 && read_rows(&store, &rows, NULL) == 0) {
		for (id = rows.unfinished.data; id && id < rows.unfinished.data + rows.unfinished.len;
		     id += strlen(id) + 1)
			drop_unfinished(containers, &store, id);
		for (id = rows.ready.data; id && id < rows.ready.data + rows.ready.len; id += strlen(id) + 1)
			take_up(containers, id);
	}
	buf_release(&rows.ready);
	buf_release(&rows.unfinished);
	store_close(&store);
}

static int containers_start(struct shale_containers *containers, struct shale_err *err)
{
	struct epoll_event event = { .events = EPOLLIN };
	int code;

	containers->epoll = epoll_create1(EPOLL_CLOEXEC);
	containers->stop = event.data.fd = eventfd(0, EFD_CLOEXEC);
	if (containers->epoll < 0 || containers->stop < 0 ||
	    epoll_ctl(containers->epoll, EPOLL_CTL_ADD, containers->stop, &event) < 0)
		return shale_err_errno(err, "cannot wait for containers");
	code = thread_start(&containers->thread, 0, containers_run, containers);
	return code ? shale_err_set(err, code, "cannot start a thread for containers") : 0;
}

int shale_containers_open(const struct shale_opts *opts, const char *driver, const char *runtime,
			  const struct shale_container_hooks *hooks, struct shale_containers **ret_containers,
			  struct shale_err *err)
{
	struct shale_containers *containers = calloc(1, sizeof(*containers));

	if (!containers)
		return shale_err_set(err, ENOMEM, "out of memory");
	/* That there is none is said to who starts a container; images need none. */
	if (runtime_find(runtime, &containers->runtime, err) < 0 && runtime) {
		free(containers);
		return -1;
	}
	containers->opts = *opts;
	containers->driver = driver;
	containers->hooks = *hooks;
	pthread_mutex_init(&containers->lock, NULL);
	pthread_cond_init(&containers->idle, NULL);
	if (containers_start(containers, err) < 0) {
		free(containers);
		return -1;
	}
	take_up_all(containers);
	*ret_containers = containers;
	return 0;
}

static void free_lives(struct shale_containers *containers)
{
	struct containers_live *live;

	while ((live = containers->lives)) {
		live_hang_up_locked(containers, live);
		drop_pending_locked(live);
		containers->lives = live->next;
		free(live);
	}
}

void shale_containers_leave(struct shale_containers *containers)
{
	if (!containers)
		return;
	pthread_mutex_lock(&containers->lock);
	for (struct containers_live *live = containers->lives; live; live = live->next) {
		call_waiters_locked(live, false, -1);
		call_waiters_locked(live, true, -1);
	}
	pthread_mutex_unlock(&containers->lock);
}

void shale_containers_close(struct shale_containers *containers)
{
	uint64_t one = 1;

	if (!containers)
		return;
	while (write(containers->stop, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	pthread_join(containers->thread, NULL);
	pthread_mutex_lock(&containers->lock);
	while (containers->threads)
		pthread_cond_wait(&containers->idle, &containers->lock);
	pthread_mutex_unlock(&containers->lock);
	free_lives(containers);
	close(containers->epoll);
	close(containers->stop);
	pthread_cond_destroy(&containers->idle);
	pthread_mutex_destroy(&containers->lock);
	free(containers);
}

static int waiter_add(struct shale_waiter *waiter, struct shale_err *err)
{
	struct shale_containers *containers = waiter->containers;
	struct containers_live *live;

	pthread_mutex_lock(&containers->lock);
	live = live_get_locked(containers, waiter->id);
	if (live) {
		waiter->next = live->waiters;
		live->waiters = waiter;
	}
	pthread_mutex_unlock(&containers->lock);
	return live ? 0 : shale_err_set(err, ENOMEM, "out of memory");
}

/* One that is over already is told so at once. */
static void waiter_check(struct shale_waiter *waiter, struct opened *opened)
{
	struct shale_containers *containers = waiter->containers;

	opened_look(opened);
	if (opened->is_alive)
		containers_adopt(containers, opened);
	opened_look(opened);
	if (opened->is_alive || waiter->what != SHALE_WAIT_NOT_RUNNING)
		return;
	/* Not before its process has ended, too. */
	if (opened->is_lost) {
		task_start(containers, opened->id, found_run);
		return;
	}
	pthread_mutex_lock(&containers->lock);
	if (!waiter->is_over) {
		waiter->is_over = true;
		waiter->done(waiter->arg, opened->state.exit_code);
	}
	pthread_mutex_unlock(&containers->lock);
}

int shale_container_wait(struct shale_containers *containers, const char *name, enum shale_wait what,
			 shale_waited_fn done, void *arg, struct shale_waiter **ret_waiter, struct shale_err *err)
{
	__cleanup_opened struct opened opened = OPENED_NONE;
	struct shale_waiter *waiter;

	if (opened_open(containers, name, &opened, err) < 0)
		return -1;
	waiter = calloc(1, sizeof(*waiter));
	if (!waiter)
		return shale_err_set(err, ENOMEM, "out of memory");
	*waiter = (struct shale_waiter){ .containers = containers, .what = what, .done = done, .arg = arg };
	memcpy(waiter->id, opened.id, sizeof(waiter->id));
	*ret_waiter = waiter;
	if (waiter_add(waiter, err) < 0) {
		*ret_waiter = NULL;
		free(waiter);
		return -1;
	}
	waiter_check(waiter, &opened);
	return 0;
}

void shale_waiter_end(struct shale_waiter *waiter)
{
	struct shale_containers *containers;
	struct containers_live *live;
	struct shale_waiter **at;

	if (!waiter)
		return;
	containers = waiter->containers;
	pthread_mutex_lock(&containers->lock);
	live = live_find_locked(containers, waiter->id);
	for (at = &live->waiters; *at != waiter;)
		at = &(*at)->next;
	*at = waiter->next;
	live_put_locked(containers, live);
	pthread_mutex_unlock(&containers->lock);
	free(waiter);
}
