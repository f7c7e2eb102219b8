/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libarchive, loaded when the first tar is read and not with the program: it brings a parser of XML, ICU and C++ along, which
 * are 2 MiB and a third of the time a program needs to start, and most of what shale does has no use for them. Whoever reads a
 * tar gets its reader from libarchive_read_new(), and calls libarchive.NAME() for archive_NAME(). Called by untar, unpack, attr
 * and acl, and by the engine's spool and peek.
 */
#ifndef SHALE_ARCHIVE_LIBARCHIVE_H
#define SHALE_ARCHIVE_LIBARCHIVE_H

#include <archive.h>
#include <archive_entry.h>

#include "base/err.h"

#define LIBARCHIVE_FUNCTIONS(X)                                                                      \
	X(entry_acl_next)                                                                            \
	X(entry_acl_reset)                                                                           \
	X(entry_atime)                                                                               \
	X(entry_atime_is_set)                                                                        \
	X(entry_atime_nsec)                                                                          \
	X(entry_filetype)                                                                            \
	X(entry_gid)                                                                                 \
	X(entry_hardlink)                                                                            \
	X(entry_mode)                                                                                \
	X(entry_mtime)                                                                               \
	X(entry_mtime_nsec)                                                                          \
	X(entry_pathname)                                                                            \
	X(entry_rdev)                                                                                \
	X(entry_size)                                                                                \
	X(entry_symlink)                                                                             \
	X(entry_uid)                                                                                 \
	X(entry_xattr_next)                                                                          \
	X(entry_xattr_reset)                                                                         \
	X(error_string)                                                                              \
	X(read_data_block)                                                                           \
	X(read_free)                                                                                 \
	X(read_new)                                                                                  \
	X(read_next_header)                                                                          \
	X(read_open)                                                                                 \
	X(read_support_filter_bzip2)                                                                 \
	X(read_support_filter_gzip)                                                                  \
	X(read_support_filter_xz)                                                                    \
	X(read_support_filter_zstd)                                                                  \
	X(read_support_format_empty)                                                                 \
	X(read_support_format_tar)                                                                   \
	X(set_error)                                                                                 \
	X(write_close)                                                                               \
	X(write_data_block)                                                                          \
	X(write_disk_new)                                                                            \
	X(write_disk_set_options)                                                                    \
	X(write_finish_entry)                                                                        \
	X(write_free)                                                                                \
	X(write_header)

#define LIBARCHIVE_FIELD(name) typeof(archive_##name) *name;
struct libarchive {
	LIBARCHIVE_FUNCTIONS(LIBARCHIVE_FIELD)
};
#undef LIBARCHIVE_FIELD

/* Filled by the first libarchive_read_new(), and never changed after that. */
extern struct libarchive libarchive;

/* NULL with @err: ENOSYS if libarchive is not there. */
struct archive *libarchive_read_new(struct shale_err *err);
void libarchive_read_free(struct archive *archive);

#endif
