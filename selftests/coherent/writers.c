// SPDX-License-Identifier: GPL-2.0-only
/*
 * writers.c - the table of the ways to change a file: which bytes at a place each of them takes, and what the
 * file must be afterwards. How it is done is in write.c.
 */
#include "coherent.h"

#include <linux/falloc.h>
#include <sys/mman.h>

#define ALL_PROT (PROT_READ | PROT_WRITE)

static void apply_write(struct model *m, struct range range)
{
	model_put(m, range.at, range.length, FRESH_BYTES);
}

static void apply_store_after(struct model *m, struct range range)
{
	apply_write(m, first_write);
	apply_write(m, range);
}

static void apply_truncate(struct model *m, struct range range)
{
	model_resize(m, range.at);
}

static void apply_down_up(struct model *m, struct range range)
{
	model_resize(m, range.at);
	model_resize(m, SIZE);
}

static void apply_allocate(struct model *m, struct range range)
{
	model_resize(m, range.at + range.length);
}

static void apply_punch(struct model *m, struct range range)
{
	off_t length = m->size - range.at;

	model_zero(m, range.at, length < (off_t)range.length ? length : (off_t)range.length);
}

static void apply_zero(struct model *m, struct range range)
{
	model_zero(m, range.at, range.length);
}

static void apply_collapse(struct model *m, struct range range)
{
	model_collapse(m, range.at, range.length);
}

static void apply_insert(struct model *m, struct range range)
{
	model_insert(m, range.at, range.length);
}

static struct range exact(struct range place)
{
	return place;
}

static struct range blocks(struct range place)
{
	off_t at = place.at / BLOCK * BLOCK, end = place.at + place.length;

	return (struct range){at, (end - at + BLOCK - 1) / BLOCK * BLOCK};
}

static struct range inside(struct range place)
{
	if (place.at + place.length > SIZE)
		place.length = SIZE - place.at;
	return place;
}

static struct range behind(struct range place)
{
	return (struct range){SIZE, place.length};
}

static struct range across_end(struct range place)
{
	(void)place;
	return (struct range){SIZE - 100, 3 * BLOCK};
}

static struct range grown(struct range place)
{
	(void)place;
	return (struct range){SIZE + 3 * BLOCK, 0};
}

static struct range nothing_left(struct range place)
{
	(void)place;
	return (struct range){0, 0};
}

static struct range one_block(struct range place)
{
	return (struct range){place.at / BLOCK * BLOCK, BLOCK};
}

/* A collapse may not reach the end. */
static struct range inner_block(struct range place)
{
	struct range block = one_block(place);

	if (block.at + BLOCK >= SIZE)
		block.at -= 2 * BLOCK;
	return block;
}

#define SHOWS " shows in whatever reads"

