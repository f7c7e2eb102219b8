// SPDX-License-Identifier: GPL-2.0-only
/*
 * mapping.c - mappings of the files, and what they have to show: a shared one the file, a private one
 * the file but for the pages that were stored to. Faults that raise SIGBUS are caught.
 */
#include "oracle.h"

#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>

static sigjmp_buf on_fault;
static volatile sig_atomic_t is_guarded;

static void catch_fault(int number)
{
	if (is_guarded)
		siglongjmp(on_fault, 1);
	signal(number, SIG_DFL);
	raise(number);
}

/* SA_NODEFER: the jump out of the handler does not restore the mask of signals. */
void mapping_init(void)
{
	struct sigaction action = {.sa_handler = catch_fault, .sa_flags = SA_NODEFER};

	sigaction(SIGBUS, &action, NULL);
}

/* memcpy(3), false when it faults. */
static bool guarded_copy(unsigned char *to, const unsigned char *from, size_t length)
{
	if (sigsetjmp(on_fault, 0)) {
		is_guarded = 0;
		return false;
	}
	is_guarded = 1;
	memcpy(to, from, length);
	is_guarded = 0;
	return true;
}

struct mapping *mapping_slot(struct file *file)
{
	return &file->mappings[pick(MAPPINGS)];
}

/* One that is there, if any is. */
struct mapping *mapping_pick(struct file *file)
{
	unsigned int start = pick(MAPPINGS), i = 0;

	while (i < MAPPINGS - 1 && !file->mappings[(start + i) % MAPPINGS].at)
		i++;
	return &file->mappings[(start + i) % MAPPINGS];
}

static bool is_of_lower(const struct op *op, bool is_private)
{
	/* Such a mapping is of the upper's file, though nobody has stored to it. */
	if (!is_private && handle_can_write(op->handle))
		return false;
	return !op->file->is_written;
}

/* Puts what OP asks for (FLAGS: MAP_ and, shifted, PROT_ ones) in its place. 0 or a negative errno. */
int mapping_open(struct op *op)
{
	int prot = op->flags >> 16, flags = op->flags & 0xffff;
	void *at = mmap(NULL, op->length, prot, flags, op->fd, op->at);
	struct mapping *mapping = op->mapping;

	if (at == MAP_FAILED)
		return -errno;
	*mapping = (struct mapping){
		.at = at,
		.offset = op->at,
		.length = op->length,
		.is_private = flags & MAP_PRIVATE,
		.is_writable = prot & PROT_WRITE,
		.is_of_lower = is_of_lower(op, flags & MAP_PRIVATE),
		.has_no_room = op->file->is_sparse && !strcmp(stage_backing(), "tmpfs"),
	};
	return 0;
}

void mapping_close(struct mapping *mapping)
{
	if (!mapping->at)
		return;
	if (munmap(mapping->at, mapping->length) < 0)
		die("munmap");
	free(mapping->own);
	*mapping = (struct mapping){0};
}

void mappings_close(struct file *file)
{
	for (int i = 0; i < MAPPINGS; i++)
		mapping_close(&file->mappings[i]);
}

/* Whether private pages outlive a change of the file's size is the filesystem's to say. */
void mappings_forget_own(struct file *file)
{
	for (int i = 0; i < MAPPINGS; i++)
		if (file->mappings[i].own)
			mapping_close(&file->mappings[i]);
}

static enum excuse excuse_of(const struct mapping *mapping)
{
	if (mapping->is_private)
		return EXCUSE_PRIVATE_OF_LOWER;
	return mapping->has_no_room ? EXCUSE_SHARED_NO_ROOM : EXCUSE_SHARED_OF_LOWER;
}

/* Bytes of the mapping that lie in the file. */
static size_t mapping_in_file(const struct file *file, const struct mapping *mapping)
{
	return mapping->at ? file_bytes_at(file, mapping->offset, mapping->length) : 0;
}

