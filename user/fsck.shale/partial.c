// SPDX-License-Identifier: GPL-2.0-only
/*
 * One entry of the layer's tree: if it has a map, is that one the module would take, is the sidecar there and
 * nobody else's, and, where lower layers were given, is the lower file what it was? Called by main.c
 * for each entry.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "fsck.shale/fsck.h"
#include "fsck.shale/private.h"

/* The most an xattr can have: one of a newer version may be longer than ours. */
#define VALUE_MAX 65536

struct partial {
	struct fsck *fsck;
	const char *path;
	int fd; /* a place only */
	struct stat st;
	struct map map;
};

static bool finding(const struct partial *partial, const char *what,
		    int (*repair)(void *arg, struct shale_err *err), void *arg)
{
	const struct finding found = { partial->path, what, repair, arg };

	return finding_report(partial->fsck, &found);
}

static void failure(const struct partial *partial, const char *what)
{
	struct shale_err err = { 0 };

	shale_err_errno(&err, "%s", what);
	partial->fsck->has_unread = true;
	failure_report(partial->fsck, partial->path, &err);
}

/* The new value takes the place of the old one in one commit of the filesystem's journal. */
static int map_rewrite(void *arg, struct shale_err *err)
{
	const struct partial *partial = arg;
	unsigned char value[SHALE_DISK_MAP_INLINE_MAX];
	size_t len = map_encode(&partial->map, value);
	char place[64];
	__cleanup_fd int fd = -1;

	if (!len)
		return shale_err_set(err, E2BIG, "the map is too long");
	snprintf(place, sizeof(place), "/proc/self/fd/%d", partial->fd);
	fd = open(place, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || private_set(partial->fd, partial->fsck->prefix, SHALE_XATTR_MAP, value, len) ||
	    fsync(fd))
		return shale_err_errno(err, "writing the map");
	return 0;
}

/* Without blocks below the limit there is nothing that a map could say. */
static int map_empty(void *arg, struct shale_err *err)
{
	struct partial *partial = arg;
	const uint64_t id = partial->map.id;

	partial->map.id = 0;
	if (map_rewrite(partial, err) == 0)
		return 0;
	partial->map.id = id;
	return -1;
}

static int map_remove(void *arg, struct shale_err *err)
{
	const struct partial *partial = arg;

	if (private_remove(partial->fd, partial->fsck->prefix, SHALE_XATTR_MAP) ||
	    syncfs(partial->fsck->root_fd))
		return shale_err_errno(err, "removing the map");
	return 0;
}

static void map_note(const struct partial *partial, uint64_t mapped)
{
	note_report(partial->fsck, partial->path,
		    "%" PRIu64 " of %" PRIu64 " blocks below %" PRIu64 " are mapped%s", mapped,
		    map_limit_blocks(partial->map.limit), partial->map.limit,
		    partial->map.id ? ", in a sidecar" : "");
}

/* True: nobody else said that it is his. */
static bool sidecar_claim(struct partial *partial)
{
	struct fsck *fsck = partial->fsck;
	__cleanup_buf struct buf what = BUF_INIT;
	const struct table_slot *old;
	int ret = table_add(&fsck->sidecars, partial->map.id, 0, partial->path, &old);

	if (ret < 0)
		failure(partial, "remembering its sidecar");
	if (ret)
		return ret > 0;
	if (buf_addf(&what, "its map's sidecar %016" PRIx64 " is also that of ", partial->map.id) ||
	    path_show(&what, old->text))
		failure(partial, "telling whose its sidecar is");
	else
		finding(partial, buf_str(&what), NULL, NULL);
	return false;
}

static void sidecar_report(struct partial *partial, struct sidecar *sidecar)
{
	if (sidecar->verdict == MAP_SOUND) {
		map_note(partial, sidecar->mapped);
		return;
	}
	if (sidecar->verdict == MAP_BROKEN && !partial->map.limit) {
		if (finding(partial, sidecar->what, map_empty, partial))
			table_drop(&partial->fsck->sidecars, sidecar->id, 0);
	} else if (sidecar->verdict == MAP_LOOSE) {
		finding(partial, sidecar->what, sidecar_rewrite, sidecar);
	} else {
		finding(partial, sidecar->what, NULL, NULL);
	}
}

static void sidecar_inspect(struct partial *partial)
{
	__attribute__((cleanup(sidecar_release))) struct sidecar sidecar = {
		.dirfd = partial->fsck->map_fd,
		.id = partial->map.id,
		.limit = partial->map.limit,
		.fd = -1,
	};
	struct shale_err err = { 0 };

	if (!sidecar_claim(partial))
		return;
	if (sidecar_check(&sidecar, &err)) {
		failure_report(partial->fsck, partial->path, &err);
		return;
	}
	sidecar_report(partial, &sidecar);
}

