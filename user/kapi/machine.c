// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads the facts about this machine. What they mean is in judge.c. A file that cannot be read is a
 * fact that is not so; only the kernel's release must be there. Called by shale doctor and by
 * module.c.
 */
#include "kapi/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/buf.h"
#include "base/cleanup.h"

/* Longest file that is read whole: modules.dep of a kernel with every driver has 700 KiB. */
#define FILE_MAX (16 << 20)

#define EFI_GLOBAL "8be4df61-93ca-11d2-aa0d-00e098032b8c"
#define EFI_SHIM   "605dab50-e046-4300-abb6-3dd810dd8b23"

/* efivarfs puts four bytes of attributes before a variable's value. */
#define EFI_ATTRIBUTES 4

/* What scripts/sign-file of the kernel appends last. */
#define SIGNATURE_MARK "~Module signature appended~\n"

static int root_open(int rootfd, const char *path, int flags)
{
	struct open_how how = { .flags = (unsigned int)(flags | O_CLOEXEC),
				.resolve = RESOLVE_IN_ROOT };

	return (int)syscall(SYS_openat2, rootfd, path, &how, sizeof(how));
}

static bool root_has(int rootfd, const char *path)
{
	__cleanup_fd int fd = root_open(rootfd, path, O_PATH);

	return fd >= 0;
}

/* Files of /proc and /sys have no size, so reading ends where the data does. */
static bool root_read(int rootfd, const char *path, struct buf *buf)
{
	__cleanup_fd int fd = root_open(rootfd, path, O_RDONLY | O_NONBLOCK);
	char chunk[16384];
	ssize_t len;

	buf_clear(buf);
	if (fd < 0)
		return false;
	while ((len = read(fd, chunk, sizeof(chunk))) > 0)
		if (buf->len + (size_t)len > FILE_MAX || buf_add(buf, chunk, (size_t)len))
			return false;
	return len == 0;
}

static bool root_has_text(int rootfd, const char *path, const char *text)
{
	__cleanup_buf struct buf buf = BUF_INIT;

	return root_read(rootfd, path, &buf) && strstr(buf_str(&buf), text);
}

static int release_read(int rootfd, struct machine *machine, struct shale_err *err)
{
	__cleanup_buf struct buf buf = BUF_INIT;
	size_t len;

	if (!root_read(rootfd, "proc/sys/kernel/osrelease", &buf))
		return shale_err_errno(err, "cannot read /proc/sys/kernel/osrelease");
	len = strcspn(buf_str(&buf), "\n");
	if (!len || len >= sizeof(machine->release) || memchr(buf_str(&buf), '/', len))
		return shale_err_set(err, EINVAL, "/proc/sys/kernel/osrelease is not a release");
	memcpy(machine->release, buf_str(&buf), len);
	machine->release[len] = '\0';
	return 0;
}

static void lockdown_read(int rootfd, struct machine *machine)
{
	static const char path[] = "sys/kernel/security/lockdown";

	if (root_has_text(rootfd, path, "[integrity]"))
		machine->lockdown = LOCKDOWN_INTEGRITY;
	else if (root_has_text(rootfd, path, "[confidentiality]"))
		machine->lockdown = LOCKDOWN_CONFIDENTIALITY;
}

static bool has_secure_boot(int rootfd)
{
	__cleanup_buf struct buf var = BUF_INIT;

	return root_read(rootfd, "sys/firmware/efi/efivars/SecureBoot-" EFI_GLOBAL, &var) &&
	       var.len == EFI_ATTRIBUTES + 1 && var.data[EFI_ATTRIBUTES] == 1;
}

/* shim shows the keys a user has enrolled as a variable, each certificate in it byte for byte. */
static void key_read(int rootfd, struct machine *machine)
{
	__cleanup_buf struct buf key = BUF_INIT;
	__cleanup_buf struct buf list = BUF_INIT;

	machine->has_key = root_read(rootfd, "var/lib/dkms/mok.pub", &key) && key.len;
	if (machine->has_key &&
	    root_read(rootfd, "sys/firmware/efi/efivars/MokListRT-" EFI_SHIM, &list))
		machine->is_key_enrolled =
			list.len && memmem(list.data, list.len, key.data, key.len);
}

