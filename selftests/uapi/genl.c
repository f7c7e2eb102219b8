// SPDX-License-Identifier: GPL-2.0-only
/*
 * genl.c - tests of the module's generic netlink family, heard through libshale: the events of mounts
 * and copy-ups, the list of mounts with their counters, and who may have them.
 */
#include "ops.h"
#include "union.h"

#include <errno.h>
#include <linux/shale.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

#include "kapi/genl.h"

#define EVENT_WAIT_MS 5000

static void setup(void)
{
	need_shale("only shale has this family");
	lower(0, "a=hello d/f=1 x!");
	lower(1, "b=2");
	upper("");
}

static struct genl listen_begin(void)
{
	struct genl genl;
	struct shale_err err = {0};

	if (genl_open(&genl, &err) || genl_subscribe(&genl, &err)) {
		ktap_note("%s", err.msg);
		ASSERT(!"listening to events");
	}
	return genl;
}

/* The next event of the mount, other mounts' passed over; 0: any mount. */
static struct genl_message event_next(struct genl *genl, __u64 mount_id)
{
	struct genl_message message;
	struct shale_err err = {0};
	bool got = false;

	do {
		ASSERT(!genl_wait(genl, EVENT_WAIT_MS, &message, &got, &err));
		ASSERT(got);
	} while (mount_id && message.mount_id != mount_id);
	return message;
}

static void expect_silence(struct genl *genl)
{
	struct genl_message message;
	struct shale_err err = {0};
	bool got = false;

	EXPECT(!genl_wait(genl, 0, &message, &got, &err));
	EXPECT(!got);
}

/* st_dev in the form the kernel's new_encode_dev() gives. */
static __u32 dev_encode(dev_t dev)
{
	return (minor(dev) & 0xff) | major(dev) << 8 | (minor(dev) & ~0xffU) << 12;
}

static struct shale_ioc_stats stats_get(void)
{
	struct shale_ioc_stats stats = {.size = sizeof(stats)};
	int fd = ASSERT_OK(open("m", O_RDONLY | O_DIRECTORY | O_CLOEXEC));

	ASSERT_OK(ioctl(fd, SHALE_IOC_STATS, &stats));
	close(fd);
	return stats;
}

/* Where files can share blocks, copying one up moves no bytes. */
static bool shares_blocks(void)
{
	return !strcmp(union_backing(), "xfs") || !strcmp(union_backing(), "btrfs");
}

static unsigned int attrs(unsigned int first, ...)
{
	va_list ap;
	unsigned int bits = 0;

	va_start(ap, first);
	for (unsigned int attr = first; attr; attr = va_arg(ap, unsigned int))
		bits |= 1U << attr;
	va_end(ap);
	return bits;
}

TEST(mounted, "MOUNTED comes with id, device, layers, the upper, and whether it is writable")
{
	struct genl genl;
	struct genl_message event;
	struct stat upper_st, st;

	setup();
	genl = listen_begin();
	union_mount();
	event = event_next(&genl, 0);
	EXPECT_EQ(event.cmd, SHALE_CMD_MOUNTED);
	EXPECT_EQ(event.has, attrs(SHALE_A_MOUNT_ID, SHALE_A_DEV, SHALE_A_LAYERS, SHALE_A_WRITABLE,
				   SHALE_A_UPPER, 0));
	EXPECT_EQ(event.mount_id, stats_get().mount_id);
	EXPECT_EQ(event.dev, dev_encode(stat_of("m").st_dev));
	EXPECT_EQ(event.layers, 3);
	upper_st = stat_of("u");
	st = stat_of(event.upper);
	EXPECT_EQ(st.st_ino, upper_st.st_ino);
	genl_close(&genl);
}

TEST(mounted_readonly, "MOUNTED of a mount without an upper has neither upper nor writable")
{
	const struct union_opts opts = {.readonly = true};
	struct genl genl;
	struct genl_message event;

	setup();
	genl = listen_begin();
	union_mount_with(&opts);
	event = event_next(&genl, 0);
	EXPECT_EQ(event.cmd, SHALE_CMD_MOUNTED);
	EXPECT_EQ(event.has, attrs(SHALE_A_MOUNT_ID, SHALE_A_DEV, SHALE_A_LAYERS, 0));
	EXPECT_EQ(event.layers, 2);
	genl_close(&genl);
}

