// SPDX-License-Identifier: GPL-2.0-only
/*
 * layer_maps.c - layers with maps, made by hand; see layer_maps.h. Linked with kmod/map.c and
 * kmod/map_disk.c.
 */
#include "layer_maps.h"
#include "ktap.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <asm/byteorder.h>
#include <linux/slab.h>

#define SECTORS SHALE_DISK_MAP_PAGE_SECTORS
#define WORDS_MAX 1024

long shim_alloc_left = -1;
char maps_output[65536];

static char work[64];
static char program[PATH_MAX];

/* Beside the tests, as they were built. */
static void program_find(void)
{
	const char *given = getenv("SHALE_TEST_PROGRAM");
	char self[PATH_MAX - 64] = "";

	if (given) {
		ASSERT(realpath(given, program));
		return;
	}
	ASSERT_OK(readlink("/proc/self/exe", self, sizeof(self) - 1));
	*strrchr(self, '/') = '\0';
	snprintf(program, sizeof(program), "%s/../../user-asan/fsck.shale", self);
	ASSERT_OK(access(program, X_OK));
}

/* What the tests run in is made and removed by the process that starts them. */
void ktap_before(const struct ktap_test *test)
{
	const char *base = getenv("SHALE_TEST_DIR") ?: getenv("TMPDIR") ?: "/tmp";

	(void)test;
	program_find();
	snprintf(work, sizeof(work), "%s/shale-fsck.XXXXXX", base);
	ASSERT(mkdtemp(work));
	ASSERT_OK(chmod(work, 0755));
	ASSERT_OK(chdir(work));
	ASSERT_OK(mkdir("layer", 0755));
}

bool ktap_after(const struct ktap_test *test)
{
	char command[128];

	(void)test;
	snprintf(command, sizeof(command), "rm -rf %s", work);
	return !chdir("/") && !system(command);
}

bool maps_is_root(void)
{
	return geteuid() == 0;
}

const char *maps_prefix(void)
{
	return maps_is_root() ? "trusted." : "user.";
}

static const char *map_name(void)
{
	return maps_is_root() ? "trusted." SHALE_XATTR_MAP : "user." SHALE_XATTR_MAP;
}

void maps_sh(const char *format, ...)
{
	char command[8192];
	va_list ap;
	int status;

	va_start(ap, format);
	vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	status = system(command);
	if (status)
		ktap_fail(__FILE__, __LINE__, "%s: status %d", command, status);
}

/* Words are separated by blanks. */
static size_t words_add(char *text, char **argv, size_t nr)
{
	for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
		ASSERT(nr + 1 < WORDS_MAX);
		argv[nr++] = word;
	}
	return nr;
}

static void program_exec(const char *before, const char *words)
{
	char *first = strdup(before), *rest = strdup(words), *argv[WORDS_MAX] = { NULL };
	size_t nr = words_add(first, argv, 0);

	argv[nr++] = program;
	if (!maps_is_root())
		argv[nr++] = "--userxattr";
	words_add(rest, argv, nr);
	execvp(argv[0], argv);
	_exit(127);
}

void maps_exec(const char *words)
{
	program_exec("", words);
	abort();
}

