// SPDX-License-Identifier: GPL-2.0-only
/*
 * race_names.c - tests of two processes at the same file of a lower layer at once, one of which writes it for the first
 * time while the other takes its name away, gives it one more or writes it by another: each succeeds, as on any
 * filesystem, and what is left is what one order would have made.
 */
#include "union.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define ROUNDS	200 /* at most */
#define LOSSES	100
#define DELAYS	20
#define DELAY_US 60

/* The one that comes first looks for the other all the time, and after as many looks now and then. */
#define SPINS	 1000
#define PAUSE_US 500
#define PAUSES	 (40 * 1000000 / PAUSE_US)

static volatile int *met;

static int round_delay(int round)
{
	return round % DELAYS * DELAY_US;
}

/* Both come here, and go on together. */
static void meet(int round)
{
	__sync_fetch_and_add(met, 1);
	for (int looks = 0; *met < 2 * (round + 1); looks++) {
		ASSERT(looks < SPINS + PAUSES);
		if (looks < SPINS)
			sched_yield();
		else
			usleep(PAUSE_US);
	}
}

/* Calls OTHER in a process of its own and WRITE in this one for each round, each a little later than the other in turn. */
static void run_both(int rounds, void (*write)(int round), void (*other)(int round))
{
	met = shared_memory(sizeof(*met));
	fflush(stdout);

	pid_t pid = ASSERT_OK(fork());
	int status;

	for (int i = 0; i < rounds; i++) {
		meet(i);
		if ((pid == 0) == i / DELAYS % 2)
			usleep(round_delay(i));
		(pid ? write : other)(i);
	}
	if (pid == 0)
		ktap_child_end();
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static const char *name_of(const char *format, int round)
{
	static char path[2][64];
	static int turn;

	turn = !turn;
	snprintf(path[turn], sizeof(path[turn]), format, round);
	return path[turn];
}

static int fds[ROUNDS];

static void open_all(int rounds, const char *format)
{
	for (int i = 0; i < rounds; i++)
		fds[i] = ASSERT_OK(open(name_of(format, i), O_RDWR | O_CLOEXEC));
}

static void write_opened(int round)
{
	EXPECT_EQ(pwrite(fds[round], "y", 1, 0), 1);
}

static void unlink_file(int round)
{
	EXPECT_OK(unlink(name_of("m/d/f%d", round)));
}

static void replace_file(int round)
{
	EXPECT_OK(rename(name_of("m/n%d", round), name_of("m/d/f%d", round)));
}

static void replace_by_lower(int round)
{
	EXPECT_OK(rename(name_of("m/e/n%d", round), name_of("m/d/f%d", round)));
}

/* The directory goes with its last name. */
static void unlink_and_rmdir(int round)
{
	EXPECT_OK(unlink(name_of("m/d%d/f", round)));
	EXPECT_OK(rmdir(name_of("m/d%d", round)));
}

static void unlink_and_create(int round)
{
	int fd;

	EXPECT_OK(unlink(name_of("m/d/f%d", round)));
	fd = EXPECT_OK(open(name_of("m/d/f%d", round), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644));
	EXPECT_EQ(write(fd, "new", 3), 3);
	close(fd);
}

static const struct loss {
	struct ktap_row row;
	const char *cow;
	const char *file; /* the one that is written */
	const char *other;
	void (*lose)(int round);
	const char *left; /* what its name shows then; NULL: nothing */
} losses[] = {
	{{"unlink_copy", "unlink"}, "copy", "d/f%d", NULL, unlink_file},
	{{"unlink_block", "unlink, by blocks"}, "block", "d/f%d", NULL, unlink_file},
	{{"rename_copy", "rename over it"}, "copy", "d/f%d", NULL, replace_file, "new"},
	{{"rename_block", "rename over it, by blocks"}, "block", "d/f%d", NULL, replace_file, "new"},
	{{"rename_lower", "rename of a lower file over it"}, "copy", "d/f%d", "e/n%d", replace_by_lower, "lower"},
	{{"rmdir", "unlink and rmdir of its directory"}, "copy", "d%d/f", NULL, unlink_and_rmdir},
	{{"create", "unlink and a new file by its name"}, "copy", "d/f%d", NULL, unlink_and_create, "new"},
};

static void make_lowers(const struct loss *loss, int rounds)
{
	lower(0, "x=1 d/y=1");
	for (int i = 0; i < rounds; i++) {
		char spec[128];

		snprintf(spec, sizeof(spec), "%s=x", name_of(loss->file, i));
		lower(0, spec);
		if (!loss->other)
			continue;
		snprintf(spec, sizeof(spec), "%s=lower", name_of(loss->other, i));
		lower(0, spec);
	}
}

static void expect_lost(const struct loss *loss, int rounds)
{
	char path[80];

	for (int i = 0; i < rounds; i++) {
		snprintf(path, sizeof(path), "m/%s", name_of(loss->file, i));
		if (loss->left)
			EXPECT_STREQ(file_text(path), loss->left);
		else
			EXPECT(!exists(path));
	}
}

static void expect_kept_open(int rounds)
{
	char byte;

	for (int i = 0; i < rounds; i++) {
		EXPECT_EQ(pread(fds[i], &byte, 1, 0), 1);
		EXPECT_EQ(byte, 'y');
		close(fds[i]);
	}
}

TEST_TABLE(lose, struct loss, losses, loss)
{
	char format[32];

	make_lowers(loss, LOSSES);
	union_mount_with(&(struct union_opts){.cow = loss->cow});
	if (loss->lose == replace_file)
		for (int i = 0; i < LOSSES; i++)
			file_write(name_of("m/n%d", i), "new");
	snprintf(format, sizeof(format), "m/%s", loss->file);
	open_all(LOSSES, format);
	run_both(LOSSES, write_opened, loss->lose);
	expect_lost(loss, LOSSES);
	expect_kept_open(LOSSES);
	EXPECT_TREE_SOUND("m");
	union_remount();
	expect_lost(loss, LOSSES);
	union_umount();
	expect_work_clean();
}

#define LARGE_SIZE  (24 << 20)
#define LARGE_FILES 2
#define LARGE_DELAY 20000

static void make_large(const char *path)
{
	static char bytes[1 << 20];
	int fd = ASSERT_OK(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));

	memset(bytes, 'x', sizeof(bytes));
	for (int i = 0; i < LARGE_SIZE; i += sizeof(bytes))
		ASSERT_EQ(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
	close(fd);
}

static void lose_large(int round)
{
	usleep(LARGE_DELAY);
	(round ? replace_file : unlink_file)(round);
}

TEST(lose_while_copied, "a file can be removed and replaced while it is being copied")
{
	lower(0, "d/y=1");
	for (int i = 0; i < LARGE_FILES; i++)
		make_large(name_of("l0/d/f%d", i));
	union_mount_with(&(struct union_opts){.cow = "copy"});
	file_write("m/n1", "new");
	open_all(LARGE_FILES, "m/d/f%d");
	run_both(LARGE_FILES, write_opened, lose_large);
	EXPECT_TREE("m", "d/f1=new d/y=1");
	expect_kept_open(LARGE_FILES);
	union_remount();
	EXPECT_TREE("m", "d/f1=new d/y=1");
}

static int fds_b[ROUNDS];

static void write_other_name(int round)
{
	EXPECT_EQ(pwrite(fds_b[round], "z", 1, 1), 1);
}

static void link_other_name(int round)
{
	EXPECT_OK(link(name_of("m/b%d", round), name_of("m/n%d", round)));
}

static const struct sharing {
	struct ktap_row row;
	void (*use)(int round);
	int links;
} sharings[] = {
	{{"write", "a write by another name at the same time leaves the count of links"}, write_other_name, 3},
	{{"link", "a link to another name at the same time is counted"}, link_other_name, 4},
};

static void open_other_names(void)
{
	for (int i = 0; i < ROUNDS; i++)
		fds_b[i] = ASSERT_OK(open(name_of("m/b%d", i), O_RDWR | O_CLOEXEC));
}

/* The last name must not lose the file when the others go. */
static void expect_links(int links)
{
	for (int i = 0; i < ROUNDS; i++) {
		EXPECT_EQ(stat_of(name_of("m/c%d", i)).st_nlink, links);
		EXPECT_OK(unlink(name_of("m/a%d", i)));
		EXPECT_OK(unlink(name_of("m/b%d", i)));
		EXPECT_EQ(stat_of(name_of("m/c%d", i)).st_nlink, links - 2);
	}
	union_remount();
	for (int i = 0; i < ROUNDS; i++) {
		EXPECT_EQ(*file_text(name_of("m/c%d", i)), 'y');
		EXPECT_EQ(stat_of(name_of("m/c%d", i)).st_nlink, links - 2);
	}
}

TEST_TABLE(share, struct sharing, sharings, sharing)
{
	char spec[128];

	for (int i = 0; i < ROUNDS; i++) {
		snprintf(spec, sizeof(spec), "a%d=xx b%d&a%d c%d&a%d", i, i, i, i, i);
		lower(0, spec);
	}
	union_mount();
	open_all(ROUNDS, "m/a%d");
	open_other_names();
	run_both(ROUNDS, write_opened, sharing->use);
	for (int i = 0; i < ROUNDS; i++) {
		close(fds[i]);
		close(fds_b[i]);
	}
	expect_links(sharing->links);
}

static int compare_times(struct timespec a, struct timespec b)
{
	return a.tv_sec != b.tv_sec ? (a.tv_sec > b.tv_sec) - (a.tv_sec < b.tv_sec) :
				      (a.tv_nsec > b.tv_nsec) - (a.tv_nsec < b.tv_nsec);
}

static struct timespec last_made;

static void create_file(int round)
{
	int fd;

	EXPECT(compare_times(stat_of("m/d").st_mtim, last_made) >= 0);
	fd = EXPECT_OK(open(name_of("m/d/n%d", round), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644));
	close(fd);
	last_made = stat_of(name_of("m/d/n%d", round)).st_mtim;
	EXPECT(compare_times(stat_of("m/d").st_mtim, last_made) >= 0);
}

TEST(parent_time, "a promotion does not take back the time of a change of the directory")
{
	char spec[32];

	for (int i = 0; i < ROUNDS; i++) {
		snprintf(spec, sizeof(spec), "d/f%d=x", i);
		lower(0, spec);
	}
	union_mount();
	open_all(ROUNDS, "m/d/f%d");
	file_write("m/d/first", "1");
	run_both(ROUNDS, write_opened, create_file);
}
