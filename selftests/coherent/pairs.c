// SPDX-License-Identifier: GPL-2.0-only
/*
 * pairs.c - a list of pairs, the mount with a file for each of them, and what is done to them: one by one, and
 * then, with the files of the cold ones, all writes, caches dropped, and all reads.
 */
#include "coherent.h"

#include "../fs/union.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define FAILURES_SHOWN 12
#define FILES_OPEN     8192
#define PAIRS_MAX      2048
#define EXPECTATIONS   256

/* Each changes what some states have written and some have not. */
static const struct place places[] = {
	{"inside a block", {BLOCK + 300, 1000}},
	{"over borders of blocks", {BLOCK + 3000, BLOCK + 2000}},
	{"in the last block", {LAST + 200, 500}},
	{"over the end", {SIZE - 300, 900}},
};
#define PLACES (int)(sizeof(places) / sizeof(places[0]))

static struct pair pairs[PAIRS_MAX];
static int pair_count;
static int failures;
static bool is_lying;

static void print_failure(const struct pair *pair, const char *text)
{
	ktap_fail(__FILE__, __LINE__, "%s -> %s, file %s, %s%s: %s", pair->writer->row.name,
		  pair->reader->row.name, pair->state->name, pair->place->name,
		  pair->is_cold ? ", caches dropped" : "", text);
}

void pair_fail(const struct pair *pair, const char *fmt, ...)
{
	char text[256];
	va_list args;

	if (++failures > FAILURES_SHOWN || is_lying)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	print_failure(pair, text);
}

int pair_failures(void)
{
	return failures;
}

/* What a file has to be before and after a write. Made once for all pairs that differ in nothing else. */
static struct expectation {
	const struct state *state;
	const struct place *place;
	const struct writer *writer;
	struct model before, after;
} expectations[EXPECTATIONS];

static struct expectation *expectation_make(struct expectation *e, const struct pair *pair)
{
	e->state = pair->state;
	e->place = pair->place;
	e->writer = pair->writer;
	model_begin(&e->before);
	if (e->state->apply)
		e->state->apply(&e->before);
	e->after = e->before;
	e->writer->apply(&e->after, writer_range(pair));
	ASSERT(e->after.size != e->before.size || memcmp(e->after.bytes, e->before.bytes, SPACE));
	return e;
}

static const struct expectation *expectation_of(const struct pair *pair)
{
	struct expectation *e = expectations;

	for (; e < expectations + EXPECTATIONS && e->state; e++)
		if (e->state == pair->state && e->place == pair->place && e->writer == pair->writer)
			return e;
	ASSERT(e < expectations + EXPECTATIONS);
	return expectation_make(e, pair);
}

static void pair_init(struct pair *pair)
{
	pair->read_fd = pair->write_fd = -1;
}

static void add(const struct pair *template)
{
	struct pair *pair = &pairs[pair_count];

	ASSERT(pair_count < PAIRS_MAX);
	*pair = *template;
	pair_init(pair);
	snprintf(pair->path, PATH_SIZE, "m/f%d", pair_count);
	snprintf(pair->alias, PATH_SIZE, "m/g%d", pair_count);
	snprintf(pair->source, PATH_SIZE, "m/source");
	pair_count++;
}

static void make_source(const char *path)
{
	int fd = ASSERT_OK(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));

	ASSERT_EQ(file_put(fd, 0, SPACE, FRESH_BYTES), 0);
	close(fd);
}

/* The backing filesystem itself is asked. Errors that are not for a lack would come again. */
bool pairs_can(const struct writer *writer)
{
	struct pair pair = {.place = &places[0], .writer = writer, .path = "probe", .alias = "probe",
			    .source = "probe-source"};
	int err;

	pair_init(&pair);
	make_source(pair.source);
	file_make("probe");
	err = writer_write(&pair);
	close(pair.write_fd);
	unlink("probe");
	return err != -EOPNOTSUPP && err != -EINVAL;
}

/* overlayfs on 6.1 loses a file at each asynchronous read through a descriptor from before the promotion. */
static bool can_read(const struct reader *reader)
{
	int fd;

	if (is_overlay() && (reader->read == read_aio || reader->read == read_uring))
		return false;
	if (!(reader->flags & O_DIRECT))
		return true;
	make_source("probe-source");
	fd = open("probe-source", O_RDONLY | O_DIRECT | O_CLOEXEC);
	return fd >= 0 && close(fd) == 0;
}