static uint64_t runs_count(const struct map *map)
{
	uint64_t count = 0;

	for (size_t i = 0; i < map->nr_runs; i++)
		count += map->runs[i].nr;
	return count;
}

static void map_inspect(struct partial *partial, enum map_fault fault)
{
	const enum map_verdict verdict = map_verdict(fault);
	char what[128];

	if (verdict == MAP_SOUND) {
		if (partial->map.id)
			sidecar_inspect(partial);
		else
			map_note(partial, runs_count(&partial->map));
		return;
	}
	if (verdict == MAP_NEWER)
		snprintf(what, sizeof(what), "its map is not for this version of fsck.shale: %s",
			 map_fault_text(fault));
	else
		snprintf(what, sizeof(what), "its map is damaged: %s", map_fault_text(fault));
	finding(partial, what, verdict == MAP_LOOSE ? map_rewrite : NULL, partial);
}

static void difference_add(struct buf *what, const char *name, bool is_same)
{
	if (!is_same)
		buf_addf(what, "%s%s", what->data[what->len - 1] == '(' ? "" : ", ", name);
}

static bool is_same_time(const struct timespec *now, int64_t sec, uint32_t nsec)
{
	return now->tv_sec == sec && now->tv_nsec == (long)nsec;
}

static void lower_compare(const struct partial *partial, const struct stat *st, const char *layer)
{
	const struct map_lower *was = &partial->map.lower;
	__cleanup_buf struct buf what = BUF_INIT;
	size_t start;

	if (buf_adds(&what, "its lower file in ") || path_show(&what, layer) ||
	    buf_adds(&what, " is not what it was (") || buf_reserve(&what, 64)) {
		failure(partial, "telling what is below it");
		return;
	}
	start = what.len;
	difference_add(&what, "size", (uint64_t)st->st_size == was->size);
	difference_add(&what, "mtime", is_same_time(&st->st_mtim, was->mtime, was->mtime_nsec));
	difference_add(&what, "ctime", is_same_time(&st->st_ctim, was->ctime, was->ctime_nsec));
	if (what.len == start)
		return;
	buf_addc(&what, ')');
	finding(partial, buf_str(&what), NULL, NULL);
}

static void lower_inspect(const struct partial *partial)
{
	struct fsck *fsck = partial->fsck;
	struct shale_err err = { 0 };
	const char *layer;
	struct stat st;

	if (!below_find(&fsck->below, fsck->root_fd, partial->fd, partial->path, &st, &layer,
			&err)) {
		if (layer)
			lower_compare(partial, &st, layer);
		else
			finding(partial, "its lower file is not there", NULL, NULL);
	} else if (err.code == EUCLEAN) {
		finding(partial, err.msg, NULL, NULL);
	} else {
		failure_report(fsck, partial->path, &err);
	}
}

/* A file of several names is judged once. */
static bool is_first_name(const struct partial *partial)
{
	int ret;

	if (partial->st.st_nlink < 2)
		return true;
	ret = table_add(&partial->fsck->seen, partial->st.st_ino, partial->st.st_dev, NULL, NULL);
	if (ret < 0)
		failure(partial, "remembering its inode");
	return ret > 0;
}

static void file_inspect(struct partial *partial, enum map_fault fault, bool is_indexed)
{
	struct fsck *fsck = partial->fsck;

	if (is_first_name(partial)) {
		fsck->partial++;
		map_inspect(partial, fault);
	}
	if (map_verdict(fault) > MAP_LOOSE)
		fsck->has_unread = true;
	else if (fsck->below.nr && !is_indexed)
		lower_inspect(partial);
}

static void other_inspect(struct partial *partial, enum map_fault fault)
{
	if (map_verdict(fault) == MAP_NEWER)
		map_inspect(partial, fault);
	else
		finding(partial, "it is no regular file and has a map", map_remove, partial);
}

void partial_check(struct fsck *fsck, int dirfd, const char *name, const char *path,
		   bool is_indexed)
{
	__cleanup_fd int fd = -1;
	struct partial partial = { .fsck = fsck, .path = path };
	unsigned char value[VALUE_MAX];
	enum map_fault fault;
	ssize_t len;

	if (private_get_at(dirfd, name, fsck->prefix, SHALE_XATTR_MAP, NULL, 0) < 0) {
		if (errno != ENODATA && errno != EOPNOTSUPP)
			failure(&partial, "looking for its map");
		return;
	}
	fd = fs_open_entry(dirfd, name, O_PATH | O_NOFOLLOW);
	len = fd < 0 ? -1 : private_get(fd, fsck->prefix, SHALE_XATTR_MAP, value, sizeof(value));
	if (len < 0 || fstat(fd, &partial.st)) {
		failure(&partial, "reading its map");
		return;
	}
	partial.fd = fd;
	fault = map_decode(value, (size_t)len, &partial.map);
	if (S_ISREG(partial.st.st_mode))
		file_inspect(&partial, fault, is_indexed);
	else
		other_inspect(&partial, fault);
}
