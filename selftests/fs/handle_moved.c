// SPDX-License-Identifier: GPL-2.0-only
/*
 * handle_moved.c - tests of file handles of what was renamed before any handle was made: then shale looks through
 * the upper, and from then on each rename leaves a record there. What handles do else is in handle.c.
 */
#include "handles.h"
#include "ops.h"
#include "union.h"

#include <dirent.h>
#include <linux/fs.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>

#define FIFREEZE _IOWR('X', 119, int)
#define FITHAW	 _IOWR('X', 120, int)

#define RECORDS "u/.shale/moved"

/* For what has to happen, and for what must not. */
#define PATIENCE_MS  30000
#define A_WHILE_MS   500
#define PAUSE_MS     20
#define MS	     1000

static bool records_appear(int within_ms)
{
	for (int ms = 0; ms < within_ms; ms += PAUSE_MS) {
		if (exists(RECORDS))
			return true;
		usleep(PAUSE_MS * MS);
	}
	return exists(RECORDS);
}

static int count_records(void)
{
	return tree_count_files(RECORDS);
}

/* ------------------------------------------------------------------ when there are records */

TEST(never, "an upper of which no handle is made has no records of renames")
{
	need_shale("this is about shale's records");
	lower(0, "d/f=1 d/g=2 e/h=3 i=4");
	union_mount();
	ops_run("m", "rename d/f x; rename e d/e; exchange i x; rename d y");
	union_remount();
	ops_run("m", "rename y/g z; rename y d; unlink z; rename i y");
	EXPECT(!exists(RECORDS));
	union_umount();
	EXPECT(!exists(RECORDS));
	expect_work_clean();
}

TEST(first, "the first handle of what has a lower part brings the records of all renames, one of an upper file does not")
{
	need_shale("this is about shale's records");
	lower(0, "d/f=1 g=2 h=3 stays=4");
	union_mount();
	ops_run("m", "rename d/f x; rename g d/g; append stays 4; create n 1; mkdir new; rename h new/h");
	handle_take("m/n");
	handle_take("m/new");
	EXPECT(!records_appear(A_WHILE_MS));
	handle_take("m/d");
	EXPECT(records_appear(PATIENCE_MS));
	EXPECT_EQ(count_records(), 3);
	ops_run("m", "rename stays y");
	EXPECT_EQ(count_records(), 4);
	expect_work_clean();
}

TEST(opened, "opening a handle of a lower object that was made elsewhere brings them, too")
{
	struct handle handle;

	need_shale("others do not open handles of other mounts");
	lower(0, "d/f=1 g=2");
	union_mount_with(&(struct union_opts){.readonly = true});
	handle = handle_take("m/d/f");
	union_umount();
	union_mount();
	ops_run("m", "rename d/f x; rename g y");
	EXPECT(!exists(RECORDS));
	EXPECT_STREQ(handle_text(&handle), "1");
	EXPECT_EQ(count_records(), 2);
	union_remount();
	EXPECT_STREQ(handle_text(&handle), "1");
}

TEST(kept, "an upper with records goes on to record after a remount")
{
	struct handle handle;

	need_shale("this is about shale's records");
	lower(0, "d/f=1 g=2");
	union_mount();
	handle = handle_take("m/d/f");
	EXPECT(records_appear(PATIENCE_MS));
	union_remount();
	ops_run("m", "rename d/f x; rename g y");
	EXPECT_EQ(count_records(), 2);
	EXPECT_STREQ(handle_text(&handle), "1");
}

TEST(forgotten, "the record of an object goes with its last name")
{
	need_shale("this is about shale's records");
	lower(0, "f=1 g=2 d/");
	union_mount();
	ops_run("m", "rename f x; rename g y; rename d e");
	handle_take("m/x");
	EXPECT(records_appear(PATIENCE_MS));
	EXPECT_EQ(count_records(), 3);
	ops_run("m", "unlink x; rmdir e");
	EXPECT_EQ(count_records(), 1);
}

TEST(sealed, "records of a sealed upper are neither seen nor used, and the new upper has none")
{
	need_shale("this is about shale's records");
	lower(0, "f=1 g=2");
	union_mount();
	ops_run("m", "rename f x");
	handle_take("m/x");
	EXPECT(records_appear(PATIENCE_MS));
	union_seal();
	EXPECT(exists("l0/.shale/moved"));
	EXPECT_TREE("m", "x=1 g=2");
	EXPECT(!exists("m/.shale"));
	ops_run("m", "rename x y");
	EXPECT(!exists(RECORDS));
	EXPECT_TREE("m", "y=1 g=2");
}

