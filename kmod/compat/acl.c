// SPDX-License-Identifier: GPL-2.0-only
/*
 * acl.c - what acl.h promises.
 */
#include <linux/fs.h>
#include <linux/mnt_idmapping.h>
#include <linux/posix_acl_xattr.h>
#include <linux/slab.h>
#include <linux/xattr.h>

#include "acl.h"

static bool maps_ids(struct mnt_idmap *idmap)
{
	return idmap != &nop_mnt_idmap;
}

/* An ACL of a layer under an idmapped mount, with the ids that mount shows. Consumes ACL. */
static struct posix_acl *acl_through_mount(struct mnt_idmap *idmap, struct user_namespace *fs_ns,
					   struct posix_acl *acl)
{
	struct posix_acl *mapped = posix_acl_clone(acl, GFP_KERNEL);
	struct posix_acl_entry *entry;

	posix_acl_release(acl);
	if (!mapped)
		return ERR_PTR(-ENOMEM);
	for (entry = mapped->a_entries; entry < mapped->a_entries + mapped->a_count; entry++) {
		if (entry->e_tag == ACL_USER)
			entry->e_uid = vfsuid_into_kuid(make_vfsuid(idmap, fs_ns, entry->e_uid));
		else if (entry->e_tag == ACL_GROUP)
			entry->e_gid = vfsgid_into_kgid(make_vfsgid(idmap, fs_ns, entry->e_gid));
	}
	return mapped;
}

struct posix_acl *shale_compat_vfs_get_acl(const struct path *path, int type)
{
	struct mnt_idmap *idmap = mnt_idmap(path->mnt);
	struct inode *inode = d_inode(path->dentry);
	struct posix_acl *acl;

	if (!IS_POSIXACL(inode))
		return NULL;
#ifdef HAVE_VFS_GET_ACL
	acl = vfs_get_acl(idmap, path->dentry, posix_acl_xattr_name(type));
	if (acl == ERR_PTR(-ENODATA) || acl == ERR_PTR(-EOPNOTSUPP))
		return NULL;
#else
	acl = get_acl(inode, type);
#endif
	if (IS_ERR_OR_NULL(acl) || !maps_ids(idmap))
		return acl;
	return acl_through_mount(idmap, inode->i_sb->s_user_ns, acl);
}

#ifdef HAVE_VFS_GET_ACL

/* The call puts what it maps into the ACL it is given, which may be the one that a layer's inode has cached. */
static int set_acl_through_mount(struct mnt_idmap *idmap, struct dentry *dentry, const struct posix_acl *acl,
				 int type)
{
	struct posix_acl *mapped = posix_acl_clone(acl, GFP_KERNEL);
	int err;

	if (!mapped)
		return -ENOMEM;
	err = vfs_set_acl(idmap, dentry, posix_acl_xattr_name(type), mapped);
	posix_acl_release(mapped);
	return err;
}

int shale_compat_vfs_set_acl(struct mnt_idmap *idmap, struct dentry *dentry, struct posix_acl *acl,
		       int type)
{
	if (!acl)
		return vfs_remove_acl(idmap, dentry, posix_acl_xattr_name(type));
	if (maps_ids(idmap))
		return set_acl_through_mount(idmap, dentry, acl, type);
	return vfs_set_acl(idmap, dentry, posix_acl_xattr_name(type), acl);
}

#else

static const char *xattr_name_of(int type)
{
	return type == ACL_TYPE_ACCESS ? XATTR_NAME_POSIX_ACL_ACCESS : XATTR_NAME_POSIX_ACL_DEFAULT;
}

/* By way of the xattr, which is where this kernel maps ids and asks the security modules. */
int shale_compat_vfs_set_acl(struct mnt_idmap *idmap, struct dentry *dentry, struct posix_acl *acl,
		       int type)
{
	size_t size;
	void *value;
	int err;

	if (!acl)
		return vfs_removexattr(idmap, dentry, xattr_name_of(type));
	size = posix_acl_xattr_size(acl->a_count);
	value = kmalloc(size, GFP_KERNEL);
	if (!value)
		return -ENOMEM;
	err = posix_acl_to_xattr(d_inode(dentry)->i_sb->s_user_ns, acl, value, size);
	if (err >= 0)
		err = vfs_setxattr(idmap, dentry, xattr_name_of(type), value, size, 0);
	kfree(value);
	return err < 0 ? err : 0;
}

#endif
