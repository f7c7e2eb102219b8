// SPDX-License-Identifier: GPL-2.0-only
/*
 * xattr.c - tests of extended attributes, POSIX ACLs and file capabilities on a union. ACLs are written as
 * the bytes the kernel takes, so that no library stands between.
 */
#include "ops.h"
#include "union.h"

#include <linux/capability.h>
#include <linux/posix_acl_xattr.h>
#include <linux/xattr.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/xattr.h>

static const char *get(const char *path, const char *name)
{
	static char value[512];
	ssize_t size = lgetxattr(path, name, value, sizeof(value) - 1);

	if (size < 0)
		return strerrorname_np(errno);
	value[size] = '\0';
	return value;
}

static bool has_listed(const char *path, const char *name)
{
	char list[4096];
	ssize_t size = llistxattr(path, list, sizeof(list));

	for (ssize_t at = 0; at < size; at += strlen(list + at) + 1)
		if (!strcmp(list + at, name))
			return true;
	return false;
}

static void set(const char *path, const char *name, const char *value)
{
	ASSERT_OK(lsetxattr(path, name, value, strlen(value), 0));
}

static void need_user_xattr(void)
{
	lower(0, "probe=");
	if (setxattr("l0/probe", "user.probe", "1", 1, 0) < 0)
		SKIP("%s has no user attributes here", union_backing());
	ASSERT_OK(unlink("l0/probe"));
}

static const struct name_case {
	struct ktap_row row;
	const char *name;
} names[] = {
	{{"user", "a user attribute of a lower file can be read, changed, listed and removed"},
	 "user.test"},
	{{"trusted", "a trusted attribute of a lower file can be read, changed, listed and removed"},
	 "trusted.test"},
	{{"security", "a security attribute of a lower file can be read, changed, listed and removed"},
	 "security.test"},
};
TEST_TABLE(name, struct name_case, names, c)
{
	if (!strncmp(c->name, "user.", 5))
		need_user_xattr();
	lower(0, "f=1 d/x=1");
	set("l0/f", c->name, "old");
	set("l0/d", c->name, "dir");
	union_mount();
	EXPECT_STREQ(get("m/f", c->name), "old");
	EXPECT_STREQ(get("m/d", c->name), "dir");
	EXPECT(has_listed("m/f", c->name));
	EXPECT_OK(setxattr("m/f", c->name, "newer", 5, 0));
	EXPECT_STREQ(get("m/f", c->name), "newer");
	union_remount();
	EXPECT_STREQ(get("m/f", c->name), "newer");
	EXPECT_OK(removexattr("m/f", c->name));
	EXPECT_STREQ(get("m/f", c->name), "ENODATA");
	EXPECT(!has_listed("m/f", c->name));
	EXPECT_OK(removexattr("m/d", c->name));
	EXPECT_STREQ(get("m/d", c->name), "ENODATA");
	if (!is_bare())
		EXPECT_STREQ(get("l0/f", c->name), "old");
	EXPECT_STREQ(file_text("m/f"), "1");
}

TEST(kept, "attributes of a lower file and directory are kept when they are promoted")
{
	lower(0, "f=1 d/x=1");
	set("l0/f", "trusted.one", "1");
	set("l0/f", "security.two", "2");
	set("l0/d", "trusted.three", "3");
	union_mount();
	ops_run("m", "append f 2; create d/y 1");
	EXPECT_STREQ(get("m/f", "trusted.one"), "1");
	EXPECT_STREQ(get("m/f", "security.two"), "2");
	EXPECT_STREQ(get("m/d", "trusted.three"), "3");
	if (!is_bare())
		EXPECT_STREQ(get("u/f", "trusted.one"), "1");
}

TEST(symlink, "trusted attributes of a lower symbolic link can be read and set")
{
	lower(0, "l@nowhere");
	set("l0/l", "trusted.one", "1");
	union_mount();
	EXPECT_STREQ(get("m/l", "trusted.one"), "1");
	EXPECT_OK(lsetxattr("m/l", "trusted.two", "2", 1, 0));
	EXPECT_STREQ(get("m/l", "trusted.one"), "1");
	EXPECT_STREQ(get("m/l", "trusted.two"), "2");
}

