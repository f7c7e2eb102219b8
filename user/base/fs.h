/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the rooms above do with files: whole reads and writes, resolution that cannot leave a
 * directory, atomic replacement, recursive removal. Everything is relative to a directory fd and
 * nothing here follows a symlink in the last component. Plain calls return -1 and errno like the
 * system calls they wrap; those which take an err fill it.
 */
#ifndef SHALE_BASE_FS_H
#define SHALE_BASE_FS_H

#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* openat2() below dirfd, through no symlink at all. O_CLOEXEC is added. */
int fs_open_beneath(int dirfd, const char *path, int flags, mode_t mode);
/* One entry of a directory; with O_PATH | O_NOFOLLOW a symlink itself. EXDEV: something is mounted on it. */
int fs_open_entry(int dirfd, const char *name, int flags);

/* Read or write exactly len bytes, over EINTR. A short file gives errno ENODATA. */
int fs_read_full(int fd, void *data, size_t len);
int fs_write_full(int fd, const void *data, size_t len);
int fs_write_at(int fd, const void *data, size_t len, off_t offset);

/* The whole of a regular file into buf (appended); more than max bytes is EFBIG. */
int fs_read_file(int dirfd, const char *path, size_t max, struct buf *buf, struct shale_err *err);

/*
 * Replace dirfd/path by the given bytes: after a crash at any moment the old or the new file is
 * there, whole. Writes a temporary name next to it, syncs, renames, syncs the directory.
 */
int fs_replace_file(int dirfd, const char *path, const void *data, size_t len,
		    struct shale_err *err);

/* A file of the given bytes, on the disk when this returns; its name may not be. */
int fs_write_synced(int dirfd, const char *path, const void *data, size_t len);

/*
 * Calls each() for every name in a directory that does not begin with a dot; less than 0 from it ends
 * that with -1. An absent directory has none.
 */
typedef int (*fs_name_fn)(void *arg, int dirfd, const char *name);
int fs_each_name(int dirfd, const char *path, fs_name_fn each, void *arg);

/* mkdir that is content with an existing directory. */
int fs_mkdir(int dirfd, const char *path, mode_t mode);
/* The same for the directory that a path leads through last; one without such has nothing to be made. */
int fs_mkdir_parent(int dirfd, const char *path, mode_t mode);

/* fsync of the directory itself: dirfd may be an O_PATH fd. */
int fs_sync_dir(int dirfd);

/*
 * Remove the file or the whole tree at a path relative to dirfd, without following links or crossing
 * mounts; absent is success.
 */
int fs_remove_tree(int dirfd, const char *path);

#endif
