// SPDX-License-Identifier: GPL-2.0-only
/*
 * What shale doctor says about machines of every kind. Each case is the files such a machine has,
 * made below a temporary directory, and one finding that must come out of them.
 */
#include "ktap.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "kapi/machine.h"

#define R "6.1.0-56-cloud-amd64"
#define EFIVARS "sys/firmware/efi/efivars/"
#define ENROL                                                                                      \
	"run 'mokutil --import /var/lib/dkms/mok.pub', reboot and confirm the key in the "         \
	"firmware's dialogue"
#define FILES_MAX 12

struct file {
	const char *path;
	const char *text;
	size_t len; /* 0: strlen(text) */
};

#define RELEASE(r)  { "proc/sys/kernel/osrelease", r "\n", 0 }
#define MODULES	    { "proc/modules", "", 0 }
#define FILESYSTEMS { "proc/filesystems", "nodev\tproc\n\text4\n", 0 }
#define HEADERS	    { "lib/modules/" R "/build/Makefile", "", 0 }
#define INSTALLED   { "lib/modules/" R "/modules.dep", "a/b.ko: \nupdates/dkms/shale.ko: a/b.ko\n", 0 }
#define LOADED	    { "proc/filesystems", "nodev\tproc\nnodev\tshale\n", 0 }
#define LOCKED	    { "sys/kernel/security/lockdown", "none [integrity] confidentiality\n", 0 }
#define KEY	    { "var/lib/dkms/mok.pub", "certificate", 0 }
#define ENROLLED                                                                                   \
	{ EFIVARS "MokListRT-605dab50-e046-4300-abb6-3dd810dd8b23", "\6\0\0\0..certificate..", 19 }

struct machine_case {
	struct ktap_row row;
	struct file files[FILES_MAX];
	const char *name;
	enum check_state state;
	const char *detail;
	const char *advice;
};