/* ------------------------------------------------------------------ what they are good for */

static const struct earlier_case {
	struct ktap_row row;
	const char *before; /* operations before the handle is taken */
	const char *path;
	const char *after; /* one more rename */
	const char *want;
} earlier[] = {
	{{"file", "a file that was renamed before the first handle"}, "rename d/f x", "x", "rename x y", "1"},
	{{"across", "a file that was moved to another lower directory"}, "rename d/f p/f", "p/f",
	 "rename p/f p/q/f", "1"},
	{{"new_dir", "a file that was moved to a new directory"}, "mkdir n; mkdir n/m; rename d/f n/m/f",
	 "n/m/f", "rename n/m o", "1"},
	{{"in_dir", "a file in a directory that was renamed"}, "rename d e", "e/f", "rename e p/e", "1"},
	{{"deep", "a file deep in a directory that was moved"}, "rename p d/p", "d/p/q/r/s",
	 "rename d/p/q q", "5"},
	{{"both", "a file that was renamed in a directory that was moved"}, "rename d/f d/x; rename d p/d",
	 "p/d/x", "rename p/d e", "1"},
	{{"written", "a file that was written and renamed"}, "append d/f 2; rename d/f x", "x",
	 "append x 3; rename x d/y", "123"},
	{{"exchanged", "a file that changed places with a directory"}, "exchange d/f p", "p",
	 "exchange p d/f", "1"},
	{{"again", "a file that was renamed twice"}, "rename d/f x; rename x p/x", "p/x", "rename p/x d/f",
	 "1"},
	{{"replaced", "a file that was renamed over another"}, "rename d/f p/q/r/s", "p/q/r/s",
	 "rename p/q/r/s x", "1"},
	{{"linked", "a file that got another link and lost its name"}, "link d/f p/x; unlink d/f", "p/x",
	 "rename p/x x", "1"},
	{{"hard_link", "one of two lower links that was renamed"}, "rename h1 x", "x", "rename x p/x", "6"},
	{{"partial", "a large file of which one block was written"}, "overwrite big BIG; rename big d/big",
	 "d/big", "rename d/big x", "BIGbig"},
};

TEST_TABLE(earlier, struct earlier_case, earlier, c)
{
	struct handle handle;
	char path[64];

	lower(0, "d/f=1 d/g=2 h1=6 h2&h1 p/q/r/s=5 big=bigbig");
	ASSERT_OK(truncate("l0/big", 100000));
	handles_mount();
	ops_run("m", c->before);
	snprintf(path, sizeof(path), "m/%s", c->path);
	handle = handle_take(path);
	drop_caches();
	EXPECT_STREQ(handle_text(&handle), c->want[0] == '1' && strlen(c->want) == 3 ? "12" : c->want);
	ops_run("m", c->after);
	drop_caches();
	EXPECT_STREQ(handle_text(&handle), c->want);
	union_remount();
	EXPECT_STREQ(handle_text(&handle), c->want);
}

TEST(directory, "a handle of a directory that was moved opens it")
{
	struct handle handle;
	int fd;

	lower(0, "d/e/a=1 p/x=2");
	handles_mount();
	ops_run("m", "rename d/e p/e; create p/e/b 3");
	handle = handle_take("m/p/e");
	drop_caches();
	fd = ASSERT_OK(handle_open(&handle, O_RDONLY | O_DIRECTORY));
	EXPECT_OK(faccessat(fd, "a", F_OK, 0));
	EXPECT_OK(faccessat(fd, "b", F_OK, 0));
	close(fd);
	union_remount();
	fd = ASSERT_OK(handle_open(&handle, O_RDONLY | O_DIRECTORY));
	EXPECT_OK(faccessat(fd, "b", F_OK, 0));
	close(fd);
}

/* ------------------------------------------------------------------ where none can be written */

TEST(read_only, "on a read-only mount nothing is written, handles of what was renamed are stale until it is writable")
{
	struct handle handle;

	need_shale("this is about shale's records");
	lower(0, "d/f=1 g=2");
	union_mount_with(&(struct union_opts){.readonly = true});
	handle = handle_take("m/d/f");
	union_umount();
	union_mount();
	ops_run("m", "rename d/f x");
	union_umount();
	union_mount_with(&(struct union_opts){.mount_ro = true});
	handle_take("m/g");
	EXPECT_ERR(handle_open(&handle, O_RDONLY), ESTALE);
	EXPECT(!records_appear(A_WHILE_MS));
	ASSERT_OK(mount(NULL, "m", NULL, MS_REMOUNT, NULL));
	EXPECT_STREQ(handle_text(&handle), "1");
	ASSERT_OK(mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL));
	drop_caches();
	EXPECT_STREQ(handle_text(&handle), "1");
}

