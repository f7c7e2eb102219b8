// SPDX-License-Identifier: GPL-2.0-only
/*
 * genl.c - tests of the module's generic netlink family, heard through libshale: the events of mounts
 * and copy-ups, the list of mounts with their counters, and who may have them.
 */
#include "ops.h"
#include "union.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/shale.h>
#include <linux/shale_disk.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "kapi/genl.h"

#define EVENT_WAIT_MS 5000

static const struct union_opts by_copy = {.cow = "copy"};

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
	union_mount_with(&by_copy);
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
	EXPECT_EQ(event.bytes, 5);
	genl_close(&genl);
}

TEST(copied_up_parents, "the directory on the way is copied up first, with no bytes")
{
	struct genl genl;
	struct genl_message event;

	setup();
	union_mount_with(&by_copy);
	genl = listen_begin();
	ops_run("m", "append d/f x");
	event = event_next(&genl, stats_get().mount_id);
	EXPECT(S_ISDIR(event.mode));
	EXPECT_EQ(event.bytes, 0);
	event = event_next(&genl, stats_get().mount_id);
	EXPECT(S_ISREG(event.mode));
	EXPECT_EQ(event.bytes, 1);
	expect_silence(&genl);
	genl_close(&genl);
}

TEST(copied_up_blocks, "a copy-up by blocks copied no bytes")
{
	struct genl genl;
	struct genl_message event;

	setup();
	union_mount_with(&union_by_blocks);
	genl = listen_begin();
	ops_run("m", "append a x");
	event = event_next(&genl, stats_get().mount_id);
	EXPECT_EQ(event.cmd, SHALE_CMD_COPIED_UP);
	EXPECT(S_ISREG(event.mode));
	EXPECT_EQ(event.bytes, 0);
	expect_silence(&genl);
	genl_close(&genl);
}

/* d/f has some bytes in the upper; then something happens to it while it is not mounted. */
static void partial_damage(void (*damage)(void))
{
	setup();
	union_mount_with(&union_by_blocks);
	ops_run("m", "append d/f x");
	union_umount();
	damage();
	ASSERT_OK(union_try("m", 0, "lowerdir=l0:l1,upperdir=u,workdir=w,cow=block"));
}

static void expect_map_error(struct genl *genl, int error)
{
	struct genl_message event = event_next(genl, stats_get().mount_id);
	struct stat st = stat_of("m/d/f");

	EXPECT_EQ(event.cmd, SHALE_CMD_MAP_ERROR);
	EXPECT_EQ(event.has, attrs(SHALE_A_MOUNT_ID, SHALE_A_DEV, SHALE_A_INO, SHALE_A_ERROR,
				   SHALE_A_PATH, 0));
	EXPECT_EQ(event.dev, dev_encode(st.st_dev));
	EXPECT_EQ(event.ino, st.st_ino);
	EXPECT_EQ(event.error, error);
	EXPECT_STREQ(event.path, "/d/f");
}

static void below_remove(void)
{
	ASSERT_OK(unlink("l0/d/f"));
}

static void below_change(void)
{
	file_append("l0/d/f", "more");
}

static void map_change(int offset)
{
	unsigned char map[1024];
	ssize_t len = ASSERT_OK(getxattr("u/d/f", "trusted.shale.map", map, sizeof(map)));

	map[offset] ^= 0x40;
	ASSERT_OK(setxattr("u/d/f", "trusted.shale.map", map, len, 0));
}

static void map_damage(void)
{
	map_change(40);
}

static void map_from_future(void)
{
	map_change(offsetof(struct shale_disk_map, version));
}

struct map_error_case {
	struct ktap_row row;
	void (*damage)(void);
	int error;
};

static const struct map_error_case map_errors[] = {
	{{"below_gone", "the file below is gone"}, below_remove, EIO},
	{{"below_changed", "the file below is another"}, below_change, EIO},
	{{"map_damaged", "the map is damaged"}, map_damage, EIO},
	{{"map_newer", "the map is of a later version"}, map_from_future, EOPNOTSUPP},
};
TEST_TABLE(map_error, struct map_error_case, map_errors, c)
{
	struct genl genl;

	partial_damage(c->damage);
	genl = listen_begin();
	EXPECT_EQ(stats_get().map_errors, 0);
	EXPECT_ERR(open("m/d/f", O_RDONLY | O_CLOEXEC), c->error);
	expect_map_error(&genl, c->error);
	EXPECT_ERR(open("m/d/f", O_RDWR | O_CLOEXEC), c->error);
	expect_silence(&genl);
	EXPECT_EQ(stats_get().map_errors, 2);
	ops_run("m", "read a hello");
	genl_close(&genl);
}

TEST(map_error_again, "a file that cannot be opened is an event again after a remount")
{
	struct genl genl;

	partial_damage(below_remove);
	EXPECT_ERR(open("m/d/f", O_RDONLY | O_CLOEXEC), EIO);
	ASSERT_OK(umount2("m", 0));
	ASSERT_OK(union_try("m", 0, "lowerdir=l0:l1,upperdir=u,workdir=w,cow=block"));
	genl = listen_begin();
	EXPECT_ERR(open("m/d/f", O_RDONLY | O_CLOEXEC), EIO);
	expect_map_error(&genl, EIO);
	genl_close(&genl);
}

/* A directory whose path is longer than PATH_MAX, below TOP. */
static int deep_dir(const char *top, bool makes_it)
{
	int dir = ASSERT_OK(open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC)), next;
	char name[252] = {0};

	memset(name, 'n', sizeof(name) - 1);
	for (int i = 0; i < 20; i++, dir = next) {
		if (makes_it)
			ASSERT_OK(mkdirat(dir, name, 0755));
		next = ASSERT_OK(openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
		close(dir);
	}
	return dir;
}

