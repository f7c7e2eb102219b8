// SPDX-License-Identifier: GPL-2.0-only
/*
 * union.c - makes and takes away the layers and mounts around a test; see union.h for the picture.
 */
#include "union.h"

#include <grp.h>
#include <mntent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>

#define OPTIONS_SIZE 4096
#define UMOUNT_TRIES 20
#define UMOUNT_PAUSE_US 50000

const struct union_opts union_by_blocks = {.cow = "block"};

static bool forced_bare;
static char test_dir[512];
static int home = -1;
static struct union_opts current;

static const char *setting(const char *name, const char *otherwise)
{
	const char *value = getenv(name);

	return value && *value ? value : otherwise;
}

const char *union_fstype(void)
{
	return forced_bare ? "bare" : setting("SHALE_TEST_FSTYPE", "shale");
}

const char *union_backing(void)
{
	return setting("SHALE_TEST_FS", "unknown");
}

bool is_shale(void)
{
	return !strcmp(union_fstype(), "shale");
}

bool is_overlay(void)
{
	return !strcmp(union_fstype(), "overlay");
}

bool is_bare(void)
{
	return !strcmp(union_fstype(), "bare");
}

void need_union(void)
{
	if (is_bare())
		SKIP("there is no union on a bare filesystem");
}

void need_shale(const char *why_not_elsewhere)
{
	if (!is_shale())
		SKIP("%s", why_not_elsewhere);
}

void overlay_lacks(const char *what)
{
	if (is_overlay() && !*setting("SHALE_TEST_STRICT", ""))
		SKIP("overlayfs lacks %s", what);
}

void lower(int number, const char *spec)
{
	char dir[16];

	snprintf(dir, sizeof(dir), "l%d", number);
	tree_make(dir, spec);
}

void upper(const char *spec)
{
	tree_make("u", spec);
}

bool exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static void make_dir(const char *path)
{
	if (mkdir(path, 0755) < 0)
		ASSERT_EQ(errno, EEXIST);
}

static int count_lowers(void)
{
	char dir[16];

	for (int i = 0;; i++) {
		snprintf(dir, sizeof(dir), "l%d", i);
		if (!exists(dir))
			return i;
	}
}

/* What a whiteout or an opaque directory of LAYER hides in m goes away before LAYER is copied over. */
static void apply_layer(const char *layer)
{
	char command[512];

	snprintf(command, sizeof(command),
		 "cd %s && find . -type c | while read -r f; do rm -rf \"../m/$f\"; done; "
		 "find . -mindepth 1 -type d | while read -r d; do "
		 "if [ \"$(getfattr --only-values -n trusted.overlay.opaque \"$d\" 2>/dev/null)\" = y ]; "
		 "then rm -rf \"../m/$d\"; fi; "
		 "if [ -e \"../m/$d\" ] && ! [ -d \"../m/$d\" ]; then rm -rf \"../m/$d\"; fi; done; "
		 "find . ! -type d -print0 | (cd ../m && xargs -0 -r rm -rf --); "
		 "cp -a . ../m/ && find ../m -type c -delete", layer);
	ASSERT_EQ(system(command), 0);
}

static void flatten(void)
{
	char dir[16];

	for (int i = count_lowers(); i-- > 0;) {
		snprintf(dir, sizeof(dir), "l%d", i);
		apply_layer(dir);
	}
	if (!current.readonly)
		apply_layer("u");
}

int union_try(const char *target, unsigned long flags, const char *options)
{
	return mount("shale-test", target, union_fstype(), flags, options);
}

static void build_options(char *out, size_t size)
{
	int lowers = count_lowers(), at;
	const char *cow;

	at = snprintf(out, size, "lowerdir=");
	for (int i = 0; i < lowers; i++)
		at += snprintf(out + at, size - at, "%sl%d", i ? ":" : "", i);
	if (current.readonly && lowers == 1 && is_overlay()) {
		make_dir("empty");
		at += snprintf(out + at, size - at, ":empty");
	}
	if (!current.readonly)
		at += snprintf(out + at, size - at, ",upperdir=u,workdir=w");
	if (is_overlay())
		at += snprintf(out + at, size - at, ",redirect_dir=on,index=%s,xino=on",
			       current.readonly ? "off" : "on");
	if (current.options)
		at += snprintf(out + at, size - at, ",%s", current.options);
	cow = current.cow ? current.cow : setting("SHALE_TEST_COW", "");
	if (is_shale() && *cow)
		snprintf(out + at, size - at, ",cow=%s", cow);
}

static bool mounted_once;