static struct handle make_moved(void)
{
	struct handle handle;

	lower(0, "d/f=1 g=2");
	union_mount_with(&(struct union_opts){.readonly = true});
	handle = handle_take("m/d/f");
	union_umount();
	union_mount();
	ops_run("m", "rename d/f x");
	return handle;
}

TEST(frozen, "while the mount is frozen nothing is written and nobody waits, after that handles are good")
{
	struct handle handle;
	int dir;

	need_shale("overlayfs cannot be frozen");
	handle = make_moved();
	dir = ASSERT_OK(open("m", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	ASSERT_OK(ioctl(dir, FIFREEZE, 0));
	EXPECT_ERR(handle_open(&handle, O_RDONLY), ESTALE);
	EXPECT(!records_appear(A_WHILE_MS));
	ASSERT_OK(ioctl(dir, FITHAW, 0));
	close(dir);
	EXPECT_STREQ(handle_text(&handle), "1");
	EXPECT(exists(RECORDS));
}

/* Until there is no inode left for a file more. Returns how many there are. */
static int fill_with_files(const char *dir)
{
	char path[64];

	for (int i = 0;; i++) {
		snprintf(path, sizeof(path), "%s/fill%d", dir, i);
		if (mknod(path, S_IFREG | 0600, 0) < 0)
			return i;
	}
}

static void remove_fill(const char *dir, int from, int to)
{
	char path[64];

	for (int i = from; i < to; i++) {
		snprintf(path, sizeof(path), "%s/fill%d", dir, i);
		ASSERT_OK(unlink(path));
	}
}

TEST(no_space, "without space handles of what was renamed are stale and nothing is left over, with space they are good")
{
	struct handle handle;
	int count;

	need_shale("this is about shale's records");
	side_mount("tmpfs", "side", "nr_inodes=300");
	ASSERT_OK(mkdir("side/u", 0755));
	ASSERT_OK(mkdir("side/w", 0755));
	ASSERT_OK(symlink("side/u", "u"));
	ASSERT_OK(symlink("side/w", "w"));
	lower(0, "d/f=1 g=2 h=3 i=4");
	union_mount_with(&(struct union_opts){.readonly = true});
	handle = handle_take("m/d/f");
	union_umount();
	union_mount();
	ops_run("m", "rename d/f x; rename g y; rename h z; rename i d/i");
	count = fill_with_files("side");
	ASSERT(count > 10);
	EXPECT_ERR(handle_open(&handle, O_RDONLY), ESTALE);
	/* Enough for the directory and some of the records. */
	remove_fill("side", 0, 3);
	union_remount();
	EXPECT_ERR(handle_open(&handle, O_RDONLY), ESTALE);
	EXPECT(!exists(RECORDS));
	expect_work_clean();
	remove_fill("side", 3, count);
	union_remount();
	EXPECT_STREQ(handle_text(&handle), "1");
	EXPECT_EQ(count_records(), 4);
	union_umount();
	ASSERT_OK(umount2("side", 0));
}

/* ------------------------------------------------------------------ at once with others */

#define MANY	 400
#define MANY_DIR 20

/* The files of each directory are renamed, and handles taken of what they were. */
static void make_many(struct handle handles[MANY])
{
	char path[64], to[64];

	for (int i = 0; i < MANY; i++) {
		snprintf(path, sizeof(path), "d%d/f%d=%d", i % MANY_DIR, i, i);
		lower(0, path);
	}
	union_mount_with(&(struct union_opts){.readonly = true});
	for (int i = 0; i < MANY; i++) {
		snprintf(path, sizeof(path), "m/d%d/f%d", i % MANY_DIR, i);
		handles[i] = handle_take(path);
	}
	union_umount();
	union_mount();
	for (int i = 0; i < MANY; i++) {
		snprintf(path, sizeof(path), "m/d%d/f%d", i % MANY_DIR, i);
		snprintf(to, sizeof(to), "m/d%d/g%d", (i + 1) % MANY_DIR, i);
		ASSERT_OK(rename(path, to));
	}
}

/* Those that do not open their file. */
static int count_bad(const struct handle *handles, int count)
{
	char want[16];
	int bad = 0;

	for (int i = 0; i < count; i++) {
		snprintf(want, sizeof(want), "%d", i);
		if (strcmp(handle_text(&handles[i]), want)) {
			if (!bad)
				ktap_note("the handle of file %d gives \"%s\"", i, handle_text(&handles[i]));
			bad++;
		}
	}
	return bad;
}

TEST(umount, "an unmount while the upper is looked through leaves all records or none")
{
	static struct handle handles[MANY];
	int none = 0;

	need_shale("this is about shale's records");
	make_many(handles);
	for (int i = 0; i < 8; i++) {
		handle_take("m/d0");
		usleep(i * 5 * MS);
		union_umount();
		if (exists(RECORDS)) {
			EXPECT_EQ(count_records(), MANY);
			tree_remove(RECORDS);
		} else {
			none++;
		}
		expect_work_clean();
		union_mount();
	}
	ktap_note("%d of 8 unmounts came before the end", none);
	EXPECT(none > 0);
	EXPECT_EQ(count_bad(handles, MANY), 0);
	EXPECT_EQ(count_records(), MANY);
}

TEST(remount_ro, "a mount that becomes read-only while the upper is looked through stays as it is then")
{
	static struct handle handles[MANY];
	int none = 0;

	need_shale("this is about shale's records");
	make_many(handles);
	for (int i = 0; i < 4; i++) {
		bool is_complete;

		handle_take("m/d0");
		usleep(i * 10 * MS);
		ASSERT_OK(mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL));
		is_complete = exists(RECORDS);
		expect_work_clean();
		handle_take("m/d1");
		EXPECT_EQ(records_appear(A_WHILE_MS), is_complete);
		EXPECT_EQ(count_bad(handles, MANY), is_complete ? 0 : MANY);
		none += !is_complete;
		union_umount();
		tree_remove(RECORDS);
		union_mount();
	}
	EXPECT(none > 0);
	EXPECT_EQ(count_bad(handles, MANY), 0);
}

#define WORKERS 3

static volatile int *is_going;

static void workers_start(void (*work)(int number), pid_t pids[WORKERS], int round)
{
	*is_going = round + 1;
	fflush(stdout);
	for (int i = 0; i < WORKERS; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			srandom(round * WORKERS + i);
			while (*is_going)
				work(i);
			ktap_child_end();
		}
	}
}

