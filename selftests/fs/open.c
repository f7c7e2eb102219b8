// SPDX-License-Identifier: GPL-2.0-only
/*
 * open.c - tests of open(2)'s flags on a union and of descriptors that outlive changes to their file,
 * O_TMPFILE, execution, fifos and sockets.
 */
#include "ops.h"
#include "union.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

static const struct open_case {
	struct ktap_row row;
	const char *path;
	int flags;
	int error;	  /* 0 when it must succeed */
	const char *want; /* the file "f" afterwards */
} opens[] = {
	{{"rdonly", "O_RDONLY opens a lower file"}, "f", O_RDONLY, 0, "text"},
	{{"wronly", "O_WRONLY opens a lower file and keeps its data"}, "f", O_WRONLY, 0, "text"},
	{{"trunc", "O_TRUNC empties a lower file"}, "f", O_WRONLY | O_TRUNC, 0, ""},
	{{"trunc_rdwr", "O_RDWR with O_TRUNC empties a lower file"}, "f", O_RDWR | O_TRUNC, 0, ""},
	{{"creat_existing", "O_CREAT opens a lower file that exists"}, "f", O_CREAT | O_RDWR, 0, "text"},
	{{"creat_excl", "O_CREAT with O_EXCL refuses a lower file: EEXIST"}, "f",
	 O_CREAT | O_EXCL | O_RDWR, EEXIST, "text"},
	{{"creat_excl_link", "O_CREAT with O_EXCL refuses a symbolic link: EEXIST"}, "l",
	 O_CREAT | O_EXCL | O_RDWR, EEXIST, "text"},
	{{"creat_dangling", "O_CREAT through a dangling lower link creates its target"}, "dangling",
	 O_CREAT | O_RDWR, 0, "text"},
	{{"creat_dir", "O_CREAT of a directory gives EISDIR"}, "d", O_CREAT | O_RDWR, EISDIR, "text"},
	{{"directory", "O_DIRECTORY opens a lower directory"}, "d", O_RDONLY | O_DIRECTORY, 0, "text"},
	{{"directory_file", "O_DIRECTORY of a lower file gives ENOTDIR"}, "f", O_RDONLY | O_DIRECTORY,
	 ENOTDIR, "text"},
	{{"directory_write", "opening a lower directory for writing gives EISDIR"}, "d", O_RDWR, EISDIR,
	 "text"},
	{{"nofollow", "O_NOFOLLOW of a lower symbolic link gives ELOOP"}, "l", O_RDONLY | O_NOFOLLOW,
	 ELOOP, "text"},
	{{"nofollow_file", "O_NOFOLLOW opens a lower file"}, "f", O_RDONLY | O_NOFOLLOW, 0, "text"},
	{{"follow", "opening a lower symbolic link opens its target"}, "l", O_RDWR, 0, "text"},
	{{"path", "O_PATH opens a lower file"}, "f", O_PATH, 0, "text"},
	{{"path_link", "O_PATH with O_NOFOLLOW opens a symbolic link itself"}, "l", O_PATH | O_NOFOLLOW, 0,
	 "text"},
	{{"missing", "opening a missing name gives ENOENT"}, "x", O_RDONLY, ENOENT, "text"},
	{{"trailing_slash", "a file's name with a slash behind gives ENOTDIR"}, "f/", O_RDONLY, ENOTDIR,
	 "text"},
	{{"noatime", "the owner can open with O_NOATIME"}, "f", O_RDONLY | O_NOATIME, 0, "text"},
	{{"sync", "O_SYNC opens a lower file for writing"}, "f", O_WRONLY | O_SYNC, 0, "text"},
	{{"nonblock_fifo", "a fifo without reader gives ENXIO for O_WRONLY with O_NONBLOCK"}, "p",
	 O_WRONLY | O_NONBLOCK, ENXIO, "text"},
	{{"socket", "opening a socket of a lower layer gives ENXIO"}, "s", O_RDWR, ENXIO, "text"},
};
TEST_TABLE(flags, struct open_case, opens, c)
{
	char path[64];

	lower(0, "f=text d/x=1 l@f dangling@target");
	ASSERT_OK(mknod("l0/p", S_IFIFO | 0644, 0));
	ASSERT_OK(mknod("l0/s", S_IFSOCK | 0644, 0));
	union_mount();
	snprintf(path, sizeof(path), "m/%s", c->path);
	if (c->error)
		EXPECT_ERR(open(path, c->flags | O_CLOEXEC, 0644), c->error);
	else
		EXPECT_OK(open(path, c->flags | O_CLOEXEC, 0644));
	EXPECT_STREQ(file_text("m/f"), c->want);
	EXPECT_STREQ(file_text(is_bare() ? "m/f" : "l0/f"), is_bare() ? c->want : "text");
}