TEST(symlink_user, "user attributes of a symbolic link are refused with EPERM")
{
	need_user_xattr();
	lower(0, "l@nowhere");
	union_mount();
	EXPECT_ERR(lsetxattr("m/l", "user.one", "1", 1, 0), EPERM);
}

TEST(create_replace, "XATTR_CREATE gives EEXIST, XATTR_REPLACE gives ENODATA, as on one filesystem")
{
	lower(0, "f=1");
	set("l0/f", "trusted.have", "1");
	union_mount();
	EXPECT_ERR(setxattr("m/f", "trusted.have", "2", 1, XATTR_CREATE), EEXIST);
	EXPECT_ERR(setxattr("m/f", "trusted.lack", "2", 1, XATTR_REPLACE), ENODATA);
	EXPECT_OK(setxattr("m/f", "trusted.have", "3", 1, XATTR_REPLACE));
	EXPECT_OK(setxattr("m/f", "trusted.lack", "4", 1, XATTR_CREATE));
	EXPECT_STREQ(get("m/f", "trusted.have"), "3");
	EXPECT_STREQ(get("m/f", "trusted.lack"), "4");
}

TEST(failed_set, "removing an attribute a lower file does not have gives ENODATA")
{
	lower(0, "f=1");
	union_mount();
	EXPECT_ERR(removexattr("m/f", "trusted.none"), ENODATA);
	EXPECT_STREQ(get("m/f", "trusted.none"), "ENODATA");
}

TEST(sizes, "a size of zero asks for the length, and too small a buffer gives ERANGE")
{
	char buffer[64];

	lower(0, "f=1");
	set("l0/f", "trusted.value", "0123456789");
	union_mount();
	for (int round = 0; round < 2; round++) {
		ssize_t need = llistxattr("m/f", NULL, 0);

		EXPECT_EQ(getxattr("m/f", "trusted.value", NULL, 0), 10);
		EXPECT_ERR(getxattr("m/f", "trusted.value", buffer, 5), ERANGE);
		EXPECT_EQ(getxattr("m/f", "trusted.value", buffer, 10), 10);
		EXPECT(need >= (ssize_t)sizeof("trusted.value"));
		EXPECT(llistxattr("m/f", buffer, sizeof(buffer)) <= need);
		EXPECT_ERR(llistxattr("m/f", buffer, 3), ERANGE);
		file_append("m/f", "x");
	}
}

TEST(empty_value, "an attribute with an empty value exists")
{
	lower(0, "f=1");
	set("l0/f", "trusted.empty", "");
	union_mount();
	EXPECT_EQ(getxattr("m/f", "trusted.empty", NULL, 0), 0);
	file_append("m/f", "x");
	EXPECT_EQ(getxattr("m/f", "trusted.empty", NULL, 0), 0);
	EXPECT(has_listed("m/f", "trusted.empty"));
}

TEST(limits, "too long a name gives ERANGE and too big a value gives E2BIG")
{
	char name[300] = "trusted.", *value = calloc(1, 65537);

	memset(name + 8, 'n', 290);
	lower(0, "f=1");
	union_mount();
	EXPECT_ERR(setxattr("m/f", name, "1", 1, 0), ERANGE);
	EXPECT_ERR(setxattr("m/f", "trusted.big", value, 65537, 0), E2BIG);
	EXPECT_ERR(setxattr("m/f", "trusted.flags", "1", 1, 4), EINVAL);
	EXPECT_ERR(setxattr("m/f", "nonsense", "1", 1, 0), EOPNOTSUPP);
	free(value);
}

TEST(many, "forty attributes are all listed and kept over promotion")
{
	char name[32];

	lower(0, "f=1");
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "trusted.number%d", i);
		set("l0/f", name, name);
	}
	union_mount();
	ASSERT_OK(chmod("m/f", 0600));
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "trusted.number%d", i);
		EXPECT(has_listed("m/f", name));
		EXPECT_STREQ(get("m/f", name), name);
	}
}

