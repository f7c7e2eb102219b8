// SPDX-License-Identifier: GPL-2.0-only
/*
 * dir.c - FACE: names appear: create, mkdir, mknod, symlink, link and tmpfile, and the table of a
 * directory's operations. Finding names is in lookup.c, taking them away in remove.c, moving them in
 * rename.c. Called by the VFS with the directory locked; the helpers at the end by those files.
 *
 * Where the upper directory has nothing at the name, one operation there makes the object: it is as
 * atomic as the upper filesystem. Where it has a whiteout, the object is prepared completely in the
 * work directory (owner, mode, ACLs, opaque) and takes the whiteout's place in one rename: a crash
 * before it leaves the name deleted and a leftover that the next mount cleans, a crash after it
 * leaves the new object. A directory cannot replace a whiteout, so the two change places and the
 * whiteout is then removed from the work directory, where nobody sees it.
 */
#include <linux/posix_acl.h>

#include "cred.h"
#include "real.h"
#include "shale.h"

struct creation {
	struct shale_fs *fs;
	struct inode *dir;
	struct dentry *dentry;
	struct inode *inode;	/* the new one, or the one that gets another link */
	struct shale_newattr attr;
	struct dentry *upper;	/* the result */
	bool is_opaque;		/* marked so in the upper */
};

static int opaque_set(struct shale_fs *fs, struct dentry *upper)
{
	return shale_real_set_private(fs, upper, OVERLAY_XATTR_OPAQUE, "y", 1);
}

/* The work directory gives neither the mode nor the ACLs the name's own directory would give. */
static int temp_dress(struct creation *c, umode_t mode, struct posix_acl *acl,
		      struct posix_acl *default_acl)
{
	struct iattr attr = { .ia_valid = ATTR_MODE, .ia_mode = mode };
	int err = 0;

	if (!S_ISLNK(mode) && d_inode(c->upper)->i_mode != mode)
		err = shale_real_setattr(c->fs, c->upper, &attr);
	if (!err && acl)
		err = shale_real_set_acl(c->fs, c->upper, acl, ACL_TYPE_ACCESS);
	if (!err && default_acl)
		err = shale_real_set_acl(c->fs, c->upper, default_acl, ACL_TYPE_DEFAULT);
	if (!err && S_ISDIR(mode))
		err = opaque_set(c->fs, c->upper);
	return err;
}

static int temp_create(struct creation *c)
{
	struct posix_acl *acl, *default_acl;
	struct shale_newattr attr = c->attr;
	int err;

	if (attr.hardlink)
		return shale_real_create_temp(c->fs, &attr, &c->upper);

	attr.mode = c->inode->i_mode;
	err = posix_acl_create(c->dir, &attr.mode, &default_acl, &acl);
	if (err)
		return err;
	err = shale_real_create_temp(c->fs, &attr, &c->upper);
	if (!err) {
		err = temp_dress(c, attr.mode, acl, default_acl);
		if (err) {
			shale_real_cleanup(c->fs, c->upper);
			dput(c->upper);
		}
	}
	posix_acl_release(acl);
	posix_acl_release(default_acl);
	return err;
}

static int create_over(struct creation *c, struct dentry *whiteout)
{
	bool is_dir = S_ISDIR(c->attr.mode);
	int err;

	err = temp_create(c);
	if (err)
		return err;
	err = shale_real_rename(c->fs, c->upper, shale_inode_upper(c->dir), &c->dentry->d_name,
				whiteout, is_dir ? RENAME_EXCHANGE : 0);
	if (err) {
		shale_real_cleanup(c->fs, c->upper);
		dput(c->upper);
	} else if (is_dir) {
		c->is_opaque = true;
		shale_real_cleanup(c->fs, whiteout);
	}
	return err;
}

static int create_over_whiteout(struct creation *c)
{
	const struct shale_layer *layer = shale_upper_layer(c->fs);
	struct dentry *real;
	int err = -ESTALE;

	real = shale_real_lookup(layer, shale_inode_upper(c->dir), &c->dentry->d_name);
	if (IS_ERR(real))
		return PTR_ERR(real);
	if (real && shale_is_whiteout(layer, real))
		err = create_over(c, real);
	dput(real);
	return err;
}

static int create_upper(struct creation *c)
{
	int err;

	err = shale_real_create(c->fs, shale_inode_upper(c->dir), &c->dentry->d_name, &c->attr,
				&c->upper);
	if (err == -EEXIST)
		return create_over_whiteout(c);
	/* Nothing is below a new directory; marked so, no later lookup in it asks a lower layer. */
	if (!err && S_ISDIR(c->attr.mode) && shale_dir_lower(c->dir))
		c->is_opaque = !opaque_set(c->fs, c->upper);
	return err;
}

static int create_as_owner(struct creation *c)
{
	const struct cred *old, *old_create;
	int err;

	old = shale_cred_begin(c->dir->i_sb);
	err = shale_cred_begin_create(c->dentry, c->inode, c->attr.mode, &old_create);
	if (!err) {
		err = create_upper(c);
		shale_cred_end(old_create);
	}
	shale_cred_end(old);
	return err;
}