TEST(old_fd_sees_write, "a descriptor opened O_RDONLY before the first write sees it")
{
	char text[16] = "";
	int fd;

	lower(0, "f=old");
	union_mount();
	fd = ASSERT_OK(open("m/f", O_RDONLY));
	ASSERT_EQ(read(fd, text, 3), 3);
	file_append("m/f", "+new");
	EXPECT_EQ(read(fd, text, sizeof(text)), 4);
	EXPECT_STREQ(text, "+new");
	EXPECT_EQ(pread(fd, text, sizeof(text), 0), 7);
	close(fd);
}

TEST(old_fd_sees_truncate, "a descriptor opened O_RDONLY sees a later truncation")
{
	struct stat st;
	char text[16];
	int fd;

	lower(0, "f=long text");
	union_mount();
	fd = ASSERT_OK(open("m/f", O_RDONLY));
	ASSERT_OK(truncate("m/f", 2));
	ASSERT_OK(fstat(fd, &st));
	EXPECT_EQ(st.st_size, 2);
	EXPECT_EQ(pread(fd, text, sizeof(text), 0), 2);
	close(fd);
}

TEST(old_fd_metadata, "fstat of an old descriptor sees a later chmod, chown and utimes")
{
	struct timespec times[2] = {{111, 0}, {222, 0}};
	struct stat st;
	int fd;

	lower(0, "f=1");
	union_mount();
	fd = ASSERT_OK(open("m/f", O_RDONLY));
	ASSERT_OK(chmod("m/f", 0640));
	ASSERT_OK(chown("m/f", 12, 34));
	ASSERT_OK(utimensat(AT_FDCWD, "m/f", times, 0));
	ASSERT_OK(fstat(fd, &st));
	EXPECT_EQ(st.st_mode, S_IFREG | 0640);
	EXPECT_EQ(st.st_uid, 12);
	EXPECT_EQ(st.st_gid, 34);
	EXPECT_EQ(st.st_mtime, 222);
	close(fd);
}

TEST(old_fd_fchmod, "fchmod, fchown, futimens and fsetxattr work through an O_RDONLY descriptor")
{
	struct timespec times[2] = {{111, 0}, {222, 0}};
	struct stat st;
	int fd;

	lower(0, "f=1");
	union_mount();
	fd = ASSERT_OK(open("m/f", O_RDONLY));
	EXPECT_OK(fchmod(fd, 0604));
	EXPECT_OK(fchown(fd, 5, 6));
	EXPECT_OK(futimens(fd, times));
	st = stat_of("m/f");
	EXPECT_EQ(st.st_mode, S_IFREG | 0604);
	EXPECT_EQ(st.st_uid, 5);
	EXPECT_EQ(st.st_mtime, 222);
	EXPECT_STREQ(file_text("m/f"), "1");
	close(fd);
}

TEST(many_old_fds, "twenty descriptors opened in turn with writes between all see the end")
{
	int fd[20];
	char text[64];

	lower(0, "f=");
	union_mount();
	for (int i = 0; i < 20; i++) {
		fd[i] = ASSERT_OK(open("m/f", i % 3 ? O_RDONLY : O_RDWR));
		file_append("m/f", "x");
	}
	for (int i = 0; i < 20; i++) {
		EXPECT_EQ(pread(fd[i], text, sizeof(text), 0), 20);
		close(fd[i]);
	}
}

