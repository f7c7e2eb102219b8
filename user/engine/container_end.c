// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verbs that end containers: stop, kill, restart, remove. Signals are sent by the supervisor, which knows whether the
 * process is still there; that everything of it is undone is told by its hanging up.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/fs.h"
#include "engine/container_volumes.h"

/* docker's, when nobody says how long. */
#define STOP_SECONDS 10
/* After SIGKILL: what takes longer hangs in the kernel. */
#define KILL_SECONDS 30

static int parse_signal(const char *text, int *ret_signal, struct shale_err *err)
{
	char *end;
	long number = strtol(text, &end, 10);

	if (end != text && !*end && number > 0 && number < NSIG) {
		*ret_signal = number;
		return 0;
	}
	if (!strncasecmp(text, "SIG", 3))
		text += 3;
	for (int i = 1; i < NSIG; i++) {
		const char *name = sigabbrev_np(i);

		if (name && !strcasecmp(name, text)) {
			*ret_signal = i;
			return 0;
		}
	}
	return shale_err_set(err, EINVAL, "Invalid signal: %.60s", text);
}

/* True: it has hung up. Less than 0 seconds: for ever. */
static bool wait_for_end(int connection, int seconds)
{
	struct pollfd fd = { .fd = connection, .events = POLLIN };
	const int64_t end = clock_ms() + seconds * 1000ll;
	struct wire_message message;
	int with = -1;

	for (;;) {
		int64_t left = seconds < 0 ? 60000 : end - clock_ms();

		if (left < 0)
			return false;
		if (poll(&fd, 1, left < 60000 ? left : 60000) <= 0)
			continue;
		if (wire_receive(connection, &message, &with) <= 0)
			return true;
		fd_closep(&with);
		with = -1;
	}
}

static int send_signal(int connection, int number)
{
	const struct wire_message message = { .kind = WIRE_KILL, .number = number };

	return wire_send(connection, &message, -1);
}

/* -1 with EBUSY: it is not running. */
static int connect_to(const struct opened *opened, struct shale_err *err)
{
	int connection = wire_connect(opened->dir, RECORD_SOCKET);

	if (connection >= 0)
		return connection;
	return shale_err_set(err, EBUSY, "Container %s is not running", opened->id);
}

static int check_not_paused(const struct opened *opened, struct shale_err *err)
{
	if (!opened_has_pause(opened))
		return 0;
	return shale_err_set(err, EBUSY,
			     "Container %s is paused. Unpause the container before stopping or killing", opened->id);
}

int shale_container_kill(struct shale_containers *containers, const char *name, const char *signal,
			 struct shale_err *err)
{
	__cleanup_opened struct opened opened = OPENED_NONE;
	__cleanup_fd int connection = -1;
	int number = SIGKILL;
	char text[16];

	if ((signal && parse_signal(signal, &number, err) < 0) || opened_open(containers, name, &opened, err) < 0)
		return -1;
	connection = opened_is_running(&opened) ? connect_to(&opened, err) : -1;
	if (connection < 0)
		return shale_err_set(err, EBUSY, "Cannot kill container: %s: Container %s is not running", name,
				     opened.id);
	if (check_not_paused(&opened, err) < 0)
		return -1;
	containers_adopt(containers, &opened);
	send_signal(connection, number);
	snprintf(text, sizeof(text), "%d", number);
	containers_tell(containers, &opened, "kill", "signal", text);
	if (number != SIGKILL)
		return 0;
	if (!wait_for_end(connection, KILL_SECONDS))
		return shale_err_set(err, ETIMEDOUT, "container %s does not end", opened.id);
	containers_ended(containers, opened.id);
	return 0;
}

static int stop_signal(const struct opened *opened)
{
	const char *text = json_string_value(json_object_get(opened_config(opened), "StopSignal"));
	int number = SIGTERM;

	if (text && *text)
		parse_signal(text, &number, NULL);
	return number;
}

static int stop_seconds(const struct opened *opened)
{
	const json_t *seconds = json_object_get(opened_config(opened), "StopTimeout");

	return json_is_integer(seconds) ? json_integer_value(seconds) : STOP_SECONDS;
}

