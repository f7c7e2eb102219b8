// SPDX-License-Identifier: GPL-2.0-only
/*
 * lock.c - tests of file locks, leases and change notification on a union: all must survive that a
 * file moves from a lower layer to the upper.
 */
#include "ops.h"
#include "union.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/fanotify.h>
#include <sys/file.h>
#include <sys/inotify.h>

enum lock_kind {
	LOCK_BSD,
	LOCK_POSIX,
	LOCK_OFD,
};

static int try_lock(int fd, enum lock_kind kind)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 10};

	if (kind == LOCK_BSD)
		return flock(fd, LOCK_EX | LOCK_NB);
	return fcntl(fd, kind == LOCK_OFD ? F_OFD_SETLK : F_SETLK, &lock);
}

static bool is_locked_for_others(enum lock_kind kind)
{
	int pipes[2];
	char answer = '?';

	ASSERT_OK(pipe(pipes));
	IN_CHILD {
		int fd = ASSERT_OK(open("m/f", O_RDWR | O_CLOEXEC));

		answer = try_lock(fd, kind) < 0 ? 'y' : 'n';
		ASSERT_EQ(write(pipes[1], &answer, 1), 1);
	}
	ASSERT_EQ(read(pipes[0], &answer, 1), 1);
	close(pipes[0]);
	close(pipes[1]);
	return answer == 'y';
}

static const struct lock_case {
	struct ktap_row row;
	enum lock_kind kind;
} locks[] = {
	{{"flock", "a flock lock taken on a lower file excludes others before and after its promotion"},
	 LOCK_BSD},
	{{"posix", "a POSIX lock taken on a lower file excludes others before and after its promotion"},
	 LOCK_POSIX},
	{{"ofd", "an OFD lock taken on a lower file excludes others before and after its promotion"},
	 LOCK_OFD},
};
TEST_TABLE(kept, struct lock_case, locks, c)
{
	int fd;

	lower(0, "f=0123456789");
	union_mount();
	fd = ASSERT_OK(open("m/f", O_RDWR | O_CLOEXEC));
	ASSERT_OK(try_lock(fd, c->kind));
	EXPECT(is_locked_for_others(c->kind));
	ASSERT_OK(truncate("m/f", 5));
	ASSERT_EQ(write(fd, "x", 1), 1);
	EXPECT(is_locked_for_others(c->kind));
	ASSERT_OK(rename("m/f", "m/g"));
	ASSERT_OK(rename("m/g", "m/f"));
	EXPECT(is_locked_for_others(c->kind));
	close(fd);
	EXPECT(!is_locked_for_others(c->kind));
}