TEST(append, "O_APPEND writes go to the end though another writer moved it")
{
	int one, two;

	lower(0, "f=0");
	union_mount();
	one = ASSERT_OK(open("m/f", O_WRONLY | O_APPEND));
	two = ASSERT_OK(open("m/f", O_WRONLY | O_APPEND));
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(write(one, "a", 1), 1);
		EXPECT_EQ(write(two, "b", 1), 1);
	}
	EXPECT_STREQ(file_text("m/f"), "0ababab");
	close(one);
	close(two);
}

TEST(setfl_append, "O_APPEND and O_NONBLOCK can be switched by fcntl")
{
	int fd;

	lower(0, "f=0123");
	union_mount();
	fd = ASSERT_OK(open("m/f", O_RDWR));
	ASSERT_OK(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK));
	EXPECT_EQ(fcntl(fd, F_GETFL) & (O_APPEND | O_NONBLOCK), O_APPEND | O_NONBLOCK);
	EXPECT_EQ(write(fd, "x", 1), 1);
	EXPECT_STREQ(file_text("m/f"), "0123x");
	ASSERT_OK(fcntl(fd, F_SETFL, 0));
	ASSERT_EQ(lseek(fd, 0, SEEK_SET), 0);
	EXPECT_EQ(write(fd, "y", 1), 1);
	EXPECT_STREQ(file_text("m/f"), "y123x");
	close(fd);
}

/* Byte C through a pipe to offset 0. */
static ssize_t splice_byte(int fd, char c)
{
	off_t at = 0;
	int ends[2];
	ssize_t ret;

	ASSERT_OK(pipe(ends));
	ASSERT_EQ(write(ends[1], &c, 1), 1);
	ret = splice(ends[0], NULL, fd, &at, 1, 0);
	close(ends[0]);
	close(ends[1]);
	return ret;
}

TEST(setfl_append_off, "once O_APPEND is switched off, splices and copies go where they are told to")
{
	off_t from = 1, to = 2;
	int fd;

	need_shale("overlayfs of 6.1 copies before it asks");
	lower(0, "f=0123");
	union_mount_with(&(struct union_opts){.cow = "copy"});
	fd = ASSERT_OK(open("m/f", O_RDWR | O_APPEND));
	EXPECT_EQ(write(fd, "4", 1), 1);
	EXPECT_EQ(splice_byte(fd, 'x'), -1);
	ASSERT_OK(fcntl(fd, F_SETFL, 0));
	EXPECT_EQ(splice_byte(fd, 'x'), 1);
	EXPECT_STREQ(file_text("m/f"), "x1234");
	EXPECT_EQ(copy_file_range(fd, &from, fd, &to, 1, 0), 1);
	EXPECT_STREQ(file_text("m/f"), "x1134");
	ASSERT_OK(fcntl(fd, F_SETFL, O_APPEND));
	EXPECT_EQ(write(fd, "5", 1), 1);
	EXPECT_STREQ(file_text("m/f"), "x11345");
	close(fd);
}

TEST(setfl_direct_off, "once O_DIRECT is switched off, a splice need not be aligned")
{
	int fd;

	lower(0, "f=0123");
	union_mount_with(&(struct union_opts){.cow = "copy"});
	ASSERT_OK(chmod("m/f", 0600));
	fd = open("m/f", O_RDWR | O_DIRECT);
	if (fd < 0)
		SKIP("%s has no O_DIRECT", union_backing());
	ASSERT_OK(fcntl(fd, F_SETFL, 0));
	EXPECT_EQ(splice_byte(fd, 'x'), 1);
	EXPECT_STREQ(file_text("m/f"), "x123");
	close(fd);
}

TEST(wrong_mode, "writing an O_RDONLY and reading an O_WRONLY descriptor gives EBADF")
{
	char text[4];
	int in, out;

	lower(0, "f=1");
	union_mount();
	in = ASSERT_OK(open("m/f", O_RDONLY));
	out = ASSERT_OK(open("m/f", O_WRONLY));
	EXPECT_ERR(write(in, "x", 1), EBADF);
	EXPECT_ERR(read(out, text, 1), EBADF);
	EXPECT_ERR(ftruncate(in, 0), EINVAL);
	close(in);
	close(out);
}