TEST(private_hidden, "attributes that hold the union's own state are not listed and cannot be read")
{
	char list[4096];
	ssize_t size;

	need_union();
	lower(0, "d/a=1 e/b=2 f=1");
	union_mount();
	ops_run("m", "append f x; rename d n; unlink e/b; rmdir e; mkdir e");
	for (int i = 0; i < 3; i++) {
		static const char *const paths[] = {"m/f", "m/n", "m/e"};

		size = ASSERT_OK(llistxattr(paths[i], list, sizeof(list)));
		for (ssize_t at = 0; at < size; at += strlen(list + at) + 1) {
			EXPECT(strncmp(list + at, "trusted.overlay.", 16));
			EXPECT(strncmp(list + at, "trusted.shale.", 14));
		}
	}
	EXPECT(lgetxattr("m/e", "trusted.overlay.opaque", NULL, 0) < 0);
	EXPECT(lgetxattr("m/n", "trusted.overlay.redirect", NULL, 0) < 0);
	if (is_shale())
		EXPECT(lgetxattr("m/f", "trusted.shale.origin", NULL, 0) < 0);
}

TEST(private_set, "setting such an attribute through the mount does not change the union's own state")
{
	need_union();
	lower(0, "d/a=1");
	union_mount();
	setxattr("m/d", "trusted.overlay.opaque", "y", 1, 0);
	setxattr("m/d", "trusted.overlay.redirect", "/nowhere", 8, 0);
	removexattr("m/d", "trusted.overlay.origin");
	union_remount();
	EXPECT_TREE("m", "d/a=1");
}

TEST(private_remove, "removing such an attribute through the mount leaves the union's own state")
{
	need_union();
	lower(0, "d/a=1");
	union_mount();
	ops_run("m", "rename d n; mkdir d");
	EXPECT(removexattr("m/n", "trusted.overlay.redirect") < 0);
	EXPECT(removexattr("m/d", "trusted.overlay.opaque") < 0);
	union_remount();
	EXPECT_TREE("m", "d/ n/a=1");
}

TEST(trusted_hidden, "users without CAP_SYS_ADMIN do not see trusted attributes")
{
	lower(0, "f=1");
	set("l0/f", "trusted.secret", "1");
	union_mount();
	AS_UID(1000) {
		EXPECT(!has_listed("m/f", "trusted.secret"));
		EXPECT(lgetxattr("m/f", "trusted.secret", NULL, 0) < 0);
		EXPECT(lsetxattr("m/f", "trusted.secret", "2", 1, 0) < 0);
	}
	EXPECT_STREQ(get("m/f", "trusted.secret"), "1");
}

TEST(user_permission, "setting a user attribute needs write permission on the file: EACCES")
{
	need_user_xattr();
	lower(0, "f=1");
	union_mount();
	AS_UID(1000) {
		EXPECT_ERR(setxattr("m/f", "user.x", "1", 1, 0), EACCES);
	}
	ASSERT_OK(chmod("m/f", 0666));
	AS_UID(1000) {
		EXPECT_OK(setxattr("m/f", "user.x", "1", 1, 0));
	}
}

TEST(old_fd, "fgetxattr of a descriptor opened before sees an attribute set later")
{
	char value[8] = "";
	int fd;

	lower(0, "f=1");
	union_mount();
	fd = ASSERT_OK(open("m/f", O_RDONLY));
	ASSERT_OK(setxattr("m/f", "trusted.late", "yes", 3, 0));
	EXPECT_EQ(fgetxattr(fd, "trusted.late", value, sizeof(value)), 3);
	EXPECT_STREQ(value, "yes");
	close(fd);
}

/* ------------------------------------------------------------------ POSIX ACLs */

struct acl {
	struct posix_acl_xattr_header header;
	struct posix_acl_xattr_entry entry[5];
};

/* user::rw- user:1000:PERM group::r-- mask::MASK other::--- */
static struct acl acl_for_user(int perm, int mask)
{
	return (struct acl){
		{POSIX_ACL_XATTR_VERSION},
		{
			{0x01, 6, -1U},
			{0x02, perm, 1000},
			{0x04, 4, -1U},
			{0x10, mask, -1U},
			{0x20, 0, -1U},
		},
	};
}

static void need_acl(void)
{
	struct acl acl = acl_for_user(6, 6);

	lower(0, "probe=");
	if (setxattr("l0/probe", "system.posix_acl_access", &acl, sizeof(acl), 0) < 0)
		SKIP("%s has no ACLs here", union_backing());
	ASSERT_OK(unlink("l0/probe"));
}

static int set_acl(const char *path, const char *name, struct acl acl)
{
	return setxattr(path, name, &acl, sizeof(acl), 0);
}

static struct acl get_acl(const char *path, const char *name)
{
	struct acl acl = {0};

