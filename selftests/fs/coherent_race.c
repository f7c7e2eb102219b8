// SPDX-License-Identifier: GPL-2.0-only
/*
 * coherent_race.c - tests of processes that change one file at once in different ways, while pages are evicted.
 * Each has bytes of its own, often in the same blocks as the others', so whatever the order, all of it must be
 * there in the end and after a remount; and nobody ever sees a byte that is neither the old one nor one that
 * its owner wrote.
 *
 * The file's blocks, of which some workers leave some to others:
 *
 *	0 ... SHARED	 bytes of writers and of storers; in some blocks the puncher has its part
 *	SHARED ... HEAD	 even blocks: bytes of writers; odd ones: whole blocks of direct writers. Natively a
 *			 store and a direct write must not come close to each other, even in different pages
 *	HEAD ... SIZE	 is cut off and grown again by the truncator; HEAD is inside a block
 */
#include "union.h"

#include <linux/falloc.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define BLOCK	4096
#define SHARED	(32 * BLOCK)
#define HEAD	(40 * BLOCK + 1234)
#define SIZE	(44 * BLOCK + 500)
#define STEP	512 /* of as many bytes a writer or storer has one */
#define PASSES	4
#define STORES	(8 * PASSES)
#define CAST	6
#define CYCLES	30 /* of the truncator */
#define RECORD	16
#define APPENDS 200

#define OLD_BYTE 'x'

enum eviction { QUIET, DROPPED, RECLAIMED };

struct worker {
	void (*run)(int number, int fd);
	bool (*owns)(int number, off_t at);
	bool leaves_zeros;
	int flags;
};

/* What the worker with that number has at its bytes after a pass. */
static char byte_of(int number, int pass)
{
	return '0' + number * PASSES + pass;
}

static bool is_punched(off_t at)
{
	off_t block = at / BLOCK, in_block = at % BLOCK;

	return at < SHARED && ((block % 4 == 2 && in_block >= 1000 && in_block < 3000) || block % 8 == 5);
}

static bool is_direct(off_t at)
{
	return at >= SHARED && at / BLOCK % 2 == 1;
}

static bool owns_stored(int number, off_t at)
{
	return at < SHARED && !is_punched(at) && at % STEP == number;
}

static bool owns_written(int number, off_t at)
{
	return at < HEAD && !is_direct(at) && !is_punched(at) && at % STEP == number;
}

/* Two of them have every other one of these blocks. */
static bool owns_direct(int number, off_t at)
{
	return at < HEAD && is_direct(at) && at / BLOCK / 2 % 2 == number % 2;
}

static bool owns_punched(int number, off_t at)
{
	(void)number;
	return is_punched(at);
}

static bool owns_tail(int number, off_t at)
{
	(void)number;
	return at >= HEAD;
}

/* All offsets in an order that no other worker has. */
static off_t shuffled(int number, int i)
{
	static const int strides[CAST] = {7, 11, 13, 23, 29, 31};
	int count = HEAD / STEP + 1;

	return (off_t)(i * strides[number] % count) * STEP + number;
}

/* The first byte that is wrong ends its worker. */
static void write_byte(int fd, off_t at, char byte)
{
	char seen = 0;

	ASSERT_EQ(pwrite(fd, &byte, 1, at), 1);
	ASSERT_EQ(pread(fd, &seen, 1, at), 1);
	ASSERT_EQ(seen, byte);
}

static void run_writer(int number, int fd)
{
	for (int pass = 0; pass < PASSES; pass++)
		for (int i = 0; i <= HEAD / STEP; i++)
			if (owns_written(number, shuffled(number, i)))
				write_byte(fd, shuffled(number, i), byte_of(number, pass));
}

static char *map_file(int fd, int prot)
{
	char *at = mmap(NULL, SIZE, prot, MAP_SHARED, fd, 0);

	ASSERT(at != MAP_FAILED);
	return at;
}

/* A mapping for each pass, so that there are first stores to pages again. */
static void run_storer(int number, int fd)
{
	for (int pass = 0; pass < STORES; pass++) {
		volatile char *map = map_file(fd, PROT_READ | PROT_WRITE);

		for (int i = 0; i <= HEAD / STEP; i++) {
			off_t at = shuffled(number, i);

			if (!owns_stored(number, at))
				continue;
			map[at] = byte_of(number, pass % PASSES);
			ASSERT_EQ(map[at], byte_of(number, pass % PASSES));
		}
		munmap((void *)map, SIZE);
	}
}