TEST(direct, "O_DIRECT reads and writes a lower file where the backing filesystem can")
{
	char *buffer = aligned_alloc(4096, 8192);
	int fd;

	lower(0, "x=1");
	memset(buffer, 'a', 8192);
	fd = ASSERT_OK(open("l0/f", O_CREAT | O_RDWR, 0644));
	ASSERT_EQ(write(fd, buffer, 8192), 8192);
	close(fd);
	fd = open("l0/f", O_RDONLY | O_DIRECT);
	if (fd < 0)
		SKIP("%s has no O_DIRECT", union_backing());
	close(fd);
	union_mount();
	fd = ASSERT_OK(open("m/f", O_RDWR | O_DIRECT));
	memset(buffer, 'b', 4096);
	EXPECT_EQ(pwrite(fd, buffer, 4096, 4096), 4096);
	memset(buffer, 0, 8192);
	EXPECT_EQ(pread(fd, buffer, 8192, 0), 8192);
	EXPECT_EQ(buffer[0], 'a');
	EXPECT_EQ(buffer[4095], 'a');
	EXPECT_EQ(buffer[4096], 'b');
	EXPECT_EQ(buffer[8191], 'b');
	close(fd);
	fd = ASSERT_OK(open("m/f", O_RDONLY));
	EXPECT_EQ(pread(fd, buffer, 8192, 0), 8192);
	EXPECT_EQ(buffer[4096], 'b');
	close(fd);
}

TEST(path_descriptor, "an O_PATH descriptor can be used for fstat and reopened by /proc")
{
	char proc[64], text[8] = "";
	struct stat st;
	int fd, again;

	lower(0, "f=1");
	union_mount();
	fd = ASSERT_OK(open("m/f", O_PATH));
	EXPECT_OK(fstat(fd, &st));
	EXPECT_EQ(st.st_ino, ino_of("m/f"));
	EXPECT_ERR(read(fd, text, 1), EBADF);
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	again = ASSERT_OK(open(proc, O_RDWR | O_APPEND));
	EXPECT_EQ(write(again, "2", 1), 1);
	EXPECT_STREQ(file_text("m/f"), "12");
	close(again);
	close(fd);
}

TEST(proc_fd_name, "/proc shows an open file under its path in the mount, before and after a write")
{
	char proc[64], link[4096];
	int fd;

	lower(0, "d/f=1");
	union_mount();
	fd = ASSERT_OK(open("m/d/f", O_RDWR));
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	for (int i = 0; i < 2; i++) {
		ssize_t got = ASSERT_OK(readlink(proc, link, sizeof(link) - 1));

		link[got] = '\0';
		EXPECT_STREQ(link + got - 6, "/m/d/f");
		EXPECT_EQ(write(fd, "x", 1), 1);
	}
	close(fd);
}

TEST(tmpfile, "O_TMPFILE makes a file without a name that can be written, read and never listed")
{
	char text[8] = "";
	struct stat st;
	int fd;

	overlay_lacks("O_TMPFILE on 6.1");
	lower(0, "d/x=1");
	union_mount();
	fd = ASSERT_OK(open("m/d", O_TMPFILE | O_RDWR, 0600));
	EXPECT_EQ(write(fd, "abc", 3), 3);
	EXPECT_EQ(pread(fd, text, sizeof(text), 0), 3);
	ASSERT_OK(fstat(fd, &st));
	EXPECT_EQ(st.st_nlink, 0);
	EXPECT_EQ(st.st_mode, S_IFREG | 0600);
	EXPECT_EQ(st.st_dev, stat_of("m").st_dev);
	EXPECT_TREE("m", "d/x=1");
	close(fd);
	EXPECT_TREE("m", "d/x=1");
}

TEST(tmpfile_link, "a linked temporary file keeps its descriptor, st_ino and data")
{
	char proc[64];
	struct stat st;
	int fd;

	overlay_lacks("O_TMPFILE on 6.1");
	lower(0, "d/x=1");
	union_mount();
	fd = ASSERT_OK(open("m/d", O_TMPFILE | O_RDWR, 0600));
	ASSERT_EQ(write(fd, "abc", 3), 3);
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	ASSERT_OK(linkat(AT_FDCWD, proc, AT_FDCWD, "m/d/f", AT_SYMLINK_FOLLOW));
	ASSERT_OK(fstat(fd, &st));
	EXPECT_EQ(st.st_nlink, 1);
	EXPECT_EQ(st.st_ino, ino_of("m/d/f"));
	EXPECT_EQ(write(fd, "def", 3), 3);
	EXPECT_STREQ(file_text("m/d/f"), "abcdef");
	close(fd);
	union_remount();
	EXPECT_STREQ(file_text("m/d/f"), "abcdef");
}

