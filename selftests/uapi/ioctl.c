// SPDX-License-Identifier: GPL-2.0-only
/*
 * ioctl.c - tests of the module's ioctls: every field that is refused, and what comes back from the
 * rest. Speaks the bytes of <linux/shale.h> itself, without libshale, so that wrong fields can be
 * sent.
 */
#include "ops.h"
#include "union.h"

#include <errno.h>
#include <limits.h>
#include <linux/shale.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

static void setup_with(const struct union_opts *opts)
{
	need_shale("only shale has these ioctls");
	lower(0, "a=hello d/f=1");
	lower(1, "b=2 d/g=2");
	upper("u=3");
	union_mount_with(opts);
}

static void setup(void)
{
	setup_with(&(struct union_opts){0});
}

static int mount_open(void)
{
	return ASSERT_OK(open("m", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

union argument {
	__u32 word[64];
	struct shale_ioc_version version;
	struct shale_ioc_stack stack;
	struct shale_ioc_stats stats;
	struct shale_ioc_file_map file_map;
	struct shale_ioc_materialize materialize;
};

struct request {
	unsigned long number;
	size_t size;
	bool needs_file; /* open for writing */
};

static const struct request requests[] = {
	{SHALE_IOC_VERSION, sizeof(struct shale_ioc_version), false},
	{SHALE_IOC_STACK, sizeof(struct shale_ioc_stack), false},
	{SHALE_IOC_STATS, sizeof(struct shale_ioc_stats), false},
	{SHALE_IOC_FILE_MAP, sizeof(struct shale_ioc_file_map), true},
	{SHALE_IOC_MATERIALIZE, sizeof(struct shale_ioc_materialize), true},
};

#define REQUESTS (sizeof(requests) / sizeof(requests[0]))

/* A request that is right in every field; path has PATH_MAX bytes. */
static void argument_init(union argument *arg, const struct request *request, char *path)
{
	memset(arg, 0, sizeof(*arg));
	arg->word[0] = request->size;
	if (request->number == SHALE_IOC_STACK) {
		arg->stack.path_ptr = (uintptr_t)path;
		arg->stack.path_size = PATH_MAX;
	}
	if (request->number == SHALE_IOC_FILE_MAP) {
		arg->file_map.runs_ptr = (uintptr_t)path;
		arg->file_map.count = PATH_MAX / sizeof(struct shale_file_run);
	}
}

static int request_open(const struct request *request)
{
	if (request->needs_file)
		return ASSERT_OK(open("m/u", O_RDWR | O_CLOEXEC));
	return mount_open();
}

static const struct request *request_find(unsigned long number)
{
	for (size_t i = 0; i < REQUESTS; i++)
		if (requests[i].number == number)
			return &requests[i];
	return NULL;
}

struct reject_case {
	struct ktap_row row;
	unsigned long number;
	size_t offset; /* of the 32-bit word that is made wrong */
	__u32 value;
	int want;
};

#define VERSION(field) SHALE_IOC_VERSION, offsetof(struct shale_ioc_version, field)
#define STACK(field)   SHALE_IOC_STACK, offsetof(struct shale_ioc_stack, field)
#define STATS(field)   SHALE_IOC_STATS, offsetof(struct shale_ioc_stats, field)
#define MAP(field)     SHALE_IOC_FILE_MAP, offsetof(struct shale_ioc_file_map, field)
#define FILL(field)    SHALE_IOC_MATERIALIZE, offsetof(struct shale_ioc_materialize, field)

static const struct reject_case reject_cases[] = {
	{{"version_size_0", "VERSION: a size of zero"}, VERSION(size), 0, EINVAL},
	{{"version_size_less", "VERSION: a size one byte short"}, VERSION(size),
	 sizeof(struct shale_ioc_version) - 1, EINVAL},
	{{"version_size_more", "VERSION: a size of a newer interface"}, VERSION(size),
	 sizeof(struct shale_ioc_version) + 8, EINVAL},
	{{"version_size_max", "VERSION: an absurd size"}, VERSION(size), ~0U, EINVAL},
	{{"version_flags", "VERSION: a flag"}, VERSION(flags), 1, EINVAL},
	{{"version_flags_high", "VERSION: the highest flag"}, VERSION(flags), 1U << 31, EINVAL},
	{{"version_reserved0", "VERSION: reserved[0]"}, VERSION(reserved[0]), 1, EINVAL},
	{{"version_reserved1", "VERSION: reserved[1]"}, VERSION(reserved[1]), 1, EINVAL},
	{{"stack_size_0", "STACK: a size of zero"}, STACK(size), 0, EINVAL},
	{{"stack_size_less", "STACK: a size one byte short"}, STACK(size),
	 sizeof(struct shale_ioc_stack) - 1, EINVAL},
	{{"stack_size_more", "STACK: a size of a newer interface"}, STACK(size),
	 sizeof(struct shale_ioc_stack) + 8, EINVAL},
	{{"stack_flags", "STACK: a flag"}, STACK(flags), 1, EINVAL},
	{{"stack_reserved", "STACK: reserved0"}, STACK(reserved0), 1, EINVAL},
	{{"stack_reserved0", "STACK: reserved[0]"}, STACK(reserved[0]), 1, EINVAL},
	{{"stack_reserved1", "STACK: reserved[1]"}, STACK(reserved[1]), 1, EINVAL},
	{{"stack_index", "STACK: the index after the last layer"}, STACK(index), 3, ENOENT},
	{{"stack_index_max", "STACK: the highest index"}, STACK(index), ~0U, ENOENT},
	{{"stack_path_size_0", "STACK: no room for the path"}, STACK(path_size), 0, ERANGE},
	{{"stack_path_size_1", "STACK: room for the NUL only"}, STACK(path_size), 1, ERANGE},
	{{"stack_path_ptr", "STACK: a path buffer that is not there"}, STACK(path_ptr), 8, EFAULT},
	{{"stats_size_0", "STATS: a size of zero"}, STATS(size), 0, EINVAL},
	{{"stats_size_less", "STATS: a size one byte short"}, STATS(size),
	 sizeof(struct shale_ioc_stats) - 1, EINVAL},
	{{"stats_size_more", "STATS: a size of a newer interface"}, STATS(size),
	 sizeof(struct shale_ioc_stats) + 8, EINVAL},
	{{"stats_flags", "STATS: a flag"}, STATS(flags), 1, EINVAL},
	{{"stats_reserved0", "STATS: reserved[0]"}, STATS(reserved[0]), 1, EINVAL},
	{{"stats_reserved1", "STATS: reserved[1]"}, STATS(reserved[1]), 1, EINVAL},
	{{"stats_reserved2", "STATS: reserved[2]"}, STATS(reserved[2]), 1, EINVAL},
	{{"file_map_size_0", "FILE_MAP: a size of zero"}, MAP(size), 0, EINVAL},
	{{"file_map_size_less", "FILE_MAP: a size one byte short"}, MAP(size),
	 sizeof(struct shale_ioc_file_map) - 1, EINVAL},
	{{"file_map_size_more", "FILE_MAP: a size of a newer interface"}, MAP(size),
	 sizeof(struct shale_ioc_file_map) + 8, EINVAL},
	{{"file_map_flags", "FILE_MAP: a flag"}, MAP(flags), 1, EINVAL},
	{{"file_map_reserved", "FILE_MAP: reserved0"}, MAP(reserved0), 1, EINVAL},
	{{"file_map_reserved0", "FILE_MAP: reserved[0]"}, MAP(reserved[0]), 1, EINVAL},
	{{"file_map_reserved1", "FILE_MAP: reserved[1]"}, MAP(reserved[1]), 1, EINVAL},
	{{"file_map_reserved2", "FILE_MAP: reserved[2]"}, MAP(reserved[2]), 1, EINVAL},
	{{"file_map_reserved3", "FILE_MAP: the upper half of reserved[3]"},
	 SHALE_IOC_FILE_MAP, offsetof(struct shale_ioc_file_map, reserved[3]) + 4, 1, EINVAL},
	{{"file_map_runs_ptr", "FILE_MAP: a buffer that is not there"}, MAP(runs_ptr), 8, EFAULT},
	{{"materialize_size_0", "MATERIALIZE: a size of zero"}, FILL(size), 0, EINVAL},
	{{"materialize_size_less", "MATERIALIZE: a size one byte short"}, FILL(size),
	 sizeof(struct shale_ioc_materialize) - 1, EINVAL},
	{{"materialize_size_more", "MATERIALIZE: a size of a newer interface"}, FILL(size),
	 sizeof(struct shale_ioc_materialize) + 8, EINVAL},
	{{"materialize_flags", "MATERIALIZE: a flag"}, FILL(flags), 1, EINVAL},
	{{"materialize_reserved0", "MATERIALIZE: reserved[0]"}, FILL(reserved[0]), 1, EINVAL},
	{{"materialize_reserved1", "MATERIALIZE: reserved[1]"}, FILL(reserved[1]), 1, EINVAL},
	{{"materialize_reserved2", "MATERIALIZE: reserved[2]"}, FILL(reserved[2]), 1, EINVAL},
};

TEST_TABLE(reject, struct reject_case, reject_cases, c)
{
	union argument arg, before;
	char path[PATH_MAX];
	int fd;

	setup();
	fd = request_open(request_find(c->number));
	argument_init(&arg, request_find(c->number), path);
	EXPECT_OK(ioctl(fd, c->number, &arg));
	argument_init(&arg, request_find(c->number), path);
	/* A pointer is two words. */
	if (c->want == EFAULT)
		memset((char *)&arg + c->offset, 0, sizeof(__u64));
	memcpy((char *)&arg + c->offset, &c->value, sizeof(c->value));
	before = arg;
	EXPECT_ERR(ioctl(fd, c->number, &arg), c->want);
	if (c->want == EINVAL)
		EXPECT(!memcmp(&arg, &before, sizeof(arg)));
	close(fd);
}

TEST(bad_pointer, "a struct that is not there is EFAULT for every ioctl")
{
	setup();
	for (size_t i = 0; i < REQUESTS; i++) {
		int fd = request_open(&requests[i]);

		EXPECT_ERR(ioctl(fd, requests[i].number, NULL), EFAULT);
		EXPECT_ERR(ioctl(fd, requests[i].number, (void *)-4096L), EFAULT);
		close(fd);
	}
}

TEST(directory, "what is about a file says EISDIR of a directory")
{
	union argument arg;
	char path[PATH_MAX];
	int fd;

	setup();
	fd = mount_open();
	for (size_t i = 0; i < REQUESTS; i++) {
		if (!requests[i].needs_file)
			continue;
		argument_init(&arg, &requests[i], path);
		EXPECT_ERR(ioctl(fd, requests[i].number, &arg), EISDIR);
	}
	close(fd);
}

TEST(foreign, "what is not on shale says ENOTTY")
{
	union argument arg;
	char path[PATH_MAX];
	int fd;

	setup();
	for (size_t i = 0; i < REQUESTS; i++) {
		fd = ASSERT_OK(requests[i].needs_file ? open("u/u", O_RDWR | O_CLOEXEC) :
							open("u", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
		argument_init(&arg, &requests[i], path);
		EXPECT_ERR(ioctl(fd, requests[i].number, &arg), ENOTTY);
		close(fd);
	}
}

TEST(unknown, "an ioctl number of ours that does not exist says ENOTTY")
{
	union argument arg = {0};
	int fd;

	setup();
	fd = mount_open();
	EXPECT_ERR(ioctl(fd, _IOWR(SHALE_IOC_MAGIC, 5, struct shale_ioc_stats), &arg), ENOTTY);
	EXPECT_ERR(ioctl(fd, _IOWR(SHALE_IOC_MAGIC, 255, struct shale_ioc_stats), &arg), ENOTTY);
	close(fd);
}

TEST(any_object, "what is about a mount works on a file and a directory of any layer, for anybody")
{
	static const char *const names[] = {"m", "m/a", "m/b", "m/u", "m/d", "m/d/g"};

	setup();
	AS_UID(1000)
	{
		union argument arg;
		char path[PATH_MAX];

		for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++) {
			int fd = ASSERT_OK(open(names[n], O_RDONLY | O_CLOEXEC));

			for (size_t i = 0; i < REQUESTS; i++) {
				if (requests[i].needs_file)
					continue;
				argument_init(&arg, &requests[i], path);
				EXPECT_OK(ioctl(fd, requests[i].number, &arg));
			}
			close(fd);
		}
	}
}

TEST(version, "VERSION says which interface and features there are")
{
	struct shale_ioc_version version = {.size = sizeof(version)};
	const __u64 want = SHALE_FEATURE_FILE_COW | SHALE_FEATURE_REDIRECT | SHALE_FEATURE_INDEX |
			   SHALE_FEATURE_AUFS_WHITEOUTS | SHALE_FEATURE_LOWERDIR_ADD |
			   SHALE_FEATURE_BLOCK_COW;
	int fd;

	setup();
	fd = mount_open();
	ASSERT_OK(ioctl(fd, SHALE_IOC_VERSION, &version));
	EXPECT_EQ(version.size, sizeof(version));
	EXPECT_EQ(version.major, SHALE_VERSION_MAJOR);
	EXPECT_EQ(version.minor, SHALE_VERSION_MINOR);
	EXPECT_EQ(version.features & want, want);
	EXPECT_EQ(version.reserved[0] | version.reserved[1], 0);
	close(fd);
}

static struct shale_ioc_stack stack_get(int fd, __u32 index, char *path)
{
	struct shale_ioc_stack stack = {
		.size = sizeof(stack),
		.index = index,
		.path_ptr = (uintptr_t)path,
		.path_size = PATH_MAX,
	};

	ASSERT_OK(ioctl(fd, SHALE_IOC_STACK, &stack));
	EXPECT_EQ(stack.path_len, strlen(path) + 1);
	return stack;
}

static void expect_same_dir(const char *path, const char *want)
{
	struct stat a = stat_of(path), b = stat_of(want);

	EXPECT_EQ(a.st_dev, b.st_dev);
	EXPECT_EQ(a.st_ino, b.st_ino);
}

TEST(stack, "STACK lists the layers from the top, the upper first")
{
	static const char *const want[] = {"u", "l0", "l1"};
	char path[PATH_MAX];
	int fd;

	setup();
	fd = mount_open();
	for (__u32 i = 0; i < 3; i++) {
		struct shale_ioc_stack stack = stack_get(fd, i, path);

		EXPECT_EQ(stack.count, 3);
		EXPECT_EQ(stack.index, i);
		EXPECT_EQ(!!(stack.layer_flags & SHALE_LAYER_UPPER), i == 0);
		expect_same_dir(path, want[i]);
	}
	close(fd);
}

TEST(stack_readonly, "STACK of a mount without an upper begins with the top lower")
{
	const struct union_opts opts = {.readonly = true};
	char path[PATH_MAX];
	struct shale_ioc_stack stack;
	int fd;

	need_shale("only shale has these ioctls");
	lower(0, "a=1");
	lower(1, "b=2");
	union_mount_with(&opts);
	fd = mount_open();
	stack = stack_get(fd, 0, path);
	EXPECT_EQ(stack.count, 2);
	EXPECT_EQ(stack.layer_flags & SHALE_LAYER_UPPER, 0);
	expect_same_dir(path, "l0");
	close(fd);
}

TEST(stack_whiteouts, "STACK says which family of whiteouts is honoured")
{
	static const struct {
		const char *option;
		__u32 want;
	} families[] = {
		{"whiteout=both", SHALE_LAYER_AUFS | SHALE_LAYER_OVERLAY},
		{"whiteout=aufs", SHALE_LAYER_AUFS},
		{"whiteout=overlay", SHALE_LAYER_OVERLAY},
	};
	char path[PATH_MAX];

	need_shale("only shale has these ioctls");
	lower(0, "a=1");
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		const struct union_opts opts = {.options = families[i].option};
		int fd;

		union_mount_with(&opts);
		fd = mount_open();
		EXPECT_EQ(stack_get(fd, 1, path).layer_flags & (SHALE_LAYER_AUFS | SHALE_LAYER_OVERLAY),
			  families[i].want);
		close(fd);
		union_umount();
	}
}

TEST(stack_erange, "STACK with too little room says how much it takes, and that is enough")
{
	char path[PATH_MAX];
	struct shale_ioc_stack stack = {.size = sizeof(stack), .path_ptr = (uintptr_t)path};
	__u32 need;
	int fd;

	setup();
	fd = mount_open();
	EXPECT_ERR(ioctl(fd, SHALE_IOC_STACK, &stack), ERANGE);
	need = stack.path_len;
	EXPECT(need > 1);
	stack.path_size = need - 1;
	EXPECT_ERR(ioctl(fd, SHALE_IOC_STACK, &stack), ERANGE);
	EXPECT_EQ(stack.path_len, need);
	memset(path, 'x', sizeof(path));
	stack.path_size = need;
	EXPECT_OK(ioctl(fd, SHALE_IOC_STACK, &stack));
	EXPECT_EQ(strnlen(path, sizeof(path)), need - 1);
	EXPECT_EQ(path[need], 'x');
	close(fd);
}

static struct shale_ioc_stats stats_get(void)
{
	struct shale_ioc_stats stats = {.size = sizeof(stats)};
	int fd = mount_open();

	ASSERT_OK(ioctl(fd, SHALE_IOC_STATS, &stats));
	close(fd);
	return stats;
}

/* Where files can share blocks, a clone moves no bytes. */
static bool shares_blocks(void)
{
	return !strcmp(union_backing(), "xfs") || !strcmp(union_backing(), "btrfs");
}

struct count_case {
	struct ktap_row row;
	const char *options;
	const char *ops;
	size_t offset; /* of the counter */
	long long want;
};

#define COUNTER(field) offsetof(struct shale_ioc_stats, field)

static const struct count_case count_cases[] = {
	{{"copy_ups", "a write to a lower file is a copy-up"}, "cow=copy", "append a x",
	 COUNTER(copy_ups), 1},
	{{"copy_up_bytes", "and copies its bytes"}, "cow=copy", "append a x", COUNTER(copy_up_bytes), 5},
	{{"copy_up_twice", "a second write is not one more"}, "cow=copy", "append a x; append a y",
	 COUNTER(copy_ups), 1},
	{{"copy_up_upper", "a write to an upper file is none"}, "cow=copy", "append u x",
	 COUNTER(copy_ups), 0},
	{{"copy_up_parent", "a lower directory on the way counts as well"}, "cow=copy", "append d/f x",
	 COUNTER(copy_ups), 2},
	{{"copy_up_errors", "none of it failed"}, "cow=copy", "append a x", COUNTER(copy_up_errors), 0},
	{{"blocks_copy_ups", "a copy-up by blocks is a copy-up"}, "cow=block", "append a x",
	 COUNTER(copy_ups), 1},
	{{"blocks_copy_up_bytes", "which copies nothing"}, "cow=block", "append a x",
	 COUNTER(copy_up_bytes), 0},
	{{"block_copy_ups", "and is also counted by itself"}, "cow=block", "append d/f x",
	 COUNTER(block_copy_ups), 1},
	{{"block_copy_ups_copy", "which a whole copy is not"}, "cow=copy", "append a x",
	 COUNTER(block_copy_ups), 0},
	{{"block_bytes_append", "appending to a file copies what is in its last block"}, "cow=block",
	 "append a x; append a y", COUNTER(block_bytes), 5},
	{{"block_bytes_read", "reading a file copies nothing"}, "cow=block", "chmod 600 a; read a hello",
	 COUNTER(block_bytes), 0},
	{{"block_bytes", "writing into a block copies the rest of what it shows"}, "cow=block",
	 "overwrite a xy", COUNTER(block_bytes), 3},
	{{"map_errors", "none of the files cannot be opened"}, "cow=block", "append a x; append d/f x",
	 COUNTER(map_errors), 0},
	{{"whiteouts", "the removal of a lower file writes a whiteout"}, "cow=copy", "unlink a",
	 COUNTER(whiteouts), 1},
	{{"whiteouts_upper", "the removal of an upper file does not"}, "cow=copy", "unlink u",
	 COUNTER(whiteouts), 0},
	{{"redirects", "the rename of a lower directory writes a redirect"}, "cow=copy", "rename d e",
	 COUNTER(redirects), 1},
};

static __u64 counter_change(const struct count_case *c)
{
	struct shale_ioc_stats before, after;
	__u64 a, b;

	before = stats_get();
	ops_run("m", c->ops);
	after = stats_get();
	memcpy(&a, (char *)&before + c->offset, sizeof(a));
	memcpy(&b, (char *)&after + c->offset, sizeof(b));
	return b - a;
}

TEST_TABLE(count, struct count_case, count_cases, c)
{
	setup_with(&(struct union_opts){.options = c->options});
	EXPECT_EQ(counter_change(c), c->want);
}

TEST(count_clone, "a copy-up that clones counts the bytes only where it had to copy them")
{
	static const struct count_case c = {
		.ops = "append a x",
		.offset = COUNTER(copy_up_bytes),
	};

	setup_with(&(struct union_opts){.options = "cow=clone"});
	EXPECT_EQ(counter_change(&c), shares_blocks() ? 0 : 5);
}

TEST(count_lookups, "names that are not cached count as lookups, and as lookups in layers")
{
	struct shale_ioc_stats before, after;

	setup();
	before = stats_get();
	EXPECT(exists("m/b"));
	EXPECT(!exists("m/absent"));
	after = stats_get();
	EXPECT_EQ(after.lookups - before.lookups, 2);
	EXPECT(after.layer_lookups - before.layer_lookups >= 4);
}

TEST(count_merged, "reading a merged directory builds its listing")
{
	struct shale_ioc_stats before, after;

	setup();
	before = stats_get();
	EXPECT_TREE("m/d", "f=1 g=2");
	after = stats_get();
	EXPECT(after.merged_dirs > before.merged_dirs);
}

TEST(mount_id, "each mount has an id of its own, and counts from zero")
{
	struct shale_ioc_stats first, second;

	setup();
	ops_run("m", "append a x");
	first = stats_get();
	union_umount();
	union_mount();
	second = stats_get();
	EXPECT(first.mount_id != second.mount_id);
	EXPECT_EQ(first.copy_ups, 1);
	EXPECT_EQ(second.copy_ups, 0);
}