TEST(flock_readonly_fd, "flock through an O_RDONLY descriptor conflicts with one taken after promotion")
{
	int old, new;

	lower(0, "f=1");
	union_mount();
	old = ASSERT_OK(open("m/f", O_RDONLY | O_CLOEXEC));
	ASSERT_OK(flock(old, LOCK_EX | LOCK_NB));
	new = ASSERT_OK(open("m/f", O_RDWR | O_CLOEXEC));
	ASSERT_EQ(write(new, "2", 1), 1);
	EXPECT_ERR(flock(new, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	ASSERT_OK(flock(old, LOCK_UN));
	EXPECT_OK(flock(new, LOCK_EX | LOCK_NB));
	close(old);
	close(new);
}

TEST(posix_ranges, "POSIX locks of different ranges of one lower file do not conflict")
{
	struct flock head = {.l_type = F_WRLCK, .l_start = 0, .l_len = 5};
	int fd;

	lower(0, "f=0123456789");
	union_mount();
	fd = ASSERT_OK(open("m/f", O_RDWR));
	ASSERT_OK(fcntl(fd, F_SETLK, &head));
	IN_CHILD {
		struct flock tail = {.l_type = F_WRLCK, .l_start = 5, .l_len = 5};
		int own = ASSERT_OK(open("m/f", O_RDWR));

		EXPECT_OK(fcntl(own, F_SETLK, &tail));
		tail.l_start = 4;
		EXPECT_ERR(fcntl(own, F_SETLK, &tail), EAGAIN);
		EXPECT_OK(fcntl(own, F_GETLK, &tail));
		EXPECT_EQ(tail.l_pid, getppid());
	}
	close(fd);
}

TEST(alias_lock, "a lock taken through one hard link excludes the other, also after promotion")
{
	int one, two;

	lower(0, "a=1 b&a");
	union_mount();
	one = ASSERT_OK(open("m/a", O_RDWR | O_CLOEXEC));
	two = ASSERT_OK(open("m/b", O_RDONLY | O_CLOEXEC));
	ASSERT_OK(flock(one, LOCK_EX | LOCK_NB));
	EXPECT_ERR(flock(two, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	ASSERT_EQ(write(one, "x", 1), 1);
	EXPECT_ERR(flock(two, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	close(one);
	close(two);
}

TEST(wrong_fd, "a POSIX write lock through an O_RDONLY descriptor gives EBADF")
{
	struct flock lock = {.l_type = F_WRLCK};
	int fd;

	lower(0, "f=1");
	union_mount();
	fd = ASSERT_OK(open("m/f", O_RDONLY));
	EXPECT_ERR(fcntl(fd, F_SETLK, &lock), EBADF);
	close(fd);
}

static volatile sig_atomic_t lease_broken;

static void on_lease(int signal)
{
	(void)signal;
	lease_broken = 1;
}

TEST(lease, "a read lease on a lower file is broken when somebody opens it for writing")
{
	pid_t pid;
	int fd;

	lower(0, "f=1");
	union_mount();
	signal(SIGIO, on_lease);
	fd = ASSERT_OK(open("m/f", O_RDONLY));
	if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0)
		SKIP("no leases here: %s", strerror(errno));
	EXPECT_EQ(fcntl(fd, F_GETLEASE), F_RDLCK);
	pid = fork();
	if (pid == 0) {
		close(open("m/f", O_WRONLY));
		_exit(0);
	}
	for (int i = 0; i < 500 && !lease_broken; i++)
		usleep(10000);
	EXPECT(lease_broken);
	EXPECT_OK(fcntl(fd, F_SETLEASE, F_UNLCK));
	close(fd);
}

TEST(lease_writer, "a read lease on a file that is open for writing gives EAGAIN")
{
	int in, out;

	lower(0, "f=1");
	union_mount();
	out = ASSERT_OK(open("m/f", O_WRONLY));
	in = ASSERT_OK(open("m/f", O_RDONLY));
	EXPECT_ERR(fcntl(in, F_SETLEASE, F_RDLCK), EAGAIN);
	close(in);
	close(out);
}

/* Collects what an inotify descriptor holds: the or of the masks, and the last name. */
static uint32_t collect(int fd, char *ret_name)
{
	char buffer[4096] __attribute__((aligned(8)));
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	uint32_t mask = 0;

	while (poll(&poll_fd, 1, 200) > 0) {
		ssize_t got = read(fd, buffer, sizeof(buffer));

		for (char *at = buffer; at < buffer + got;) {
			struct inotify_event *event = (void *)at;

			mask |= event->mask;
			if (event->len && ret_name)
				strcpy(ret_name, event->name);
			at += sizeof(*event) + event->len;
		}
	}
	return mask;
}

static const struct notify_case {
	struct ktap_row row;
	const char *path;
	const char *ops;
	uint32_t want;
	const char *name;
} notifies[] = {
	{{"modify", "a watch on a lower file fires when it is written"}, "m/f", "append f x", IN_MODIFY,
	 NULL},
	{{"truncate", "a watch on a lower file fires when it is truncated"}, "m/f", "trunc f 0", IN_MODIFY,
	 NULL},
	{{"attrib", "a watch on a lower file fires when its mode changes"}, "m/f", "chmod 600 f",
	 IN_ATTRIB, NULL},
	{{"open_close", "a watch on a lower file fires when it is opened and closed"}, "m/f", "read f 1",
	 IN_OPEN | IN_CLOSE_NOWRITE | IN_ACCESS, NULL},
	{{"close_write", "a watch on a lower file fires when a writer closes it"}, "m/f", "append f x",
	 IN_CLOSE_WRITE, NULL},
	{{"delete_self", "a watch on a lower file fires when it is removed"}, "m/f", "unlink f",
	 IN_DELETE_SELF, NULL},
	{{"move_self", "a watch on a lower file fires when it is renamed"}, "m/f", "rename f g",
	 IN_MOVE_SELF, NULL},
	{{"alias", "a watch on one hard link fires when the other is written"}, "m/h1", "append h2 x",
	 IN_MODIFY, NULL},
	{{"dir_create", "a watch on a lower directory fires when a file is created"}, "m/d",
	 "create d/new 1", IN_CREATE, "new"},
	{{"dir_delete", "a watch on a lower directory fires when a lower file is removed"}, "m/d",
	 "unlink d/a", IN_DELETE, "a"},
	{{"dir_modify", "a watch on a lower directory fires when a file in it is written"}, "m/d",
	 "append d/a x", IN_MODIFY, "a"},
	{{"dir_moved", "a watch on a lower directory fires when a file is renamed in it"}, "m/d",
	 "rename d/a d/b", IN_MOVED_FROM | IN_MOVED_TO, "b"},
	{{"dir_mkdir", "a watch on a lower directory fires when a directory is made"}, "m/d", "mkdir d/n",
	 IN_CREATE | IN_ISDIR, "n"},
};
TEST_TABLE(inotify, struct notify_case, notifies, c)
{
	char name[256] = "";
	uint32_t mask;
	int fd;

	lower(0, "f=1 d/a=1 h1=1 h2&h1");
	union_mount();
	fd = ASSERT_OK(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
	ASSERT_OK(inotify_add_watch(fd, c->path, IN_ALL_EVENTS));
	ops_run("m", c->ops);
	mask = collect(fd, name);
	EXPECT_EQ(mask & c->want, c->want);
	if (c->name)
		EXPECT_STREQ(name, c->name);
	close(fd);
}

TEST(inotify_after, "a watch set before a promotion still fires for writes long after it")
{
	int fd;

	lower(0, "f=1");
	union_mount();
	fd = ASSERT_OK(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
	ASSERT_OK(inotify_add_watch(fd, "m/f", IN_MODIFY));
	file_append("m/f", "2");
	collect(fd, NULL);
	drop_caches();
	file_append("m/f", "3");
	EXPECT(collect(fd, NULL) & IN_MODIFY);
	close(fd);
}

TEST(inotify_quiet, "promotion itself shows no events of files nobody made")
{
	char name[256] = "";
	uint32_t mask;
	int fd;

	need_union();
	lower(0, "d/f=1");
	union_mount();
	fd = ASSERT_OK(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
	ASSERT_OK(inotify_add_watch(fd, "m/d", IN_CREATE | IN_DELETE | IN_MOVE));
	file_append("m/d/f", "2");
	mask = collect(fd, name);
	EXPECT_EQ(mask, 0);
	EXPECT_STREQ(name, "");
	close(fd);
}

TEST(fanotify, "a fanotify mark on the mount sees a lower file being written")
{
	char buffer[4096] __attribute__((aligned(8)));
	struct fanotify_event_metadata *event = (void *)buffer;
	uint64_t mask = 0;
	ssize_t got;
	int fd;

	need_union();
	lower(0, "f=1");
	union_mount();
	fd = fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK, O_RDONLY);
	if (fd < 0)
		SKIP("no fanotify: %s", strerror(errno));
	ASSERT_OK(fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_MODIFY | FAN_CLOSE_WRITE, AT_FDCWD,
				"m"));
	file_append("m/f", "2");
	got = ASSERT_OK(read(fd, buffer, sizeof(buffer)));
	for (; FAN_EVENT_OK(event, got); event = FAN_EVENT_NEXT(event, got)) {
		mask |= event->mask;
		close(event->fd);
	}
	EXPECT_EQ(mask & (FAN_MODIFY | FAN_CLOSE_WRITE), FAN_MODIFY | FAN_CLOSE_WRITE);
	close(fd);
}