TEST(tmpfile_excl, "a temporary file made with O_EXCL cannot be linked: ENOENT")
{
	char proc[64];
	int fd;

	overlay_lacks("O_TMPFILE on 6.1");
	lower(0, "x=1");
	union_mount();
	fd = ASSERT_OK(open("m", O_TMPFILE | O_EXCL | O_RDWR, 0600));
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	EXPECT_ERR(linkat(AT_FDCWD, proc, AT_FDCWD, "m/f", AT_SYMLINK_FOLLOW), ENOENT);
	close(fd);
}

TEST(tmpfile_owner, "a temporary file belongs to the user who made it")
{
	overlay_lacks("O_TMPFILE on 6.1");
	lower(0, "d/");
	ASSERT_OK(chmod("l0/d", 0777));
	union_mount();
	AS_UID(1000) {
		struct stat st;
		int fd = ASSERT_OK(open("m/d", O_TMPFILE | O_RDWR, 0644));

		ASSERT_OK(fstat(fd, &st));
		EXPECT_EQ(st.st_uid, 1000);
		EXPECT_EQ(st.st_gid, 1000);
	}
}

TEST(tmpfile_file, "O_TMPFILE on a file gives ENOTDIR")
{
	overlay_lacks("O_TMPFILE on 6.1");
	lower(0, "f=1");
	union_mount();
	EXPECT_ERR(open("m/f", O_TMPFILE | O_RDWR, 0644), ENOTDIR);
}

static void copy_program(const char *from, const char *to)
{
	char command[256];

	snprintf(command, sizeof(command), "cp -L %s %s", from, to);
	ASSERT_EQ(system(command), 0);
}

static int run_program(const char *path, const char *argument)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execl(path, path, argument, NULL);
		_exit(errno);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(exec, "a program of a lower layer runs")
{
	lower(0, "bin/");
	copy_program("/bin/true", "l0/bin/true");
	union_mount();
	EXPECT_EQ(run_program("m/bin/true", NULL), 0);
}

TEST(exec_promoted, "a program runs after it was promoted by chmod")
{
	lower(0, "bin/");
	copy_program("/bin/true", "l0/bin/true");
	union_mount();
	ASSERT_OK(chmod("m/bin/true", 0700));
	EXPECT_EQ(run_program("m/bin/true", NULL), 0);
}

TEST(exec_script, "a script of a lower layer runs")
{
	lower(0, "x=1");
	file_write("l0/script", "#!/bin/sh\nexit 7\n");
	ASSERT_OK(chmod("l0/script", 0755));
	union_mount();
	EXPECT_EQ(run_program("m/script", NULL), 7);
}

TEST(exec_no_permission, "a program without execute permission gives EACCES")
{
	lower(0, "f=1");
	union_mount();
	EXPECT_EQ(run_program("m/f", NULL), EACCES);
}

static pid_t start_sleeper(const char *path)
{
	pid_t pid = fork();
	char link[4096];
	char proc[64];

	if (pid == 0) {
		execl(path, path, "100", NULL);
		_exit(errno);
	}
	snprintf(proc, sizeof(proc), "/proc/%d/exe", pid);
	for (int i = 0; i < 1000; i++) {
		ssize_t got = readlink(proc, link, sizeof(link) - 1);

		if (got > 8 && !strncmp(link + got - 8, "/m/sleep", 8))
			return pid;
		usleep(10000);
	}
	ktap_fail(__FILE__, __LINE__, "%s did not start", path);
	return pid;
}

