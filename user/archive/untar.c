// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads a tar with libarchive and gives each entry to tree.c; see untar.h. libarchive understands the
 * tar dialects, sparse maps and xattrs, and never touches the disk here.
 */
#include "archive/untar.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/libarchive.h"
#include "archive/name.h"
#include "archive/tree.h"
#include "base/cleanup.h"
#include "base/fs.h"

struct untar {
	const struct untar_opts *opts;
	struct archive *archive;
	struct tree tree;
	struct buf path;
	struct untar_stats stats;
	struct shale_err *err;
	/* Of the read callback, whose failure libarchive only passes on as a number. */
	struct shale_err read_err;
	bool has_read_err;
};

static la_ssize_t read_more(struct archive *archive, void *arg, const void **ret_data)
{
	struct untar *ut = arg;
	ssize_t got = ut->opts->read(ut->opts->arg, ret_data, &ut->read_err);

	if (got >= 0)
		return got;
	ut->has_read_err = true;
	libarchive.set_error(archive, EIO, "reading failed");
	return ARCHIVE_FATAL;
}

static int fail_reading(struct untar *ut)
{
	const char *why = libarchive.error_string(ut->archive);

	if (ut->has_read_err)
		return shale_err_set(ut->err, ut->read_err.code, "%s", ut->read_err.msg);
	return shale_err_set(ut->err, EINVAL, "bad tar: %s", why ? why : "unknown reason");
}

/*
 * Zeros of this length are left out, since the file is a hole to begin with: many writers of layers know no holes.
 * Shorter ones would make more extents than they save blocks.
 */
#define UNTAR_HOLE_MIN	 (64 << 10)
#define UNTAR_HOLE_BLOCK 4096

static bool is_zero(const char *data, size_t len)
{
	return !*data && !memcmp(data, data + 1, len - 1);
}

/* *end: what was written last ends there. */
static int write_sparse(int fd, const char *data, size_t len, off_t offset, int64_t *end)
{
	size_t start = 0, zeros = 0, piece;

	for (size_t done = 0; done < len; done += piece) {
		piece = UNTAR_HOLE_BLOCK - (offset + done) % UNTAR_HOLE_BLOCK;
		if (piece > len - done)
			piece = len - done;
		if (is_zero(data + done, piece)) {
			zeros += piece;
			continue;
		}
		if (zeros >= UNTAR_HOLE_MIN) {
			if (fs_write_at(fd, data + start, done - zeros - start, offset + start) < 0)
				return -1;
			start = done;
		}
		zeros = 0;
	}
	if (zeros < UNTAR_HOLE_MIN)
		zeros = 0;
	if (len - zeros > start)
		*end = offset + len - zeros;
	return fs_write_at(fd, data + start, len - zeros - start, offset + start);
}

/* Blocks come with offsets; what lies between them is a hole and stays one. */
static int write_data(struct untar *ut, int fd, int64_t size)
{
	const void *data;
	int64_t offset;
	int64_t end = 0;
	size_t len;
	int status;

	if (size < 0)
		return shale_err_set(ut->err, EINVAL, "its size is negative");
	for (;;) {
		status = libarchive.read_data_block(ut->archive, &data, &len, &offset);
		if (status == ARCHIVE_EOF)
			break;
		if (status != ARCHIVE_OK)
			return fail_reading(ut);
		if (offset < 0 || offset > size || len > (uint64_t)(size - offset))
			return shale_err_set(ut->err, EINVAL, "its data is longer than its size");
		if (write_sparse(fd, data, len, offset, &end) < 0)
			return shale_err_errno(ut->err, "writing");
	}
	/* A hole at its end; every other file is as long as what was written. */
	if (end < size && ftruncate(fd, size) < 0)
		return shale_err_errno(ut->err, "making it %lld bytes long", (long long)size);
	return 0;
}

static int add_file(struct untar *ut, struct archive_entry *entry, const struct attr *attr)
{
	__cleanup_fd int fd = -1;
	int64_t size = libarchive.entry_size(entry);

	if (tree_add_file(&ut->tree, buf_str(&ut->path), attr->mode, &fd, ut->err) < 0 ||
	    write_data(ut, fd, size) < 0)
		return -1;
	ut->stats.bytes += size;
	return attr_apply_fd(attr, fd, ut->opts->is_root, ut->err);
}

static int add_dir(struct untar *ut, struct archive_entry *entry, const struct attr *attr)
{
	(void)entry;
	/* It is somebody's, and was before. */
	if (ut->opts->is_plain && !ut->path.len)
		return 0;
	return tree_add_dir(&ut->tree, buf_str(&ut->path), attr, ut->err);
}

static int add_symlink(struct untar *ut, struct archive_entry *entry, const struct attr *attr)
{
	const char *target = libarchive.entry_symlink(entry);

	if (!target || !*target)
		return shale_err_set(ut->err, EINVAL, "a symlink to nothing");
	if (strlen(target) > NAME_MAX_PATH)
		return shale_err_set(ut->err, ENAMETOOLONG,
				     "a symlink to a name longer than %d bytes", NAME_MAX_PATH);
	return tree_add_symlink(&ut->tree, buf_str(&ut->path), target, attr, ut->err);
}