	if (getxattr(path, name, &acl, sizeof(acl)) < 0)
		acl.header.a_version = 0;
	return acl;
}

TEST(acl_grants, "an ACL of a lower file grants its user access")
{
	need_acl();
	lower(0, "f=1");
	ASSERT_OK(set_acl("l0/f", "system.posix_acl_access", acl_for_user(6, 6)));
	union_mount();
	AS_UID(1000) {
		EXPECT_STREQ(file_text("m/f"), "1");
		file_append("m/f", "2");
	}
	AS_UID(1001) {
		EXPECT_ERR(open("m/f", O_RDONLY), EACCES);
	}
	EXPECT_STREQ(file_text("m/f"), "12");
}

TEST(acl_kept, "an ACL of a lower file is kept when it is promoted")
{
	need_acl();
	lower(0, "f=1");
	ASSERT_OK(set_acl("l0/f", "system.posix_acl_access", acl_for_user(6, 6)));
	union_mount();
	file_append("m/f", "2");
	EXPECT_EQ(get_acl("m/f", "system.posix_acl_access").entry[1].e_perm, 6);
	union_remount();
	EXPECT_EQ(get_acl("m/f", "system.posix_acl_access").entry[1].e_id, 1000);
	AS_UID(1000) {
		file_append("m/f", "3");
	}
}

TEST(acl_set, "setting an ACL on a lower file changes its mode's group bits to the mask")
{
	need_acl();
	lower(0, "f=1");
	union_mount();
	EXPECT_OK(set_acl("m/f", "system.posix_acl_access", acl_for_user(6, 6)));
	EXPECT_EQ(stat_of("m/f").st_mode & 07777, 0660);
	union_remount();
	EXPECT_EQ(stat_of("m/f").st_mode & 07777, 0660);
	EXPECT_STREQ(file_text("m/f"), "1");
	if (!is_bare())
		EXPECT_EQ(get_acl("l0/f", "system.posix_acl_access").header.a_version, 0);
}

TEST(acl_chmod, "chmod changes the ACL's mask")
{
	need_acl();
	lower(0, "f=1");
	ASSERT_OK(set_acl("l0/f", "system.posix_acl_access", acl_for_user(7, 6)));
	union_mount();
	ASSERT_OK(chmod("m/f", 0640));
	EXPECT_EQ(get_acl("m/f", "system.posix_acl_access").entry[3].e_perm, 4);
	AS_UID(1000) {
		EXPECT_ERR(open("m/f", O_WRONLY), EACCES);
		EXPECT_STREQ(file_text("m/f"), "1");
	}
}

TEST(acl_remove, "removing an ACL leaves the mode")
{
	need_acl();
	lower(0, "f=1");
	ASSERT_OK(set_acl("l0/f", "system.posix_acl_access", acl_for_user(6, 6)));
	union_mount();
	EXPECT_OK(removexattr("m/f", "system.posix_acl_access"));
	EXPECT_EQ(get_acl("m/f", "system.posix_acl_access").header.a_version, 0);
	AS_UID(1000) {
		EXPECT_ERR(open("m/f", O_RDWR), EACCES);
	}
}

TEST(acl_default, "new files and directories inherit a lower directory's default ACL, not the umask")
{
	need_acl();
	lower(0, "d/x=1");
	ASSERT_OK(set_acl("l0/d", "system.posix_acl_default", acl_for_user(6, 6)));
	union_mount();
	umask(0077);
	ASSERT_OK(close(open("m/d/f", O_CREAT | O_WRONLY, 0666)));
	ASSERT_OK(mkdir("m/d/e", 0777));
	EXPECT_EQ(get_acl("m/d/f", "system.posix_acl_access").entry[1].e_id, 1000);
	EXPECT_EQ(stat_of("m/d/f").st_mode & 07777, 0660);
	EXPECT_EQ(get_acl("m/d/e", "system.posix_acl_default").entry[1].e_id, 1000);
	EXPECT_EQ(get_acl("m/d/e", "system.posix_acl_access").entry[1].e_id, 1000);
}

