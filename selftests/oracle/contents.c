// SPDX-License-Identifier: GPL-2.0-only
/*
 * contents.c - the bytes of a file as an array of chunks; see contents.h.
 */
#include "contents.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK 65536

static size_t min_size(size_t a, off_t b)
{
	return (off_t)a < b ? a : (size_t)b;
}

static unsigned char *chunk_of(const struct contents *c, off_t at)
{
	size_t number = at / CHUNK;

	return number < c->count ? c->chunks[number] : NULL;
}

static void extend(struct contents *c, size_t count)
{
	c->chunks = realloc(c->chunks, count * sizeof(*c->chunks));
	if (!c->chunks)
		abort();
	memset(c->chunks + c->count, 0, (count - c->count) * sizeof(*c->chunks));
	c->count = count;
}

static unsigned char *chunk_make(struct contents *c, off_t at)
{
	size_t number = at / CHUNK;

	if (number >= c->count)
		extend(c, number + 1);
	if (!c->chunks[number])
		c->chunks[number] = calloc(1, CHUNK);
	if (!c->chunks[number])
		abort();
	return c->chunks[number];
}

static void contents_clear(struct contents *c)
{
	for (size_t i = 0; i < c->count; i++)
		free(c->chunks[i]);
	free(c->chunks);
	*c = (struct contents){0};
}

void contents_copy(struct contents *to, const struct contents *from)
{
	contents_clear(to);
	for (size_t i = 0; i < from->count; i++)
		if (from->chunks[i])
			memcpy(chunk_make(to, (off_t)i * CHUNK), from->chunks[i], CHUNK);
	to->size = from->size;
}

/* How many of LENGTH bytes at AT lie in one chunk. */
static size_t part_at(off_t at, off_t length)
{
	return min_size(CHUNK - at % CHUNK, length);
}

void contents_read(const struct contents *c, off_t at, unsigned char *out, size_t length)
{
	while (length > 0) {
		const unsigned char *chunk = chunk_of(c, at);
		size_t part = part_at(at, length);

		if (chunk)
			memcpy(out, chunk + at % CHUNK, part);
		else
			memset(out, 0, part);
		at += part;
		out += part;
		length -= part;
	}
}

static void grow(struct contents *c, off_t size)
{
	if (size > c->size)
		c->size = size;
}

static bool is_zero(const unsigned char *bytes, size_t length)
{
	return length == 0 || (bytes[0] == 0 && !memcmp(bytes, bytes + 1, length - 1));
}

void contents_write(struct contents *c, off_t at, const unsigned char *bytes, size_t length)
{
	grow(c, at + length);
	while (length > 0) {
		size_t part = part_at(at, length);

		if (chunk_of(c, at) || !is_zero(bytes, part))
			memcpy(chunk_make(c, at) + at % CHUNK, bytes, part);
		at += part;
		bytes += part;
		length -= part;
	}
}

static void erase(struct contents *c, off_t at, off_t length)
{
	off_t end = (off_t)c->count * CHUNK;

	if (length > end - at)
		length = end - at;
	while (length > 0) {
		unsigned char *chunk = chunk_of(c, at);
		size_t part = part_at(at, length);

		if (chunk && part == CHUNK) {
			free(chunk);
			c->chunks[at / CHUNK] = NULL;
		} else if (chunk) {
			memset(chunk + at % CHUNK, 0, part);
		}
		at += part;
		length -= part;
	}
}

void contents_zero(struct contents *c, off_t at, off_t length)
{
	erase(c, at, length);
	grow(c, at + length);
}

void contents_resize(struct contents *c, off_t size)
{
	if (size < c->size)
		erase(c, size, c->size - size);
	c->size = size;
}

static void move_piece(struct contents *c, off_t to, off_t from, size_t length)
{
	static unsigned char piece[CHUNK];

	if (!chunk_of(c, from) && !chunk_of(c, from + length - 1)) {
		erase(c, to, length);
		return;
	}
	contents_read(c, from, piece, length);
	contents_write(c, to, piece, length);
}

void contents_collapse(struct contents *c, off_t at, off_t length)
{
	off_t end = c->size - length;

	for (off_t to = at; to < end; to += CHUNK)
		move_piece(c, to, to + length, min_size(CHUNK, end - to));
	contents_resize(c, end);
}

void contents_insert(struct contents *c, off_t at, off_t length)
{
	off_t from = c->size;

	c->size += length;
	while (from > at) {
		size_t part = min_size(CHUNK, from - at);

		from -= part;
		move_piece(c, from + length, from, part);
	}
	erase(c, at, length);
}

bool contents_is_zero(const struct contents *c, off_t at, off_t end)
{
	if (end > (off_t)c->count * CHUNK)
		end = (off_t)c->count * CHUNK;
	while (at < end) {
		const unsigned char *chunk = chunk_of(c, at);
		size_t part = part_at(at, end - at);

		if (chunk && !is_zero(chunk + at % CHUNK, part))
			return false;
		at += part;
	}
	return true;
}

off_t contents_count_blocks(const struct contents *c, size_t block)
{
	off_t blocks = 0;

	for (size_t i = 0; i < c->count; i++)
		for (size_t at = 0; c->chunks[i] && at < CHUNK; at += block)
			blocks += !is_zero(c->chunks[i] + at, block);
	return blocks;
}
