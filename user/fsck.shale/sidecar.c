// SPDX-License-Identifier: GPL-2.0-only
/*
 * One sidecar, a map too large for its xattr: is each sector that the module reads sound? What has no
 * meaning can be written anew: sectors past the limit, and the directory where all groups below the limit are
 * there, each with all its sectors. Where a group is not, nobody can tell whether it never was.
 * Called by partial.c and leftover.c.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "fsck.shale/fsck.h"

#define PAGE_SECTORS  SHALE_DISK_MAP_PAGE_SECTORS
#define GROUP_SECTORS (SHALE_DISK_MAP_GROUP_PAGES * PAGE_SECTORS)
#define SECTOR_BITS   SHALE_DISK_MAP_SECTOR_BITS
#define SECTOR_SIZE   SHALE_DISK_MAP_SECTOR_SIZE

struct group {
	uint64_t first; /* sector, as in the file */
	struct shale_disk_map_sector sectors[GROUP_SECTORS];
};

/* What is worst, where it was first, and how often. */
struct worst {
	enum map_verdict verdict;
	enum map_fault fault;
	uint64_t sector, count;
};

void sidecar_name(uint64_t id, char ret_name[SIDECAR_NAME])
{
	snprintf(ret_name, SIDECAR_NAME, "%016llx", (unsigned long long)id);
}

void sidecar_release(struct sidecar *sidecar)
{
	fd_closep(&sidecar->fd);
	sidecar->fd = -1;
}

/* What is not ours to judge weighs more than what is broken: nothing of it is touched. */
static unsigned int weight(enum map_verdict verdict)
{
	static const unsigned int weights[] = {
		[MAP_SOUND] = 0,
		[MAP_LOOSE] = 1,
		[MAP_BROKEN] = 2,
		[MAP_NEWER] = 3,
	};

	return weights[verdict];
}

static void worst_add(struct worst *worst, enum map_verdict verdict, enum map_fault fault,
		      uint64_t sector)
{
	if (verdict == worst->verdict)
		worst->count++;
	if (weight(verdict) > weight(worst->verdict))
		*worst = (struct worst){ verdict, fault, sector, 1 };
}

/* What is past the end of the file is zeros, as a hole is. */
static int sectors_read(const struct sidecar *sidecar, uint64_t first,
			struct shale_disk_map_sector *sectors, size_t nr)
{
	size_t done = 0, size = nr * SECTOR_SIZE;
	ssize_t got;

	memset(sectors, 0, size);
	while (done < size) {
		got = pread(sidecar->fd, (char *)sectors + done, size - done,
			    (off_t)(first * SECTOR_SIZE + done));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (!got)
			break;
		done += (size_t)got;
	}
	return 0;
}

static int group_read(const struct sidecar *sidecar, uint64_t number, struct group *ret_group)
{
	ret_group->first = (1 + number * SHALE_DISK_MAP_GROUP_PAGES) * PAGE_SECTORS;
	return sectors_read(sidecar, ret_group->first, ret_group->sectors, GROUP_SECTORS);
}

static bool dir_has(const struct sidecar *sidecar, uint64_t group)
{
	return map_sector_test(&sidecar->dir[group / SECTOR_BITS], group % SECTOR_BITS);
}

/* The first block of a sector behind the directory. */
static uint64_t sector_block(uint64_t sector)
{
	return (sector - PAGE_SECTORS) * SECTOR_BITS;
}

static uint64_t bits_count(const struct shale_disk_map_sector *sector, uint64_t first, uint64_t end)
{
	uint64_t count = 0;

	if (first + SECTOR_BITS > end) {
		for (unsigned int i = 0; first + i < end; i++)
			count += map_sector_test(sector, i);
		return count;
	}
	for (unsigned int i = 0; i < SHALE_DISK_MAP_SECTOR_WORDS; i++)
		count += (uint64_t)__builtin_popcountll(sector->bits[i]);
	return count;
}

/* Sectors up to LAST are those that the module reads. */
static void group_check(struct sidecar *sidecar, const struct group *group, uint64_t last,
			struct worst *worst)
{
	const uint64_t limit = map_limit_blocks(sidecar->limit);
	enum map_verdict verdict;
	enum map_fault fault;