static void run_direct(int number, int fd)
{
	static char block[BLOCK] __attribute__((aligned(BLOCK)));

	for (int pass = 0; pass < 2 * PASSES; pass++) {
		memset(block, byte_of(number, pass % PASSES), BLOCK);
		for (off_t at = 0; at < HEAD; at += BLOCK)
			if (owns_direct(number, at))
				ASSERT_EQ(pwrite(fd, block, BLOCK, at), BLOCK);
	}
}

static void punch(int fd, off_t at, off_t length)
{
	EXPECT_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, length));
}

static void run_puncher(int number, int fd)
{
	(void)number;
	for (int pass = 0; pass < PASSES; pass++)
		for (off_t at = 0; at < SHARED; at += BLOCK) {
			if (is_punched(at))
				punch(fd, at, BLOCK);
			else if (is_punched(at + 1000))
				punch(fd, at + 1000, 2000);
		}
}

static void run_truncator(int number, int fd)
{
	(void)number;
	for (int i = 0; i < CYCLES; i++) {
		EXPECT_OK(ftruncate(fd, HEAD));
		EXPECT_OK(ftruncate(fd, SIZE));
	}
}

static const struct worker writer = {run_writer, owns_written, false, O_RDWR};
static const struct worker storer = {run_storer, owns_stored, false, O_RDWR};
static const struct worker direct = {run_direct, owns_direct, false, O_RDWR | O_DIRECT};
static const struct worker puncher = {run_puncher, owns_punched, true, O_RDWR};
static const struct worker truncator = {run_truncator, owns_tail, true, O_RDWR};

static const struct race_case {
	struct ktap_row row;
	const struct worker *cast[CAST];
	enum eviction eviction;
} races[] = {
#define RACE(NAME, WHAT, ...)                                                                       \
	{{NAME, WHAT " all last"}, {__VA_ARGS__}, QUIET},                                           \
	{{NAME "_dropped", WHAT " all last though caches are dropped"}, {__VA_ARGS__}, DROPPED},    \
	{{NAME "_reclaimed", WHAT " all last though memory is reclaimed"}, {__VA_ARGS__}, RECLAIMED}
	RACE("write", "writes to the same blocks", &writer, &writer, &writer, &writer),
	RACE("store", "stores to the same pages", &storer, &storer, &storer, &storer),
	RACE("write_store", "writes and stores to the same blocks", &writer, &writer, &storer, &storer),
	RACE("direct", "writes and direct writes to neighbouring blocks", &writer, &writer, &direct, &direct),
	RACE("truncate", "writes, stores and truncations of one block", &writer, &storer, &truncator),
	RACE("punch", "writes, stores and holes in the same blocks", &writer, &storer, &puncher),
	RACE("everything", "writes, stores, direct writes, holes and truncations", &writer, &storer, &direct,
	     &puncher, &truncator),
};

static const struct race_case *race;
static const char *path;

/* The worker that has a byte, or -1. */
static signed char owners[SIZE];

static void find_owners(void)
{
	for (off_t at = 0; at < SIZE; at++) {
		owners[at] = -1;
		for (int i = CAST - 1; i >= 0; i--)
			if (race->cast[i] && race->cast[i]->owns(i, at))
				owners[at] = i;
	}
}

static char last_byte(off_t at)
{
	int owner = owners[at];

	if (owner < 0)
		return OLD_BYTE;
	return race->cast[owner]->leaves_zeros ? 0 : byte_of(owner, PASSES - 1);
}

static bool is_possible(off_t at, char byte)
{
	int owner = owners[at];

	if (byte == OLD_BYTE)
		return true;
	if (owner < 0 || race->cast[owner]->leaves_zeros)
		return owner >= 0 && byte == 0;
	return byte >= byte_of(owner, 0) && byte < byte_of(owner, PASSES);
}

static void assert_possible(const char *bytes)
{
	for (off_t at = 0; at < HEAD; at++)
		if (!is_possible(at, bytes[at])) {
			ktap_fail(__FILE__, __LINE__, "byte %ld was seen as %d", (long)at, bytes[at]);
			ktap_stop();
		}
}

static int count_wrong(const char *bytes, off_t *ret_first)
{
	int wrong = 0;

	for (off_t at = SIZE - 1; at >= 0; at--)
		if (bytes[at] != last_byte(at)) {
			wrong++;
			*ret_first = at;
		}
	return wrong;
}

static void expect_last(const char *bytes, const char *how)
{
	off_t first = 0;
	int wrong = count_wrong(bytes, &first);

	if (wrong)
		ktap_fail(__FILE__, __LINE__, "%s, %s: %d bytes are wrong, the first at %ld: %d, not %d",
			  path, how, wrong, (long)first, bytes[first], last_byte(first));
}