static int create_inode(struct mnt_idmap *idmap, struct creation *c)
{
	int err;

	c->inode = shale_new_inode(c->dir->i_sb, c->attr.mode, c->attr.rdev);
	if (!c->inode)
		return -ENOMEM;
	inode_init_owner(idmap, c->inode, c->dir, c->attr.mode);

	err = shale_real_want_write(c->fs);
	if (err)
		goto out_inode;
	err = create_as_owner(c);
	shale_real_drop_write(c->fs);
	if (err)
		goto out_inode;
	shale_inode_instantiate(c->inode, c->upper);
	return 0;

out_inode:
	iput(c->inode);
	return err;
}

static int create_object(struct mnt_idmap *idmap, struct inode *dir, struct dentry *dentry,
			 const struct shale_newattr *attr)
{
	struct creation c = { .fs = SHALE_FS(dir->i_sb), .dir = dir, .dentry = dentry, .attr = *attr };
	int err;

	if (shale_name_is_reserved(dir, &dentry->d_name))
		return -EPERM;
	err = shale_promote(dentry->d_parent);
	if (err)
		return err;
	err = create_inode(idmap, &c);
	if (err)
		return err;
	if (c.is_opaque)
		set_bit(SHALE_I_OPAQUE, &SHALE_I(c.inode)->flags);
	shale_set_upper_name(dentry);
	shale_dir_modified(dir);
	d_instantiate(dentry, c.inode);
	return 0;
}

static int shale_create(struct mnt_idmap *idmap, struct inode *dir, struct dentry *dentry,
			umode_t mode)
{
	struct shale_newattr attr = { .mode = S_IFREG | (mode & S_IALLUGO) };

	return create_object(idmap, dir, dentry, &attr);
}

static struct dentry *shale_mkdir(struct mnt_idmap *idmap, struct inode *dir,
				  struct dentry *dentry, umode_t mode)
{
	struct shale_newattr attr = { .mode = S_IFDIR | (mode & S_IALLUGO) };

	return ERR_PTR(create_object(idmap, dir, dentry, &attr));
}

static int shale_mknod(struct mnt_idmap *idmap, struct inode *dir, struct dentry *dentry,
		       umode_t mode, dev_t rdev)
{
	struct shale_newattr attr = { .mode = mode, .rdev = rdev };

	/* It would delete the name, not make a device. */
	if (S_ISCHR(mode) && rdev == WHITEOUT_DEV)
		return -EPERM;
	return create_object(idmap, dir, dentry, &attr);
}

static int shale_symlink(struct mnt_idmap *idmap, struct inode *dir, struct dentry *dentry,
			 const char *target)
{
	struct shale_newattr attr = { .mode = S_IFLNK | S_IRWXUGO, .link = target };

	return create_object(idmap, dir, dentry, &attr);
}

static int link_upper(struct creation *c)
{
	struct dentry *upperdir = shale_inode_upper(c->dir);
	int err = 0;

	if (shale_inode_has_origin(c->inode) || test_bit(SHALE_I_PARTIAL, &SHALE_I(c->inode)->flags))
		err = shale_impure_set(c->fs, c->dir);
	if (err)
		return err;
	err = shale_real_link(c->fs, c->attr.hardlink, upperdir, &c->dentry->d_name, &c->upper);
	if (err == -EEXIST)
		err = create_over_whiteout(c);
	if (!err)
		dput(c->upper);
	return err;
}

static int link_inode(struct creation *c, struct dentry *from)
{
	const struct cred *old;
	int err;

	old = shale_cred_begin(c->dir->i_sb);
	err = shale_rename_pin(from);
	if (!err)
		err = shale_index_nlink_begin(c->inode);
	if (err)
		goto out_cred;
	err = shale_real_want_write(c->fs);
	if (!err) {
		err = link_upper(c);
		shale_real_drop_write(c->fs);
	}
	shale_index_nlink_end(c->inode);
out_cred:
	shale_cred_end(old);
	return err;
}

static int shale_link(struct dentry *old, struct inode *dir, struct dentry *dentry)
{
	struct inode *inode = d_inode(old);
	struct creation c = {
		.fs = SHALE_FS(dir->i_sb), .dir = dir, .dentry = dentry, .inode = inode,
		.attr.mode = inode->i_mode,
	};
	int err;

	if (shale_name_is_reserved(dir, &dentry->d_name))
		return -EPERM;
	err = shale_promote(dentry->d_parent);
	if (!err)
		err = shale_promote_inode(old);
	if (err)
		return err;
	c.attr.hardlink = shale_inode_upper(inode);
	err = link_inode(&c, old);
	if (err)
		return err;
	shale_inode_copyattr(inode);
	shale_set_upper_name(dentry);
	shale_dir_modified(dir);
	ihold(inode);
	d_instantiate(dentry, inode);
	return 0;
}