int maps_fsck_behind(const char *before, const char *words)
{
	int out = ASSERT_OK(memfd_create("output", MFD_CLOEXEC));
	int status;
	ssize_t len;
	pid_t pid = ASSERT_OK(fork());

	if (!pid) {
		dup2(open("/dev/null", O_RDONLY), 0);
		dup2(out, 1);
		dup2(out, 2);
		program_exec(before, words);
	}
	ASSERT_OK(waitpid(pid, &status, 0));
	len = ASSERT_OK(pread(out, maps_output, sizeof(maps_output) - 1, 0));
	maps_output[len] = '\0';
	close(out);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int maps_fsck(const char *words)
{
	return maps_fsck_behind("", words);
}

void maps_expect(const char *words, int status, const char *text)
{
	int got = maps_fsck(words);

	if (got == status && strstr(maps_output, text))
		return;
	ktap_fail(__FILE__, __LINE__, "fsck.shale %s: wanted %d and \"%s\", got %d and:\n%s", words,
		  status, text, got, maps_output);
}

/* FNV-1a */
static u64 sum_add(u64 sum, const void *bytes, size_t len)
{
	const u8 *at = bytes;

	while (len--)
		sum = (sum ^ *at++) * 0x100000001b3ULL;
	return sum;
}

static u64 tree_sum;

static int tree_add(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	char text[256], value[65536];
	ssize_t len = lgetxattr(path, map_name(), value, sizeof(value));
	int fd;

	(void)type;
	(void)ftw;
	snprintf(text, sizeof(text), "%lu %o %u %lu %ld %ld.%09ld %ld.%09ld", st->st_ino, st->st_mode, st->st_uid,
		 st->st_nlink, S_ISREG(st->st_mode) ? st->st_size : 0, st->st_mtim.tv_sec, st->st_mtim.tv_nsec,
		 st->st_ctim.tv_sec, st->st_ctim.tv_nsec);
	tree_sum = sum_add(sum_add(tree_sum, path, strlen(path)), text, strlen(text));
	tree_sum = sum_add(tree_sum, value, len > 0 ? len : 0);
	fd = S_ISREG(st->st_mode) ? open(path, O_RDONLY) : -1;
	while (fd >= 0 && st->st_size < 1 << 20 && (len = read(fd, value, sizeof(value))) > 0)
		tree_sum = sum_add(tree_sum, value, len);
	if (fd >= 0)
		close(fd);
	return 0;
}

u64 maps_tree(const char *dir)
{
	tree_sum = 0xcbf29ce484222325ULL;
	ASSERT_OK(nftw(dir, tree_add, 16, FTW_PHYS));
	return tree_sum;
}

void maps_file(const char *path, const void *value, size_t len)
{
	int fd = ASSERT_OK(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));

	ASSERT_OK(ftruncate(fd, 1000000));
	ASSERT_OK(fsetxattr(fd, map_name(), value, len, 0));
	close(fd);
}

int maps_value(const char *path, void *buf, size_t size)
{
	return lgetxattr(path, map_name(), buf, size);
}

void maps_make(struct shale_map *map, u64 limit, const char *runs)
{
	unsigned long long first, nr;
	int len;

	shale_map_init(map, limit);
	for (; sscanf(runs, "%llu+%llu%n", &first, &nr, &len) == 2; runs += len)
		ASSERT_EQ(shale_map_set(map, first, nr), 0);
}

static void head_encode(const char *path, struct shale_map *map, const struct shale_map_head *head)
{
	struct shale_map_head full = head ? *head : (struct shale_map_head){ 0 };
	u8 value[SHALE_DISK_MAP_INLINE_MAX];
	int len;

	if (!full.lower.size)
		full.lower.size = shale_map_limit(map);
	len = shale_map_disk_encode(map, &full, value);
	ASSERT(len > 0);
	maps_file(path, value, len);
}

void maps_inline(const char *path, const struct shale_map_head *head, u64 limit, const char *runs)
{
	struct shale_map map;

	maps_make(&map, limit, runs);
	head_encode(path, &map, head);
	shale_map_destroy(&map);
}

/* As the module does it: all pages of a group that has blocks, then the directory. */
static void sidecar_write(int fd, struct shale_map *map, u64 id)
{
	struct shale_disk_map_sector dir[SECTORS], page[SECTORS];
	struct shale_map_run run;

	shale_map_disk_dir_init(dir, id);
	for (u64 i = 1; i <= shale_map_disk_pages(shale_map_limit(map)); i++) {
		if (!shale_map_next(map, (i - 1) * SHALE_DISK_MAP_PAGE_BITS, i * SHALE_DISK_MAP_PAGE_BITS,
				    &run) || shale_map_disk_dir_has(dir, i))
			continue;
		for (u64 j = 0; j < SHALE_DISK_MAP_GROUP_PAGES; j++) {
			u64 number = shale_map_disk_group(i) + j;

			shale_map_disk_page_encode(map, id, number, page);
			ASSERT_EQ(pwrite(fd, page, sizeof(page), number * sizeof(page)), sizeof(page));
		}
		shale_map_disk_dir_add(dir, i);
	}
	ASSERT_EQ(pwrite(fd, dir, sizeof(dir), 0), sizeof(dir));
}

void maps_sidecar_file(const char *layer, u64 id, u64 limit, const char *runs)
{
	struct shale_map map;
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/.shale", layer);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/.shale/map", layer);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/.shale/map/%016llx", layer, (unsigned long long)id);
	fd = ASSERT_OK(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640));
	maps_make(&map, limit, runs);
	sidecar_write(fd, &map, id);
	shale_map_destroy(&map);
	close(fd);
}

