// SPDX-License-Identifier: GPL-2.0-only
/*
 * promote_meta.c - MODEL: what a promoted object takes along besides its data. Called by promote.c
 * while nobody can see the object yet.
 */
#include <linux/fileattr.h>
#include <linux/posix_acl.h>
#include <linux/security.h>
#include <linux/slab.h>

#include "promote.h"
#include "real.h"

/* Flags which the kernel acts on, and so must not be lost; the others are the filesystem's hints. */
#define COPIED_FLAGS (S_SYNC | S_NOATIME | S_APPEND | S_IMMUTABLE)
/* Those of them that forbid linking and changing the object. */
#define FINAL_FLAGS  (FS_APPEND_FL | FS_IMMUTABLE_FL)

/* The list of names of an object's xattrs; NULL: it has none. */
static ssize_t names_read(const struct path *path, char **ret_list)
{
	ssize_t size = shale_real_listxattr(path, NULL, 0);
	char *list;

	*ret_list = NULL;
	if (size == -EOPNOTSUPP)
		return 0;
	if (size <= 0)
		return size;
	list = kvzalloc(size + 1, GFP_KERNEL);
	if (!list)
		return -ENOMEM;
	size = shale_real_listxattr(path, list, size);
	if (size <= 0) {
		kvfree(list);
		return size;
	}
	*ret_list = list;
	return size;
}

/* Reads a value into *buf, which grows. */
static ssize_t value_read(const struct path *path, const char *name, void **buf, size_t *room)
{
	ssize_t size = shale_real_getxattr(path, name, *buf, *room);

	if (size != -ERANGE && (size < 0 || *room))
		return size;
	size = shale_real_getxattr(path, name, NULL, 0);
	if (size < 0)
		return size;
	kvfree(*buf);
	*room = max_t(size_t, size, 256);
	*buf = kvmalloc(*room, GFP_KERNEL);
	if (!*buf) {
		*room = 0;
		return -ENOMEM;
	}
	return shale_real_getxattr(path, name, *buf, *room);
}

static bool is_acl(const char *name)
{
	return !strcmp(name, XATTR_NAME_POSIX_ACL_ACCESS) ||
	       !strcmp(name, XATTR_NAME_POSIX_ACL_DEFAULT);
}

/* Losing these would open what they close; others may be more than the upper can hold. */
static bool is_essential(const char *name)
{
	return strstarts(name, XATTR_SECURITY_PREFIX);
}

/* 1: yes, 0: the security module writes it itself, or it is not meant to move. */
static int should_copy(const struct shale_promotion *p, const char *name)
{
	int ret;

	if (is_acl(name) || shale_xattr_is_private(p->fs, name))
		return 0;
	ret = security_inode_copy_up_xattr(p->lower.dentry, name);
	if (ret == 1 || ret == -ECANCELED)
		return 0;
	return ret == 0 || ret == -EOPNOTSUPP ? 1 : ret;
}

static int xattr_copy(struct shale_promotion *p, const char *name, void **buf, size_t *room)
{
	ssize_t size;
	int err = should_copy(p, name);

	if (err <= 0)
		return err;
	size = value_read(&p->lower_path, name, buf, room);
	if (size < 0)
		return size == -ENODATA ? 0 : size;
	err = shale_real_setxattr(p->fs, p->upper, name, *buf, size, 0);
	return err == -EOPNOTSUPP && !is_essential(name) ? 0 : err;
}

static int xattrs_copy(struct shale_promotion *p)
{
	char *list, *name;
	void *buf = NULL;
	size_t room = 0;
	ssize_t size;
	int err = 0;

	size = names_read(&p->lower_path, &list);
	if (size <= 0)
		return size;
	for (name = list; !err && name < list + size; name += strlen(name) + 1)
		if (*name)
			err = xattr_copy(p, name, &buf, &room);
	kvfree(buf);
	kvfree(list);
	return err;
}