	for (uint64_t i = 0; i < GROUP_SECTORS && group->first + i <= last; i++) {
		const uint64_t number = group->first + i, block = sector_block(number);

		fault = map_sector_check(&group->sectors[i], sidecar->id, number);
		verdict = map_verdict(fault);
		if (verdict == MAP_SOUND)
			sidecar->mapped += bits_count(&group->sectors[i], block, limit);
		else if (verdict == MAP_BROKEN && block >= limit)
			verdict = MAP_LOOSE;
		worst_add(worst, verdict, fault, number);
	}
}

/* Ends where it is clear that the file cannot be read: what is a hole costs those who made it nothing. */
static int groups_check(struct sidecar *sidecar, struct worst *worst)
{
	const uint64_t nr = map_limit_groups(sidecar->limit);
	const uint64_t last = (map_limit_pages(sidecar->limit) + 1) * PAGE_SECTORS - 1;
	struct group group;

	for (uint64_t i = 0; i < nr && weight(worst->verdict) < weight(MAP_BROKEN); i++) {
		if (!dir_has(sidecar, i))
			continue;
		if (group_read(sidecar, i, &group))
			return -1;
		group_check(sidecar, &group, last, worst);
	}
	return 0;
}

static bool group_is_whole(const struct sidecar *sidecar, const struct group *group)
{
	for (uint64_t i = 0; i < GROUP_SECTORS; i++)
		if (map_sector_check(&group->sectors[i], sidecar->id, group->first + i))
			return false;
	return true;
}

/* A whole group may also be one that a crash kept from being added. Its data was stable even then. */
static int dir_rebuild(struct sidecar *sidecar, unsigned int index, bool *ret_done)
{
	const uint64_t nr = map_limit_groups(sidecar->limit);
	struct shale_disk_map_sector sector;
	struct group group;

	*ret_done = false;
	map_sector_init(&sector, sidecar->id, index);
	for (unsigned int i = 0; i < SECTOR_BITS && index * SECTOR_BITS + i < nr; i++) {
		if (group_read(sidecar, index * SECTOR_BITS + i, &group))
			return -1;
		if (!group_is_whole(sidecar, &group))
			return 0;
		map_sector_set(&sector, i);
	}
	map_sector_seal(&sector);
	sidecar->dir[index] = sector;
	*ret_done = true;
	return 0;
}

static int dir_check(struct sidecar *sidecar, struct worst *worst)
{
	enum map_fault fault;
	bool is_done;

	if (sectors_read(sidecar, 0, sidecar->dir, PAGE_SECTORS))
		return -1;
	for (unsigned int i = 0; i < PAGE_SECTORS; i++) {
		fault = map_sector_check(&sidecar->dir[i], sidecar->id, i);
		if (map_verdict(fault) == MAP_BROKEN) {
			if (dir_rebuild(sidecar, i, &is_done))
				return -1;
			worst_add(worst, is_done ? MAP_LOOSE : MAP_BROKEN, fault, i);
		} else if (fault) {
			worst_add(worst, map_verdict(fault), fault, i);
		}
	}
	return 0;
}

static void worst_tell(struct sidecar *sidecar, const struct worst *worst)
{
	char place[96];

	sidecar->verdict = worst->verdict;
	if (worst->verdict == MAP_SOUND)
		return;
	if (worst->sector < PAGE_SECTORS)
		snprintf(place, sizeof(place), "of the directory");
	else
		snprintf(place, sizeof(place), "of blocks from %llu on%s",
			 (unsigned long long)sector_block(worst->sector),
			 worst->verdict == MAP_LOOSE ? ", all past the limit" : "");
	snprintf(sidecar->what, sizeof(sidecar->what),
		 "its map's sidecar %016llx is damaged in sector %llu, %s (%s)%s",
		 (unsigned long long)sidecar->id, (unsigned long long)worst->sector, place,
		 map_fault_text(worst->fault),
		 worst->count > 1 ? ", which is not the only one" : "");
	if (worst->verdict == MAP_NEWER)
		snprintf(sidecar->what, sizeof(sidecar->what),
			 "its map's sidecar %016llx is not for this version of fsck.shale: %s",
			 (unsigned long long)sidecar->id, map_fault_text(worst->fault));
}

static int broken_tell(struct sidecar *sidecar, const char *why)
{
	sidecar->verdict = MAP_BROKEN;
	snprintf(sidecar->what, sizeof(sidecar->what), "its map's sidecar %016llx %s",
		 (unsigned long long)sidecar->id, why);
	return 0;
}