static void workers_stop(const pid_t pids[WORKERS])
{
	*is_going = 0;
	for (int i = 0; i < WORKERS; i++)
		ASSERT_EQ(waitpid(pids[i], NULL, 0), pids[i]);
}

/* What happens by chance is tried for so long. */
#define RACE_SECONDS 10

static bool is_over(time_t begun)
{
	return time(NULL) > begun + RACE_SECONDS || ktap_has_failed();
}

/* Has the upper looked through while WORK goes on. */
static void race(void (*work)(int number), const struct handle *handles, int count)
{
	time_t begun = time(NULL);
	pid_t pids[WORKERS];

	is_going = shared_memory(sizeof(*is_going));
	for (int round = 0; !is_over(begun); round++) {
		union_remount();
		workers_start(work, pids, round);
		usleep(random() % (100 * MS));
		handle_take("m/t0");
		EXPECT(records_appear(PATIENCE_MS));
		workers_stop(pids);
		if (!EXPECT_EQ(count_bad(handles, count), 0))
			ktap_note("in round %d", round);
		union_umount();
		expect_work_clean();
		tree_remove(RECORDS);
		union_mount();
	}
}

/* Directories that wander between TOPS ones; in each is a file that was renamed before, and one that wanders. */
#define TOPS  4
#define DIRS  80
#define FILES (2 * DIRS)

static void wander(int number)
{
	int i = random() % DIRS;
	char from[64], to[64];

	(void)number;
	snprintf(from, sizeof(from), "m/t%ld/d%d", random() % TOPS, i);
	snprintf(to, sizeof(to), "m/t%ld/d%d", random() % TOPS, i);
	if (random() % 3 == 0) {
		snprintf(from + strlen(from), 16, "/b%d", i);
		snprintf(to + strlen(to) - 1, 16, "%ld/b%d", random() % 10, i);
	}
	rename(from, to);
}

