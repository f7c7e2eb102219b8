// SPDX-License-Identifier: GPL-2.0-only
/*
 * Layer tars; see difftar.h. Called by the engine's commit, and by who exports a layer.
 */
#include "archive/difftar.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/shale_disk.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive/attr.h"
#include "archive/name.h"
#include "base/cleanup.h"
#include "base/fs.h"

#define DIFFTAR_CHUNK (256 << 10)

/* A whiteout is nobody's file, so it has nobody's attributes. */
static const struct attr marker_attr = { .mode = S_IFREG | 0644 };

int difftar_init(struct difftar *difftar, tarout_write_fn write, void *arg, struct shale_err *err)
{
	*difftar = (struct difftar){ .chunk = malloc(DIFFTAR_CHUNK) };
	if (!difftar->chunk)
		return shale_err_errno(err, "writing a layer");
	tarout_init(&difftar->tarout, write, arg);
	return 0;
}

void difftar_release(struct difftar *difftar)
{
	tarout_release(&difftar->tarout);
	free(difftar->chunk);
	difftar->chunk = NULL;
}

static int add_whiteout(struct difftar *difftar, const char *path, struct shale_err *err)
{
	__cleanup_buf struct buf name = BUF_INIT;
	struct tarout_entry entry = { .attr = &marker_attr };
	const char *base = name_base(path);

	if (buf_add(&name, path, base - path) < 0 || buf_adds(&name, AUFS_WHITEOUT_PREFIX) < 0 ||
	    buf_adds(&name, base) < 0)
		return shale_err_errno(err, "writing a layer");
	entry.path = buf_str(&name);
	return tarout_add(&difftar->tarout, &entry, err);
}

static int add_opaque(struct difftar *difftar, const char *path, struct shale_err *err)
{
	__cleanup_buf struct buf name = BUF_INIT;
	struct tarout_entry entry = { .attr = &marker_attr };

	if (buf_addf(&name, "%s%s" AUFS_WHITEOUT_OPAQUE, path, *path ? "/" : "") < 0)
		return shale_err_errno(err, "writing a layer");
	entry.path = buf_str(&name);
	return tarout_add(&difftar->tarout, &entry, err);
}

/* A file's data as runs, found by content: two filesystems have holes in different places. */
struct scan {
	int fd;
	uint64_t size;
	char *chunk;
	uint64_t data_start;
	uint64_t zeros_start;
	struct tarout_run *runs;
	size_t count;
	size_t cap;
	bool has_hole;
};

static int add_run(struct scan *scan, uint64_t start, uint64_t end)
{
	struct tarout_run *runs;

	if (scan->count == scan->cap) {
		runs = reallocarray(scan->runs, scan->cap * 2 + 16, sizeof(*runs));
		if (!runs)
			return -1;
		scan->runs = runs;
		scan->cap = scan->cap * 2 + 16;
	}
	scan->runs[scan->count++] = (struct tarout_run){ start, end - start };
	return 0;
}

/* Zeros have ended here, at data or at the end of the file. */
static int end_zeros(struct scan *scan, uint64_t end)
{
	if (end - scan->zeros_start >= DIFFTAR_HOLE_MIN && scan->count < DIFFTAR_MAX_RUNS) {
		scan->has_hole = true;
		if (scan->zeros_start > scan->data_start &&
		    add_run(scan, scan->data_start, scan->zeros_start) < 0)
			return -1;
		scan->data_start = end;
	}
	return 0;
}

static bool is_zero(const char *data, size_t len)
{
	return !*data && !memcmp(data, data + 1, len - 1);
}

static int scan_chunk(struct scan *scan, uint64_t at, size_t len)
{
	size_t block;

	for (size_t done = 0; done < len; done += block) {
		block = len - done < DIFFTAR_HOLE_BLOCK ? len - done : DIFFTAR_HOLE_BLOCK;
		if (is_zero(scan->chunk + done, block))
			continue;
		if (end_zeros(scan, at + done) < 0)
			return -1;
		scan->zeros_start = at + done + block;
	}
	return 0;
}

static int read_at(int fd, char *data, size_t len, uint64_t at)
{
	ssize_t got;

	for (size_t done = 0; done < len; done += got) {
		got = pread(fd, data + done, len - done, at + done);
		if (got < 0 && errno == EINTR)
			got = 0;
		else if (got < 0)
			return -1;
		else if (!got) {
			errno = EBUSY;
			return -1;
		}
	}
	return 0;
}

/* Where there is no data there are zeros, which need no reading. */
static int64_t skip_hole(const struct scan *scan, uint64_t at)
{
	off_t data = lseek(scan->fd, at, SEEK_DATA);

	if (data < 0)
		return errno == ENXIO ? (int64_t)scan->size : (int64_t)at;
	data -= data % DIFFTAR_HOLE_BLOCK;
	return data > (int64_t)at ? data : (int64_t)at;
}

static int scan_file(struct scan *scan)
{
	uint64_t at = 0;
	size_t len;

	while (at < scan->size) {
		at = skip_hole(scan, at);
		if (at >= scan->size)
			break;
		len = scan->size - at < DIFFTAR_CHUNK ? scan->size - at : DIFFTAR_CHUNK;
		if (read_at(scan->fd, scan->chunk, len, at) < 0 || scan_chunk(scan, at, len) < 0)
			return -1;
		at += len;
	}
	if (end_zeros(scan, scan->size) < 0)
		return -1;
	if (!scan->has_hole)
		return 0;
	/* The end of the file is told by an empty run, as GNU tar does it. */
	return add_run(scan, scan->data_start, scan->size);
}