TEST(mounted_ro, "MOUNTED of a read-only mount with an upper has the upper and is not writable")
{
	const struct union_opts opts = {.mount_ro = true};
	struct genl genl;
	struct genl_message event;

	setup();
	genl = listen_begin();
	union_mount_with(&opts);
	event = event_next(&genl, 0);
	EXPECT(genl_has(&event, SHALE_A_UPPER));
	EXPECT(!genl_has(&event, SHALE_A_WRITABLE));
	genl_close(&genl);
}

TEST(unmounted, "UNMOUNTED comes with id and device")
{
	struct genl genl;
	struct genl_message event;
	__u64 id;
	__u32 dev;

	setup();
	union_mount();
	id = stats_get().mount_id;
	dev = dev_encode(stat_of("m").st_dev);
	genl = listen_begin();
	union_umount();
	event = event_next(&genl, id);
	EXPECT_EQ(event.cmd, SHALE_CMD_UNMOUNTED);
	EXPECT_EQ(event.has, attrs(SHALE_A_MOUNT_ID, SHALE_A_DEV, 0));
	EXPECT_EQ(event.dev, dev);
	genl_close(&genl);
}

TEST(failed_mount, "a mount that fails is no event")
{
	struct genl genl;

	setup();
	genl = listen_begin();
	ASSERT_OK(mkdir("m", 0755));
	EXPECT_ERR(union_try("m", 0, "lowerdir=absent"), ENOENT);
	expect_silence(&genl);
	genl_close(&genl);
}

TEST(copied_up, "COPIED_UP comes with the inode, its mode and the bytes copied")
{
	struct genl genl;
	struct genl_message event;
	struct stat st;

	setup();
	union_mount();
	genl = listen_begin();
	ops_run("m", "append a x");
	st = stat_of("m/a");
	event = event_next(&genl, stats_get().mount_id);
	EXPECT_EQ(event.cmd, SHALE_CMD_COPIED_UP);
	EXPECT_EQ(event.has, attrs(SHALE_A_MOUNT_ID, SHALE_A_DEV, SHALE_A_INO, SHALE_A_MODE,
				   SHALE_A_BYTES, 0));
	EXPECT_EQ(event.dev, dev_encode(st.st_dev));
	EXPECT_EQ(event.ino, st.st_ino);
	EXPECT_EQ(event.mode, st.st_mode);
	EXPECT_EQ(event.bytes, shares_blocks() ? 0 : 5);
	genl_close(&genl);
}

TEST(copied_up_parents, "the directory on the way is copied up first, with no bytes")
{
	struct genl genl;
	struct genl_message event;

	setup();
	union_mount();
	genl = listen_begin();
	ops_run("m", "append d/f x");
	event = event_next(&genl, stats_get().mount_id);
	EXPECT(S_ISDIR(event.mode));
	EXPECT_EQ(event.bytes, 0);
	event = event_next(&genl, stats_get().mount_id);
	EXPECT(S_ISREG(event.mode));
	EXPECT_EQ(event.bytes, shares_blocks() ? 0 : 1);
	expect_silence(&genl);
	genl_close(&genl);
}

TEST(no_copy_up, "reading and writing what is in the upper are no events")
{
	struct genl genl;

	setup();
	upper("u=1");
	union_mount();
	genl = listen_begin();
	ops_run("m", "read a hello; append u x; create n text");
	expect_silence(&genl);
	genl_close(&genl);
}

struct wanted {
	__u64 id;
	struct genl_message found;
	int count;
};

static int mount_match(const struct genl_message *message, void *data)
{
	struct wanted *wanted = data;

	if (message->mount_id == wanted->id) {
		wanted->found = *message;
		wanted->count++;
	}
	return 0;
}

static struct wanted list_find(__u64 id)
{
	struct wanted wanted = {.id = id};
	struct shale_err err = {0};
	struct genl genl;

	ASSERT(!genl_open(&genl, &err));
	EXPECT(!genl_list(&genl, mount_match, &wanted, &err));
	genl_close(&genl);
	return wanted;
}

