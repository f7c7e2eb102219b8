// SPDX-License-Identifier: GPL-2.0-only
/*
 * storm.c - rounds of a load; see storm.h. A round begins with new files and a time in which nothing fails. Then something
 * does, for a time or to the end. When all workers have ended, everything is unmounted, mounted again, looked at, and
 * worked with once more.
 */
#include "storm.h"

#include "flakey.h"
#include "inject.h"
#include "load.h"
#include "stage.h"

#include "../crash/chance.h"
#include "../crash/say.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* Milliseconds of a phase; a slow kernel needs more of them. */
#define PHASE_MIN 200
#define PHASE_MAX 1000
#define PAUSE_US  20000

enum weather { DISK, REQUESTS, MEMORY };

struct storm {
	const char *name;
	int errors[LOAD_ERRORS];
	enum cells_view view; /* what must be there at the end */
	enum phase phase;     /* once something fails */
	enum weather weather;
	enum flakey disk;
	bool should_heal; /* half of the times */
};

struct round {
	const struct storm *storm;
	const struct storm_options *options;
	struct load *load;
	struct stage stage;
	uint64_t random;
	pid_t worker[WORKERS];
};

static unsigned int pick(struct round *r, unsigned int below)
{
	return random_next(&r->random) % below;
}

/* ------------------------------------------------------------------ the workers */

static void worker_start(struct round *r, int number)
{
	r->worker[number] = fork();
	if (r->worker[number] < 0)
		die("fork");
	if (r->worker[number])
		return;
	if (r->storm->weather == MEMORY)
		inject_me();
	_exit(load_work(r->load, number));
}

static void workers_start(struct round *r)
{
	r->load->should_stop = false;
	for (int i = 0; i < WORKERS; i++)
		worker_start(r, i);
}

static bool workers_stop(struct round *r)
{
	bool good = true;
	int status;

	r->load->should_stop = true;
	for (int i = 0; i < WORKERS; i++)
		if (waitpid(r->worker[i], &status, 0) < 0 || status)
			good = false;
	return good;
}

static void phase_wait(struct round *r)
{
	const char *slow = getenv("SHALE_TEST_SLOW");
	long us = (PHASE_MIN + pick(r, PHASE_MAX - PHASE_MIN)) * 1000L * (slow ? atoi(slow) : 1);

	for (; us > 0 && !r->load->has_failed; us -= PAUSE_US)
		usleep(PAUSE_US);
}

/* ------------------------------------------------------------------ what fails */

/* The workers know it before it begins, and until it has ended. */
static void fault_begin(struct round *r)
{
	unsigned int every = 10 + pick(r, 200);

	r->load->phase = r->storm->phase;
	if (r->storm->weather == MEMORY)
		inject_memory(every);
	else if (r->storm->weather == REQUESTS)
		inject_requests(r->stage.device, every);
	else
		flakey_set(&r->stage.disk, r->storm->disk);
}

static void fault_end(struct round *r)
{
	if (r->storm->weather == DISK)
		flakey_set(&r->stage.disk, FLAKEY_SOUND);
	else
		inject_end();
}

/* A disk that dropped something must drop all until it is unmounted. */
static void faults_do(struct round *r)
{
	phase_wait(r);
	fault_begin(r);
	phase_wait(r);
	if (r->storm->should_heal && pick(r, 2)) {
		fault_end(r);
		phase_wait(r);
	}
}

/* ------------------------------------------------------------------ rounds */

static void layer_fill(void *load, const char *layer)
{
	load_make(load, layer);
}

/*
 * The bare ext4 takes an unwritten extent for written though its write failed (6.1, ext4_end_io_end()), and then shows what the
 * disk holds there: in one of four rounds a file has bytes of another.
 */
static bool is_leaky(const struct round *r)
{
	return !strcmp(r->options->fs, "ext4") && r->storm->phase == PHASE_FAULTY;
}

static void load_reset(struct round *r)
{
	struct load *load = r->load;

	*load = (struct load){.seed = r->random, .is_quiet = load->is_quiet};
	memcpy(load->errors, r->storm->errors, sizeof(load->errors));
	for (int worker = 0; worker < WORKERS; worker++)
		for (int i = 0; i < FILES; i++) {
			struct cells *cells = &load->file[worker][i].cells;

			cells_init(cells, 1 + worker * FILES + i, FILE_SIZE);
			cells->is_leaky = is_leaky(r);
		}
}

/* The mount as it was is given up, whatever it is able to do, and nothing fails from then on. */
static bool storm_over(struct round *r)
{
	bool good = workers_stop(r);

	if (r->storm->weather != DISK)
		fault_end(r);
	r->load->phase = PHASE_SOUND;
	return stage_umount(&r->stage, false) && good;
}