static int acl_copy(struct shale_promotion *p, int type)
{
	struct posix_acl *acl = shale_real_get_acl(&p->lower_path, type);
	int err;

	if (IS_ERR_OR_NULL(acl))
		return PTR_ERR(acl);
	err = shale_real_set_acl(p->fs, p->upper, acl, type);
	posix_acl_release(acl);
	return err;
}

static int acls_copy(struct shale_promotion *p)
{
	int err;

	if (S_ISLNK(p->stat.mode))
		return 0;
	err = acl_copy(p, ACL_TYPE_ACCESS);
	if (!err && S_ISDIR(p->stat.mode))
		err = acl_copy(p, ACL_TYPE_DEFAULT);
	return err;
}

int shale_promote_flags(struct shale_promotion *p, bool is_final)
{
	struct path upper = { .mnt = shale_upper_layer(p->fs)->mnt, .dentry = p->upper };
	struct file_kattr from = { .flags_valid = true }, to = { .flags_valid = true };
	u32 mask;
	int err;

	if (!(d_inode(p->lower.dentry)->i_flags & COPIED_FLAGS))
		return 0;
	err = shale_real_fileattr_get(&p->lower_path, &from);
	if (!err)
		err = shale_real_fileattr_get(&upper, &to);
	if (err)
		return err == -ENOTTY || err == -EOPNOTSUPP ? 0 : err;
	mask = FS_SYNC_FL | FS_NOATIME_FL | (is_final ? FINAL_FLAGS : 0);
	if (!((from.flags ^ to.flags) & mask))
		return 0;
	fileattr_fill_flags(&to, (to.flags & ~mask) | (from.flags & mask));
	return shale_real_fileattr_set(p->fs, p->upper, &to);
}

/* Each change costs the upper's filesystem a journal entry, and most files are the mounter's. */
static int owner_copy(struct shale_promotion *p)
{
	struct path upper = { .mnt = shale_upper_layer(p->fs)->mnt, .dentry = p->upper };
	struct iattr attr = {
		.ia_valid = ATTR_UID | ATTR_GID,
		.ia_vfsuid = VFSUIDT_INIT(p->stat.uid),
		.ia_vfsgid = VFSGIDT_INIT(p->stat.gid),
	};
	struct kstat made;
	int err;

	err = shale_real_getattr(&upper, &made, STATX_UID | STATX_GID, 0);
	if (err || (uid_eq(made.uid, p->stat.uid) && gid_eq(made.gid, p->stat.gid)))
		return err;
	return shale_real_setattr(p->fs, p->upper, &attr);
}

static int mode_copy(struct shale_promotion *p)
{
	struct iattr attr = { .ia_valid = ATTR_MODE, .ia_mode = p->stat.mode };

	if (S_ISLNK(p->stat.mode) || d_inode(p->upper)->i_mode == p->stat.mode)
		return 0;
	return shale_real_setattr(p->fs, p->upper, &attr);
}

static int times_copy(struct shale_promotion *p)
{
	struct iattr attr = {
		.ia_valid = ATTR_ATIME | ATTR_MTIME | ATTR_ATIME_SET | ATTR_MTIME_SET,
		.ia_atime = p->stat.atime,
		.ia_mtime = p->stat.mtime,
	};

	return shale_real_setattr(p->fs, p->upper, &attr);
}

/* What cannot keep an identity gets its own: the number changes, and nothing else is lost. */
static int origin_copy(struct shale_promotion *p)
{
	int err;

	if (!S_ISDIR(p->stat.mode) && p->stat.nlink > 1 && !p->is_indexed)
		return 0;
	err = shale_origin_set(p->fs, p->upper, &p->lower);
	return err == -EOPNOTSUPP ? 0 : err;
}

/* A change of owner takes capabilities and set-id bits away, so what it would take comes later. */
int shale_promote_meta(struct shale_promotion *p)
{
	int err;

	err = owner_copy(p);
	if (!err)
		err = xattrs_copy(p);
	if (!err)
		err = acls_copy(p);
	if (!err)
		err = mode_copy(p);
	if (!err)
		err = origin_copy(p);
	if (!err)
		err = shale_promote_flags(p, false);
	return err ?: times_copy(p);
}
