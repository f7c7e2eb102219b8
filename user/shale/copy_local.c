// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tars of our files; see copy_local.h. What comes out of a container is a stranger's: names are resolved below the directory
 * that was given and through no link, and nothing else than what was asked for is taken. Called by cmd_cp.c.
 */
#include "shale/copy_local.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/attr.h"
#include "archive/difftar.h"
#include "archive/untar.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/thread.h"

#define PIECE_BYTES (64u << 10)

static int begin(struct copy_local *local, bool is_reading, void *(*run)(void *), struct shale_err *err)
{
	int fds[2], code;

	/* An end that has gone is an error like others. */
	signal(SIGPIPE, SIG_IGN);
	if (pipe2(fds, O_CLOEXEC) < 0)
		return shale_err_errno(err, "cannot copy");
	local->ours = fds[!is_reading];
	local->theirs = fds[is_reading];
	code = thread_start(&local->thread, 0, run, local);
	if (code) {
		close(fds[0]);
		close(fds[1]);
		return shale_err_set(err, code, "cannot start a thread");
	}
	local->is_running = true;
	return 0;
}

int copy_local_end(struct copy_local *local, int ret, struct shale_err *err)
{
	if (!local->is_running)
		return ret;
	fd_closep(&local->ours);
	pthread_join(local->thread, NULL);
	local->is_running = false;
	/* A pipe that broke was broken by who has failed at its other end. */
	if (local->ret && (!ret || err->code == EPIPE))
		*err = local->err;
	return ret || local->ret ? -1 : 0;
}

static int write_piece(void *arg, const void *data, size_t len, struct shale_err *err)
{
	struct copy_local *local = arg;

	return fs_write_full(local->theirs, data, len) < 0 ? shale_err_errno(err, "sending the tar") : 0;
}

static int pack_change(void *arg, const struct change *change, struct shale_err *err)
{
	/* A socket cannot be in a tar. */
	if (change->kind != CHANGE_ENTRY || S_ISSOCK(change->st.st_mode))
		return 0;
	return difftar_add(arg, change, err);
}

static int pack_dir(struct copy_local *local, int fd, const struct stat *st, struct shale_err *err)
{
	__cleanup_difftar struct difftar difftar = { .has_any_name = true };
	__cleanup_fd int tree = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *name = *local->plan->name ? local->plan->name : ".";
	const struct change change = { .kind = CHANGE_ENTRY, .path = name, .fd = fd, .st = *st, .data_root = -1 };

	if (tree < 0)
		return shale_err_errno(err, "%.300s", local->path);
	if (difftar_init(&difftar, write_piece, local, err) < 0)
		return -1;
	difftar.has_any_name = true;
	if (difftar_add(&difftar, &change, err) < 0)
		return -1;
	difftar.prefix = name;
	if (changes_all(tree, pack_change, &difftar, err) < 0)
		return -1;
	return difftar_finish(&difftar, err);
}

static int pack_data(struct copy_local *local, struct tarout *tarout, int fd, uint64_t size, struct shale_err *err)
{
	char path[64], piece[PIECE_BYTES];
	__cleanup_fd int file = -1;
	ssize_t got;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (file < 0)
		return shale_err_errno(err, "%.300s", local->path);
	for (; size; size -= got) {
		got = read(file, piece, size < sizeof(piece) ? size : sizeof(piece));
		if (got < 0)
			return shale_err_errno(err, "%.300s", local->path);
		if (!got)
			return shale_err_set(err, EBUSY, "%.300s has become shorter while it was read", local->path);
		if (tarout_data(tarout, piece, got, err) < 0)
			return -1;
	}
	return 0;
}

static int pack_file(struct copy_local *local, int fd, const struct stat *st, struct shale_err *err)
{
	__cleanup_tarout struct tarout tarout;
	__cleanup_attr struct attr attr = { 0 };
	char target[PATH_MAX] = "";
	const bool has_data = S_ISREG(st->st_mode);
	struct tarout_entry entry = { .path = local->plan->name, .attr = &attr, .device = st->st_rdev,
				      .size = has_data ? st->st_size : 0 };

	tarout_init(&tarout, write_piece, local);
	if (attr_from_fd(fd, st, &attr, err) < 0)
		return -1;
	if (S_ISSOCK(st->st_mode))
		return shale_err_set(err, EINVAL, "%.300s is a socket, which cannot be copied", local->path);
	if (S_ISLNK(st->st_mode)) {
		if (readlinkat(fd, "", target, sizeof(target) - 1) < 0)
			return shale_err_errno(err, "%.300s", local->path);
		entry.target = target;
	}
	if (tarout_add(&tarout, &entry, err) < 0 ||
	    (has_data && pack_data(local, &tarout, fd, entry.size, err) < 0))
		return -1;
	return tarout_finish(&tarout, err);
}