TEST(map_error_long, "of a file whose path does not fit into an event the rest is told")
{
	struct genl_message event;
	struct genl genl;
	int dir, file;

	setup();
	dir = deep_dir("l0", true);
	file = ASSERT_OK(openat(dir, "f", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	ASSERT_OK(fsetxattr(file, "trusted.overlay.metacopy", "", 0, 0));
	close(file);
	close(dir);
	union_mount_with(&union_by_blocks);
	genl = listen_begin();
	dir = deep_dir("m", false);
	EXPECT_ERR(openat(dir, "f", O_RDONLY | O_CLOEXEC), EIO);
	close(dir);
	event = event_next(&genl, stats_get().mount_id);
	EXPECT_EQ(event.cmd, SHALE_CMD_MAP_ERROR);
	EXPECT_EQ(event.has, attrs(SHALE_A_MOUNT_ID, SHALE_A_DEV, SHALE_A_INO, SHALE_A_ERROR, 0));
	EXPECT_EQ(event.error, EIO);
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
	union_mount_with(&union_by_blocks);
	ops_run("m", "overwrite a xy; unlink b; rename d e");
	stats = stats_get();
	EXPECT_EQ(stats.block_copy_ups, 1);
	EXPECT_EQ(stats.block_bytes, 3);
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
	EXPECT_EQ(m->stat[SHALE_A_STAT_BLOCK_COPY_UPS], stats.block_copy_ups);
	EXPECT_EQ(m->stat[SHALE_A_STAT_BLOCK_BYTES], stats.block_bytes);
	EXPECT_EQ(m->stat[SHALE_A_STAT_MAP_ERRORS], stats.map_errors);
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

/* An upper whose name takes most of the options of mount(2). */
static __u64 mount_long(char *options, size_t room)
{
	size_t at = snprintf(options, room, "lowerdir=l0:l1,workdir=w,upperdir=");

	while (at < room - 8)
		at += snprintf(options + at, room - at, "./");
	snprintf(options + at, room - at, "u");
	ASSERT_OK(mkdir("w", 0755));
	ASSERT_OK(mkdir("m", 0755));
	ASSERT_OK(union_try("m", 0, options));
	return stats_get().mount_id;
}

/* Room of a reader that a long name and the rest do not fit into. */
#define SMALL 4096

static int socket_ask(__u16 family)
{
	struct {
		struct nlmsghdr head;
		struct genlmsghdr genl;
	} ask = {
		{.nlmsg_len = sizeof(ask), .nlmsg_type = family, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		{.cmd = SHALE_CMD_GET_MOUNT, .version = SHALE_GENL_VERSION},
	};
	int fd = ASSERT_OK(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC));

	ASSERT_EQ(send(fd, &ask, sizeof(ask), 0), sizeof(ask));
	return fd;
}

static const struct nlattr *attr_next(const struct nlattr *attr)
{
	return (const void *)((const char *)attr + NLA_ALIGN(attr->nla_len));
}

static bool is_of_mount(const struct nlmsghdr *head, __u64 id, unsigned int *attributes)
{
	const void *end = (const char *)head + head->nlmsg_len;
	const struct nlattr *attr = (const void *)((const char *)NLMSG_DATA(head) + GENL_HDRLEN);
	bool is_it = false;

	for (*attributes = 0; (const void *)attr < end; attr = attr_next(attr)) {
		*attributes |= 1U << (attr->nla_type & NLA_TYPE_MASK);
		if (attr->nla_type == SHALE_A_MOUNT_ID)
			is_it = !memcmp(attr + 1, &id, sizeof(id));
	}
	return is_it;
}

static int small_list(__u16 family, __u64 id, unsigned int *ret_attributes)
{
	static char buf[SMALL] __attribute__((aligned(8)));
	int fd = socket_ask(family), count = 0;
	unsigned int attributes;
	bool is_done = false;

	while (!is_done) {
		int len = ASSERT_OK(recv(fd, buf, sizeof(buf), 0));

		for (struct nlmsghdr *head = (void *)buf; NLMSG_OK(head, len); head = NLMSG_NEXT(head, len)) {
			is_done |= head->nlmsg_type == NLMSG_DONE || head->nlmsg_type == NLMSG_ERROR;
			if (is_done || !is_of_mount(head, id, &attributes))
				continue;
			*ret_attributes = attributes;
			count++;
		}
	}
	close(fd);
	return count;
}

TEST(list_long, "a mount whose upper's name does not fit is told of without it, and the list goes on")
{
	unsigned int seen = 0;
	struct shale_err err = {0};
	char options[4090];
	struct genl genl;
	__u64 id;

	setup();
	id = mount_long(options, sizeof(options));
	ASSERT_OK(mkdir("n", 0755));
	ASSERT_OK(union_try("n", 0, "lowerdir=l0:l1"));
	ASSERT(!genl_open(&genl, &err));
	EXPECT_EQ(small_list(genl.family, id, &seen), 1);
	EXPECT_EQ(seen & ~1U, attrs(SHALE_A_MOUNT_ID, SHALE_A_DEV, SHALE_A_LAYERS, SHALE_A_WRITABLE, SHALE_A_STATS, 0));
	EXPECT_EQ(small_list(genl.family, id + 1, &seen), 1);
	EXPECT_EQ(list_find(id).count, 1);
	genl_close(&genl);
	EXPECT_OK(umount2("n", 0));
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