static int stop_opened(struct shale_containers *containers, const struct opened *opened, int seconds,
		       struct shale_err *err)
{
	__cleanup_fd int connection = connect_to(opened, err);
	int number = stop_signal(opened);
	char text[16];

	/* It has ended meanwhile, which is what was wanted. */
	if (connection < 0)
		return 0;
	containers_adopt(containers, opened);
	snprintf(text, sizeof(text), "%d", number);
	containers_tell(containers, opened, "kill", "signal", text);
	send_signal(connection, number);
	if (!wait_for_end(connection, seconds)) {
		containers_tell(containers, opened, "kill", "signal", "9");
		send_signal(connection, SIGKILL);
		if (!wait_for_end(connection, KILL_SECONDS))
			return shale_err_set(err, ETIMEDOUT, "container %s does not end", opened->id);
	}
	containers_ended(containers, opened->id);
	containers_tell(containers, opened, "stop", NULL, NULL);
	return 0;
}

int shale_container_stop(struct shale_containers *containers, const char *name, int seconds, bool *ret_was,
			 struct shale_err *err)
{
	__cleanup_opened struct opened opened = OPENED_NONE;

	if (opened_open(containers, name, &opened, err) < 0 || check_not_paused(&opened, err) < 0)
		return -1;
	*ret_was = !opened.is_alive;
	if (!opened.is_alive)
		return 0;
	return stop_opened(containers, &opened, seconds < 0 ? stop_seconds(&opened) : seconds, err);
}

/* The process, its supervisor and all they had; whatever state it is in. */
static int end_by_force(struct shale_containers *containers, struct opened *opened, struct shale_err *err)
{
	__cleanup_fd int connection = wire_connect(opened->dir, RECORD_SOCKET);
	const char *const resume[] = { "resume", opened->id, NULL };

	if (connection < 0)
		return 0;
	containers_adopt(containers, opened);
	send_signal(connection, SIGKILL);
	/* What is frozen would die only when it is not any more. */
	if (opened_has_pause(opened))
		opened_call(containers, opened, resume, NULL);
	if (!wait_for_end(connection, KILL_SECONDS))
		return shale_err_set(err, ETIMEDOUT, "container %s does not end", opened->id);
	containers_ended(containers, opened->id);
	return 0;
}

static int drop_volumes(struct shale_containers *containers, const struct opened *opened, struct shale_err *err)
{
	__cleanup_fd int mark = -1;

	if (!container_volumes_has_own(opened->record))
		return 0;
	mark = openat(opened->dir, RECORD_REMOVING, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (mark < 0)
		return shale_err_errno(err, "removing container %s", opened->id);
	container_volumes_drop(containers, opened->record);
	return 0;
}

static int drop(struct shale_containers *containers, struct opened *opened, bool has_volumes, struct shale_err *err)
{
	__cleanup_fd int lock = opened_hold(opened, err);

	if (lock < 0)
		return -1;
	if (opened->is_alive)
		return shale_err_set(err, EBUSY, "container %s was started meanwhile", opened->id);
	opened_clear_lost(containers, opened);
	if (has_volumes && drop_volumes(containers, opened, err) < 0)
		return -1;
	return mounting_drop(&opened->store, opened->layer, err);
}

int container_remove_opened(struct shale_containers *containers, struct opened *opened,
			    const struct shale_container_remove_opts *remove, struct shale_err *err)
{
	opened_look(opened);
	if (opened->is_alive && !remove->force)
		return shale_err_set(err, EBUSY,
				     "You cannot remove a %s container %s. Stop the container before attempting removal or force remove",
				     opened_has_pause(opened) ? "paused" : "running", opened->id);
	if (opened->is_alive && end_by_force(containers, opened, err) < 0)
		return -1;
	if (drop(containers, opened, remove->has_volumes, err) < 0)
		return -1;
	containers_tell(containers, opened, "destroy", NULL, NULL);
	containers_removed(containers, opened->id, opened->state.exit_code);
	return 0;
}

int shale_container_remove(struct shale_containers *containers, const char *name,
			   const struct shale_container_remove_opts *remove, struct shale_err *err)
{
	__cleanup_opened struct opened opened = OPENED_NONE;

	if (opened_open(containers, name, &opened, err) < 0)
		return -1;
	return container_remove_opened(containers, &opened, remove, err);
}
