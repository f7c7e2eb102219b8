// SPDX-License-Identifier: GPL-2.0-only
/*
 * readers.c - the table of the ways to look at a file. How it is done is in read.c and map.c.
 */
#include "coherent.h"

#include <sys/mman.h>

#define ALL_PROT (PROT_READ | PROT_WRITE)

const struct reader readers[] = {
	{{"read_old", "pread through an old descriptor"}, OLD, O_RDONLY, 0, 0, read_pread, NULL},
	{{"read_old_rdwr", "pread through an old descriptor that could write"}, OLD, O_RDWR, 0, 0, read_pread,
	 NULL},
	{{"read_new", "pread through a new descriptor"}, 0, O_RDONLY, 0, 0, read_pread, NULL},
	{{"read_link", "pread through an old descriptor of another hard link"}, OLD | OTHER_NAME, O_RDONLY, 0,
	 0, read_pread, NULL},
	{{"read_proc", "pread by another process"}, OLD | OTHER_PROC, O_RDONLY, 0, 0, read_pread, NULL},
	{{"direct_old", "pread through an old descriptor with O_DIRECT"}, OLD, O_RDONLY | O_DIRECT, 0, 0,
	 read_pread, NULL},
	{{"direct_new", "pread through a new descriptor with O_DIRECT"}, 0, O_RDONLY | O_DIRECT, 0, 0,
	 read_pread, NULL},
	{{"splice", "splice from an old descriptor"}, OLD, O_RDONLY, 0, 0, read_splice, NULL},
	{{"sendfile", "sendfile from an old descriptor"}, OLD, O_RDONLY, 0, 0, read_sendfile, NULL},
	{{"copy", "copy_file_range from an old descriptor"}, OLD, O_RDONLY, 0, 0, read_copy, NULL},
	{{"aio", "a read by io_submit from an old descriptor"}, OLD, O_RDONLY, 0, 0, read_aio, NULL},
	{{"uring", "a read by io_uring from an old descriptor"}, OLD, O_RDONLY, 0, 0, read_uring, NULL},
	{{"seek", "SEEK_DATA and SEEK_HOLE in an old descriptor"}, OLD, O_RDONLY, 0, 0, NULL, look_seek},
	{{"shared_old", "a shared read-only mapping that was there and read before the write"}, OLD | MAPPED,
	 O_RDONLY, PROT_READ, MAP_SHARED, read_map, NULL},
	{{"shared_unread", "a shared read-only mapping that was there and not read before the write"},
	 OLD | UNTOUCHED | MAPPED, O_RDONLY, PROT_READ, MAP_SHARED, read_map, NULL},
	{{"shared_proc", "a shared read-only mapping of another process"}, OLD | MAPPED | OTHER_PROC, O_RDONLY,
	 PROT_READ, MAP_SHARED, read_map, NULL},
	{{"shared_new", "a shared read-only mapping made after the write"}, MAPPED, O_RDONLY, PROT_READ,
	 MAP_SHARED, read_map, NULL},
	{{"writable_old", "a shared writable mapping that was there and read before the write"}, OLD | MAPPED,
	 O_RDWR, ALL_PROT, MAP_SHARED, read_map, NULL},
	{{"writable_unread", "a shared writable mapping that was there and not read before the write"},
	 OLD | UNTOUCHED | MAPPED, O_RDWR, ALL_PROT, MAP_SHARED, read_map, NULL},
	{{"writable_new", "a shared writable mapping made after the write"}, MAPPED, O_RDWR, ALL_PROT,
	 MAP_SHARED, read_map, NULL},
	{{"private_new", "a private mapping made after the write"}, MAPPED, O_RDONLY, PROT_READ, MAP_PRIVATE,
	 read_map, NULL},
	{{"private_old", "a private mapping from before the write"}, OLD | MAPPED | UNSPECIFIED, O_RDONLY,
	 PROT_READ, MAP_PRIVATE, read_map, look_unspecified},
	{{"private_own", "a private mapping that was stored to before the write"},
	 OLD | MAPPED | STORES | UNSPECIFIED, O_RDONLY, ALL_PROT, MAP_PRIVATE, read_map, look_own},
};

const struct reader *reader_named(const char *name)
{
	for (size_t i = 0; i < READERS; i++)
		if (!strcmp(readers[i].row.name, name))
			return &readers[i];
	return NULL;
}
