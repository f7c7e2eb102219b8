/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * union.h - what stands around every test of the filesystem: an empty directory on the backing
 * filesystem as working directory, in it the layers l0 (the topmost lower), l1 ..., the upper u, the work
 * directory w and the mount point m; and the check, once the test's process has ended, that the mount
 * is not busy and goes away.
 *
 * From the environment (selftests/lib/guest sets it): SHALE_TEST_DIR, a directory on the backing
 * filesystem; SHALE_TEST_FS, that filesystem's name; SHALE_TEST_FSTYPE, what to mount:
 *
 *	shale	 the module under test
 *	overlay	 the kernel's own overlayfs with everything switched on: proves the tests themselves
 *	bare	 nothing: the layers are merged by copying, and m is a plain directory of the backing
 *		 filesystem. A test that fails runs once like this, to tell whose fault it is.
 *
 * SHALE_TEST_COW is what shale is told with cow= where a test does not say it.
 * SHALE_TEST_STRICT makes overlayfs fail, rather than skip, what it is known to lack.
 */
#ifndef SELFTESTS_FS_UNION_H
#define SELFTESTS_FS_UNION_H

#include "ktap.h"
#include "tree.h"

#include <fcntl.h>
#include <sys/stat.h>

#define LAYERS_MAX 4096

struct union_opts {
	const char *options; /* more mount options, or NULL */
	bool readonly;	     /* no upper */
	bool mount_ro;	     /* MS_RDONLY though there is an upper */
	const char *cow;     /* what shale is told with cow=; NULL: SHALE_TEST_COW, or nothing */
};

/* Whatever the size of a file, nothing of it is copied when it is promoted. */
extern const struct union_opts union_by_blocks;

const char *union_fstype(void);
const char *union_backing(void);
bool is_shale(void);
bool is_overlay(void);
bool is_bare(void);

/* Ends the test as skipped where there is no union (need_union) or it is not shale (need_shale). */
void need_union(void);
void need_shale(const char *why_not_elsewhere);
/* Ends the test as skipped on overlayfs, which is known not to do this. */
void overlay_lacks(const char *what);

/* Builds one lower layer (0 = topmost) or the upper; see tree.h. */
void lower(int number, const char *spec);
void upper(const char *spec);

/* Mounts l0:l1:... u w on m and ends the test when that fails; the plain one has an upper. */
void union_mount(void);
void union_mount_with(const struct union_opts *opts);
/* mount(2) alone: 0, or -1 with errno. OPTIONS is the whole string. */
int union_try(const char *target, unsigned long flags, const char *options);
void union_umount(void);
/* Unmounts and mounts again as before, so that nothing is cached. */
void union_remount(void);
/* The upper becomes the topmost lower layer, below an empty one. */
void union_seal(void);
void drop_caches(void);

/* Mounts a tmpfs (or another type) on a new directory NAME beside the layers. */
void side_mount(const char *type, const char *name, const char *options);

/* Zeros that the processes which a test forks from here on share with it. */
void *shared_memory(size_t size);

/* The rest of the test runs as this user and group, without capabilities. */
void become(uid_t uid);
#define AS_UID(UID)  \
	IN_CHILD     \
	if (become(UID), 1)

ino_t ino_of(const char *path);
struct stat stat_of(const char *path);
bool exists(const char *path);

/* Checks that nothing half-made is left in the work directory. */
void expect_work_clean(void);

#endif /* SELFTESTS_FS_UNION_H */