TEST(text_busy, "writing a running lower program gives ETXTBSY, and works once it has ended")
{
	pid_t pid;
	int fd;

	lower(0, "x=1");
	copy_program("/bin/sleep", "l0/sleep");
	union_mount();
	pid = start_sleeper("m/sleep");
	EXPECT_ERR(open("m/sleep", O_WRONLY), ETXTBSY);
	EXPECT_ERR(truncate("m/sleep", 0), ETXTBSY);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	fd = EXPECT_OK(open("m/sleep", O_WRONLY));
	close(fd);
}

TEST(text_busy_writer, "running a program that is open for writing gives ETXTBSY")
{
	int fd;

	lower(0, "x=1");
	copy_program("/bin/true", "l0/true");
	union_mount();
	fd = ASSERT_OK(open("m/true", O_WRONLY));
	EXPECT_EQ(run_program("m/true", NULL), ETXTBSY);
	close(fd);
	EXPECT_EQ(run_program("m/true", NULL), 0);
}

TEST(replace_running, "a running lower program can be replaced by rename and removed")
{
	pid_t pid;

	lower(0, "x=1");
	copy_program("/bin/sleep", "l0/sleep");
	union_mount();
	pid = start_sleeper("m/sleep");
	file_write("m/new", "new");
	EXPECT_OK(rename("m/new", "m/sleep"));
	EXPECT_STREQ(file_text("m/sleep"), "new");
	EXPECT_EQ(kill(pid, 0), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

TEST(fifo, "a fifo of a lower layer connects two processes")
{
	char text[8] = "";
	pid_t pid;
	int fd;

	lower(0, "x=1");
	ASSERT_OK(mknod("l0/p", S_IFIFO | 0644, 0));
	union_mount();
	pid = fork();
	if (pid == 0) {
		fd = open("m/p", O_WRONLY);
		_exit(write(fd, "hello", 5) != 5);
	}
	fd = ASSERT_OK(open("m/p", O_RDONLY));
	EXPECT_EQ(read(fd, text, sizeof(text)), 5);
	EXPECT_STREQ(text, "hello");
	waitpid(pid, NULL, 0);
	close(fd);
}

TEST(socket, "a socket can be bound in a lower directory and connected to, also after a rename")
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "m/d/sock"};
	int server, client;

	lower(0, "d/x=1");
	union_mount();
	server = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	ASSERT_OK(bind(server, (struct sockaddr *)&address, sizeof(address)));
	ASSERT_OK(listen(server, 5));
	client = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	EXPECT_OK(connect(client, (struct sockaddr *)&address, sizeof(address)));
	close(client);
	ASSERT_OK(rename("m/d/sock", "m/sock2"));
	strcpy(address.sun_path, "m/sock2");
	client = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	EXPECT_OK(connect(client, (struct sockaddr *)&address, sizeof(address)));
	ASSERT_OK(chmod("m/sock2", 0700));
	close(client);
	client = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	EXPECT_OK(connect(client, (struct sockaddr *)&address, sizeof(address)));
}

TEST(read_only_mount, "a mount without an upper refuses every change with EROFS")
{
	need_union();
	lower(0, "f=1 d/");
	union_mount_with(&(struct union_opts){.readonly = true});
	EXPECT_ERR(open("m/f", O_RDWR), EROFS);
	EXPECT_ERR(open("m/new", O_CREAT | O_WRONLY, 0644), EROFS);
	EXPECT_ERR(truncate("m/f", 0), EROFS);
	EXPECT_ERR(chmod("m/f", 0600), EROFS);
	EXPECT_ERR(chown("m/f", 1, 1), EROFS);
	EXPECT_ERR(utimensat(AT_FDCWD, "m/f", NULL, 0), EROFS);
	EXPECT_ERR(mkdir("m/e", 0755), EROFS);
	EXPECT_ERR(unlink("m/f"), EROFS);
	EXPECT_ERR(rmdir("m/d"), EROFS);
	EXPECT_ERR(rename("m/f", "m/g"), EROFS);
	EXPECT_ERR(link("m/f", "m/g"), EROFS);
	EXPECT_ERR(symlink("f", "m/l"), EROFS);
	EXPECT_ERR(open("m", O_TMPFILE | O_RDWR, 0644), EROFS);
	EXPECT_ERR(access("m/f", W_OK), EROFS);
	EXPECT_STREQ(file_text("m/f"), "1");
}
