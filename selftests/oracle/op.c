// SPDX-License-Identifier: GPL-2.0-only
/*
 * op.c - one operation from choice to comparison, whatever it is; and what the tables of operations
 * (op_*.c) share.
 */
#include "oracle.h"

/* One of so many calls that went as the model says is checked against the bare filesystem as well. */
#define TWIN_EACH 24

static const struct kind *const tables[] = {write_kinds, read_kinds, space_kinds,
					    copy_kinds,	 map_kinds,  stage_kinds};

static unsigned char buffer[BUFFER_SIZE] __attribute__((aligned(PAGE)));

static const struct kind *kind_at(int number)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct kind *kind = tables[i]; kind->name; kind++)
			if (number-- == 0)
				return kind;
	return NULL;
}

int op_kind_count(void)
{
	int count = 0;

	while (kind_at(count))
		count++;
	return count;
}

const char *op_kind_name(int number)
{
	return kind_at(number)->name;
}

static int kind_number(const struct kind *kind)
{
	int number = 0;

	while (kind_at(number) != kind)
		number++;
	return number;
}

static const struct kind *kind_pick(void)
{
	static unsigned int total;
	unsigned int at;
	int number = 0;

	if (!total)
		for (int i = 0; kind_at(i); i++)
			total += kind_at(i)->weight;
	for (at = pick(total); at >= kind_at(number)->weight; number++)
		at -= kind_at(number)->weight;
	return kind_at(number);
}

long op_errno(long ret)
{
	return ret < 0 ? -errno : ret;
}

/* Where only aligned ranges are possible most have to be; the rest fails, or not, as elsewhere. */
void op_align(struct op *op, bool is_needed)
{
	off_t block = one_in(4) ? 1024 : PAGE;
	bool is_left = one_in(8);

	if (!is_needed || is_left)
		return;
	op->at = align_down(op->at, block);
	op->from = align_down(op->from, block);
	op->length = align_down(op->length + block - 1, block);
}

/* Descriptors and ranges are chosen alike for most. */
void op_take(struct op *op)
{
	op->handle = handle_pick(op->file);
	op->fd = op->handle->fd;
	op->at = chance_offset(op->file);
	op->length = chance_length();
	op_align(op, op->handle->flags & O_DIRECT);
}

void op_take_other(struct op *op)
{
	op->other = file_pick();
	op->other_handle = handle_pick(op->other);
	op->other_fd = op->other_handle->fd;
	op->from = chance_offset(op->other);
}

/* For what writes: nothing is written far above the file's limit. */
void op_limit(struct op *op)
{
	if (op->at + (off_t)op->length > op->file->limit + BUFFER_SIZE)
		op->length = 0;
}

/* What changes nothing in the model. */
void op_nothing(struct op *op)
{
	(void)op;
}

void op_written(struct op *op)
{
	op->file->is_written = true;
}

/* A pipe that takes BUFFER_SIZE bytes, however they are cut up. */
void op_pipe(int ret_pipe[2])
{
	if (pipe2(ret_pipe, O_CLOEXEC) < 0 || fcntl(ret_pipe[1], F_SETPIPE_SZ, 4 * BUFFER_SIZE) < 0)
		die("pipe");
}

static bool is_as_wanted(const struct op *op, long ret)
{
	if (ret == op->want)
		return true;
	if ((op->kind->traits & SHORT_OK) && ret > 0 && ret < op->want)
		return true;
	return (op->kind->traits & AGAIN_OK) && ret == -EAGAIN;
}

/* That is for the filesystem to take or refuse, and may depend on where it has holes. */
static bool is_misaligned(const struct op *op)
{
	return (handle_is_direct(op->handle) && (op->at % PAGE || op->length % PAGE)) ||
	       (handle_is_direct(op->other_handle) && (op->from % PAGE || op->length % PAGE));
}

static void judge_by_twin(const struct op *op, bool is_good)
{
	long twin = twin_run(op);
	/* What has to promote waits, whatever the filesystem can do without. */
	bool is_open = (op->kind->traits & AGAIN_OK) &&
		       (op->ret == -EAGAIN || (twin == -EAGAIN && is_misaligned(op)));

	if (twin == op->ret || (is_good && is_as_wanted(op, twin)) || is_open || excuse_errno(op))
		return;
	mismatch(op->file, "%s gave %ld (%s), the bare filesystem %ld (%s), and wanted was %ld", op->kind->name,
		 op->ret, op->ret < 0 ? strerror(-op->ret) : "done", twin, twin < 0 ? strerror(-twin) : "done",
		 op->want);
}

static void judge(const struct op *op, bool is_sampled)
{
	bool is_good = is_as_wanted(op, op->ret);

	if ((op->kind->traits & BYTES_OK) && (op->ret >= 0 || is_good))
		return;
	if (op->kind->traits & NO_TWIN) {
		if (!is_good)
			mismatch(op->file, "%s gave %ld, not %ld", op->kind->name, op->ret, op->want);
		return;
	}
	if (!is_good || (is_sampled && !is_misaligned(op)))
		judge_by_twin(op, is_good);
}

static void compare(const struct op *op)
{
	off_t end = op->at + op->length + PAGE;

	if (op->kind->traits & TAILS)
		end += BUFFER_SIZE;
	check_range(op->file, op->at - PAGE, end);
	if (op->other)
		check_range(op->other, op->from - PAGE, op->from + op->length + PAGE);
}

static void conclude(struct op *op)
{
	int number = kind_number(op->kind);

	if (op->ret < 0) {
		tally->refused[number]++;
	} else {
		tally->done[number]++;
		op->kind->apply(op);
	}
	file_log(op);
	if (op->handle || op->mapping)
		compare(op);
}

static void perform(struct op *op, bool is_sampled)
{
	op->kind->choose(op);
	if (!op->length)
		return;
	op->size = op->file->now.size;
	op->other_size = op->other ? op->other->now.size : 0;
	op->ret = op->kind->run(op);
	judge(op, is_sampled);
	conclude(op);
}

void op_step(unsigned long step)
{
	struct op op = {.kind = kind_pick(), .file = file_pick(), .fd = -1, .other_fd = -1, .buffer = buffer};
	bool is_sampled = one_in(TWIN_EACH);

	report_doing(&op, step);
	tally->operations++;
	perform(&op, is_sampled);
	report_doing(NULL, step);
}
