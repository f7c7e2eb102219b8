// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tries what an upper and the store need of the filesystem they are on. Each row of the table is one
 * attempt: 0, or -1 with errno. Called by shale doctor.
 */
#include "kapi/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/shale.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#include "base/cleanup.h"
#include "base/fs.h"

/* Offset of the data in the sparse file that is tried: past any block size. */
#define HOLE_SIZE (4 << 20)

/* Below this much free space an import of any image fails. */
#define SPACE_MIN (256ULL << 20)

struct probe {
	const char *name;
	int (*attempt)(int dirfd);
	enum check_state without; /* what its absence means */
	const char *lost;	  /* and in words */
};

static int file_make(int dirfd, const char *name)
{
	return openat(dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

static int xattr_try(int dirfd, const char *key)
{
	__cleanup_fd int fd = file_make(dirfd, key);
	char value = 0;

	if (fd < 0 || fsetxattr(fd, key, "y", 1, 0))
		return -1;
	if (fgetxattr(fd, key, &value, 1) == 1 && value == 'y')
		return 0;
	errno = EIO;
	return -1;
}

static int try_trusted_xattr(int dirfd)
{
	return xattr_try(dirfd, "trusted.shale.probe");
}

static int try_user_xattr(int dirfd)
{
	return xattr_try(dirfd, "user.shale.probe");
}

static int try_tmpfile(int dirfd)
{
	__cleanup_fd int fd = openat(dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char magic[sizeof("/proc/self/fd/") + 3 * sizeof(int)];

	if (fd < 0)
		return -1;
	snprintf(magic, sizeof(magic), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, magic, dirfd, "tmpfile", AT_SYMLINK_FOLLOW);
}

static int rename_try(int dirfd, const char *from, const char *to, unsigned int flags)
{
	__cleanup_fd int a = file_make(dirfd, from);
	__cleanup_fd int b = flags & RENAME_EXCHANGE ? file_make(dirfd, to) : -1;

	if (a < 0 || (b < 0 && (flags & RENAME_EXCHANGE)))
		return -1;
	return renameat2(dirfd, from, dirfd, to, flags);
}

static int try_whiteout(int dirfd)
{
	struct stat st;

	if (rename_try(dirfd, "whiteout", "whiteout-moved", RENAME_WHITEOUT))
		return -1;
	if (!fstatat(dirfd, "whiteout", &st, AT_SYMLINK_NOFOLLOW) && S_ISCHR(st.st_mode) &&
	    st.st_rdev == makedev(0, 0))
		return 0;
	errno = EIO;
	return -1;
}

static int try_exchange(int dirfd)
{
	return rename_try(dirfd, "exchange-a", "exchange-b", RENAME_EXCHANGE);
}

static int try_noreplace(int dirfd)
{
	return rename_try(dirfd, "noreplace-a", "noreplace-b", RENAME_NOREPLACE);
}

static int try_device(int dirfd)
{
	return mknodat(dirfd, "device", S_IFCHR | 0600, makedev(0, 0));
}

static int try_reflink(int dirfd)
{
	static char block[65536];
	__cleanup_fd int from = file_make(dirfd, "reflink-a");
	__cleanup_fd int to = file_make(dirfd, "reflink-b");

	if (from < 0 || to < 0 || fs_write_full(from, block, sizeof(block)))
		return -1;
	return ioctl(to, FICLONE, from);
}

static int try_sparse(int dirfd)
{
	__cleanup_fd int fd = file_make(dirfd, "sparse");
	struct stat st;

	if (fd < 0 || pwrite(fd, "x", 1, HOLE_SIZE) != 1 || fsync(fd) || fstat(fd, &st))
		return -1;
	if (lseek(fd, 0, SEEK_DATA) > 0 && st.st_blocks * 512 < HOLE_SIZE)
		return 0;
	errno = EOPNOTSUPP;
	return -1;
}

static int try_dtype(int dirfd)
{
	__cleanup_fd int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	__cleanup(dir_closep) DIR *dir = NULL;
	__cleanup_fd int file = file_make(dirfd, "dtype");
	const struct dirent *entry;

	if (fd < 0 || file < 0)
		return -1;
	dir = fdopendir(fd);
	if (!dir)
		return -1;
	(void)steal_fd(&fd);
	while ((entry = readdir(dir)))
		if (!strcmp(entry->d_name, "dtype") && entry->d_type == DT_REG)
			return 0;
	errno = EOPNOTSUPP;
	return -1;
}

static int try_handle(int dirfd)
{
	union {
		struct file_handle handle;
		char space[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} h = { .handle.handle_bytes = MAX_HANDLE_SZ };
	__cleanup_fd int fd = -1;
	int mount_id;

	if (name_to_handle_at(dirfd, "", &h.handle, &mount_id, AT_EMPTY_PATH))
		return -1;
	fd = open_by_handle_at(dirfd, &h.handle, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -1 : 0;
}

static const struct probe probes[] = {
	{ "trusted xattr", try_trusted_xattr, CHECK_PROBLEM,
	  "it can hold layers written for userxattr mounts only" },
	{ "user xattr", try_user_xattr, CHECK_NOTE, "userxattr mounts cannot have their upper here" },
	{ "O_TMPFILE", try_tmpfile, CHECK_PROBLEM, "it cannot carry an upper" },
	{ "RENAME_WHITEOUT", try_whiteout, CHECK_PROBLEM, "it cannot carry an upper" },
	{ "RENAME_EXCHANGE", try_exchange, CHECK_PROBLEM, "it cannot carry an upper" },
	{ "RENAME_NOREPLACE", try_noreplace, CHECK_PROBLEM, "it cannot carry an upper" },
	{ "device nodes", try_device, CHECK_PROBLEM, "it cannot carry an upper or devices of images" },
	{ "d_type", try_dtype, CHECK_NOTE, "listing directories is slower" },
	{ "file handles", try_handle, CHECK_NOTE,
	  "hard links of lower files break at copy-up, and NFS cannot export mounts" },
	{ "holes", try_sparse, CHECK_NOTE, "sparse files take their full size" },
	{ "reflink", try_reflink, CHECK_NOTE, "copying a file copies its data" },
};

static void probe_run(int dirfd, const struct probe *probe, struct check_list *list)
{
	int code = probe->attempt(dirfd) ? errno : 0;
	struct check *check;

	if (!code) {
		check_add(list, probe->name, CHECK_OK, "yes");
		return;
	}
	check = check_add(list, probe->name, probe->without, "no (%s): %s", strerror(code),
			  probe->lost);
	if (code == EPERM && geteuid())
		check_advise(check, "run as root to be sure");
}

static const char *fs_name(const struct statfs *fs)
{
	static const struct {
		unsigned long magic;
		const char *name;
	} names[] = {
		{ EXT4_SUPER_MAGIC, "ext4" },	  { XFS_SUPER_MAGIC, "xfs" },
		{ BTRFS_SUPER_MAGIC, "btrfs" },	  { TMPFS_MAGIC, "tmpfs" },
		{ OVERLAYFS_SUPER_MAGIC, "overlay" }, { SHALE_SUPER_MAGIC, "shale" },
		{ F2FS_SUPER_MAGIC, "f2fs" },	  { MSDOS_SUPER_MAGIC, "vfat" },
		{ NFS_SUPER_MAGIC, "nfs" },	  { FUSE_SUPER_MAGIC, "fuse" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if ((unsigned long)fs->f_type == names[i].magic)
			return names[i].name;
	return NULL;
}

static void space_check(const struct statfs *fs, struct check_list *list)
{
	unsigned long long bytes = (unsigned long long)fs->f_bavail * (unsigned long long)fs->f_frsize;
	struct check *check = check_add(list, "space", bytes < SPACE_MIN ? CHECK_NOTE : CHECK_OK,
					"%llu MiB free", bytes >> 20);

	if (check->state == CHECK_NOTE)
		check_advise(check, "make room, or choose another place with --root");
	if (fs->f_files && !fs->f_ffree)
		check_add(list, "inodes", CHECK_PROBLEM, "none is free");
}

static int fs_check(int dirfd, struct check_list *list, struct shale_err *err)
{
	struct statfs fs;

	if (fstatfs(dirfd, &fs))
		return shale_err_errno(err, "cannot look at the filesystem");
	if (fs_name(&fs))
		check_add(list, "filesystem", CHECK_OK, "%s", fs_name(&fs));
	else
		check_add(list, "filesystem", CHECK_NOTE, "of type 0x%lx, not a tested one",
			  (unsigned long)fs.f_type);
	space_check(&fs, list);
	return 0;
}

static int probe_inside(int dirfd, const char *name, struct check_list *list,
			struct shale_err *err)
{
	__cleanup_fd int fd = -1;

	if (mkdirat(dirfd, name, 0700))
		return shale_err_errno(err, "cannot make a directory to try things in");
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	for (size_t i = 0; fd >= 0 && i < sizeof(probes) / sizeof(probes[0]); i++)
		probe_run(fd, &probes[i], list);
	if (fs_remove_tree(dirfd, name))
		return shale_err_errno(err, "cannot remove %s", name);
	return 0;
}

int probe_dir(int dirfd, struct check_list *list, struct shale_err *err)
{
	char name[sizeof(".shale-probe-") + 8];
	sigset_t all, old;
	uint32_t random;
	int ret;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return shale_err_errno(err, "cannot make up a name");
	snprintf(name, sizeof(name), ".shale-probe-%08x", random);
	if (fs_check(dirfd, list, err))
		return -1;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	ret = probe_inside(dirfd, name, list, err);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return ret;
}