/* The same without what an excused mapping of a shorter lower file may lack, on all filesystems alike. */
size_t mapping_reach(const struct file *file, const struct mapping *mapping)
{
	off_t reach = mapping_in_file(file, mapping), lower = file->lower.size - mapping->offset;

	if (!mapping->is_of_lower || excuse_is_strict(excuse_of(mapping)) || lower >= reach)
		return reach;
	return lower < 0 ? 0 : lower;
}

bool mapping_load(const struct mapping *mapping, off_t at, unsigned char *out, size_t length)
{
	return guarded_copy(out, mapping->at + (at - mapping->offset), length);
}

/* The pages of a private mapping that a store makes its own are what they were, and the store. */
static void store_private(struct op *op)
{
	struct mapping *mapping = op->mapping;
	size_t start = op->at - mapping->offset, end = start + op->length;

	if (!mapping->own)
		mapping->own = malloc(mapping->length);
	for (size_t i = start / PAGE; i <= (end - 1) / PAGE; i++) {
		if (!mapping->is_own[i] &&
		    !mapping_load(mapping, mapping->offset + i * PAGE, mapping->own + i * PAGE, PAGE))
			mismatch(op->file, "SIGBUS before a store to a private mapping");
		mapping->is_own[i] = true;
	}
	memcpy(mapping->own + start, op->buffer, op->length);
}

void mapping_store(struct op *op)
{
	struct mapping *mapping = op->mapping;

	mapping_check(op->file, mapping, op->at, op->at + op->length);
	if (mapping->is_private)
		store_private(op);
	else
		contents_write(&op->file->now, op->at, op->buffer, op->length);
	if (!guarded_copy(mapping->at + (op->at - mapping->offset), op->buffer, op->length))
		mismatch(op->file, "SIGBUS at a store at offset %ld", (long)op->at);
}

/* Whether it may show the lower file, whatever was written since. */
bool mapping_is_excused(const struct mapping *mapping)
{
	return mapping->is_of_lower && is_excused(excuse_of(mapping));
}

static bool shows_lower(const struct file *file, const struct mapping *mapping, off_t at,
			const unsigned char *got, size_t length)
{
	unsigned char old[PAGE];

	contents_read(&file->lower, at, old, length);
	return mapping->is_of_lower && !memcmp(old, got, length) && excuse_count(excuse_of(mapping));
}

static void check_own(const struct file *file, const struct mapping *mapping, off_t at, const unsigned char *got,
		      size_t length)
{
	if (memcmp(got, mapping->own + (at - mapping->offset), length))
		mismatch(file, "a private mapping lost what was stored to its page at offset %ld", (long)at);
}

/* Behind the end of the file a shared page shows zeros; nobody has stored there. */
static void check_page(const struct file *file, const struct mapping *mapping, off_t at)
{
	unsigned char got[PAGE], want[PAGE];
	off_t left = file->now.size - at;
	size_t length = mapping->is_private && left < PAGE ? left : PAGE;

	if (mapping_is_excused(mapping) && at >= file->lower.size)
		return;
	if (!mapping_load(mapping, at, got, length))
		mismatch(file, "SIGBUS in a mapping at offset %ld, below the end at %ld", (long)at,
			 (long)file->now.size);
	if (mapping->is_own[(at - mapping->offset) / PAGE]) {
		check_own(file, mapping, at, got, length);
		return;
	}
	contents_read(&file->now, at, want, length);
	if (memcmp(got, want, length) && !shows_lower(file, mapping, at, got, length))
		check_bytes(file, mapping->is_private ? "a private mapping" : "a shared mapping", at, got,
			    length);
}

/* Compares what the mapping shows of the file between AT and END. */
void mapping_check(const struct file *file, const struct mapping *mapping, off_t at, off_t end)
{
	off_t last = mapping->offset + mapping_in_file(file, mapping);

	if (at < mapping->offset)
		at = mapping->offset;
	if (end > last)
		end = last;
	for (at = align_down(at, PAGE); at < end; at += PAGE)
		check_page(file, mapping, at);
}