TEST(list, "the list has each mount once, with its counters")
{
	struct shale_ioc_stats stats;
	struct wanted wanted;
	struct genl_message *m = &wanted.found;

	setup();
	union_mount();
	ops_run("m", "append a x; unlink b; rename d e");
	stats = stats_get();
	wanted = list_find(stats.mount_id);
	ASSERT_EQ(wanted.count, 1);
	EXPECT_EQ(m->cmd, SHALE_CMD_GET_MOUNT);
	EXPECT_EQ(m->has, attrs(SHALE_A_MOUNT_ID, SHALE_A_DEV, SHALE_A_LAYERS, SHALE_A_WRITABLE,
				SHALE_A_UPPER, SHALE_A_STATS, 0));
	EXPECT_EQ(m->dev, dev_encode(stat_of("m").st_dev));
	EXPECT_EQ(m->layers, 3);
	EXPECT_EQ(m->has_stat, ((1U << (SHALE_A_STAT_MAX + 1)) - 1) & ~3U);
	EXPECT_EQ(m->stat[SHALE_A_STAT_COPY_UPS], stats.copy_ups);
	EXPECT_EQ(m->stat[SHALE_A_STAT_COPY_UP_BYTES], stats.copy_up_bytes);
	EXPECT_EQ(m->stat[SHALE_A_STAT_COPY_UP_ERRORS], stats.copy_up_errors);
	EXPECT_EQ(m->stat[SHALE_A_STAT_WHITEOUTS], stats.whiteouts);
	EXPECT_EQ(m->stat[SHALE_A_STAT_REDIRECTS], stats.redirects);
	EXPECT(m->stat[SHALE_A_STAT_LOOKUPS] >= stats.lookups);
	EXPECT(m->stat[SHALE_A_STAT_LAYER_LOOKUPS] >= stats.layer_lookups);
	EXPECT(m->stat[SHALE_A_STAT_MERGED_DIRS] >= stats.merged_dirs);
}

TEST(list_gone, "an unmounted mount is not in the list")
{
	__u64 id;

	setup();
	union_mount();
	id = stats_get().mount_id;
	union_umount();
	EXPECT_EQ(list_find(id).count, 0);
}

#define MANY 100

TEST(list_many, "a list of more mounts than fit into one datagram has every one, once")
{
	__u64 ids[MANY];
	char dir[16];

	setup();
	for (int i = 0; i < MANY; i++) {
		struct shale_ioc_stats stats = {.size = sizeof(stats)};
		int fd;

		snprintf(dir, sizeof(dir), "m%d", i);
		ASSERT_OK(mkdir(dir, 0755));
		ASSERT_OK(union_try(dir, 0, "lowerdir=l0:l1"));
		fd = ASSERT_OK(open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
		ASSERT_OK(ioctl(fd, SHALE_IOC_STATS, &stats));
		close(fd);
		ids[i] = stats.mount_id;
	}
	for (int i = 0; i < MANY; i += MANY - 1)
		EXPECT_EQ(list_find(ids[i]).count, 1);
	EXPECT_EQ(list_find(ids[MANY / 2]).count, 1);
	for (int i = 0; i < MANY; i++) {
		snprintf(dir, sizeof(dir), "m%d", i);
		EXPECT_OK(umount2(dir, 0));
	}
}

TEST(list_namespace, "who is in a user namespace of its own sees no mount of the one above")
{
	__u64 id;

	setup();
	union_mount();
	id = stats_get().mount_id;
	IN_CHILD
	{
		ASSERT_OK(unshare(CLONE_NEWUSER));
		EXPECT_EQ(list_find(id).count, 0);
	}
}

TEST(list_unprivileged, "anybody in the mount's user namespace sees it")
{
	__u64 id;

	setup();
	union_mount();
	id = stats_get().mount_id;
	AS_UID(1000)
	{
		EXPECT_EQ(list_find(id).count, 1);
	}
}

TEST(events_unprivileged, "who has no CAP_NET_ADMIN cannot listen")
{
	setup();
	union_mount();
	AS_UID(1000)
	{
		struct genl genl;
		struct shale_err err = {0};

		ASSERT(!genl_open(&genl, &err));
		EXPECT(genl_subscribe(&genl, &err));
		EXPECT_EQ(err.code, EPERM);
		EXPECT_STREQ(err.msg, "cannot listen to events: Operation not permitted");
		genl_close(&genl);
	}
}

TEST(overflow, "a listener that does not read is told so, and nobody else waits for it")
{
	struct genl genl;
	struct genl_message event;
	struct shale_err err = {0};
	bool got = true;
	int ret = 0;

	setup();
	ASSERT_OK(mkdir("m", 0755));
	genl = listen_begin();
	for (int i = 0; i < 600; i++) {
		ASSERT_OK(union_try("m", 0, "lowerdir=l0:l1"));
		ASSERT_OK(umount2("m", 0));
	}
	while (!ret && got)
		ret = genl_wait(&genl, 0, &event, &got, &err);
	EXPECT_EQ(ret, -1);
	EXPECT_EQ(err.code, ENOBUFS);
	EXPECT_STREQ(err.msg, "events were lost");
	genl_close(&genl);
}
