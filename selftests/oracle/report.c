// SPDX-License-Identifier: GPL-2.0-only
/*
 * report.c - what the oracle prints: counts of what was done, and on a mismatch what differs, how it came
 * to that, and the command that repeats it. A mismatch ends the round's process.
 */
#include "oracle.h"

#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>

struct tally *tally;

static const struct op *doing;
static unsigned long seed;

/* Shared with the processes of the rounds. */
void tally_init(void)
{
	tally = mmap(NULL, 2 * sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tally == MAP_FAILED) {
		tally = NULL;
		die("mmap");
	}
}

void tally_print(void)
{
	int count = op_kind_count();

	printf(" ");
	for (int i = 0; i < count; i++) {
		printf(" %s %lu", op_kind_name(i), tally->done[i]);
		if (tally->refused[i])
			printf(" (%lu refused)", tally->refused[i]);
		printf("%s", i + 1 == count ? "\n" : i % 5 == 4 ? ",\n " : ",");
	}
	excuse_list();
	fflush(stdout);
}

void report_seed(unsigned long of_round)
{
	seed = of_round;
}

void report_doing(const struct op *op, unsigned long step)
{
	doing = op;
	tally->step = step;
}

static void print_record(const struct record *r)
{
	printf("  step %lu: %s", r->step, r->kind);
	if (r->other >= 0)
		printf(" from file %d at %ld", r->other, (long)r->from);
	printf(" at %ld, length %zu, flags 0x%x: %ld\n", (long)r->at, r->length, r->flags, r->ret);
}

static void print_log(const struct file *file)
{
	unsigned int first = file->log_count > LOG_SIZE ? file->log_count - LOG_SIZE : 0;

	printf("the last operations on file %d:\n", file->number);
	for (unsigned int i = first; i < file->log_count; i++)
		print_record(&file->log[i % LOG_SIZE]);
}

static void print_doing(void)
{
	struct record now;

	if (!doing)
		return;
	now = op_record(doing);
	printf("and on file %d, now:\n", doing->file->number);
	print_record(&now);
}

static void print_command(void)
{
	const char *kernel = getenv("SHALE_TEST_KERNEL");

	printf("again: SHALE_TEST_FS=%s SHALE_TEST_FSTYPE=%s build/selftests/oracle/oracle DIR %lu %lu\n",
	       stage_backing(), stage_fstype(), tally->step, seed);
	printf("   or: make oracle K=%s FS=%s OPERATIONS=%lu SEED=%lu\n", kernel ? kernel : "6.1",
	       stage_backing(), tally->step, seed);
}

void mismatch(const struct file *file, const char *fmt, ...)
{
	va_list args;

	printf("MISMATCH (%s on %s, seed %lu, step %lu) in file %d (%s): ", stage_fstype(), stage_backing(), seed,
	       tally->step, file->number, file->names[0]);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	print_log(file);
	print_doing();
	print_command();
	fflush(stdout);
	_exit(ROUND_DIFFERS);
}

void die(const char *what)
{
	printf("BROKEN (%s on %s, seed %lu, step %lu): %s: %s\n", stage_fstype(), stage_backing(), seed,
	       tally ? tally->step : 0, what, strerror(errno));
	fflush(stdout);
	_exit(ROUND_BROKEN);
}