const struct writer writers[] = {
	{{"pwrite", "pwrite through another descriptor" SHOWS}, 0, O_WRONLY, 0, exact, write_pwrite,
	 apply_write},
	{{"pwrite_old", "pwrite through another old descriptor" SHOWS}, EARLY, O_RDWR, 0, exact,
	 write_pwrite, apply_write},
	{{"pwrite_same", "pwrite through the reader's own descriptor" SHOWS}, BY_READER, O_RDWR, 0, exact,
	 write_pwrite, apply_write},
	{{"pwrite_link", "pwrite to another hard link" SHOWS}, BY_ALIAS, O_WRONLY, 0, exact, write_pwrite,
	 apply_write},
	{{"pwrite_child", "pwrite by another process" SHOWS}, BY_CHILD, O_WRONLY, 0, exact, write_pwrite,
	 apply_write},
	{{"append", "write with O_APPEND" SHOWS}, ONE_PLACE, O_WRONLY | O_APPEND, 0, behind, write_append,
	 apply_write},
	{{"direct", "pwrite with O_DIRECT" SHOWS}, 0, O_WRONLY | O_DIRECT, 0, blocks, write_pwrite,
	 apply_write},
	{{"aio", "a write by io_submit" SHOWS}, 0, O_WRONLY, 0, exact, write_aio, apply_write},
	{{"aio_direct", "a write by io_submit with O_DIRECT" SHOWS}, EARLY, O_RDWR | O_DIRECT, 0, blocks,
	 write_aio, apply_write},
	{{"uring", "a write by io_uring" SHOWS}, EARLY, O_RDWR, 0, exact, write_uring, apply_write},
	{{"uring_direct", "a write by io_uring with O_DIRECT" SHOWS}, 0, O_WRONLY | O_DIRECT, 0, blocks,
	 write_uring, apply_write},
	{{"splice", "splice into a file" SHOWS}, 0, O_WRONLY, 0, exact, write_splice, apply_write},
	{{"sendfile", "sendfile into a file" SHOWS}, 0, O_WRONLY, 0, exact, write_sendfile, apply_write},
	{{"copy", "copy_file_range into a file" SHOWS}, 0, O_WRONLY, 0, exact, write_copy, apply_write},
	{{"clone", "FICLONERANGE into a file" SHOWS}, 0, O_WRONLY, 0, blocks, write_clone, apply_write},
	{{"store_first", "a store to a mapping that is older than the reader" SHOWS}, FIRST | MAPS, O_RDWR,
	 ALL_PROT, inside, write_store, apply_write},
	{{"store", "a store to a mapping that is older than the first write" SHOWS}, EARLY | MAPS, O_RDWR,
	 ALL_PROT, inside, write_store, apply_write},
	{{"store_after", "a store to a mapping made after the first write" SHOWS}, 0, O_RDWR, ALL_PROT,
	 inside, write_store_after, apply_store_after},
	{{"store_mprotect", "a store to a mapping that was read-only until then" SHOWS}, EARLY | MAPS, O_RDWR,
	 PROT_READ, inside, write_store, apply_write},
	{{"store_link", "a store to a mapping of another hard link" SHOWS}, MAPS | BY_ALIAS, O_RDWR,
	 ALL_PROT, inside, write_store, apply_write},
	{{"store_child", "a store to a mapping of another process" SHOWS}, MAPS | BY_CHILD, O_RDWR, ALL_PROT,
	 inside, write_store, apply_write},
	{{"truncate", "a truncation" SHOWS}, BY_PATH | MOVES_PAGES, 0, 0, exact, write_truncate,
	 apply_truncate},
	{{"down_up", "a truncation and growing again" SHOWS}, EARLY | MOVES_PAGES, O_RDWR, 0, exact,
	 write_down_up, apply_down_up},
	{{"open_trunc", "a truncation by O_TRUNC" SHOWS}, ONE_PLACE | MOVES_PAGES, O_WRONLY | O_TRUNC, 0,
	 nothing_left, write_nothing, apply_truncate},
	{{"truncate_up", "growing by truncate" SHOWS}, ONE_PLACE | BY_PATH, 0, 0, grown, write_truncate,
	 apply_truncate},
	{{"allocate", "growing by fallocate" SHOWS}, ONE_PLACE, O_WRONLY, 0, across_end, write_fallocate,
	 apply_allocate},
	{{"punch", "a punched hole" SHOWS}, EARLY, O_RDWR, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, exact,
	 write_fallocate, apply_punch},
	{{"zero", "a range that was zeroed" SHOWS}, 0, O_WRONLY, FALLOC_FL_ZERO_RANGE, exact,
	 write_fallocate, apply_zero},
	{{"collapse", "a range that was taken out" SHOWS}, MOVES_PAGES, O_WRONLY, FALLOC_FL_COLLAPSE_RANGE,
	 inner_block, write_fallocate, apply_collapse},
	{{"insert", "a range that was put in" SHOWS}, MOVES_PAGES, O_WRONLY, FALLOC_FL_INSERT_RANGE,
	 one_block, write_fallocate, apply_insert},
};
