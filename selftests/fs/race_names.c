// SPDX-License-Identifier: GPL-2.0-only
/*
 * race_names.c - tests of two processes at the same file of a lower layer at once, one of which writes it for the first
 * time while the other gives it one more name or writes it by another: each succeeds, as on any filesystem, and
 * what is left is what one order would have made.
 */
#include "union.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define ROUNDS	200
#define DELAYS	20
#define DELAY_US 60

static volatile int *met;

static int round_delay(int round)
{
	return round % DELAYS * DELAY_US;
}

/* Both come here, and go on together. */
static void meet(int round)
{
	__sync_fetch_and_add(met, 1);
	while (*met < 2 * (round + 1))
		sched_yield();
}

/* Calls OTHER in a process of its own and WRITE in this one for each round, each a little later than the other in turn. */
static void run_both(int rounds, void (*write)(int round), void (*other)(int round))
{
	met = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
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