/* 1: open; 0: there is no such file, which is told; -1. */
static int sidecar_open(struct sidecar *sidecar, struct shale_err *err)
{
	char name[SIDECAR_NAME];
	struct stat st;

	sidecar_name(sidecar->id, name);
	if (sidecar->dirfd < 0 || fstatat(sidecar->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (sidecar->dirfd < 0 || errno == ENOENT)
			return broken_tell(sidecar, "is missing");
		return shale_err_errno(err, "looking for the sidecar %s", name);
	}
	if (!S_ISREG(st.st_mode))
		return broken_tell(sidecar, "is not a file");
	sidecar->fd = fs_open_entry(sidecar->dirfd, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
	if (sidecar->fd < 0)
		return shale_err_errno(err, "opening the sidecar %s", name);
	return 1;
}

int sidecar_check(struct sidecar *sidecar, struct shale_err *err)
{
	struct worst worst = { .verdict = MAP_SOUND };
	int ret = sidecar_open(sidecar, err);

	if (ret <= 0)
		return ret;
	if (dir_check(sidecar, &worst) || groups_check(sidecar, &worst))
		return shale_err_errno(err, "reading the sidecar %016llx",
				       (unsigned long long)sidecar->id);
	worst_tell(sidecar, &worst);
	return 0;
}

static int sectors_write(int fd, uint64_t first, const struct shale_disk_map_sector *sectors,
			 size_t nr)
{
	if (lseek(fd, (off_t)(first * SECTOR_SIZE), SEEK_SET) < 0)
		return -1;
	return fs_write_full(fd, sectors, nr * SECTOR_SIZE);
}

/* Groups past the limit are left out: there is nothing in them. */
static int dir_write(const struct sidecar *sidecar, int fd)
{
	struct shale_disk_map_sector dir[PAGE_SECTORS];

	for (unsigned int i = 0; i < PAGE_SECTORS; i++)
		map_sector_init(&dir[i], sidecar->id, i);
	for (uint64_t i = 0; i < map_limit_groups(sidecar->limit); i++)
		if (dir_has(sidecar, i))
			map_sector_set(&dir[i / SECTOR_BITS], i % SECTOR_BITS);
	for (unsigned int i = 0; i < PAGE_SECTORS; i++)
		map_sector_seal(&dir[i]);
	return sectors_write(fd, 0, dir, PAGE_SECTORS);
}

/* That what is broken has no meaning was found out before. */
static int group_write(const struct sidecar *sidecar, int fd, struct group *group)
{
	enum map_fault fault;

	for (uint64_t i = 0; i < GROUP_SECTORS; i++) {
		fault = map_sector_check(&group->sectors[i], sidecar->id, group->first + i);
		if (map_verdict(fault) == MAP_BROKEN)
			map_sector_init(&group->sectors[i], sidecar->id, group->first + i);
	}
	return sectors_write(fd, group->first, group->sectors, GROUP_SECTORS);
}

static int copy_fill(const struct sidecar *sidecar, int fd)
{
	struct group group;
	struct stat st;

	if (fstat(sidecar->fd, &st) || fchown(fd, st.st_uid, st.st_gid) ||
	    fchmod(fd, st.st_mode & 07777) || dir_write(sidecar, fd))
		return -1;
	for (uint64_t i = 0; i < map_limit_groups(sidecar->limit); i++)
		if (dir_has(sidecar, i) &&
		    (group_read(sidecar, i, &group) || group_write(sidecar, fd, &group)))
			return -1;
	return fsync(fd);
}

int sidecar_rewrite(void *arg, struct shale_err *err)
{
	const struct sidecar *sidecar = arg;
	char name[SIDECAR_NAME], temp[SIDECAR_NAME + sizeof(SIDECAR_TEMP)];
	__cleanup_fd int fd = -1;

	sidecar_name(sidecar->id, name);
	snprintf(temp, sizeof(temp), "%s" SIDECAR_TEMP, name);
	if (unlinkat(sidecar->dirfd, temp, 0) < 0 && errno != ENOENT)
		return shale_err_errno(err, "removing %s", temp);
	fd = openat(sidecar->dirfd, temp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return shale_err_errno(err, "making %s", temp);
	if (copy_fill(sidecar, fd) || renameat(sidecar->dirfd, temp, sidecar->dirfd, name) ||
	    fs_sync_dir(sidecar->dirfd)) {
		shale_err_errno(err, "writing %s", temp);
		unlinkat(sidecar->dirfd, temp, 0);
		return -1;
	}
	return 0;
}