static void make_wanderers(struct handle handles[FILES])
{
	char path[64], to[64];

	for (int i = 0; i < DIRS; i++) {
		snprintf(path, sizeof(path), "t%d/d%d/a%d=%d t%d/d%d/b%d=%d", i % TOPS, i, i, 2 * i, i % TOPS, i,
			 i, 2 * i + 1);
		lower(0, path);
	}
	union_mount_with(&(struct union_opts){.readonly = true});
	for (int i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "m/t%d/d%d/%c%d", i / 2 % TOPS, i / 2, "ab"[i % 2], i / 2);
		handles[i] = handle_take(path);
	}
	union_umount();
	union_mount();
	for (int i = 0; i < DIRS; i++) {
		snprintf(path, sizeof(path), "m/t%d/d%d/a%d", i % TOPS, i, i);
		snprintf(to, sizeof(to), "m/t%d/d%d/x%d", i % TOPS, i, i);
		ASSERT_OK(rename(path, to));
	}
}

TEST(race_dirs, "what is in directories that are renamed while the upper is looked through is found, and files that are")
{
	static struct handle handles[FILES];

	need_shale("this is about shale's records");
	make_wanderers(handles);
	race(wander, handles, FILES);
}

#define MET 60

/* The names in DIR in its own order, without whiteouts. */
static void names_of(const char *path, char names[MET][16])
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int count = 0;

	ASSERT(dir);
	while ((entry = readdir(dir)))
		if (entry->d_type == DT_REG && ASSERT(count < MET))
			snprintf(names[count++], 16, "%.15s", entry->d_name);
	closedir(dir);
	ASSERT_EQ(count, MET);
}

static void rename_to(const char *name, char letter)
{
	char from[32], to[32];

	snprintf(from, sizeof(from), "m/d/%s", name);
	snprintf(to, sizeof(to), "m/d/%c%s", letter, name + 1);
	ASSERT_OK(rename(from, to));
}

static void make_met(struct handle handles[MET])
{
	char path[32];

	for (int i = 0; i < MET; i++) {
		snprintf(path, sizeof(path), "d/f%d=%d", i, i);
		lower(0, path);
	}
	union_mount_with(&(struct union_opts){.readonly = true});
	for (int i = 0; i < MET; i++) {
		snprintf(path, sizeof(path), "m/d/f%d", i);
		handles[i] = handle_take(path);
	}
	union_umount();
	union_mount();
	for (int i = 0; i < MET; i++) {
		snprintf(path, sizeof(path), "f%d", i);
		rename_to(path, 'a');
	}
}

/* Each is renamed once, from the last to the first, so that somewhere both are at the same. */
TEST(race_files, "a file that is renamed just when it is looked at is found at its new place")
{
	static struct handle handles[MET];
	time_t begun = time(NULL);
	char names[MET][16];

	need_shale("this is about shale's records");
	make_met(handles);
	for (int round = 0; !is_over(begun); round++) {
		names_of("u/d", names);
		handle_take("m/d");
		for (int i = MET; i-- > 0;)
			rename_to(names[i], 'b' + round % 2);
		EXPECT(records_appear(PATIENCE_MS));
		if (!EXPECT_EQ(count_bad(handles, MET), 0))
			ktap_note("in round %d", round);
		union_umount();
		tree_remove(RECORDS);
		union_mount();
	}
}

/* Its handles are made with the locks of a rename held. */
TEST(fanotify, "fanotify reports renames by handles that open the files")
{
	char buffer[4096];
	struct pollfd wait;
	int fd;

	need_shale("this is about shale's records");
	lower(0, "d/f=1 g=2 h=3");
	union_mount();
	ops_run("m", "rename g x");
	fd = fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_FID | FAN_CLOEXEC, O_RDONLY);
	if (fd < 0)
		SKIP("no fanotify: %s", strerror(errno));
	ASSERT_OK(fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_FILESYSTEM,
				FAN_MOVED_FROM | FAN_MOVED_TO | FAN_MOVE_SELF | FAN_ONDIR, AT_FDCWD, "m"));
	ops_run("m", "rename d/f y; rename d e; rename h e/h");
	wait = (struct pollfd){.fd = fd, .events = POLLIN};
	ASSERT_EQ(poll(&wait, 1, PATIENCE_MS), 1);
	EXPECT(read(fd, buffer, sizeof(buffer)) > 0);
	close(fd);
	EXPECT(records_appear(PATIENCE_MS));
	EXPECT_EQ(count_records(), 4);
}
