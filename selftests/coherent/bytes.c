// SPDX-License-Identifier: GPL-2.0-only
/*
 * bytes.c - what the files have in them, and the model of it. A byte says by its value when it was written, and
 * depends on its offset, so that stale, lost and moved ones are all seen.
 */
#include "coherent.h"

#include <errno.h>

#define LETTERS 13 /* has no divisor in common with BLOCK */

/* Where a file has data in the beginning. */
static const struct range data[] = {{0, 4 * BLOCK}, {LAST - BLOCK, SIZE - (LAST - BLOCK)}};

/* Aligned as direct I/O needs it. */
const unsigned char *bytes_at(enum bytes which, off_t at)
{
	static unsigned char all[3][SPACE] __attribute__((aligned(BLOCK)));
	static const char first[] = {'a', 'A', '0'};

	for (int i = 0; !all[which][0] && i < SPACE; i++)
		all[which][SPACE - 1 - i] = first[which] + (SPACE - 1 - i) % LETTERS;
	return all[which] + at;
}

void model_put(struct model *m, off_t at, size_t length, enum bytes which)
{
	memcpy(m->bytes + at, bytes_at(which, at), length);
	if (m->size < at + (off_t)length)
		m->size = at + length;
}

void model_zero(struct model *m, off_t at, size_t length)
{
	memset(m->bytes + at, 0, length);
	if (m->size < at + (off_t)length)
		m->size = at + length;
}

void model_resize(struct model *m, off_t size)
{
	if (size < m->size)
		memset(m->bytes + size, 0, m->size - size);
	m->size = size;
}

void model_collapse(struct model *m, off_t at, size_t length)
{
	memmove(m->bytes + at, m->bytes + at + length, m->size - at - length);
	model_resize(m, m->size - length);
}

void model_insert(struct model *m, off_t at, size_t length)
{
	memmove(m->bytes + at + length, m->bytes + at, m->size - at);
	m->size += length;
	memset(m->bytes + at, 0, length);
}

bool model_is_zero(const struct model *m, off_t at, off_t end)
{
	while (at < end && !m->bytes[at])
		at++;
	return at >= end;
}

void model_begin(struct model *m)
{
	*m = (struct model){0};
	for (size_t i = 0; i < sizeof(data) / sizeof(data[0]); i++)
		model_put(m, data[i].at, data[i].length, OLD_BYTES);
}

int file_put(int fd, off_t at, size_t length, enum bytes which)
{
	ssize_t done = pwrite(fd, bytes_at(which, at), length, at);

	if (done < 0)
		return -errno;
	return (size_t)done == length ? 0 : -EIO;
}

void file_make(const char *path)
{
	int fd = ASSERT_OK(open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644));

	for (size_t i = 0; i < sizeof(data) / sizeof(data[0]); i++)
		ASSERT_EQ(file_put(fd, data[i].at, data[i].length, OLD_BYTES), 0);
	close(fd);
}
