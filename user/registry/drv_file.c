// SPDX-License-Identifier: GPL-2.0-only
/*
 * The storage driver "filesystem": an object is a file below rootdirectory, at its path, as Docker's
 * distribution has them, so that either can serve what the other has written. What is only ours lies in
 * .shale/ at the root: temporary files and the lock that keeps a second server out.
 *
 * Durable means: the file's bytes are synced, then it gets its name, then the directory is synced, and
 * so is each directory above it that had to be made. Directories come and go with their files, so a
 * directory can vanish between being made and being used: such steps are tried again.
 * Called through the vtable of driver.h only.
 */
#include "registry/driver.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "registry/entries.h"

#define DEFAULT_ROOT "/var/lib/registry"
#define PRIVATE_DIR  ".shale"
#define TEMP_DIR     PRIVATE_DIR "/tmp"
#define LOCK_FILE    PRIVATE_DIR "/lock"
/* A directory that is made vanishes again at most when its last object is removed at that moment. */
#define MAX_TRIES    100
/* Changes of one path wait for each other; paths that share a lock do so needlessly. */
#define SWAP_LOCKS   64

struct file_bucket {
	struct bucket base;
	int root;
	int lock_fd;
	atomic_ullong temp_number;
	pthread_mutex_t swap_locks[SWAP_LOCKS];
};

struct file_reader {
	struct bucket_reader base;
	off_t offset;
};

struct file_writer {
	struct bucket_writer base;
	char *path;
	int fd;
};

static struct file_bucket *to_file(struct bucket *bucket)
{
	return (struct file_bucket *)bucket;
}

/* The errno of a file as driver.h's codes. */
static int fail(const char *path, struct shale_err *err)
{
	static const struct {
		int from;
		int to;
	} codes[] = {
		{ ENOENT, ENOENT },   { ENOTDIR, ENOENT }, { EISDIR, ENOENT },  { ENOSPC, ENOSPC },
		{ EDQUOT, EDQUOT },   { EFBIG, ENOSPC },   { EACCES, EACCES },  { EPERM, EACCES },
		{ EROFS, EACCES },    { EMFILE, EAGAIN },  { ENFILE, EAGAIN },  { ENOMEM, EAGAIN },
		{ EINVAL, EINVAL },
	};
	int code = EIO;

	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
		if (codes[i].from == errno)
			code = codes[i].to;
	shale_err_errno(err, "%s", path);
	if (err)
		err->code = code;
	return -1;
}

/* The directory a path's last component is in, and that component. */
static int open_parent(struct file_bucket *file, const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	char parent[BUCKET_MAX_PATH + 1] = ".";

	*ret_name = slash ? slash + 1 : path;
	if (slash)
		snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
	return fs_open_beneath(file->root, parent, O_RDONLY | O_DIRECTORY, 0);
}

/* Makes the directories above a path, each durable in the one above it. */
static int make_parents(struct file_bucket *file, const char *path)
{
	char parent[BUCKET_MAX_PATH + 1];
	const char *name;
	char *slash;
	int made;

	snprintf(parent, sizeof(parent), "%s", path);
	slash = strrchr(parent, '/');
	if (!slash)
		return 0;
	*slash = '\0';
	for (int tries = 0; tries < MAX_TRIES; tries++) {
		__cleanup_fd int fd = open_parent(file, parent, &name);

		if (fd < 0 && errno != ENOENT)
			return -1;
		if (fd < 0) {
			if (make_parents(file, parent) < 0)
				return -1;
			continue;
		}
		made = mkdirat(fd, name, 0755);
		if (made == 0)
			return fsync(fd);
		if (errno == EEXIST)
			return 0;
		if (errno != ENOENT)
			return -1;
	}
	return -1;
}

/* As open_parent, but makes it. */
static int open_made_parent(struct file_bucket *file, const char *path, const char **ret_name)
{
	int fd;

	for (int tries = 0; tries < MAX_TRIES; tries++) {
		fd = open_parent(file, path, ret_name);
		if (fd >= 0 || errno != ENOENT)
			return fd;
		if (make_parents(file, path) < 0)
			return -1;
	}
	return -1;
}