/* Through its own descriptor the reader can write if it has one by then, and any bytes at any place. */
static bool is_possible(const struct writer *writer, const struct reader *reader)
{
	return !(writer->traits & BY_READER) ||
	       ((reader->traits & OLD) && !(reader->traits & OTHER_PROC) && !(reader->flags & O_DIRECT));
}

/* Whether it is a place's turn. Half a place is one every second time, and then cold pairs have it when warm
 * ones do not.
 */
static bool is_chosen(const struct pair *pair, int place, int turn)
{
	int halves = pair->is_cold ? pair->state->cold_halves : pair->state->warm_halves;

	return getenv("SHALE_COHERENT_ALL") || (2 * place + turn + pair->is_cold) % (2 * PLACES) < halves;
}

void pairs_add(const struct writer *writer, const struct reader *reader, const struct state *state, int turn)
{
	int count = writer->traits & ONE_PLACE ? 1 : PLACES;

	if (!is_possible(writer, reader) || !can_read(reader))
		return;
	for (int i = 0; i < 2 * count; i++) {
		struct pair pair = {state, &places[i % count], writer, reader, .is_cold = i >= count};

		if (count == 1 || is_chosen(&pair, i % count, turn))
			add(&pair);
	}
}

static void make_file(const struct pair *pair)
{
	char path[PATH_SIZE + 2], alias[PATH_SIZE + 2];

	snprintf(path, sizeof(path), "%s%s", pair->state->layer, pair->path + 1);
	snprintf(alias, sizeof(alias), "%s%s", pair->state->layer, pair->alias + 1);
	file_make(path);
	if ((pair->writer->traits & BY_ALIAS) || (pair->reader->traits & OTHER_NAME))
		ASSERT_OK(link(path, alias));
}

static void make_layers(void)
{
	struct rlimit limit = {FILES_OPEN, FILES_OPEN};

	ASSERT_OK(setrlimit(RLIMIT_NOFILE, &limit));
	lower(0, "");
	upper("");
	make_source("l0/source");
	for (int i = 0; i < pair_count; i++)
		make_file(&pairs[i]);
}

static void make_state(struct pair *pair)
{
	if (pair->state->make)
		pair->state->make(pair->path);
}

static void try_prepare(struct pair *pair)
{
	int err = writer_prepare(pair);

	if (err)
		pair_fail(pair, "cannot prepare to write: %s", strerror(-err));
}

static void first_half(struct pair *pair)
{
	const struct expectation *e = expectation_of(pair);
	int err;

	if (pair->writer->traits & FIRST)
		try_prepare(pair);
	reader_prepare(pair, &e->before, &e->after);
	if (pair->writer->traits & EARLY)
		try_prepare(pair);
	err = writer_write(pair);
	if (err)
		pair_fail(pair, "cannot write: %s", strerror(-err));
}

static void pair_close(struct pair *pair)
{
	if (pair->read_map)
		munmap(pair->read_map, SPACE);
	if (pair->write_map)
		munmap(pair->write_map, SPACE);
	if (pair->read_fd >= 0)
		close(pair->read_fd);
	if (pair->write_fd >= 0)
		close(pair->write_fd);
}

static void second_half(struct pair *pair)
{
	int noticed = failures;

	reader_look(pair, &expectation_of(pair)->after);
	pair_close(pair);
	if (is_lying && failures == noticed)
		print_failure(pair, "the reader did not notice that nothing was written");
}

static void each(bool is_cold, void (*what)(struct pair *pair))
{
	for (int i = 0; i < pair_count; i++)
		if (pairs[i].is_cold == is_cold)
			what(&pairs[i]);
}

static void whole(struct pair *pair)
{
	make_state(pair);
	first_half(pair);
	second_half(pair);
}

/* Nothing is asked of the disk here, and many promotions are. */
static void run_warm(void)
{
	union_mount_with(&(struct union_opts){.options = "volatile", .cow = "block"});
	each(true, make_state);
	each(false, whole);
	union_umount();
	tree_remove("w/work/incompat");
}

/* On a mount of its own, which has the states from the layers. */
static void run_cold(void)
{
	union_mount_with(&union_by_blocks);
	each(true, first_half);
	drop_caches();
	each(true, second_half);
}

void pairs_run(void)
{
	make_layers();
	run_warm();
	run_cold();
	if (failures > FAILURES_SHOWN && !is_lying)
		ktap_fail(__FILE__, __LINE__, "%d failures in %d pairs", failures, pair_count);
}

void pairs_run_lying(void)
{
	is_lying = true;
	pairs_run();
}