static const struct machine_case cases[] = {
	{ { "kernel_6_1", "6.1 is tested" }, { RELEASE(R) }, "kernel", CHECK_OK, R, "" },
	{ { "kernel_6_12", "6.12 is tested" }, { RELEASE("6.12.117-1") }, "kernel", CHECK_OK,
	  "6.12.117-1", "" },
	{ { "kernel_7_3", "7.3 is tested" }, { RELEASE("7.3.4+deb13") }, "kernel", CHECK_OK,
	  "7.3.4+deb13", "" },
	{ { "kernel_old", "5.10 is not supported" }, { RELEASE("5.10.0-1") }, "kernel", CHECK_PROBLEM,
	  "5.10.0-1 is not supported", "use Linux 6.1, 6.12 or 7.3" },
	{ { "kernel_between", "6.6 may work" }, { RELEASE("6.6.1") }, "kernel", CHECK_NOTE,
	  "6.6.1 is not a tested kernel", "6.1, 6.12 and 7.3 are" },
	{ { "kernel_nonsense", "a release that is no version" }, { RELEASE("custom") }, "kernel",
	  CHECK_PROBLEM, "custom is not supported", "use Linux 6.1, 6.12 or 7.3" },
	{ { "modules", "a kernel with modules" }, { RELEASE(R), MODULES }, "modules", CHECK_OK,
	  "this kernel can load modules", "" },
	{ { "modules_none", "CONFIG_MODULES is not set" }, { RELEASE(R) }, "modules", CHECK_PROBLEM,
	  "this kernel cannot load modules (CONFIG_MODULES is not set)",
	  "boot a kernel of your distribution" },
	{ { "modules_closed", "kernel.modules_disabled" },
	  { RELEASE(R), MODULES, { "proc/sys/kernel/modules_disabled", "1\n", 0 } }, "modules",
	  CHECK_PROBLEM, "loading modules was switched off (kernel.modules_disabled=1)",
	  "reboot without that sysctl; it cannot be undone before" },
	{ { "modules_open", "kernel.modules_disabled=0 is open" },
	  { RELEASE(R), MODULES, { "proc/sys/kernel/modules_disabled", "0\n", 0 } }, "modules",
	  CHECK_OK, "this kernel can load modules", "" },
	{ { "modules_closed_loaded", "closed after the module was loaded is fine" },
	  { RELEASE(R), MODULES, LOADED, { "proc/sys/kernel/modules_disabled", "1\n", 0 } }, "modules",
	  CHECK_OK, "loaded already", "" },
	{ { "headers", "headers are installed" }, { RELEASE(R), HEADERS }, "headers", CHECK_OK,
	  "/lib/modules/" R "/build", "" },
	{ { "headers_none", "without headers nothing can be built" }, { RELEASE(R) }, "headers",
	  CHECK_PROBLEM, "the headers of kernel " R " are not installed",
	  "apt install linux-headers-" R },
	{ { "headers_unneeded", "a module that is installed needs no headers" },
	  { RELEASE(R), INSTALLED }, "headers", CHECK_NOTE,
	  "the headers of kernel " R " are not installed", "apt install linux-headers-" R },
	{ { "module_loaded", "loaded" }, { RELEASE(R), LOADED }, "module", CHECK_OK, "loaded", "" },
	{ { "module_installed", "installed, not loaded" }, { RELEASE(R), FILESYSTEMS, INSTALLED },
	  "module", CHECK_OK, "installed; the first mount loads it", "" },
	{ { "module_none", "never installed" }, { RELEASE(R), FILESYSTEMS, HEADERS }, "module",
	  CHECK_PROBLEM, "the module is not installed for kernel " R,
	  "run 'make dkms-install' in shale's source" },
	{ { "module_none_headers", "never installed, and no headers to build it with" },
	  { RELEASE(R), FILESYSTEMS }, "module", CHECK_PROBLEM,
	  "the module is not installed for kernel " R,
	  "apt install linux-headers-" R ", then run 'make dkms-install' in shale's source" },
	{ { "module_added_headers", "dkms has it, but no headers" },
	  { RELEASE(R), { "var/lib/dkms/shale/0.1/source/dkms.conf", "", 0 } }, "module",
	  CHECK_PROBLEM, "the module is not installed for kernel " R,
	  "apt install linux-headers-" R "; DKMS then builds it" },
	{ { "module_added", "dkms has it, but not for this kernel" },
	  { RELEASE(R), HEADERS, { "var/lib/dkms/shale/0.1/source/dkms.conf", "", 0 } }, "module",
	  CHECK_PROBLEM, "the module is not installed for kernel " R,
	  "run 'dkms autoinstall -k " R "'; 'dkms status' shows what is built" },
	{ { "module_built", "dkms has built it and not installed it" },
	  { RELEASE(R), { "var/lib/dkms/shale/0.1/" R "/x86_64/module/shale.ko", "", 0 } }, "module",
	  CHECK_PROBLEM, "the module is not installed for kernel " R,
	  "run 'dkms install shale -k " R "'" },
	{ { "signature_free", "no lockdown: any module loads" },
	  { RELEASE(R), { "sys/kernel/security/lockdown", "[none] integrity confidentiality\n", 0 } },
	  "signature", CHECK_OK, "modules need no signature", "" },
	{ { "signature_sb", "Secure Boot without lockdown" },
	  { RELEASE(R),
	    { EFIVARS "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", "\6\0\0\0\1", 5 } },
	  "signature", CHECK_OK, "Secure Boot is on, modules need no signature", "" },
	{ { "signature_sb_off", "Secure Boot is there and off" },
	  { RELEASE(R),
	    { EFIVARS "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", "\6\0\0\0\0", 5 } },
	  "signature", CHECK_OK, "modules need no signature", "" },
	{ { "signature_no_key", "lockdown without a key" }, { RELEASE(R), LOCKED }, "signature",
	  CHECK_PROBLEM,
	  "lockdown=integrity allows only signed modules, and there is no key to sign with",
	  "'make dkms-install' makes one; then " ENROL },
	{ { "signature_not_enrolled", "lockdown with a key that is not enrolled" },
	  { RELEASE(R), LOCKED, KEY }, "signature", CHECK_PROBLEM,
	  "lockdown=integrity allows only signed modules, and the key of DKMS is not enrolled", ENROL },
	{ { "signature_enrolled", "lockdown with the key enrolled" },
	  { RELEASE(R), LOCKED, KEY, ENROLLED }, "signature", CHECK_OK,
	  "lockdown=integrity, and the key of DKMS is enrolled", "" },
	{ { "signature_absent", "lockdown, the key enrolled, the module not signed" },
	  { RELEASE(R), LOCKED, KEY, ENROLLED, INSTALLED,
	    { "lib/modules/" R "/updates/dkms/shale.ko", "\177ELF", 0 } },
	  "signature", CHECK_PROBLEM,
	  "lockdown=integrity allows only signed modules, and the module is not signed",
	  "run 'dkms build --force' and 'dkms install --force' for shale" },
	{ { "signature_present", "lockdown, the key enrolled, the module signed" },
	  { RELEASE(R), LOCKED, KEY, ENROLLED, INSTALLED,
	    { "lib/modules/" R "/updates/dkms/shale.ko", "\177ELF~Module signature appended~\n", 0 } },
	  "signature", CHECK_OK, "lockdown=integrity, and the key of DKMS is enrolled", "" },
	{ { "signature_confidential", "lockdown=confidentiality" },
	  { RELEASE(R), { "sys/kernel/security/lockdown", "none integrity [confidentiality]\n", 0 } },
	  "signature", CHECK_PROBLEM,
	  "lockdown=confidentiality allows only signed modules, and there is no key to sign with",
	  "'make dkms-install' makes one; then " ENROL },
	{ { "signature_enforce", "module.sig_enforce=1" },
	  { RELEASE(R), { "sys/module/module/parameters/sig_enforce", "Y\n", 0 } }, "signature",
	  CHECK_PROBLEM,
	  "module.sig_enforce allows only signed modules, and there is no key to sign with",
	  "'make dkms-install' makes one; then " ENROL },
	{ { "signature_enforce_off", "module.sig_enforce=0 wins over the configuration" },
	  { RELEASE(R), { "sys/module/module/parameters/sig_enforce", "N\n", 0 },
	    { "boot/config-" R, "CONFIG_MODULE_SIG_FORCE=y\n", 0 } }, "signature", CHECK_OK,
	  "modules need no signature", "" },
	{ { "signature_force", "CONFIG_MODULE_SIG_FORCE" },
	  { RELEASE(R), { "boot/config-" R, "CONFIG_MODULE_SIG_FORCE=y\n", 0 } }, "signature",
	  CHECK_PROBLEM,
	  "module.sig_enforce allows only signed modules, and there is no key to sign with",
	  "'make dkms-install' makes one; then " ENROL },
	{ { "signature_loaded", "lockdown, and the module is in" }, { RELEASE(R), LOCKED, LOADED },
	  "signature", CHECK_OK, "lockdown=integrity, and the module is loaded", "" },
};

