// SPDX-License-Identifier: GPL-2.0-only
/*
 * op_map.c - operations on mappings: making and ending them, stores, loads, msync and madvise.
 */
#include "oracle.h"

#include <sys/mman.h>

#define PAGES_MAX 32
#define STORE_MAX (3 * PAGE)

static const struct {
	int flags, prot;
} types[] = {
	{MAP_SHARED, PROT_READ | PROT_WRITE},  {MAP_SHARED, PROT_READ | PROT_WRITE},
	{MAP_SHARED, PROT_READ},	       {MAP_PRIVATE, PROT_READ | PROT_WRITE},
	{MAP_PRIVATE, PROT_READ},
};

static void choose_map(struct op *op)
{
	int type = pick(sizeof(types) / sizeof(types[0]));
	bool needs_write = types[type].flags == MAP_SHARED && (types[type].prot & PROT_WRITE);

	op_take(op);
	op->at = align_down(op->at, PAGE);
	op->length = PAGE * (1 + pick(PAGES_MAX));
	op->flags = types[type].flags | types[type].prot << 16;
	op->mapping = mapping_slot(op->file);
	mapping_close(op->mapping);
	if (!handle_can_read(op->handle) || (needs_write && !handle_can_write(op->handle)))
		op->want = -EACCES;
}

static long run_map(struct op *op)
{
	return mapping_open(op);
}

static void choose_mapping(struct op *op)
{
	op->mapping = mapping_pick(op->file);
	op->at = op->mapping->offset;
	op->length = op->mapping->length;
}

static long run_unmap(struct op *op)
{
	mapping_close(op->mapping);
	return 0;
}

static void choose_store(struct op *op)
{
	size_t reach, start, most;

	op->mapping = mapping_pick(op->file);
	reach = mapping_reach(op->file, op->mapping);
	if (!reach || !op->mapping->is_writable)
		return;
	start = pick(reach);
	most = reach - start < STORE_MAX ? reach - start : STORE_MAX;
	op->at = op->mapping->offset + start;
	op->length = 1 + pick(most);
	chance_fill(op->buffer, op->length);
}

static long run_store(struct op *op)
{
	mapping_store(op);
	return 0;
}

static long run_load(struct op *op)
{
	mapping_check(op->file, op->mapping, op->at, op->at + op->length);
	return 0;
}

/* The first page that has nothing of the file. */
static void choose_beyond(struct op *op)
{
	op->mapping = mapping_pick(op->file);
	op->at = align_down(op->file->now.size + PAGE - 1, PAGE);
	if (op->at < op->mapping->offset)
		op->at = op->mapping->offset;
	if (op->mapping->at && op->at < op->mapping->offset + (off_t)op->mapping->length)
		op->length = 1;
}

static long run_beyond(struct op *op)
{
	bool is_own = op->mapping->is_own[(op->at - op->mapping->offset) / PAGE];
	unsigned char byte;

	if (mapping_load(op->mapping, op->at, &byte, 1) && !is_own && !mapping_is_excused(op->mapping))
		mismatch(op->file, "a load from the page at %ld behind the end at %ld raised no SIGBUS",
			 (long)op->at, (long)op->file->now.size);
	return 0;
}

static void choose_msync(struct op *op)
{
	choose_mapping(op);
	op->flags = one_in(3) ? MS_ASYNC : MS_SYNC;
}

static long run_msync(struct op *op)
{
	return op_errno(msync(op->mapping->at, op->mapping->length, op->flags));
}

/* A private mapping loses what was stored to it. */
static long run_dontneed(struct op *op)
{
	memset(op->mapping->is_own, 0, sizeof(op->mapping->is_own));
	return op_errno(madvise(op->mapping->at, op->mapping->length, MADV_DONTNEED));
}

const struct kind map_kinds[] = {
	{"map", 24, choose_map, run_map, op_nothing, NO_TWIN, 0},
	{"unmap", 5, choose_mapping, run_unmap, op_nothing, NO_TWIN, 0},
	{"store", 50, choose_store, run_store, op_nothing, NO_TWIN, 0},
	{"load", 20, choose_mapping, run_load, op_nothing, NO_TWIN, 0},
	{"load_beyond", 6, choose_beyond, run_beyond, op_nothing, NO_TWIN, 0},
	{"msync", 5, choose_msync, run_msync, op_nothing, NO_TWIN, 0},
	{"madvise_dontneed", 5, choose_mapping, run_dontneed, op_nothing, NO_TWIN, 0},
	{0},
};