static int copy_run(struct difftar *difftar, int fd, const struct tarout_run *run,
		    struct shale_err *err)
{
	uint64_t left = run->length;
	size_t len;

	for (uint64_t at = run->offset; left; at += len, left -= len) {
		len = left < DIFFTAR_CHUNK ? left : DIFFTAR_CHUNK;
		if (read_at(fd, difftar->chunk, len, at) < 0) {
			if (errno == EBUSY)
				return shale_err_set(err, EBUSY,
						     "it became shorter while it was read");
			return shale_err_errno(err, "reading");
		}
		if (tarout_data(&difftar->tarout, difftar->chunk, len, err) < 0)
			return -1;
	}
	return 0;
}

static int add_data(struct difftar *difftar, int fd, struct tarout_entry *entry,
		    struct shale_err *err)
{
	const struct tarout_run whole = { 0, entry->size };
	const struct tarout_run *runs = entry->runs ? entry->runs : &whole;
	size_t count = entry->runs ? entry->run_count : 1;

	if (tarout_add(&difftar->tarout, entry, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (copy_run(difftar, fd, &runs[i], err) < 0)
			return -1;
	difftar->bytes += entry->size;
	return 0;
}

static int add_file(struct difftar *difftar, const struct change *change,
		    struct tarout_entry *entry, struct shale_err *err)
{
	__cleanup_fd int fd = fs_open_beneath(change->data_root, change->path, O_RDONLY, 0);
	struct scan scan = { .fd = fd, .chunk = difftar->chunk };
	struct stat st;
	int ret;

	if (fd < 0 || fstat(fd, &st) < 0)
		return shale_err_errno(err, "opening");
	if (!S_ISREG(st.st_mode))
		return shale_err_set(err, EBUSY, "it was replaced while it was read");
	entry->size = scan.size = st.st_size;
	if (scan.size >= DIFFTAR_HOLE_MIN && scan_file(&scan) < 0) {
		shale_err_errno(err, "reading");
		free(scan.runs);
		return -1;
	}
	if (scan.has_hole) {
		entry->runs = scan.runs;
		entry->run_count = scan.count;
	}
	ret = add_data(difftar, fd, entry, err);
	free(scan.runs);
	return ret;
}

static int add_symlink(struct difftar *difftar, const struct change *change,
		       struct tarout_entry *entry, struct shale_err *err)
{
	char target[NAME_MAX_PATH + 2];
	ssize_t len = readlinkat(change->fd, "", target, sizeof(target));

	if (len < 0)
		return shale_err_errno(err, "reading");
	if (len > NAME_MAX_PATH)
		return shale_err_set(err, ENAMETOOLONG, "a symlink to a name longer than %d bytes",
				     NAME_MAX_PATH);
	target[len] = '\0';
	entry->target = target;
	return tarout_add(&difftar->tarout, entry, err);
}

/* Where something is in the tar; NULL when out of memory. */
static const char *placed(const struct difftar *difftar, const char *path, struct buf *buf)
{
	if (!difftar->prefix)
		return *path ? path : ".";
	return buf_addf(buf, "%s%s%s", difftar->prefix, *path ? "/" : "", path) < 0 ? NULL : buf_str(buf);
}

static int add_entry(struct difftar *difftar, const struct change *change, struct shale_err *err)
{
	__cleanup_buf struct buf path = BUF_INIT;
	__cleanup_buf struct buf link = BUF_INIT;
	__cleanup_attr struct attr attr = { 0 };
	struct tarout_entry entry = {
		.path = placed(difftar, change->path, &path),
		.target = change->link ? placed(difftar, change->link, &link) : NULL,
		.is_hardlink = change->link,
		.attr = &attr,
		.device = change->st.st_rdev,
	};

	if (!entry.path || (change->link && !entry.target))
		return shale_err_set(err, ENOMEM, "writing a tar");
	if (!difftar->has_any_name &&
	    !strncmp(name_base(change->path), AUFS_WHITEOUT_PREFIX, strlen(AUFS_WHITEOUT_PREFIX)))
		return shale_err_set(err, EINVAL, "in a layer the name would be a whiteout");
	if (attr_from_fd(change->fd, &change->st, &attr, err) < 0)
		return -1;
	difftar->entries++;
	if (!change->link && S_ISREG(change->st.st_mode))
		return add_file(difftar, change, &entry, err);
	if (!change->link && S_ISLNK(change->st.st_mode))
		return add_symlink(difftar, change, &entry, err);
	return tarout_add(&difftar->tarout, &entry, err);
}

int difftar_add(void *arg, const struct change *change, struct shale_err *err)
{
	int ret;

	switch (change->kind) {
	case CHANGE_WHITEOUT:
		ret = add_whiteout(arg, change->path, err);
		break;
	case CHANGE_OPAQUE:
		ret = add_opaque(arg, change->path, err);
		break;
	default:
		ret = add_entry(arg, change, err);
	}
	return ret < 0 ? shale_err_wrap(err, "'%.300s'", change->path) : 0;
}

int difftar_finish(struct difftar *difftar, struct shale_err *err)
{
	return tarout_finish(&difftar->tarout, err);
}
