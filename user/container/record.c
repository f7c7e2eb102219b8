// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files of a container; see record.h. Called by the engine and by the supervising process.
 */
#include "container/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "store/json.h"

/* What docker says of one that it has lost: nobody saw its end. */
#define LOST_CODE 255

static const char *const status_words[] = {
	[RECORD_CREATED] = "created",
	[RECORD_RUNNING] = "running",
	[RECORD_EXITED] = "exited",
};

static void copy_field(const json_t *json, const char *field, char *to, size_t size, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(json, field));

	snprintf(to, size, "%s", text ? text : otherwise);
}

static bool parse_state(const struct buf *text, struct record_state *state)
{
	__cleanup_json json_t *json = NULL;
	const char *word;

	if (json_parse_object(text->data, text->len, RECORD_STATE, &json, NULL) < 0)
		return false;
	word = json_string_value(json_object_get(json, "Status"));
	for (size_t i = 0; word && i < sizeof(status_words) / sizeof(*status_words); i++)
		if (!strcmp(word, status_words[i]))
			state->status = i;
	state->pid = json_integer_value(json_object_get(json, "Pid"));
	state->exit_code = json_integer_value(json_object_get(json, "ExitCode"));
	copy_field(json, "StartedAt", state->started, sizeof(state->started), RECORD_NO_TIME);
	copy_field(json, "FinishedAt", state->finished, sizeof(state->finished), RECORD_NO_TIME);
	copy_field(json, "Error", state->error, sizeof(state->error), "");
	return true;
}

void record_read_state(int dirfd, struct record_state *ret_state)
{
	__cleanup_buf struct buf text = BUF_INIT;
	struct shale_err why = { 0 };

	*ret_state = (struct record_state){ .status = RECORD_CREATED };
	snprintf(ret_state->started, sizeof(ret_state->started), "%s", RECORD_NO_TIME);
	snprintf(ret_state->finished, sizeof(ret_state->finished), "%s", RECORD_NO_TIME);
	if (fs_read_file(dirfd, RECORD_STATE, RECORD_MAX_BYTES, &text, &why) < 0 && why.code == ENOENT)
		return;
	if (parse_state(&text, ret_state))
		return;
	ret_state->status = RECORD_EXITED;
	ret_state->exit_code = LOST_CODE;
	snprintf(ret_state->error, sizeof(ret_state->error), "what became of it is not known");
}

/* Readers see the old or the new. */
static int replace_quickly(int dirfd, const char *name, const char *text, struct shale_err *err)
{
	char temporary[64];
	int fd, ret = -1;

	snprintf(temporary, sizeof(temporary), ".%s.new", name);
	fd = openat(dirfd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0) {
		ret = fs_write_full(fd, text, strlen(text));
		close(fd);
	}
	if (ret < 0 || renameat(dirfd, temporary, dirfd, name) < 0)
		return shale_err_errno(err, "cannot write %s", name);
	return 0;
}

int record_write_state(int dirfd, const struct record_state *state, bool is_lasting,
		       struct shale_err *err)
{
	__cleanup_json json_t *json =
		json_pack("{s:s, s:i, s:i, s:s, s:s, s:s%}", "Status", status_words[state->status], "Pid",
			  (int)state->pid, "ExitCode", state->exit_code, "StartedAt", state->started,
			  "FinishedAt", state->finished, "Error", state->error, strlen(state->error));
	__cleanup_free char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	if (!text)
		return shale_err_set(err, ENOMEM, "cannot write " RECORD_STATE);
	if (is_lasting)
		return fs_replace_file(dirfd, RECORD_STATE, text, strlen(text), err);
	return replace_quickly(dirfd, RECORD_STATE, text, err);
}

int record_read_config(int dirfd, json_t **ret_config, struct shale_err *err)
{
	__cleanup_buf struct buf text = BUF_INIT;

	if (fs_read_file(dirfd, RECORD_CONFIG, RECORD_MAX_BYTES, &text, err) < 0)
		return -1;
	return json_parse_object(text.data, text.len, RECORD_CONFIG, ret_config, err);
}

int record_write_config(int dirfd, json_t *config, struct shale_err *err)
{
	__cleanup_free char *text = json_dumps(config, JSON_COMPACT);

	if (!text)
		return shale_err_set(err, ENOMEM, "cannot write " RECORD_CONFIG);
	if (strlen(text) > RECORD_MAX_BYTES)
		return shale_err_set(err, EINVAL, "the container's configuration has more than %u bytes",
				     RECORD_MAX_BYTES);
	return fs_replace_file(dirfd, RECORD_CONFIG, text, strlen(text), err);
}

bool record_is_held(int dirfd, const char *name)
{
	__cleanup_fd int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

int record_hold(int dirfd, const char *name, bool should_wait, struct shale_err *err)
{
	__cleanup_fd int fd = openat(dirfd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	int ret;

	if (fd < 0)
		return shale_err_errno(err, "cannot open %s", name);
	do {
		ret = flock(fd, LOCK_EX | (should_wait ? 0 : LOCK_NB));
	} while (ret < 0 && errno == EINTR);
	if (ret < 0 && errno == EWOULDBLOCK)
		return shale_err_set(err, EBUSY, "somebody else is at work on it");
	if (ret < 0)
		return shale_err_errno(err, "cannot lock %s", name);
	return steal_fd(&fd);
}