static void root_remove(const char *root)
{
	int fd = ASSERT_OK(open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC));

	EXPECT_OK(fs_remove_tree(fd, root + strlen("/tmp/")));
	close(fd);
}

static void parents_make(int rootfd, const char *path)
{
	char dir[256];

	for (const char *slash = path; (slash = strchr(slash, '/')); slash++) {
		snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path);
		ASSERT_OK(fs_mkdir(rootfd, dir, 0755));
	}
}

static void file_make(int rootfd, const struct file *file)
{
	size_t len = file->len ? file->len : strlen(file->text);
	int fd;

	parents_make(rootfd, file->path);
	fd = ASSERT_OK(openat(rootfd, file->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
	ASSERT_OK(fs_write_full(fd, file->text, len));
	close(fd);
}

static const struct check *check_find(const struct check_list *list, const char *name)
{
	for (size_t i = 0; i < list->nr; i++)
		if (!strcmp(list->check[i].name, name))
			return &list->check[i];
	return NULL;
}

static void machine_examine(const struct file *files, struct check_list *list)
{
	char root[] = "/tmp/shale-machine-XXXXXX";
	struct machine machine;
	struct shale_err err = { 0 };
	int rootfd;

	ASSERT(mkdtemp(root));
	rootfd = ASSERT_OK(open(root, O_PATH | O_DIRECTORY | O_CLOEXEC));
	for (size_t i = 0; i < FILES_MAX && files[i].path; i++)
		file_make(rootfd, &files[i]);
	EXPECT(!machine_read(rootfd, &machine, &err));
	close(rootfd);
	root_remove(root);
	machine_judge(&machine, list);
}

TEST_TABLE(machine, struct machine_case, cases, c)
{
	struct check_list list = { .nr = 0 };
	const struct check *check;

	machine_examine(c->files, &list);
	check = check_find(&list, c->name);
	ASSERT(check);
	EXPECT_STREQ(check->detail, c->detail);
	EXPECT_STREQ(check->advice, c->advice);
	EXPECT_EQ(check->state, c->state);
}

TEST(no_proc, "a root without /proc is an error, not a finding")
{
	char root[] = "/tmp/shale-machine-XXXXXX";
	struct machine machine;
	struct shale_err err = { 0 };
	int rootfd;

	ASSERT(mkdtemp(root));
	rootfd = ASSERT_OK(open(root, O_PATH | O_DIRECTORY | O_CLOEXEC));
	EXPECT_EQ(machine_read(rootfd, &machine, &err), -1);
	EXPECT_STREQ(err.msg, "cannot read /proc/sys/kernel/osrelease: No such file or directory");
	EXPECT_OK(rmdir(root));
}

TEST(release_with_slash, "a release with a slash leads nowhere")
{
	static const struct file files[FILES_MAX] = { RELEASE("../../etc") };
	char root[] = "/tmp/shale-machine-XXXXXX";
	struct machine machine;
	struct shale_err err = { 0 };
	int rootfd;

	ASSERT(mkdtemp(root));
	rootfd = ASSERT_OK(open(root, O_PATH | O_DIRECTORY | O_CLOEXEC));
	file_make(rootfd, &files[0]);
	EXPECT_EQ(machine_read(rootfd, &machine, &err), -1);
	EXPECT_STREQ(err.msg, "/proc/sys/kernel/osrelease is not a release");
	root_remove(root);
}

TEST(link_out, "a link in the root cannot lead out of it")
{
	static const struct file files[FILES_MAX] = { RELEASE(R), { "x", "\tshale\n", 0 } };
	char root[] = "/tmp/shale-machine-XXXXXX";
	struct machine machine;
	struct shale_err err = { 0 };
	int rootfd;

	ASSERT(mkdtemp(root));
	rootfd = ASSERT_OK(open(root, O_PATH | O_DIRECTORY | O_CLOEXEC));
	file_make(rootfd, &files[0]);
	file_make(rootfd, &files[1]);
	ASSERT_OK(symlinkat("/x", rootfd, "proc/filesystems"));
	EXPECT(!machine_read(rootfd, &machine, &err));
	EXPECT(machine.is_loaded);
	ASSERT_OK(unlinkat(rootfd, "proc/filesystems", 0));
	ASSERT_OK(symlinkat("/proc/sys/kernel/osrelease", rootfd, "proc/filesystems"));
	EXPECT(!machine_read(rootfd, &machine, &err));
	EXPECT(!machine.is_loaded);
	root_remove(root);
}