/* Removes directories above a path as long as they are empty. */
static void drop_parents(struct file_bucket *file, const char *path)
{
	char parent[BUCKET_MAX_PATH + 1];
	char *slash;

	snprintf(parent, sizeof(parent), "%s", path);
	while ((slash = strrchr(parent, '/'))) {
		const char *name;
		__cleanup_fd int fd = -1;

		*slash = '\0';
		fd = open_parent(file, parent, &name);
		if (fd < 0 || unlinkat(fd, name, AT_REMOVEDIR) < 0)
			return;
	}
}

/* For reading with O_NONBLOCK: a fifo put in the place of a file must not stop us. */
static int open_object(struct file_bucket *file, const char *path, int flags, struct stat *ret_st)
{
	__cleanup_fd int fd = fs_open_beneath(file->root, path, flags, 0);

	if (fd < 0 || fstat(fd, ret_st) < 0)
		return -1;
	if (!S_ISREG(ret_st->st_mode)) {
		errno = ENOENT;
		return -1;
	}
	return steal_fd(&fd);
}

static int file_stat(struct bucket *bucket, const char *path, struct bucket_stat *ret_stat,
		     struct shale_err *err)
{
	struct stat st;
	__cleanup_fd int fd = open_object(to_file(bucket), path, O_PATH, &st);

	if (fd < 0)
		return fail(path, err);
	*ret_stat = (struct bucket_stat){ st.st_size, st.st_mtime };
	return 0;
}

static int file_get(struct bucket *bucket, const char *path, size_t max, struct buf *buf,
		    struct shale_err *err)
{
	struct stat st;
	__cleanup_fd int fd = open_object(to_file(bucket), path, O_RDONLY | O_NONBLOCK, &st);

	if (fd < 0)
		return fail(path, err);
	if ((uint64_t)st.st_size > max)
		return shale_err_set(err, EFBIG, "%s: larger than %zu bytes", path, max);
	if (buf_reserve(buf, st.st_size) < 0)
		return shale_err_set(err, EAGAIN, "%s: no memory to read it", path);
	if (fs_read_full(fd, buf->data + buf->len, st.st_size) < 0)
		return fail(path, err);
	buf->len += st.st_size;
	buf->data[buf->len] = '\0';
	return 0;
}

static void temp_path(struct file_bucket *file, char *path, size_t size)
{
	snprintf(path, size, TEMP_DIR "/%d.%llu", getpid(),
		 atomic_fetch_add(&file->temp_number, 1));
}

static int write_temp(struct file_bucket *file, const char *temp, const void *data, size_t len,
		      unsigned int flags)
{
	__cleanup_fd int fd = fs_open_beneath(file->root, temp, O_WRONLY | O_CREAT | O_EXCL, 0644);

	if (fd < 0 || fs_write_full(fd, data, len) < 0)
		return -1;
	return flags & BUCKET_SOON ? 0 : fsync(fd);
}