static void mount_current(void)
{
	unsigned long flags = current.readonly || current.mount_ro ? MS_RDONLY : 0;
	char options[OPTIONS_SIZE];

	if (is_bare()) {
		if (!mounted_once)
			flatten();
		mounted_once = true;
		return;
	}
	build_options(options, sizeof(options));
	if (union_try("m", flags, options) < 0) {
		ktap_fail(__FILE__, __LINE__, "mount -o %s: %s", options, strerror(errno));
		ktap_stop();
	}
}

void union_mount_with(const struct union_opts *opts)
{
	current = *opts;
	if (!count_lowers())
		make_dir("l0");
	if (!current.readonly) {
		make_dir("u");
		make_dir("w");
	}
	make_dir("m");
	mount_current();
}

void union_mount(void)
{
	union_mount_with(&(struct union_opts){0});
}

void union_umount(void)
{
	if (!is_bare())
		ASSERT_OK(umount2("m", 0));
}

void union_remount(void)
{
	if (is_bare())
		return;
	union_umount();
	mount_current();
}

void union_seal(void)
{
	char from[16], to[16];

	union_umount();
	for (int nr = count_lowers(); nr > 0; nr--) {
		snprintf(from, sizeof(from), "l%d", nr - 1);
		snprintf(to, sizeof(to), "l%d", nr);
		ASSERT_OK(rename(from, to));
	}
	ASSERT_OK(rename("u", "l0"));
	tree_remove("w");
	make_dir("u");
	make_dir("w");
	mount_current();
}

void *shared_memory(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ASSERT(at != MAP_FAILED);
	return at;
}

void drop_caches(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	sync();
	if (fd >= 0 && write(fd, "3", 1) != 1)
		ktap_note("drop_caches: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
}

void side_mount(const char *type, const char *name, const char *options)
{
	make_dir(name);
	if (mount("shale-side", name, type, 0, options) < 0)
		SKIP("cannot mount a %s: %s", type, strerror(errno));
}

void become(uid_t uid)
{
	ASSERT_OK(setgroups(0, NULL));
	ASSERT_OK(setresgid(uid, uid, uid));
	ASSERT_OK(setresuid(uid, uid, uid));
}

struct stat stat_of(const char *path)
{
	struct stat st = {0};

	if (lstat(path, &st) < 0) {
		ktap_fail(__FILE__, __LINE__, "lstat %s: %s", path, strerror(errno));
		ktap_stop();
	}
	return st;
}

ino_t ino_of(const char *path)
{
	return stat_of(path).st_ino;
}

void expect_work_clean(void)
{
	if (is_bare() || current.readonly)
		return;
	EXPECT_EQ(tree_count_files(exists("w/work") ? "w/work" : "w"), 0);
}

/* The last mount below DIR in the table of mounts: with stacked ones, the one on top. */
static bool find_mount(const char *dir, char *out, size_t size)
{
	FILE *table = setmntent("/proc/self/mounts", "r");
	struct mntent *entry;
	bool found = false;

	while (table && (entry = getmntent(table))) {
		if (strncmp(entry->mnt_dir, dir, strlen(dir)))
			continue;
		snprintf(out, size, "%s", entry->mnt_dir);
		found = true;
	}
	if (table)
		endmntent(table);
	return found;
}

static bool umount_patiently(const char *path)
{
	for (int i = 0; i < UMOUNT_TRIES; i++) {
		if (umount2(path, 0) == 0)
			return true;
		if (errno != EBUSY)
			break;
		usleep(UMOUNT_PAUSE_US);
	}
	ktap_note("umount %s after the test: %s", path, strerror(errno));
	umount2(path, MNT_DETACH);
	return false;
}

void ktap_before(const struct ktap_test *test)
{
	(void)test;
	if (home < 0) {
		if (unshare(CLONE_NEWNS) < 0 ||
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
			perror("mount namespace");
		home = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	snprintf(test_dir, sizeof(test_dir), "%s/t%d", setting("SHALE_TEST_DIR", "/tmp"), getpid());
	if (mkdir(test_dir, 0755) < 0 || chdir(test_dir) < 0)
		perror(test_dir);
	umask(0022);
}

bool ktap_after(const struct ktap_test *test)
{
	char path[1024];
	bool good = true;

	(void)test;
	if (fchdir(home) < 0)
		perror("fchdir");
	while (find_mount(test_dir, path, sizeof(path)))
		good &= umount_patiently(path);
	tree_remove(test_dir);
	return good;
}

const char *ktap_blame(const struct ktap_test *test)
{
	static char sentence[160];
	enum ktap_result result;

	if (is_bare())
		return NULL;
	forced_bare = true;
	result = ktap_run_one(test, true);
	forced_bare = false;
	if (result == KTAP_SKIP)
		return NULL;
	snprintf(sentence, sizeof(sentence), "on the bare %s this test %s", union_backing(),
		 result == KTAP_PASS ? "passes" : "fails as well");
	return sentence;
}