static void read_file(char bytes[SIZE])
{
	int fd = ASSERT_OK(open(path, O_RDONLY | O_CLOEXEC));

	EXPECT_EQ(pread(fd, bytes, SIZE, 0), SIZE);
	close(fd);
}

static void read_mapping(char bytes[SIZE])
{
	int fd = ASSERT_OK(open(path, O_RDONLY | O_CLOEXEC));
	char *map = map_file(fd, PROT_READ);

	memcpy(bytes, map, SIZE);
	munmap(map, SIZE);
	close(fd);
}

/* What all processes of a race share. */
struct stage {
	atomic_bool open;
	atomic_bool was_read; /* by the spoiler */
	atomic_int working;
};

static struct stage *stage;

/* Beside the workers, by pread and by mappings: what is in the head, which nobody cuts off. */
static void run_watcher(void)
{
	static char bytes[SIZE];
	int fd = ASSERT_OK(open(path, O_RDONLY | O_CLOEXEC));

	for (int i = 0; stage->working; i++) {
		char *map = map_file(fd, PROT_READ);

		if (i % 2)
			memcpy(bytes, map, HEAD);
		else
			EXPECT_EQ(pread(fd, bytes, HEAD, 0), HEAD);
		munmap(map, SIZE);
		assert_possible(bytes);
	}
	close(fd);
}

#define CGROUPS "/sys/fs/cgroup"

static bool cgroup_write(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC);
	bool good = fd >= 0 && write(fd, text, strlen(text)) >= 0;

	if (fd >= 0)
		close(fd);
	return good;
}

/* Everything that this process and its children bring into memory is of one group. */
static void cgroup_enter(void)
{
	cgroup_write(CGROUPS "/cgroup.subtree_control", "+memory");
	if (mkdir(CGROUPS "/race", 0755) < 0 && errno != EEXIST)
		SKIP("no control groups: %s", strerror(errno));
	if (!exists(CGROUPS "/race/memory.reclaim"))
		SKIP("the kernel has no memory.reclaim");
	ASSERT(cgroup_write(CGROUPS "/race/cgroup.procs", "0"));
}

static void cgroup_leave(void)
{
	EXPECT(cgroup_write(CGROUPS "/cgroup.procs", "0"));
	EXPECT_OK(rmdir(CGROUPS "/race"));
}

/* Unlike dropping caches this takes mapped pages as well. It gives EAGAIN when there was less to take. */
static void run_evictor(void)
{
	while (stage->working)
		if (race->eviction == DROPPED)
			drop_caches();
		else
			cgroup_write(CGROUPS "/race/memory.reclaim", "4M");
}

static void run_worker(int number)
{
	int fd = ASSERT_OK(open(path, race->cast[number]->flags | O_CLOEXEC));

	while (!stage->open)
		sched_yield();
	race->cast[number]->run(number, fd);
	close(fd);
	stage->working--;
}

enum { WATCHER = CAST, EVICTOR, PROCESSES };

static pid_t process_begin(int number)
{
	pid_t pid;

	fflush(stdout);
	pid = ASSERT_OK(fork());
	if (pid)
		return pid;
	if (number == WATCHER)
		run_watcher();
	else if (number == EVICTOR)
		run_evictor();
	else
		run_worker(number);
	ktap_child_end();
}

static bool has_part(int number)
{
	if (number == EVICTOR)
		return race->eviction != QUIET;
	return number == WATCHER || race->cast[number];
}

/* A worker that died must not keep the others from ending. */
static void process_end(int number, pid_t pid)
{
	int status;

	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	if (!EXPECT(WIFEXITED(status)) || (WEXITSTATUS(status) && number < CAST))
		stage->working = 0;
}

static void run_race(void)
{
	pid_t pids[PROCESSES];
	int workers = 0;

	while (workers < CAST && race->cast[workers])
		workers++;
	*stage = (struct stage){.working = workers};
	for (int i = 0; i < PROCESSES; i++)
		pids[i] = has_part(i) ? process_begin(i) : 0;
	stage->open = true;
	for (int i = 0; i < PROCESSES; i++)
		if (pids[i])
			process_end(i, pids[i]);
}

static void check_file(const char *when)
{
	static char bytes[SIZE];

	read_file(bytes);
	expect_last(bytes, when);
	read_mapping(bytes);
	expect_last(bytes, when);
	EXPECT_EQ(stat_of(path).st_size, SIZE);
}