static int tmpfile_upper(struct creation *c)
{
	const struct cred *old, *old_create;
	struct file *real;
	int err;

	old = shale_cred_begin(c->dir->i_sb);
	err = shale_cred_begin_create(c->dentry, c->inode, c->attr.mode, &old_create);
	if (err)
		goto out_cred;
	real = shale_real_tmpfile(c->fs, shale_inode_upper(c->dir), c->attr.mode);
	if (IS_ERR(real)) {
		err = PTR_ERR(real);
	} else {
		c->upper = dget(real->f_path.dentry);
		fput(real);
	}
	shale_cred_end(old_create);
out_cred:
	shale_cred_end(old);
	return err;
}

static int shale_tmpfile(struct mnt_idmap *idmap, struct inode *dir, struct file *file, umode_t mode)
{
	struct dentry *dentry = file->f_path.dentry;
	struct creation c = {
		.fs = SHALE_FS(dir->i_sb), .dir = dir, .dentry = dentry,
		.attr.mode = S_IFREG | (mode & S_IALLUGO),
	};
	int err;

	err = shale_promote(dentry->d_parent);
	if (err)
		return err;
	c.inode = shale_new_inode(dir->i_sb, c.attr.mode, 0);
	if (!c.inode)
		return -ENOMEM;
	inode_init_owner(idmap, c.inode, dir, c.attr.mode);

	err = shale_real_want_write(c.fs);
	if (err)
		goto out_inode;
	err = tmpfile_upper(&c);
	shale_real_drop_write(c.fs);
	if (err)
		goto out_inode;
	shale_inode_instantiate(c.inode, c.upper);
	shale_set_upper_name(dentry);
	d_mark_tmpfile(file, c.inode);
	d_instantiate(dentry, c.inode);
	return finish_open_simple(file, 0);

out_inode:
	iput(c.inode);
	return err;
}

bool shale_name_is_reserved(const struct inode *dir, const struct qstr *name)
{
	static const struct qstr private = QSTR_INIT(SHALE_PRIVATE_DIR, sizeof(SHALE_PRIVATE_DIR) - 1);
	const size_t prefix = sizeof(AUFS_WHITEOUT_PREFIX) - 1;

	if (name->name[0] != '.')
		return false;
	if ((SHALE_FS(dir->i_sb)->config.whiteout & SHALE_LAYER_AUFS) && name->len >= prefix &&
	    !memcmp(name->name, AUFS_WHITEOUT_PREFIX, prefix))
		return true;
	return dir == d_inode(dir->i_sb->s_root) && name->len == private.len &&
	       !memcmp(name->name, private.name, private.len);
}

static bool upper_is_at(struct dentry *upper, const struct dentry *upperdir, const struct qstr *name)
{
	bool ret;

	spin_lock(&upper->d_lock);
	ret = upper->d_parent == upperdir && upper->d_name.len == name->len &&
	      !memcmp(upper->d_name.name, name->name, name->len) && !d_unhashed(upper);
	spin_unlock(&upper->d_lock);
	return ret;
}

struct dentry *shale_upper_of_name(struct dentry *dentry)
{
	struct shale_fs *fs = SHALE_FS(dentry->d_sb);
	struct dentry *upper = shale_inode_upper(d_inode(dentry));
	struct dentry *upperdir = shale_inode_upper(d_inode(dentry->d_parent));
	struct dentry *real;

	/* The inode's own dentry nearly always is the one; another hard link is looked up. */
	if (upper_is_at(upper, upperdir, &dentry->d_name))
		return dget(upper);
	real = shale_real_lookup(shale_upper_layer(fs), upperdir, &dentry->d_name);
	if (IS_ERR(real))
		return real;
	if (real && d_inode(real) == d_inode(upper))
		return real;
	dput(real);
	return ERR_PTR(-ESTALE);
}

void shale_dir_modified(struct inode *dir)
{
	SHALE_I(dir)->version++;
	shale_inode_copyattr(dir);
}

COMPAT_DEFINE_CREATE(shale_create)
COMPAT_DEFINE_MKDIR(shale_mkdir)
COMPAT_DEFINE_ACL(shale_set_acl)

const struct inode_operations shale_dir_iops = {
	.lookup = shale_lookup,
	.create = COMPAT_CREATE(shale_create),
	.link = shale_link,
	.unlink = shale_unlink,
	.symlink = shale_symlink,
	.mkdir = COMPAT_MKDIR(shale_mkdir),
	.rmdir = shale_rmdir,
	.mknod = shale_mknod,
	.rename = shale_rename,
	.tmpfile = shale_tmpfile,
	.setattr = shale_setattr,
	.getattr = shale_getattr,
	.permission = shale_permission,
	.listxattr = shale_listxattr,
	COMPAT_ACL_OPS(shale_get_inode_acl, shale_get_acl, shale_set_acl),
	.fileattr_get = shale_fileattr_get,
	.fileattr_set = shale_fileattr_set,
};
