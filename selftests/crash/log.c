// SPDX-License-Identifier: GPL-2.0-only
/*
 * log.c - reads the format of dm-log-writes; see log.h.
 */
#include "log.h"

#include "say.h"

#include <endian.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC	0x6a736677736872ULL
#define VERSION 1
#define SECTOR	512UL /* what sectors are counted in: the logical block size of a loop device */

#define FLAG_FLUSH   (1 << 0)
#define FLAG_FUA     (1 << 1)
#define FLAG_DISCARD (1 << 2)
#define FLAG_MARK    (1 << 3)

struct disk_super {
	uint64_t magic, version, nr_entries;
	uint32_t sectorsize;
};

struct disk_entry {
	uint64_t sector, nr_sectors, flags, data_len;
	char mark[];
};

/* Bytes of the log that an entry takes. */
static size_t entry_room(const struct disk_entry *raw)
{
	return le64toh(raw->flags) & FLAG_DISCARD ? SECTOR : SECTOR + le64toh(raw->nr_sectors) * SECTOR;
}

static size_t log_length(const struct disk *disk, size_t count)
{
	size_t at = SECTOR;

	errno = 0;
	for (size_t i = 0; i < count; i++) {
		if (at + SECTOR > disk->size)
			die("the log is longer than its disk");
		at += entry_room((const void *)(disk->bytes + at));
	}
	return at;
}

/* The recorder's own mark, at the end, is a word. */
static int mark_parse(const struct disk_entry *raw)
{
	bool is_ours = le64toh(raw->flags) & FLAG_MARK && raw->mark[0] >= '0' && raw->mark[0] <= '9';

	return is_ours ? atoi(raw->mark) : -1;
}

static struct entry entry_parse(const unsigned char *at)
{
	const struct disk_entry *raw = (const void *)at;
	uint64_t flags = le64toh(raw->flags);

	return (struct entry){
		.offset = le64toh(raw->sector) * SECTOR,
		.size = le64toh(raw->nr_sectors) * SECTOR,
		.data = flags & FLAG_DISCARD ? NULL : at + SECTOR,
		.is_flush = flags & FLAG_FLUSH,
		.is_fua = flags & FLAG_FUA,
		.mark = mark_parse(raw),
	};
}

void log_read(struct log *log, const struct disk *disk)
{
	const struct disk_super *super = (const void *)disk->bytes;
	size_t length, at = SECTOR;

	errno = 0;
	if (le64toh(super->magic) != MAGIC || le64toh(super->version) != VERSION ||
	    le32toh(super->sectorsize) != SECTOR)
		die("the recorder left no log that can be read");
	log->count = le64toh(super->nr_entries);
	length = log_length(disk, log->count);
	log->copy = malloc(length);
	log->entry = calloc(log->count, sizeof(*log->entry));
	memcpy(log->copy, disk->bytes, length);
	for (size_t i = 0; i < log->count; i++) {
		log->entry[i] = entry_parse(log->copy + at);
		at += entry_room((const void *)(log->copy + at));
	}
}

void log_free(struct log *log)
{
	free(log->entry);
	free(log->copy);
	*log = (struct log){0};
}

/* A disk may give anything for what was discarded. Nothing is the worst: it looks like a hole. */
void entry_apply(const struct entry *entry, unsigned char *bytes)
{
	if (entry->data)
		memcpy(bytes + entry->offset, entry->data, entry->size);
	else
		memset(bytes + entry->offset, 0, entry->size);
}