static void make_file(const char *name)
{
	static char bytes[SIZE];
	int fd = ASSERT_OK(open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));

	memset(bytes, OLD_BYTE, SIZE);
	ASSERT_EQ(write(fd, bytes, SIZE), SIZE);
	close(fd);
}

static const char *const paths[] = {"m/new", "m/promoted"};

static void make_stage(const struct race_case *c)
{
	race = c;
	find_owners();
	stage = shared_memory(sizeof(*stage));
	lower(0, "");
	make_file("l0/new");
	make_file("l0/promoted");
	union_mount_with(&union_by_blocks);
	ASSERT_OK(chmod("m/promoted", 0600));
	drop_caches();
}

static void need_direct(void)
{
	int fd = open("l0/new", O_RDONLY | O_DIRECT | O_CLOEXEC);

	for (int i = 0; fd < 0 && i < CAST && race->cast[i]; i++)
		if (race->cast[i]->flags & O_DIRECT)
			SKIP("%s has no O_DIRECT", union_backing());
	close(fd);
}

TEST_TABLE(race, struct race_case, races, c)
{
	make_stage(c);
	need_direct();
	if (c->eviction == RECLAIMED)
		cgroup_enter();
	for (int i = 0; i < 2; i++) {
		path = paths[i];
		run_race();
		check_file("after the race");
	}
	union_remount();
	for (int i = 0; i < 2; i++) {
		path = paths[i];
		check_file("after a remount");
	}
	if (c->eviction == RECLAIMED)
		cgroup_leave();
}

static void run_appender(int number, int fd)
{
	char record[RECORD];

	memset(record, 'A' + number, RECORD);
	for (int i = 0; i < APPENDS; i++)
		EXPECT_EQ(write(fd, record, RECORD), RECORD);
}

static bool owns_nothing(int number, off_t at)
{
	(void)number;
	(void)at;
	return false;
}

static const struct worker appender = {run_appender, owns_nothing, false, O_WRONLY | O_APPEND};

static const struct race_case appending = {
	{"", ""}, {&appender, &appender, &appender, &appender}, DROPPED,
};

/* Each record is whole, and each worker has all of its own. */
static void check_appended(void)
{
	static char bytes[SIZE + 4 * APPENDS * RECORD + 1];
	int fd = ASSERT_OK(open(path, O_RDONLY | O_CLOEXEC)), count[4] = {0};

	ASSERT_EQ(pread(fd, bytes, sizeof(bytes), 0), (ssize_t)sizeof(bytes) - 1);
	close(fd);
	expect_last(bytes, "in front of what was appended");
	for (const char *at = bytes + SIZE; at < bytes + sizeof(bytes) - 1; at += RECORD) {
		ASSERT(!memcmp(at, at + 1, RECORD - 1));
		ASSERT(*at >= 'A' && *at < 'A' + 4);
		count[*at - 'A']++;
	}
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(count[i], APPENDS);
}

TEST(append, "records that processes append at once are all there, and whole, though caches are dropped")
{
	make_stage(&appending);
	for (int i = 0; i < 2; i++) {
		path = paths[i];
		run_race();
		check_appended();
	}
	union_remount();
	for (int i = 0; i < 2; i++) {
		path = paths[i];
		check_appended();
	}
}

/* Without looking, and once the spoiler has seen the file as it was. */
static void run_blind_writer(int number, int fd)
{
	while (!stage->was_read)
		sched_yield();
	for (int i = 0; i <= HEAD / STEP; i++)
		if (owns_written(number, shuffled(number, i)))
			EXPECT_EQ(pwrite(fd, (char[]){byte_of(number, PASSES - 1)}, 1, shuffled(number, i)), 1);
}

/* As a fill would that does not lock. */
static void run_spoiler(int number, int fd)
{
	static char bytes[HEAD];

	(void)number;
	EXPECT_EQ(pread(fd, bytes, HEAD, 0), HEAD);
	stage->was_read = true;
	while (stage->working > 1)
		sched_yield();
	EXPECT_EQ(pwrite(fd, bytes, HEAD, 0), HEAD);
}

static const struct worker blind_writer = {run_blind_writer, owns_written, false, O_RDWR};
static const struct worker spoiler = {run_spoiler, owns_nothing, false, O_RDWR};

static const struct race_case spoiled = {{"", ""}, {&blind_writer, &blind_writer, &spoiler}, QUIET};

TEST(spoiled, "that bytes are lost when somebody reads a file and writes it back is noticed")
{
	static char bytes[SIZE];
	off_t first;

	make_stage(&spoiled);
	path = paths[1];
	run_race();
	read_file(bytes);
	EXPECT(count_wrong(bytes, &first) > 0);
}