static bool is_usable(struct round *r)
{
	if (!stage_mount(&r->stage))
		return false;
	workers_start(r);
	usleep(PHASE_MIN * 1000);
	return workers_stop(r) & stage_umount(&r->stage, true);
}

static bool round_do(struct round *r)
{
	bool good;

	if (!stage_mount(&r->stage))
		return false;
	workers_start(r);
	faults_do(r);
	if (!storm_over(r) || !stage_mount(&r->stage))
		return false;
	good = load_check(r->load, r->storm->view, "the state afterwards");
	return stage_umount(&r->stage, true) && good && is_usable(r);
}

static void round_run(struct round *r, struct storm_result *result)
{
	unsigned long seed = r->options->seed + result->rounds;
	bool good;

	r->random = seed;
	load_reset(r);
	stage_reset(&r->stage);
	good = round_do(r);
	result->rounds++;
	result->operations += r->load->done;
	result->faults += r->load->faults;
	result->failures += !good;
	if (!good && !r->load->is_quiet)
		say("FAILED %s, %s, seed %lu", r->options->fs, r->storm->name, seed);
	if (r->options->is_verbose)
		say("%s, %s, seed %lu: %lu operations, %lu failed", r->options->fs, r->storm->name, seed,
		    r->load->done, r->load->faults);
}

static bool is_over(const struct storm_options *options, unsigned int rounds)
{
	return options->rounds ? rounds >= options->rounds : time(NULL) >= options->deadline;
}

static struct load *load_create(bool is_quiet)
{
	struct load *load = mmap(NULL, sizeof(*load), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (load == MAP_FAILED)
		die("mmap");
	load->is_quiet = is_quiet;
	return load;
}

static bool is_possible(const struct storm *storm, const struct storm_options *options)
{
	/* The bare ext4 syncs on a disk that is gone, and says that it has: in one of four rounds that is found out. */
	if (storm->weather == DISK)
		return storm->disk != FLAKEY_DEAD || strcmp(options->fs, "ext4");
	/* btrfs stops the kernel, on purpose, where some of its own allocations fail. */
	return inject_can() && (storm->weather == REQUESTS || strcmp(options->fs, "btrfs"));
}

static bool storm_do(const struct storm *storm, const struct storm_options *options, bool is_quiet,
		     struct storm_result *result)
{
	struct round r = {.storm = storm, .options = options, .load = load_create(is_quiet)};
	bool can = is_possible(storm, options);

	load_reset(&r);
	can = can && stage_create(&r.stage, options->fs, layer_fill, r.load);
	for (unsigned int rounds = 0; can && !is_over(options, rounds); rounds++)
		round_run(&r, result);
	if (can)
		stage_remove(&r.stage);
	munmap(r.load, sizeof(*r.load));
	return can;
}

bool storm_run(const struct storm *storm, const struct storm_options *options, struct storm_result *result)
{
	return storm_do(storm, options, false, result);
}

const char *storm_name(const struct storm *storm)
{
	return storm->name;
}

void storm_cleanup(void)
{
	stage_cleanup();
	if (inject_can())
		inject_end();
}

/* ------------------------------------------------------------------ the table */

/* After the first error in a journal the filesystems below refuse everything, each in its own words. */
static const struct storm writes = {
	"writes", {EIO, EROFS, EUCLEAN, EBADMSG, ENOSPC}, CELLS_DISK, PHASE_FAULTY, DISK, FLAKEY_NO_WRITES, true,
};

static const struct storm dead = {
	"dead-disk", {EIO, EROFS, EUCLEAN, EBADMSG, ENOSPC}, CELLS_DISK, PHASE_FAULTY, DISK, FLAKEY_DEAD, true,
};

/* As if the power had gone when it began. */
static const struct storm drops = {
	"dropped-writes", {EIO, EROFS, EUCLEAN}, CELLS_DISK, PHASE_LYING, DISK, FLAKEY_DROPS, false,
};

static const struct storm requests = {
	"requests", {EIO, EROFS, EUCLEAN, EBADMSG}, CELLS_DISK, PHASE_FAULTY, REQUESTS, .should_heal = true,
};

/* Nothing is lost, but what was not done. Where a page cannot be read or made writable for want of memory, it is SIGBUS. */
static const struct storm memory = {
	"memory", {ENOMEM, EIO}, CELLS_NOW, PHASE_SCARCE, MEMORY, .should_heal = true,
};

/* Nobody tells the workers. */
static const struct storm secret_drops = {
	"secret drops", {EIO, EROFS, EUCLEAN}, CELLS_DISK, PHASE_FAULTY, DISK, FLAKEY_DROPS, false,
};

const struct storm *const storms[] = {&writes, &dead, &drops, &requests, &memory, NULL};

bool storm_control(const struct storm_options *options, struct storm_result *result)
{
	return storm_do(&secret_drops, options, true, result);
}