void maps_sidecar(const char *layer, const char *path, const struct shale_map_head *head, u64 limit,
		  const char *runs)
{
	struct shale_map_head full = head ? *head : (struct shale_map_head){ .id = MAPS_ID };
	struct shale_map map;

	maps_make(&map, limit, "");
	head_encode(path, &map, &full);
	shale_map_destroy(&map);
	maps_sidecar_file(layer, full.id, limit, runs);
}

struct shale_map_head maps_head(const char *lower)
{
	struct stat st;

	ASSERT_OK(lstat(lower, &st));
	return (struct shale_map_head){
		.lower.size = st.st_size,
		.lower.mtime = st.st_mtim.tv_sec,
		.lower.mtime_nsec = st.st_mtim.tv_nsec,
		.lower.ctime = st.st_ctim.tv_sec,
		.lower.ctime_nsec = st.st_ctim.tv_nsec,
	};
}

void maps_reseal(void *bytes, size_t len)
{
	u8 *at = bytes;
	u32 crc = ~0U;

	memset(at + 4, 0, 4);
	for (size_t i = 0; i < len; i++) {
		crc ^= at[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	crc = cpu_to_le32(~crc);
	memcpy(at + 4, &crc, 4);
}

void maps_sector(const char *sidecar, u64 number, size_t offset, const void *bytes, size_t len,
		 bool is_sealed)
{
	int fd = ASSERT_OK(open(sidecar, O_RDWR | O_CLOEXEC));
	u8 sector[SHALE_DISK_MAP_SECTOR_SIZE];

	ASSERT_EQ(pread(fd, sector, sizeof(sector), number * sizeof(sector)), sizeof(sector));
	memcpy(sector + offset, bytes, len);
	if (is_sealed)
		maps_reseal(sector, sizeof(sector));
	ASSERT_EQ(pwrite(fd, sector, sizeof(sector), number * sizeof(sector)), sizeof(sector));
	close(fd);
}

/* The module's order: directory, then the pages it says are there. */
static int sidecar_read(const char *layer, u64 id, struct shale_map *map)
{
	struct shale_disk_map_sector dir[SECTORS], page[SECTORS];
	char path[256];
	int fd, err;

	snprintf(path, sizeof(path), "%s/.shale/map/%016llx", layer, (unsigned long long)id);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || pread(fd, dir, sizeof(dir), 0) != sizeof(dir))
		return -EIO;
	err = shale_map_disk_dir_check(dir, id);
	for (u64 i = 1; !err && i <= shale_map_disk_pages(shale_map_limit(map)); i++) {
		if (!shale_map_disk_dir_has(dir, i))
			continue;
		memset(page, 0, sizeof(page));
		ASSERT_OK(pread(fd, page, sizeof(page), i * sizeof(page)));
		err = shale_map_disk_page_decode(page, id, i, map);
	}
	close(fd);
	return err;
}

int maps_read(const char *layer, const char *path, struct shale_map *map)
{
	u8 value[SHALE_DISK_MAP_INLINE_MAX];
	int len = maps_value(path, value, sizeof(value));
	struct shale_map_head head;
	int err = len < 0 ? -errno : shale_map_disk_decode(value, len, map, &head);

	if (!err && head.id) {
		err = sidecar_read(layer, head.id, map);
		if (err)
			shale_map_destroy(map);
	}
	return err;
}

void maps_expect_runs(const char *layer, const char *path, u64 limit, const char *runs)
{
	struct shale_map want, got;
	struct shale_map_run a, b;
	bool more_a, more_b;

	ASSERT_EQ(maps_read(layer, path, &got), 0);
	maps_make(&want, limit, runs);
	EXPECT_EQ(shale_map_limit(&got), limit);
	for (u64 from = 0;; from = a.first + a.nr) {
		more_a = shale_map_next(&want, from, ~0ULL, &a);
		more_b = shale_map_next(&got, from, ~0ULL, &b);
		ASSERT_EQ(more_a, more_b);
		if (!more_a)
			break;
		ASSERT(a.first == b.first && a.nr == b.nr);
	}
	shale_map_destroy(&want);
	shale_map_destroy(&got);
}
