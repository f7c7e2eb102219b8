// SPDX-License-Identifier: GPL-2.0-only
/*
 * chance.c - all that is random: numbers from one seed, bytes, and offsets and lengths that lie near
 * the borders of blocks, chunks and the file more often than chance would have them.
 */
#include "oracle.h"

#define WINDOWS	    8
#define WINDOW_SIZE (192 * 1024)

static unsigned long state;

/* SplitMix64. */
static unsigned long next(void)
{
	unsigned long z = state += 0x9e3779b97f4a7c15UL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9UL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebUL;
	return z ^ z >> 31;
}

void chance_seed(unsigned long seed)
{
	state = seed;
	state = next();
}

/* To draw numbers in between that change nothing of what follows. */
unsigned long chance_state(void)
{
	return state;
}

void chance_restore(unsigned long before)
{
	state = before;
}

unsigned int pick(unsigned int below)
{
	return (unsigned int)(next() & 0xffffffff) % below;
}

bool one_in(unsigned int count)
{
	return pick(count) == 0;
}

off_t align_down(off_t value, off_t block)
{
	return value - value % block;
}

/* Never the same bytes twice, and now and then zeros, which a filesystem may keep as a hole or not. */
void chance_fill(unsigned char *buffer, size_t length)
{
	if (one_in(16)) {
		memset(buffer, 0, length);
		return;
	}
	for (size_t i = 0; i < length; i += sizeof(unsigned long)) {
		unsigned long word = next();

		memcpy(buffer + i, &word, length - i < sizeof(word) ? length - i : sizeof(word));
	}
}

static off_t offset_in_window(const struct file *file)
{
	off_t gap = align_down(file->limit / WINDOWS, PAGE);

	return gap * pick(WINDOWS) + pick(WINDOW_SIZE);
}

static off_t round_offset(off_t at)
{
	static const int blocks[] = {1024, 4096, 4096, 4096, 65536};
	off_t block = blocks[pick(sizeof(blocks) / sizeof(blocks[0]))];

	at = align_down(at + block / 2, block);
	if (one_in(4))
		at += one_in(2) ? 1 : -1;
	return at < 0 ? 0 : at;
}

/* Up to a little beyond the end, but within the limit. */
off_t chance_offset(const struct file *file)
{
	off_t size = file->now.size, at;

	if (one_in(6))
		at = size + pick(8192) - 6000;
	else if (file->is_sparse)
		at = offset_in_window(file);
	else
		at = pick(size + (one_in(8) ? 70000 : 1));
	if (at < 0)
		at = 0;
	if (one_in(2))
		at = round_offset(at);
	return at > file->limit ? file->limit - pick(PAGE) : at;
}

size_t chance_length(void)
{
	switch (pick(8)) {
	case 0:
		return 1 + pick(16);
	case 1:
		return 1 + pick(PAGE);
	case 2:
	case 3:
		return PAGE;
	case 4:
		return PAGE * (1 + pick(16));
	case 5:
		return 1024 * (1 + pick(16));
	case 6:
		return 1 + pick(65536);
	default:
		return 1 + pick(one_in(8) ? BUFFER_SIZE : 3 * PAGE);
	}
}