static void *run_pack(void *arg)
{
	struct copy_local *local = arg;
	__cleanup_fd int fd = open(local->path, O_PATH | O_CLOEXEC | (local->follows ? 0 : O_NOFOLLOW));
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		local->ret = shale_err_errno(&local->err, "%.300s", local->path);
	else
		local->ret = S_ISDIR(st.st_mode) ? pack_dir(local, fd, &st, &local->err) :
						   pack_file(local, fd, &st, &local->err);
	close(local->theirs);
	return NULL;
}

int copy_local_pack(struct copy_local *local, const char *path, bool follows, const struct copy_plan *plan,
		    struct shale_err *err)
{
	*local = (struct copy_local){ .path = path, .follows = follows, .plan = plan, .ours = -1 };
	return begin(local, true, run_pack, err);
}

/* The tar's end is not sent when there was an error: the daemon must not take what there is for the whole. */
ssize_t copy_local_read(void *arg, void *data, size_t len, struct shale_err *err)
{
	struct copy_local *local = arg;
	ssize_t got;

	do
		got = read(local->ours, data, len);
	while (got < 0 && errno == EINTR);
	if (got > 0)
		return got;
	if (got < 0)
		return shale_err_errno(err, "reading the tar");
	pthread_join(local->thread, NULL);
	local->is_running = false;
	fd_closep(&local->ours);
	if (local->ret)
		*err = local->err;
	return local->ret;
}

/* From what the tar calls it to what it is to be called. */
static int rename_entry(void *arg, struct buf *path, struct shale_err *err)
{
	const struct copy_local *local = arg;
	const size_t base = strcmp(local->base, ".") && strcmp(local->base, "/") ? strlen(local->base) : 0;
	const char *rest = buf_str(path), *name = local->plan->name;
	__cleanup_free char *whole = NULL;

	if (base && (strncmp(rest, local->base, base) || (rest[base] && rest[base] != '/')))
		return shale_err_set(err, EPROTO, "the daemon sends what was not asked for");
	rest += base + (rest[base] == '/');
	if (asprintf(&whole, "%s%s%s", name, *name && *rest ? "/" : "", rest) < 0)
		return shale_err_set(err, ENOMEM, "out of memory");
	buf_clear(path);
	return buf_adds(path, whole) ? shale_err_set(err, ENOMEM, "out of memory") : 0;
}

struct reading {
	struct copy_local *local;
	char piece[PIECE_BYTES];
};

static ssize_t read_tar(void *arg, const void **ret_data, struct shale_err *err)
{
	struct reading *reading = arg;
	ssize_t got;

	do
		got = read(reading->local->theirs, reading->piece, sizeof(reading->piece));
	while (got < 0 && errno == EINTR);
	*ret_data = reading->piece;
	return got < 0 ? shale_err_errno(err, "reading the tar") : got;
}

static int unpack(struct copy_local *local, struct shale_err *err)
{
	__cleanup_fd int dir = open(local->plan->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	__cleanup_free struct reading *reading = calloc(1, sizeof(*reading));
	struct untar_opts opts = { .root_fd = dir, .xattr_prefix = "user.", .read = read_tar, .arg = reading,
				   .is_plain = true, .rename = rename_entry, .rename_arg = local };
	struct untar_stats stats;
	const void *unread;

	if (dir < 0)
		return shale_err_errno(err, "%.300s", local->plan->dir);
	if (!reading)
		return shale_err_set(err, ENOMEM, "out of memory");
	reading->local = local;
	if (untar(&opts, &stats, err) < 0)
		return -1;
	/* Behind its end there may be more, which the daemon wants to be rid of. */
	while (read_tar(reading, &unread, err) > 0)
		;
	return 0;
}

static void *run_unpack(void *arg)
{
	struct copy_local *local = arg;

	local->ret = unpack(local, &local->err);
	close(local->theirs);
	return NULL;
}

int copy_local_unpack(struct copy_local *local, const char *base, const struct copy_plan *plan, struct shale_err *err)
{
	*local = (struct copy_local){ .base = base, .plan = plan, .ours = -1 };
	return begin(local, false, run_unpack, err);
}

int copy_local_write(void *arg, const void *data, size_t len, struct shale_err *err)
{
	struct copy_local *local = arg;

	if (fs_write_full(local->ours, data, len) == 0)
		return 0;
	return shale_err_set(err, errno, "unpacking has ended: %s", strerror(errno));
}