/* Gives a file below the root, whose bytes are durable, its name. */
static int place(struct file_bucket *file, const char *from, const char *to, unsigned int flags)
{
	const char *name;

	for (int tries = 0; tries < MAX_TRIES; tries++) {
		__cleanup_fd int fd = open_made_parent(file, to, &name);

		if (fd < 0)
			return -1;
		if (renameat(file->root, from, fd, name) == 0)
			return flags & BUCKET_SOON ? 0 : fsync(fd);
		/* Of the two it is the new parent that can have gone; a source that is gone stays so. */
		if (errno != ENOENT || faccessat(file->root, from, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
			return -1;
	}
	return -1;
}

static int file_put(struct bucket *bucket, const char *path, const void *data, size_t len,
		    unsigned int flags, struct shale_err *err)
{
	struct file_bucket *file = to_file(bucket);
	char temp[64];

	temp_path(file, temp, sizeof(temp));
	if (write_temp(file, temp, data, len, flags) == 0 && place(file, temp, path, flags) == 0)
		return 0;
	fail(path, err);
	unlinkat(file->root, temp, 0);
	return -1;
}

static int file_remove(struct bucket *bucket, const char *path, struct shale_err *err)
{
	struct file_bucket *file = to_file(bucket);
	const char *name;
	__cleanup_fd int fd = open_parent(file, path, &name);

	if (fd < 0 || unlinkat(fd, name, 0) < 0)
		return fail(path, err);
	fsync(fd);
	drop_parents(file, path);
	return 0;
}

static int swap_locked(struct bucket *bucket, const char *path, const char *old, const char *new,
		       struct shale_err *err)
{
	__cleanup_buf struct buf now = BUF_INIT;
	bool is_there = file_get(bucket, path, BUCKET_MAX_SMALL, &now, err) == 0;

	if (!is_there && err->code != ENOENT)
		return -1;
	if (is_there != (old != NULL) ||
	    (old && (now.len != strlen(old) || memcmp(buf_str(&now), old, now.len))))
		return shale_err_set(err, ESTALE, "%s has changed", path);
	if (new)
		return file_put(bucket, path, new, strlen(new), 0, err);
	return old ? file_remove(bucket, path, err) : 0;
}

static pthread_mutex_t *swap_lock(struct file_bucket *file, const char *path)
{
	size_t hash = 5381;

	while (*path)
		hash = hash * 33 + (unsigned char)*path++;
	return &file->swap_locks[hash % SWAP_LOCKS];
}

static int file_swap(struct bucket *bucket, const char *path, const char *old, const char *new,
		     struct shale_err *err)
{
	pthread_mutex_t *lock = swap_lock(to_file(bucket), path);
	struct shale_err own = { 0 };
	int ret;

	pthread_mutex_lock(lock);
	ret = swap_locked(bucket, path, old, new, err ? err : &own);
	pthread_mutex_unlock(lock);
	return ret;
}

static int file_open(struct bucket *bucket, const char *path, uint64_t offset,
		     struct bucket_reader **ret_reader, struct shale_err *err)
{
	struct stat st;
	__cleanup_fd int fd = open_object(to_file(bucket), path, O_RDONLY | O_NONBLOCK, &st);
	struct file_reader *reader;

	if (fd < 0)
		return fail(path, err);
	if (offset > (uint64_t)st.st_size)
		return shale_err_set(err, EINVAL, "%s: has no byte %llu", path,
				     (unsigned long long)offset);
	reader = calloc(1, sizeof(*reader));
	if (!reader)
		return shale_err_set(err, EAGAIN, "%s: no memory to read it", path);
	reader->offset = offset;
	reader->base = (struct bucket_reader){ bucket, steal_fd(&fd), st.st_size, st.st_mtime };
	*ret_reader = &reader->base;
	return 0;
}

static ssize_t file_read(struct bucket_reader *base, void *data, size_t len, struct shale_err *err)
{
	struct file_reader *reader = (struct file_reader *)base;
	ssize_t got;

	do
		got = pread(base->fd, data, len, reader->offset);
	while (got < 0 && errno == EINTR);
	if (got < 0 || (!got && len && (uint64_t)reader->offset < base->size))
		return shale_err_set(err, EIO, "an object cannot be read: %s",
				     got ? strerror(errno) : "it has become shorter");
	reader->offset += got;
	return got;
}

static void file_close(struct bucket_reader *base)
{
	close(base->fd);
	free(base);
}

static int writer_open(struct file_bucket *file, const char *path, uint64_t at)
{
	const int flags = O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	const char *name;

	if (at != BUCKET_FRESH)
		return fs_open_beneath(file->root, path, flags, 0);
	for (int tries = 0; tries < MAX_TRIES; tries++) {
		__cleanup_fd int fd = open_made_parent(file, path, &name);
		int made;

		if (fd < 0)
			return -1;
		made = openat(fd, name, flags | O_CREAT | O_TRUNC, 0644);
		if (made >= 0 || errno != ENOENT)
			return made;
	}
	return -1;
}

static int writer_begin(struct file_writer *writer, uint64_t at, struct shale_err *err)
{
	struct stat st;

	writer->fd = writer_open(to_file(writer->base.bucket), writer->path, at);
	if (writer->fd < 0 || fstat(writer->fd, &st) < 0)
		return fail(writer->path, err);
	if (at != BUCKET_ALL && at > (uint64_t)st.st_size)
		return shale_err_set(err, EINVAL, "%s: only %lld bytes are there", writer->path,
				     (long long)st.st_size);
	if (at != BUCKET_ALL && ftruncate(writer->fd, at) < 0)
		return fail(writer->path, err);
	writer->base.size = at == BUCKET_ALL ? (uint64_t)st.st_size : at;
	if (lseek(writer->fd, writer->base.size, SEEK_SET) < 0)
		return fail(writer->path, err);
	return 0;
}

static void writer_free(struct file_writer *writer)
{
	if (writer->fd >= 0)
		close(writer->fd);
	free(writer->path);
	free(writer);
}

static int file_append(struct bucket *bucket, const char *path, uint64_t at,
		       struct bucket_writer **ret_writer, struct shale_err *err)
{
	struct file_writer *writer = calloc(1, sizeof(*writer));

	if (!writer)
		return shale_err_set(err, EAGAIN, "%s: no memory to write it", path);
	writer->fd = -1;
	writer->base.bucket = bucket;
	writer->path = strdup(path);
	if (!writer->path || writer_begin(writer, at, err) < 0) {
		writer_free(writer);
		return -1;
	}
	*ret_writer = &writer->base;
	return 0;
}

/* What a failed write has left behind the size is cut off, so that the size is always the truth. */
static int file_write(struct bucket_writer *base, const void *data, size_t len,
		      struct shale_err *err)
{
	struct file_writer *writer = (struct file_writer *)base;

	if (fs_write_full(writer->fd, data, len) < 0) {
		fail(writer->path, err);
		if (ftruncate(writer->fd, base->size) == 0)
			lseek(writer->fd, base->size, SEEK_SET);
		return -1;
	}
	base->size += len;
	return 0;
}

static int file_keep(struct bucket_writer *base, struct shale_err *err)
{
	struct file_writer *writer = (struct file_writer *)base;
	int ret = fsync(writer->fd);

	if (ret < 0)
		fail(writer->path, err);
	writer_free(writer);
	return ret;
}

static int file_commit(struct bucket_writer *base, const char *to, struct shale_err *err)
{
	struct file_writer *writer = (struct file_writer *)base;
	struct file_bucket *file = to_file(base->bucket);
	int ret = fsync(writer->fd) < 0 ? -1 : place(file, writer->path, to, 0);

	if (ret < 0) {
		fail(to, err);
		unlinkat(file->root, writer->path, 0);
	}
	drop_parents(file, writer->path);
	writer_free(writer);
	return ret;
}

static void file_cancel(struct bucket_writer *base)
{
	struct file_writer *writer = (struct file_writer *)base;
	struct file_bucket *file = to_file(base->bucket);

	unlinkat(file->root, writer->path, 0);
	drop_parents(file, writer->path);
	writer_free(writer);
}

static bool is_hidden(const char *prefix, const char *name)
{
	return name[0] == '.' && (!name[1] || !strcmp(name, "..") ||
				  (!*prefix && !strcmp(name, PRIVATE_DIR)));
}

/* Only regular files and directories are anything to us. */
static int collect_one(int dirfd, const struct dirent *dirent, struct entries *entries,
		       struct shale_err *err)
{
	struct bucket_entry entry = { .name = dirent->d_name };
	struct stat st;

	if (dirent->d_type == DT_DIR) {
		entry.is_prefix = true;
		return entries_add(entries, &entry, strlen(entry.name), err);
	}
	if (fstatat(dirfd, entry.name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : fail(entry.name, err);
	entry.is_prefix = S_ISDIR(st.st_mode);
	if (!entry.is_prefix && !S_ISREG(st.st_mode))
		return 0;
	if (!entry.is_prefix) {
		entry.size = st.st_size;
		entry.mtime = st.st_mtime;
	}
	return entries_add(entries, &entry, strlen(entry.name), err);
}

static int collect(struct file_bucket *file, const char *prefix, struct entries *entries,
		   struct shale_err *err)
{
	__cleanup(dir_closep) DIR *dir = NULL;
	__cleanup_fd int fd = -1;
	struct dirent *dirent;

	fd = fs_open_beneath(file->root, *prefix ? prefix : ".", O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : fail(prefix, err);
	dir = fdopendir(fd);
	if (!dir)
		return fail(prefix, err);
	steal_fd(&fd);
	while (errno = 0, (dirent = readdir(dir)))
		if (!is_hidden(prefix, dirent->d_name) &&
		    collect_one(dirfd(dir), dirent, entries, err) < 0)
			return -1;
	return errno ? fail(prefix, err) : 0;
}

static int file_list(struct bucket *bucket, const char *prefix, const char *after,
		     bucket_entry_fn each, void *ctx, struct shale_err *err)
{
	__cleanup_entries struct entries entries = { 0 };

	if (collect(to_file(bucket), prefix, &entries, err) < 0)
		return -1;
	entries_sort(&entries);
	return entries_report(&entries, after, each, ctx, err);
}

/* 1 when the callback has ended it. */
static int walk_below(struct bucket *bucket, const char *prefix, bucket_entry_fn each, void *ctx,
		      struct shale_err *err)
{
	__cleanup_entries struct entries entries = { 0 };
	int ret = 0;

	if (collect(to_file(bucket), prefix, &entries, err) < 0)
		return -1;
	for (size_t i = 0; i < entries.count && !ret; i++) {
		struct bucket_entry entry = entries.list[i];
		char path[BUCKET_MAX_PATH + 1];

		if ((size_t)snprintf(path, sizeof(path), "%s%s%s", prefix, *prefix ? "/" : "",
				     entry.name) >= sizeof(path))
			continue;
		entry.name = path;
		ret = entry.is_prefix ? walk_below(bucket, path, each, ctx, err) :
					each(ctx, &entry, err);
	}
	return ret;
}

static int file_walk(struct bucket *bucket, const char *prefix, bucket_entry_fn each, void *ctx,
		     struct shale_err *err)
{
	return walk_below(bucket, prefix, each, ctx, err) < 0 ? -1 : 0;
}

/* It loses its name first, and with that is nobody's any more; a crash leaves the rest to the next start. */
static int remove_named(struct file_bucket *file, const char *prefix)
{
	char temp[64];
	const char *name;
	__cleanup_fd int fd = open_parent(file, prefix, &name);

	temp_path(file, temp, sizeof(temp));
	if (fd < 0 || renameat(fd, name, file->root, temp) < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
	/* Who had opened a directory of it before may still put something there. */
	for (int tries = 0; tries < MAX_TRIES; tries++)
		if (fs_remove_tree(file->root, temp) == 0)
			return 0;
		else if (errno != ENOTEMPTY)
			break;
	return -1;
}

static int file_remove_tree(struct bucket *bucket, const char *prefix, struct shale_err *err)
{
	struct file_bucket *file = to_file(bucket);

	if (remove_named(file, prefix) < 0)
		return fail(prefix, err);
	drop_parents(file, prefix);
	return 0;
}

static int file_move(struct bucket *bucket, const char *from, const char *to,
		     struct shale_err *err)
{
	struct file_bucket *file = to_file(bucket);
	struct bucket_stat st;

	if (file_stat(bucket, from, &st, err) < 0)
		return -1;
	if (place(file, from, to, 0) < 0)
		return fail(from, err);
	drop_parents(file, from);
	return 0;
}

static int file_redirect(struct bucket *bucket, const char *path, const char *method,
			 unsigned int seconds, struct buf *url, struct shale_err *err)
{
	(void)bucket, (void)path, (void)method, (void)seconds, (void)url, (void)err;
	return 0;
}

static int file_health(struct bucket *bucket, struct shale_err *err)
{
	struct file_bucket *file = to_file(bucket);
	__cleanup_fd int fd = -1;
	char temp[64];

	temp_path(file, temp, sizeof(temp));
	fd = fs_open_beneath(file->root, temp, O_WRONLY | O_CREAT | O_EXCL, 0644);
	if (fd < 0)
		return fail("rootdirectory", err);
	unlinkat(file->root, temp, 0);
	return fs_write_full(fd, "x", 1) < 0 ? fail("rootdirectory", err) : 0;
}

static void file_release(struct bucket *bucket)
{
	struct file_bucket *file = to_file(bucket);

	for (size_t i = 0; i < SWAP_LOCKS; i++)
		pthread_mutex_destroy(&file->swap_locks[i]);
	if (file->lock_fd >= 0)
		close(file->lock_fd);
	if (file->root >= 0)
		close(file->root);
	free(file);
}

static const struct bucket_ops file_ops = {
	.name = "filesystem",
	.is_local = true,
	.has_swap = true,
	.is_readable_unfinished = true,
	.removes_at_once = true,
	.stat = file_stat,
	.get = file_get,
	.put = file_put,
	.swap = file_swap,
	.open = file_open,
	.read = file_read,
	.close = file_close,
	.append = file_append,
	.write = file_write,
	.keep = file_keep,
	.commit = file_commit,
	.cancel = file_cancel,
	.list = file_list,
	.walk = file_walk,
	.remove = file_remove,
	.remove_tree = file_remove_tree,
	.move = file_move,
	.redirect = file_redirect,
	.health = file_health,
	.release = file_release,
};

/* The lock is the first thing: what is in tmp belongs to somebody who is gone only if we have it. */
static int take_over(struct file_bucket *file, const char *root, struct shale_err *err)
{
	if (fs_mkdir(file->root, PRIVATE_DIR, 0700) < 0)
		return fail(root, err);
	file->lock_fd = fs_open_beneath(file->root, LOCK_FILE, O_RDWR | O_CREAT, 0600);
	if (file->lock_fd < 0)
		return fail(root, err);
	if (flock(file->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return shale_err_set(err, EBUSY, "%s: another server uses it", root);
	if (fs_remove_tree(file->root, TEMP_DIR) < 0 || fs_mkdir(file->root, TEMP_DIR, 0700) < 0)
		return fail(root, err);
	return 0;
}

/* mkdir -p */
static int make_root(const char *root)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s", root);
	for (char *slash = path; (slash = strchr(slash + 1, '/')); *slash = '/') {
		*slash = '\0';
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return -1;
	}
	return mkdir(path, 0755) < 0 && errno != EEXIST ? -1 : 0;
}

static int file_init(struct file_bucket *file, const char *root, bool is_readonly,
		     struct shale_err *err)
{
	file->root = file->lock_fd = -1;
	file->base.ops = &file_ops;
	for (size_t i = 0; i < SWAP_LOCKS; i++)
		pthread_mutex_init(&file->swap_locks[i], NULL);
	if (!is_readonly && make_root(root) < 0)
		return fail(root, err);
	file->root = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (file->root < 0)
		return fail(root, err);
	return is_readonly ? 0 : take_over(file, root, err);
}

/* maxthreads is taken and means nothing here: the number of workers bounds what runs at once. */
int drv_file_open(const struct bucket_params *params, struct bucket **ret_bucket,
		  struct shale_err *err)
{
	static const char *const known[] = { "rootdirectory", "maxthreads", BUCKET_PARAM_READONLY,
					     NULL };
	const char *root = bucket_param_text(params, "rootdirectory", DEFAULT_ROOT);
	struct file_bucket *file;
	bool is_readonly;

	if (bucket_params_check(params, "filesystem", known, err) < 0 ||
	    bucket_param_bool(params, BUCKET_PARAM_READONLY, false, &is_readonly, err) < 0)
		return -1;
	file = calloc(1, sizeof(*file));
	if (!file)
		return shale_err_set(err, ENOMEM, "no memory for a bucket");
	if (file_init(file, root, is_readonly, err) < 0) {
		file_release(&file->base);
		return shale_err_wrap(err, "storage filesystem");
	}
	*ret_bucket = &file->base;
	return 0;
}