TEST(acl_default_whiteout, "the same holds where the names were removed before")
{
	need_acl();
	lower(0, "d/f=1 d/e/");
	ASSERT_OK(set_acl("l0/d", "system.posix_acl_default", acl_for_user(6, 6)));
	union_mount();
	ops_run("m", "unlink d/f; rmdir d/e");
	umask(0077);
	ASSERT_OK(close(open("m/d/f", O_CREAT | O_WRONLY, 0666)));
	ASSERT_OK(mkdir("m/d/e", 0777));
	EXPECT_EQ(get_acl("m/d/f", "system.posix_acl_access").entry[1].e_id, 1000);
	EXPECT_EQ(stat_of("m/d/f").st_mode & 07777, 0660);
	EXPECT_EQ(get_acl("m/d/e", "system.posix_acl_default").entry[1].e_id, 1000);
}

TEST(acl_default_kept, "a default ACL is kept when its directory is promoted")
{
	need_acl();
	lower(0, "d/x=1");
	ASSERT_OK(set_acl("l0/d", "system.posix_acl_default", acl_for_user(6, 6)));
	union_mount();
	file_write("m/d/f", "1");
	union_remount();
	EXPECT_EQ(get_acl("m/d", "system.posix_acl_default").entry[1].e_id, 1000);
}

TEST(acl_owner_only, "only the owner may set an ACL: EPERM")
{
	need_acl();
	lower(0, "f=1");
	ASSERT_OK(chmod("l0/f", 0666));
	union_mount();
	AS_UID(1000) {
		EXPECT_ERR(set_acl("m/f", "system.posix_acl_access", acl_for_user(6, 6)), EPERM);
	}
}

TEST(acl_bad, "a malformed ACL is refused with EINVAL and a default ACL on a file with EACCES")
{
	struct acl acl = acl_for_user(6, 6);

	need_acl();
	lower(0, "f=1");
	union_mount();
	acl.entry[0].e_tag = 0x77;
	EXPECT_ERR(set_acl("m/f", "system.posix_acl_access", acl), EINVAL);
	EXPECT_ERR(set_acl("m/f", "system.posix_acl_default", acl_for_user(6, 6)), EACCES);
}

/* ------------------------------------------------------------------ capabilities */

static void set_capability(const char *path)
{
	struct vfs_cap_data data = {
		.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
		.data = {{.permitted = 1U << CAP_NET_RAW}},
	};

	ASSERT_OK(setxattr(path, XATTR_NAME_CAPS, &data, XATTR_CAPS_SZ_2, 0));
}

static bool has_capability(const char *path)
{
	struct vfs_cap_data data = {0};

	return getxattr(path, XATTR_NAME_CAPS, &data, sizeof(data)) > 0 &&
	       data.data[0].permitted == 1U << CAP_NET_RAW;
}

static const struct cap_case {
	struct ktap_row row;
	const char *ops;
	bool kept;
} caps[] = {
	{{"kept_chmod", "chmod of a lower file keeps its capabilities"}, "chmod 700 f", true},
	{{"kept_rename", "rename of a lower file keeps its capabilities"}, "rename f g; rename g f", true},
	{{"kept_link", "a hard link to a lower file keeps its capabilities"}, "link f g", true},
	{{"kept_open", "opening a lower file for writing keeps its capabilities"}, "open f", true},
	{{"lost_write", "writing a lower file removes its capabilities"}, "append f x", false},
	{{"lost_truncate", "truncating a lower file removes its capabilities"}, "trunc f 0", false},
	{{"kept_xattr", "setting another attribute keeps the capabilities"}, "setx f trusted.a 1", true},
};
TEST_TABLE(capability, struct cap_case, caps, c)
{
	lower(0, "f=1");
	set_capability("l0/f");
	union_mount();
	EXPECT(has_capability("m/f"));
	ops_run("m", c->ops);
	EXPECT_EQ(has_capability("m/f"), c->kept);
	union_remount();
	EXPECT_EQ(has_capability("m/f"), c->kept);
}

TEST(capability_chown, "chown of a lower file removes its capabilities")
{
	lower(0, "f=1");
	set_capability("l0/f");
	union_mount();
	ASSERT_OK(chown("m/f", 1, 1));
	EXPECT(!has_capability("m/f"));
}

TEST(capability_set, "capabilities can be given to a lower file")
{
	lower(0, "f=1");
	union_mount();
	set_capability("m/f");
	union_remount();
	EXPECT(has_capability("m/f"));
	EXPECT_STREQ(file_text("m/f"), "1");
}
