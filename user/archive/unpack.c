// SPDX-License-Identifier: GPL-2.0-only
/*
 * Archives unpacked into a tree that is not ours; see unpack.h. It is done by a thread whose root
 * directory is the tree's, so that nothing which others do there meanwhile leads it out. Called by
 * the engine's container_archive.
 */
#include "archive/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/libarchive.h"
#include "base/cleanup.h"
#include "base/thread.h"

#define READ_CHUNK (64u << 10)

struct unpacking {
	const struct unpack_opts *opts;
	int outside; /* the machine's root */
	int place;   /* the directory that is unpacked into, once the thread is there; -1 */
	char chunk[READ_CHUNK];
	struct shale_err err;
	int ret;
};

static la_ssize_t read_input(struct archive *archive, void *arg, const void **ret_data)
{
	struct unpacking *unpacking = arg;
	ssize_t got;

	do {
		got = read(unpacking->opts->fd, unpacking->chunk, sizeof(unpacking->chunk));
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		libarchive.set_error(archive, errno, "reading failed");
	*ret_data = unpacking->chunk;
	return got;
}

static int fail(struct unpacking *unpacking, struct archive *archive, const char *name)
{
	const char *text = libarchive.error_string(archive);

	return shale_err_set(&unpacking->err, EINVAL, "%.300s: %.300s", name,
			     text ? text : "it cannot be unpacked");
}

static int check_kind(struct unpacking *unpacking, struct archive_entry *entry)
{
	const char *name = libarchive.entry_pathname(entry);
	const bool is_dir = libarchive.entry_filetype(entry) == AE_IFDIR;
	__cleanup_free char *plain = strdup(name);
	struct stat st;

	if (!plain)
		return shale_err_set(&unpacking->err, ENOMEM, "out of memory");
	/* With a slash behind it a file is not seen. */
	for (size_t len = strlen(plain); len > 1 && plain[len - 1] == '/'; len--)
		plain[len - 1] = '\0';
	if (!unpacking->opts->keeps_kinds || lstat(plain, &st) < 0 || S_ISDIR(st.st_mode) == is_dir)
		return 0;
	return shale_err_set(&unpacking->err, EINVAL, "cannot overwrite %s \"%.300s\" with %s",
			     is_dir ? "non-directory" : "directory", name,
			     is_dir ? "a directory" : "a non-directory");
}

static int unpack_entry(struct unpacking *unpacking, struct archive *from, struct archive *to,
			struct archive_entry *entry)
{
	const char *name = libarchive.entry_pathname(entry);
	const void *data;
	la_int64_t offset;
	size_t len;
	int status;

	if (!name || check_kind(unpacking, entry) < 0)
		return name ? -1
			    : shale_err_set(&unpacking->err, EINVAL, "an entry without a name");
	if (libarchive.write_header(to, entry) < ARCHIVE_WARN)
		return fail(unpacking, to, name);
	while ((status = libarchive.read_data_block(from, &data, &len, &offset)) == ARCHIVE_OK)
		if (libarchive.write_data_block(to, data, len, offset) < ARCHIVE_WARN)
			return fail(unpacking, to, name);
	if (status != ARCHIVE_EOF)
		return fail(unpacking, from, name);
	return libarchive.write_finish_entry(to) < ARCHIVE_WARN ? fail(unpacking, to, name) : 0;
}

/* Not all: libarchive reads some with other programs, which somebody could have put where they are
 * looked for. */
static void take_formats(struct archive *from)
{
	libarchive.read_support_format_tar(from);
	libarchive.read_support_format_empty(from);
	libarchive.read_support_filter_gzip(from);
	libarchive.read_support_filter_bzip2(from);
	libarchive.read_support_filter_xz(from);
	libarchive.read_support_filter_zstd(from);
}

static int stand_in(int root, int place)
{
	return fchdir(root) < 0 || chroot(".") < 0 || (place >= 0 && fchdir(place) < 0) ? -1 : 0;
}

/* From here on every path is looked up as in the tree. */
static int go_inside(struct unpacking *unpacking)
{
	struct shale_err *err = &unpacking->err;

	if (stand_in(unpacking->opts->root, -1) < 0)
		return shale_err_errno(err, "going into the root directory");
	unpacking->place = open(unpacking->opts->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (unpacking->place >= 0 && fchdir(unpacking->place) == 0)
		return 0;
	if (errno == ENOTDIR)
		return shale_err_set(err, EINVAL, "extraction point is not a directory");
	return shale_err_set(err, ENOENT, "Could not find the file %.300s in %s",
			     unpacking->opts->path, unpacking->opts->where);
}

/*
 * A name may be in another encoding, and what converts it is loaded when it is needed, from the
 * root directory there is: in the tree that would be code of others in our process. So names are
 * read outside.
 */
static int next_header(struct unpacking *unpacking, struct archive *from,
		       struct archive_entry **ret_entry)
{
	int status;

	if (stand_in(unpacking->outside, -1) < 0)
		return ARCHIVE_FATAL;
	status = libarchive.read_next_header(from, ret_entry);
	return stand_in(unpacking->opts->root, unpacking->place) < 0 ? ARCHIVE_FATAL : status;
}

static int unpack_all(struct unpacking *unpacking, struct archive *from, struct archive *to)
{
	struct archive_entry *entry;
	int status;

	take_formats(from);
	libarchive.write_disk_set_options(to, ARCHIVE_EXTRACT_OWNER | ARCHIVE_EXTRACT_PERM |
						      ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_XATTR |
						      ARCHIVE_EXTRACT_ACL |
						      ARCHIVE_EXTRACT_SECURE_NODOTDOT |
						      ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS);
	if (libarchive.read_open(from, unpacking, NULL, read_input, NULL) != ARCHIVE_OK)
		return fail(unpacking, from, "the archive");
	if (go_inside(unpacking) < 0)
		return -1;
	while ((status = next_header(unpacking, from, &entry)) == ARCHIVE_OK ||
	       status == ARCHIVE_WARN)
		if (unpack_entry(unpacking, from, to, entry) < 0)
			return -1;
	if (status != ARCHIVE_EOF)
		return fail(unpacking, from, "the archive");
	return libarchive.write_close(to) < ARCHIVE_WARN ? fail(unpacking, to, "the archive") : 0;
}

static int unpack_thread(struct unpacking *unpacking)
{
	struct shale_err *err = &unpacking->err;
	struct archive *from = libarchive_read_new(err), *to;
	int ret = -1;

	if (!from)
		return -1;
	to = libarchive.write_disk_new();
	if (!to)
		shale_err_set(err, ENOMEM, "out of memory");
	else if (unshare(CLONE_FS) < 0)
		shale_err_errno(err, "taking a root directory of one's own");
	else
		ret = unpack_all(unpacking, from, to);
	libarchive.read_free(from);
	libarchive.write_free(to);
	return ret;
}

static void *unpack_run(void *arg)
{
	struct unpacking *unpacking = arg;

	unpacking->ret = unpack_thread(unpacking);
	return NULL;
}

int unpack_inside(const struct unpack_opts *opts, struct shale_err *err)
{
	__cleanup_free struct unpacking *unpacking = calloc(1, sizeof(*unpacking));
	__cleanup_fd int outside = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	pthread_t thread;
	int code;

	if (!unpacking)
		return shale_err_set(err, ENOMEM, "out of memory");
	if (outside < 0)
		return shale_err_errno(err, "/");
	*unpacking = (struct unpacking){.opts = opts, .outside = outside, .place = -1};
	code = thread_start(&thread, 0, unpack_run, unpacking);
	if (code)
		return shale_err_set(err, code, "cannot start a thread");
	pthread_join(thread, NULL);
	fd_closep(&unpacking->place);
	return unpacking->ret < 0
		       ? shale_err_set(err, unpacking->err.code, "%s", unpacking->err.msg)
		       : 0;
}