static int add_node(struct untar *ut, struct archive_entry *entry, const struct attr *attr)
{
	dev_t dev = S_ISFIFO(attr->mode) ? 0 : libarchive.entry_rdev(entry);

	return tree_add_node(&ut->tree, buf_str(&ut->path), dev, attr, ut->err);
}

static const struct {
	mode_t type;
	int (*add)(struct untar *ut, struct archive_entry *entry, const struct attr *attr);
} types[] = {
	{ S_IFREG, add_file }, { S_IFDIR, add_dir },  { S_IFLNK, add_symlink },
	{ S_IFCHR, add_node }, { S_IFBLK, add_node }, { S_IFIFO, add_node },
};

static int add_typed(struct untar *ut, struct archive_entry *entry)
{
	__cleanup_attr struct attr attr = { 0 };

	if (attr_from_entry(entry, &attr, ut->err) < 0)
		return -1;
	if (ut->opts->is_plain) {
		attr_drop_own(&attr);
		attr.mode &= ~(S_ISUID | S_ISGID);
	}
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if ((attr.mode & S_IFMT) == types[i].type)
			return types[i].add(ut, entry, &attr);
	return shale_err_set(ut->err, EINVAL, "a file of unknown type");
}

static int rename_path(struct untar *ut, struct buf *path)
{
	return ut->opts->rename ? ut->opts->rename(ut->opts->rename_arg, path, ut->err) : 0;
}

static int add_link(struct untar *ut, const char *target)
{
	__cleanup_buf struct buf path = BUF_INIT;

	if (name_clean(target, &path, ut->err) < 0 || rename_path(ut, &path) < 0)
		return shale_err_wrap(ut->err, "hard link to '%.200s'", target);
	return tree_add_link(&ut->tree, buf_str(&ut->path), buf_str(&path), ut->err);
}

static int add_entry(struct untar *ut, struct archive_entry *entry, const char *name)
{
	const char *target = libarchive.entry_hardlink(entry);
	enum name_kind kind;

	if (ut->opts->is_plain) {
		if (name_clean(name, &ut->path, ut->err) < 0 || rename_path(ut, &ut->path) < 0)
			return -1;
		return target ? add_link(ut, target) : add_typed(ut, entry);
	}
	if (name_parse(name, &ut->path, &kind, ut->err) < 0)
		return -1;
	switch (kind) {
	case NAME_IGNORED:
		return 0;
	case NAME_WHITEOUT:
		return tree_add_whiteout(&ut->tree, buf_str(&ut->path), ut->err);
	case NAME_OPAQUE:
		return tree_add_opaque(&ut->tree, buf_str(&ut->path), ut->err);
	case NAME_PLAIN:
		break;
	}
	return target ? add_link(ut, target) : add_typed(ut, entry);
}

static int add_entries(struct untar *ut)
{
	uint64_t max = ut->opts->max_entries ? ut->opts->max_entries : UNTAR_MAX_ENTRIES;
	struct archive_entry *entry;
	const char *name;
	int status;

	for (;;) {
		status = libarchive.read_next_header(ut->archive, &entry);
		if (status == ARCHIVE_EOF)
			return 0;
		/* A warning is about a name that is not UTF-8: names are bytes here. */
		if (status != ARCHIVE_OK && status != ARCHIVE_WARN)
			return fail_reading(ut);
		if (++ut->stats.entries > max)
			return shale_err_set(ut->err, E2BIG, "more than %llu entries",
					     (unsigned long long)max);
		name = libarchive.entry_pathname(entry);
		if (!name)
			return shale_err_set(ut->err, EINVAL, "an entry without a name");
		if (add_entry(ut, entry, name) < 0)
			return shale_err_wrap(ut->err, "'%.300s'", name);
	}
}

static int open_archive(struct untar *ut)
{
	ut->archive = libarchive_read_new(ut->err);
	if (!ut->archive)
		return -1;
	if (libarchive.read_support_format_tar(ut->archive) != ARCHIVE_OK ||
	    libarchive.read_support_format_empty(ut->archive) != ARCHIVE_OK ||
	    libarchive.read_open(ut->archive, ut, NULL, read_more, NULL) != ARCHIVE_OK)
		return fail_reading(ut);
	return 0;
}

static void untar_release(struct untar *ut)
{
	int saved = errno;

	libarchive_read_free(ut->archive);
	tree_release(&ut->tree);
	buf_release(&ut->path);
	errno = saved;
}

int untar(const struct untar_opts *opts, struct untar_stats *ret_stats, struct shale_err *err)
{
	__attribute__((cleanup(untar_release))) struct untar ut = { .opts = opts, .err = err };

	tree_init(&ut.tree, opts->root_fd, opts->xattr_prefix, opts->is_root);
	ut.tree.is_flat = ut.tree.is_kept = opts->is_plain;
	if (opts->max_pending)
		ut.tree.max_pending = opts->max_pending;
	if (open_archive(&ut) < 0 || add_entries(&ut) < 0)
		return -1;
	if (tree_finish(&ut.tree, opts->implied, opts->implied_arg, err) < 0)
		return -1;
	*ret_stats = ut.stats;
	return 0;
}
