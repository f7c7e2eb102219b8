// SPDX-License-Identifier: GPL-2.0-only
/*
 * real_attr.c - GROUND: what the layers say about an object: attributes, xattrs, ACLs, flags, link
 * targets. Names are in real.c, data is in real_file.c.
 */
#include <linux/fileattr.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <linux/statfs.h>

#include "compat/acl.h"
#include "compat/dirops.h"
#include "real.h"

/* "trusted." or "user.", our family's prefix and the name. */
#define PRIVATE_NAME_SIZE 64

static struct mnt_idmap *upper_idmap(struct shale_fs *fs)
{
	return mnt_idmap(shale_upper_layer(fs)->mnt);
}

int shale_real_setattr(struct shale_fs *fs, struct dentry *dentry, struct iattr *attr)
{
	int err;

	attr->ia_valid &= ~(ATTR_FILE | ATTR_OPEN);
	inode_lock(d_inode(dentry));
	err = notify_change(upper_idmap(fs), dentry, attr, NULL);
	inode_unlock(d_inode(dentry));
	pr_debug("setattr(%pd2, 0x%x) = %d\n", dentry, attr->ia_valid, err);
	return err;
}

int shale_real_permission(const struct path *path, int mask)
{
	struct inode *inode = d_inode_rcu(path->dentry);

	/* Asked under RCU about an object whose last reference has gone meanwhile. */
	if (!inode)
		return mask & MAY_NOT_BLOCK ? -ECHILD : -ESTALE;
	return inode_permission(mnt_idmap(path->mnt), inode, mask);
}

void shale_real_touch(const struct path *path)
{
	touch_atime(path);
}

/* Whoever asks was already allowed to on our inode, so the LSM is not asked again. */
int shale_real_getattr(const struct path *path, struct kstat *stat, u32 mask, unsigned int flags)
{
	int err = vfs_getattr_nosec(path, stat, mask, flags);

	pr_debug("getattr(%pd2) = %d\n", path->dentry, err);
	return err;
}

ssize_t shale_real_getxattr(const struct path *path, const char *name, void *value, size_t size)
{
	ssize_t ret = vfs_getxattr(mnt_idmap(path->mnt), path->dentry, name, value, size);

	pr_debug("getxattr(%pd2, %s) = %zd\n", path->dentry, name, ret);
	return ret;
}

int shale_real_setxattr(struct shale_fs *fs, struct dentry *dentry, const char *name,
			const void *value, size_t size, int flags)
{
	int err = vfs_setxattr(upper_idmap(fs), dentry, name, value, size, flags);

	pr_debug("setxattr(%pd2, %s, %zu) = %d\n", dentry, name, size, err);
	return err;
}

int shale_real_removexattr(struct shale_fs *fs, struct dentry *dentry, const char *name)
{
	int err = vfs_removexattr(upper_idmap(fs), dentry, name);

	pr_debug("removexattr(%pd2, %s) = %d\n", dentry, name, err);
	return err;
}

ssize_t shale_real_listxattr(const struct path *path, char *list, size_t size)
{
	ssize_t ret = vfs_listxattr(path->dentry, list, size);

	pr_debug("listxattr(%pd2) = %zd\n", path->dentry, ret);
	return ret;
}

static void private_name(const struct shale_fs *fs, const char *name, char buf[PRIVATE_NAME_SIZE])
{
	snprintf(buf, PRIVATE_NAME_SIZE, "%s%s",
		 fs->config.userxattr ? XATTR_USER_PREFIX : XATTR_TRUSTED_PREFIX, name);
}

ssize_t shale_real_get_private(struct shale_fs *fs, const struct path *path, const char *name,
			       void *value, size_t size)
{
	char full[PRIVATE_NAME_SIZE];

	private_name(fs, name, full);
	return shale_real_getxattr(path, full, value, size);
}

int shale_real_set_private(struct shale_fs *fs, struct dentry *dentry, const char *name,
			   const void *value, size_t size)
{
	char full[PRIVATE_NAME_SIZE];

	private_name(fs, name, full);
	return shale_real_setxattr(fs, dentry, full, value, size, 0);
}

/* Nobody may change the attributes of a file that is immutable or can only be appended to, but what it is appended to
 * and what was written to it before has to be in its map. */
static bool is_forbidden(const struct dentry *dentry)
{
	return IS_APPEND(d_inode(dentry)) || IS_IMMUTABLE(d_inode(dentry));
}

static int forbidden_set(struct shale_fs *fs, struct dentry *dentry, const char *name, const void *value,
			 size_t size)
{
	int err;

	inode_lock(d_inode(dentry));
	if (value)
		err = __vfs_setxattr(upper_idmap(fs), dentry, d_inode(dentry), name, value, size, 0);
	else
		err = __vfs_removexattr(upper_idmap(fs), dentry, name);
	inode_unlock(d_inode(dentry));
	return err;
}

int shale_real_set_map(struct shale_fs *fs, struct dentry *dentry, const void *value, size_t size)
{
	char name[PRIVATE_NAME_SIZE];
	int err;

	private_name(fs, SHALE_XATTR_MAP, name);
	if (is_forbidden(dentry))
		err = forbidden_set(fs, dentry, name, value, size);
	else if (value)
		err = vfs_setxattr(upper_idmap(fs), dentry, name, value, size, 0);
	else
		err = vfs_removexattr(upper_idmap(fs), dentry, name);
	pr_debug("map(%pd2, %zu) = %d\n", dentry, size, err);
	return err;
}

struct posix_acl *shale_real_get_acl(const struct path *path, int type)
{
	struct posix_acl *acl = shale_compat_vfs_get_acl(path, type);

	pr_debug("get_acl(%pd2, %d) = %d\n", path->dentry, type, PTR_ERR_OR_ZERO(acl));
	return acl;
}

int shale_real_set_acl(struct shale_fs *fs, struct dentry *dentry, struct posix_acl *acl, int type)
{
	int err = shale_compat_vfs_set_acl(upper_idmap(fs), dentry, acl, type);

	pr_debug("set_acl(%pd2, %d) = %d\n", dentry, type, err);
	return err;
}

int shale_real_fiemap(const struct path *path, struct fiemap_extent_info *info, u64 start, u64 len)
{
	struct inode *inode = d_inode(path->dentry);

	if (!inode->i_op->fiemap)
		return -EOPNOTSUPP;
	return inode->i_op->fiemap(inode, info, start, len);
}

int shale_real_fileattr_get(const struct path *path, struct file_kattr *fa)
{
	int err = vfs_fileattr_get(path->dentry, fa);

	pr_debug("fileattr_get(%pd2) = %d\n", path->dentry, err);
	return err == -ENOIOCTLCMD ? -ENOTTY : err;
}

int shale_real_fileattr_set(struct shale_fs *fs, struct dentry *dentry, struct file_kattr *fa)
{
	int err = vfs_fileattr_set(upper_idmap(fs), dentry, fa);

	pr_debug("fileattr_set(%pd2) = %d\n", dentry, err);
	return err == -ENOIOCTLCMD ? -ENOTTY : err;
}

const char *shale_real_get_link(const struct path *path, struct delayed_call *done)
{
	return vfs_get_link(path->dentry, done);
}

int shale_real_statfs(const struct path *path, struct kstatfs *st)
{
	return vfs_statfs(path, st);
}