static enum machine_signature signature_read(int rootfd, const char *path)
{
	__cleanup_buf struct buf ko = BUF_INIT;
	size_t mark = sizeof(SIGNATURE_MARK) - 1;
	size_t len = strlen(path);

	if (len < 3 || strcmp(path + len - 3, ".ko") || !root_read(rootfd, path, &ko))
		return SIGNATURE_UNKNOWN;
	if (ko.len < mark || memcmp(ko.data + ko.len - mark, SIGNATURE_MARK, mark))
		return SIGNATURE_ABSENT;
	return SIGNATURE_PRESENT;
}

/* modules.dep has "updates/dkms/shale.ko: ..." or ".ko.xz:", relative to its own directory. */
static void installed_read(int rootfd, struct machine *machine)
{
	__cleanup_buf struct buf dep = BUF_INIT;
	char path[512];
	const char *name, *start;

	snprintf(path, sizeof(path), "lib/modules/%s/modules.dep", machine->release);
	if (!root_read(rootfd, path, &dep))
		return;
	name = strstr(buf_str(&dep), "/shale.ko");
	if (!name)
		return;
	for (start = name; start > dep.data && start[-1] != '\n'; start--)
		;
	machine->is_installed = true;
	snprintf(path, sizeof(path), "lib/modules/%s/%.*s", machine->release,
		 (int)strcspn(start, ":"), start);
	machine->signature = signature_read(rootfd, path);
}

/* dkms keeps NAME/VERSION/RELEASE/ARCH for what it has built. */
static void dkms_read(int rootfd, struct machine *machine)
{
	__cleanup_fd int fd = root_open(rootfd, "var/lib/dkms/shale", O_RDONLY | O_DIRECTORY);
	__cleanup(dir_closep) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir)
		return;
	(void)steal_fd(&fd);
	machine->is_added = true;
	while ((entry = readdir(dir))) {
		char path[sizeof(entry->d_name) + sizeof(machine->release) + 1];

		snprintf(path, sizeof(path), "%s/%s", entry->d_name, machine->release);
		if (entry->d_name[0] != '.' && !faccessat(dirfd(dir), path, F_OK, 0))
			machine->is_built = true;
	}
}

static bool has_headers(int rootfd, const struct machine *machine)
{
	char path[128];

	snprintf(path, sizeof(path), "lib/modules/%s/build/Makefile", machine->release);
	return root_has(rootfd, path);
}

/* The running kernel's word where it gives it, else its configuration's. */
static bool needs_signature(int rootfd, const struct machine *machine)
{
	static const char enforce[] = "sys/module/module/parameters/sig_enforce";
	char path[128];

	if (root_has(rootfd, enforce))
		return root_has_text(rootfd, enforce, "Y");
	snprintf(path, sizeof(path), "boot/config-%s", machine->release);
	return root_has_text(rootfd, path, "CONFIG_MODULE_SIG_FORCE=y");
}

int machine_read(int rootfd, struct machine *ret_machine, struct shale_err *err)
{
	struct machine machine = { 0 };

	if (release_read(rootfd, &machine, err))
		return -1;
	machine.is_loaded = root_has_text(rootfd, "proc/filesystems", "\tshale\n");
	machine.has_modules = root_has(rootfd, "proc/modules");
	machine.is_closed = root_has_text(rootfd, "proc/sys/kernel/modules_disabled", "1");
	machine.has_headers = has_headers(rootfd, &machine);
	machine.needs_signature = needs_signature(rootfd, &machine);
	machine.has_secure_boot = has_secure_boot(rootfd);
	installed_read(rootfd, &machine);
	dkms_read(rootfd, &machine);
	lockdown_read(rootfd, &machine);
	key_read(rootfd, &machine);
	*ret_machine = machine;
	return 0;
}
