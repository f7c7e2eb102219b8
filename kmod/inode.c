// SPDX-License-Identifier: GPL-2.0-only
/*
 * inode.c - FACE: inodes: finding and making them, their attributes, and the operations of all but
 * directories. Which objects are behind one is found by lookup.c and changed by promote.c.
 */
#include <linux/fileattr.h>
#include <linux/fiemap.h>
#include <linux/fs_stack.h>
#include <linux/hash.h>
#include <linux/posix_acl.h>

#include "cred.h"
#include "parts.h"
#include "real.h"

/* What of i_flags the VFS looks at, and so must be as in the layer. */
#define COPIED_FLAGS (S_SYNC | S_NOATIME | S_APPEND | S_IMMUTABLE)

static void path_of(const struct shale_path *from, struct path *ret_path)
{
	*ret_path = shale_path_real(*from);
}

static bool upper_path(const struct inode *inode, struct path *ret_path)
{
	struct dentry *upper = shale_inode_upper(inode);

	if (!upper)
		return false;
	ret_path->mnt = shale_upper_layer(SHALE_FS(inode->i_sb))->mnt;
	ret_path->dentry = upper;
	return true;
}

void shale_inode_top(const struct inode *inode, struct path *ret_path)
{
	if (!upper_path(inode, ret_path))
		path_of(&shale_inode_lower(inode)->path[0], ret_path);
}

void shale_inode_data(const struct inode *inode, struct path *ret_path)
{
	const struct shale_stack *lower;

	if (upper_path(inode, ret_path))
		return;
	lower = shale_inode_lower(inode);
	path_of(&lower->path[lower->nr - 1], ret_path);
}

static void times_copy(struct inode *inode, const struct inode *real)
{
	inode_set_atime_to_ts(inode, inode_get_atime(real));
	inode_set_mtime_to_ts(inode, inode_get_mtime(real));
	inode_set_ctime_to_ts(inode, inode_get_ctime(real));
}

static void nlink_copy(struct inode *inode, const struct inode *real)
{
	const struct shale_stack *lower = shale_inode_lower(inode);

	if (test_bit(SHALE_I_INDEXED, &SHALE_I(inode)->flags))
		return;
	/* How many directories a merged one holds is not known; 1 is what says so. */
	if (S_ISDIR(inode->i_mode) && lower && (lower->nr > 1 || SHALE_I(inode)->__upper))
		set_nlink(inode, 1);
	else
		set_nlink(inode, real->i_nlink);
}

void shale_inode_copyattr(struct inode *inode)
{
	const struct inode *real;
	struct mnt_idmap *idmap;
	struct path top;

	shale_inode_top(inode, &top);
	real = d_inode(top.dentry);
	idmap = mnt_idmap(top.mnt);
	inode->i_uid = vfsuid_into_kuid(i_uid_into_vfsuid(idmap, real));
	inode->i_gid = vfsgid_into_kgid(i_gid_into_vfsgid(idmap, real));
	inode->i_mode = real->i_mode;
	inode->i_rdev = real->i_rdev;
	times_copy(inode, real);
	i_size_write(inode, i_size_read(real));
	inode_set_flags(inode, real->i_flags & COPIED_FLAGS, COPIED_FLAGS);
	nlink_copy(inode, real);
}

#ifdef CONFIG_LOCKDEP

/* A layer may be shale itself, or a filesystem whose own classes ours must not meet: one for each
 * level of stacking. */
static void lockdep_classes_set(struct inode *inode)
{
	static struct lock_class_key file_key[FILESYSTEM_MAX_STACK_DEPTH];
	static struct lock_class_key dir_key[FILESYSTEM_MAX_STACK_DEPTH];
	static struct lock_class_key lock_key[FILESYSTEM_MAX_STACK_DEPTH];
	int depth = inode->i_sb->s_stack_depth - 1;

	if (WARN_ON_ONCE(depth < 0 || depth >= FILESYSTEM_MAX_STACK_DEPTH))
		depth = 0;
	if (S_ISDIR(inode->i_mode))
		lockdep_set_class(&inode->i_rwsem, &dir_key[depth]);
	else
		lockdep_set_class(&inode->i_rwsem, &file_key[depth]);
	lockdep_set_class(&SHALE_I(inode)->lock, &lock_key[depth]);
}

#else

static void lockdep_classes_set(struct inode *inode)
{
}

#endif

static void inode_fill_ops(struct inode *inode, umode_t mode, dev_t rdev)
{
	inode->i_mode = mode;
	inode->i_flags |= S_NOCMTIME;
	lockdep_classes_set(inode);
	switch (mode & S_IFMT) {
	case S_IFREG:
		inode->i_op = &shale_file_iops;
		inode->i_fop = &shale_file_fops;
		inode->i_mapping->a_ops = &shale_aops;
		break;
	case S_IFDIR:
		inode->i_op = &shale_dir_iops;
		inode->i_fop = &shale_dir_fops;
		break;
	case S_IFLNK:
		inode->i_op = &shale_symlink_iops;
		break;
	default:
		inode->i_op = &shale_special_iops;
		init_special_inode(inode, mode, rdev);
		break;
	}
}

static unsigned long key_hash(const struct shale_key *key)
{
	return hash_64(key->ino ^ (u64)key->fsid << 32, BITS_PER_LONG);
}

static void key_of(const struct shale_iget *args, struct shale_fs *fs, struct shale_key *ret_key)
{
	if (args->has_key) {
		*ret_key = args->key;
	} else if (args->upper) {
		ret_key->ino = d_inode(args->upper)->i_ino;
		ret_key->fsid = shale_upper_layer(fs)->fsid;
	} else {
		ret_key->ino = d_inode(args->lower->path[0].dentry)->i_ino;
		ret_key->fsid = args->lower->path[0].layer->fsid;
	}
}

static bool is_same_lower(struct super_block *sb, const struct shale_stack *a, const struct shale_stack *b)
{
	return d_inode(a->path[0].dentry) == d_inode(b->path[0].dentry) &&
	       !shale_index_breaks(SHALE_FS(sb), &a->path[0]);
}

static int iget_test(struct inode *inode, void *data)
{
	const struct shale_iget *args = data;
	const struct shale_inode *si = SHALE_I(inode);
	const struct dentry *upper = shale_inode_upper(inode);

	if (!shale_key_equal(&si->key, &args->key))
		return 0;
	if (upper && args->upper)
		return d_inode(upper) == d_inode(args->upper);
	if (si->lower && args->lower)
		return is_same_lower(inode->i_sb, si->lower, args->lower);
	return 0;
}

/* All that iget_test() compares, before the inode can be found. */
static int iget_set(struct inode *inode, void *data)
{
	const struct shale_iget *args = data;
	struct shale_inode *si = SHALE_I(inode);

	si->key = args->key;
	si->lower = args->lower;
	smp_store_release(&si->__upper, args->upper);
	return 0;
}

static int is_unpromoted(struct inode *inode, void *data)
{
	const struct shale_iget *args = data;

	return shale_key_equal(&SHALE_I(inode)->key, &args->key) && !shale_inode_upper(inode);
}

static void promotion_finish(struct inode *inode)
{
	mutex_lock(&SHALE_I(inode)->lock);
	mutex_unlock(&SHALE_I(inode)->lock);
}

/* An upper that says which lower object it was may be the one that a promotion is just giving to the
 * inode in memory: then that is waited for, and iget_test() will find it by the upper. */
static void promotion_wait(struct super_block *sb, struct shale_iget *args)
{
	struct inode *inode;

	if (!args->upper || !args->has_key)
		return;
	inode = ilookup5(sb, key_hash(&args->key), is_unpromoted, args);
	if (!inode)
		return;
	promotion_finish(inode);
	iput(inode);
}

static void inode_fill(struct inode *inode, struct shale_iget *args)
{
	struct shale_inode *si = SHALE_I(inode);
	const struct inode *real;
	struct path top;

	si->flags = args->flags | BIT(SHALE_I_HASHED);
	shale_inode_top(inode, &top);
	real = d_inode(top.dentry);
	inode->i_ino = shale_key_to_ino(&si->key, SHALE_FS(inode->i_sb)->fsid_bits);
	inode_fill_ops(inode, real->i_mode, real->i_rdev);
	si->redirect = args->redirect;
	shale_inode_copyattr(inode);
	if (test_bit(SHALE_I_INDEXED, &si->flags) && si->__upper)
		shale_index_nlink_get(SHALE_FS(inode->i_sb), inode, si->__upper);
}

static void args_drop(struct shale_iget *args)
{
	dput(args->upper);
	shale_stack_free(args->lower);
	kfree(args->redirect);
}

/* Between the search for a lower file and its inode another name of it may have been promoted, and the
 * inode of that be gone again. What is hashed now is what the next promotion uses. */
static int index_check(struct shale_fs *fs, const struct inode *inode)
{
	const struct shale_stack *lower = shale_inode_lower(inode);
	struct dentry *upper;
	int err;

	if (!lower || shale_inode_upper(inode))
		return 0;
	err = shale_index_lookup(fs, &lower->path[0], &upper);
	if (err)
		return err == -ENOENT || err == -EOPNOTSUPP ? 0 : err;
	dput(upper);
	return -ESTALE;
}

static int inode_begin(struct inode *inode, struct shale_iget *args)
{
	int err = index_check(SHALE_FS(inode->i_sb), inode);

	inode_fill(inode, args);
	if (err)
		iget_failed(inode);
	else
		unlock_new_inode(inode);
	return err;
}

/* Matched by the lower while its first link was being published: see promotion_wait(). */
static int upper_wait(struct inode *inode)
{
	promotion_finish(inode);
	if (shale_inode_upper(inode))
		return 0;
	iput(inode);
	return -ESTALE;
}

struct inode *shale_iget(struct super_block *sb, struct shale_iget *args)
{
	struct inode *inode;
	int err = 0;

	key_of(args, SHALE_FS(sb), &args->key);
	promotion_wait(sb, args);
	inode = iget5_locked(sb, key_hash(&args->key), iget_test, iget_set, args);
	if (inode && inode_state_read_once(inode) & I_NEW) {
		err = inode_begin(inode, args);
		return err ? ERR_PTR(err) : inode;
	}
	if (!inode)
		err = -ENOMEM;
	else if (args->upper && !shale_inode_upper(inode))
		err = upper_wait(inode);
	args_drop(args);
	return err ? ERR_PTR(err) : inode;
}

struct inode *shale_new_inode(struct super_block *sb, umode_t mode, dev_t rdev)
{
	struct inode *inode = new_inode(sb);

	if (!inode)
		return NULL;
	inode_fill_ops(inode, mode, rdev);
	return inode;
}

void shale_inode_set_upper(struct inode *inode, struct dentry *upper)
{
	lockdep_assert_held(&SHALE_I(inode)->lock);
	smp_store_release(&SHALE_I(inode)->__upper, upper);
}

/* Nobody knows the inode yet. Where its number is still that of another one in memory, it lives
 * unhashed: correct, but other links of it would be other inodes. */
void shale_inode_instantiate(struct inode *inode, struct dentry *upper)
{
	struct shale_fs *fs = SHALE_FS(inode->i_sb);
	struct shale_iget args = { .upper = upper };
	struct shale_inode *si = SHALE_I(inode);
	struct inode *hashed;

	key_of(&args, fs, &args.key);
	si->key = args.key;
	smp_store_release(&si->__upper, upper);
	inode->i_ino = shale_key_to_ino(&si->key, fs->fsid_bits);
	shale_inode_copyattr(inode);
	hashed = inode_insert5(inode, key_hash(&args.key), iget_test, iget_set, &args);
	if (hashed == inode) {
		set_bit(SHALE_I_HASHED, &si->flags);
		unlock_new_inode(inode);
	} else if (hashed) {
		iput(hashed);
	}
}

int shale_inode_lock_two(struct inode *a, struct inode *b)
{
	struct mutex *first = &SHALE_I(a)->lock, *second = &SHALE_I(b)->lock;
	int err;

	if (first > second)
		swap(first, second);
	err = mutex_lock_killable(first);
	if (err || first == second)
		return err;
	err = mutex_lock_killable_nested(second, SINGLE_DEPTH_NESTING);
	if (err)
		mutex_unlock(first);
	return err;
}

void shale_inode_unlock_two(struct inode *a, struct inode *b)
{
	mutex_unlock(&SHALE_I(a)->lock);
	if (a != b)
		mutex_unlock(&SHALE_I(b)->lock);
}

int shale_permission(struct mnt_idmap *idmap, struct inode *inode, int mask)
{
	const struct cred *old;
	struct path top;
	bool is_lower;
	int err;

	shale_inode_top(inode, &top);
	err = generic_permission(idmap, inode, mask);
	if (err)
		return err;
	/* Writing to a lower object means reading it for promotion. */
	is_lower = !shale_is_in_upper(SHALE_FS(inode->i_sb), &top);
	if ((mask & MAY_WRITE) && is_lower && !special_file(inode->i_mode)) {
		mask &= ~(MAY_WRITE | MAY_APPEND);
		mask |= MAY_READ;
	}
	old = shale_cred_begin(inode->i_sb);
	err = shale_real_permission(&top, mask);
	shale_cred_end(old);
	return err;
}

/* Our inode's owner is the layer's as its mount shows it; from there on our own mount maps. */
static void owner_from_mount(struct mnt_idmap *idmap, const struct inode *inode, struct kstat *stat)
{
	stat->uid = vfsuid_into_kuid(i_uid_into_vfsuid(idmap, inode));
	stat->gid = vfsgid_into_kgid(i_gid_into_vfsgid(idmap, inode));
}

/* The blocks are those that are the upper's own. But what has none at all is one hole to tar and others, so a file that
 * shows what is below has at least one. */
static void upper_stat(const struct inode *inode, struct kstat *stat)
{
	if (!stat->blocks && stat->size && test_bit(SHALE_I_PARTIAL, &SHALE_I(inode)->flags))
		stat->blocks = SHALE_MAP_BLOCK_SIZE / 512;
}

static int object_blocks(const struct shale_path *object, u64 *blocks)
{
	const struct path path = shale_path_real(*object);
	struct kstat stat;
	int err = shale_real_getattr(&path, &stat, STATX_BLOCKS, AT_STATX_SYNC_AS_STAT);

	if (!err)
		*blocks += stat.blocks;
	return err;
}

/* The blocks of a file whose data is in other layers than its attributes: in the last of them, or in all. */
static int lower_stat(const struct inode *inode, const struct shale_stack *lower, struct kstat *stat)
{
	unsigned int i = test_bit(SHALE_I_PARTIAL, &SHALE_I(inode)->flags) ? 0 : lower->nr - 1;
	int err = 0;

	for (stat->blocks = 0; !err && i < lower->nr; i++)
		err = object_blocks(&lower->path[i], &stat->blocks);
	return err;
}

static int data_stat(const struct inode *inode, struct kstat *stat)
{
	const struct shale_stack *lower = shale_inode_lower(inode);

	if (shale_inode_upper(inode))
		upper_stat(inode, stat);
	else if (lower && lower->nr > 1 && !S_ISDIR(inode->i_mode))
		return lower_stat(inode, lower, stat);
	return 0;
}

int shale_getattr(struct mnt_idmap *idmap, const struct path *path, struct kstat *stat, u32 mask,
		  unsigned int flags)
{
	struct inode *inode = d_inode(path->dentry);
	const struct cred *old;
	struct path top;
	int err;

	shale_inode_top(inode, &top);
	old = shale_cred_begin(inode->i_sb);
	err = shale_real_getattr(&top, stat, mask, flags);
	if (!err)
		err = data_stat(inode, stat);
	shale_cred_end(old);
	if (err)
		return err;
	stat->ino = inode->i_ino;
	stat->dev = inode->i_sb->s_dev;
	stat->nlink = inode->i_nlink;
	if (idmap != &nop_mnt_idmap)
		owner_from_mount(idmap, inode, stat);
	return 0;
}

/* The VFS made sense of what was asked for on our inode; here it becomes what the layer is asked. */
static void attr_for_layer(struct mnt_idmap *idmap, struct inode *inode, struct iattr *attr)
{
	struct user_namespace *ns = i_user_ns(inode);

	/* Killing set-id bits was turned into a mode already; the layer turns it itself. */
	if (attr->ia_valid & (ATTR_KILL_SUID | ATTR_KILL_SGID))
		attr->ia_valid &= ~ATTR_MODE;
	if (attr->ia_valid & ATTR_UID)
		attr->ia_vfsuid = VFSUIDT_INIT(from_vfsuid(idmap, ns, attr->ia_vfsuid));
	if (attr->ia_valid & ATTR_GID)
		attr->ia_vfsgid = VFSGIDT_INIT(from_vfsgid(idmap, ns, attr->ia_vfsgid));
}

/* Between the layer's end of the file and the limit no page fault may fill in what was cut off. */
static int upper_resize(struct inode *inode, struct dentry *upper, struct iattr *attr)
{
	struct shale_parts *parts = shale_inode_parts(inode);
	int err;

	if (parts)
		shale_parts_lock(parts);
	err = shale_real_setattr(SHALE_FS(inode->i_sb), upper, attr);
	if (!err)
		shale_parts_cut(inode, attr->ia_size);
	if (parts)
		shale_parts_unlock(parts);
	return err;
}

static int upper_setattr(struct inode *inode, struct iattr *attr)
{
	struct shale_fs *fs = SHALE_FS(inode->i_sb);
	struct dentry *upper = shale_inode_upper(inode);
	const struct cred *old;
	int err;

	old = shale_cred_begin(inode->i_sb);
	err = attr->ia_valid & ATTR_SIZE ? shale_parts_grow(inode, attr->ia_size) : 0;
	if (!err)
		err = shale_real_want_write(fs);
	if (err) {
		shale_cred_end(old);
		return err;
	}
	if (attr->ia_valid & ATTR_SIZE)
		err = upper_resize(inode, upper, attr);
	else
		err = shale_real_setattr(fs, upper, attr);
	shale_real_drop_write(fs);
	shale_cred_end(old);
	shale_inode_copyattr(inode);
	if (attr->ia_valid & ATTR_MODE)
		forget_all_cached_acls(inode);
	return err;
}

int shale_setattr(struct mnt_idmap *idmap, struct dentry *dentry, struct iattr *attr)
{
	struct inode *inode = d_inode(dentry);
	int err;

	err = setattr_prepare(idmap, dentry, attr);
	if (!err && (attr->ia_valid & ATTR_SIZE))
		err = shale_parts_open(inode);
	if (err)
		return err;
	/* What is promoted gets its new size at once: the layer then sees no change that it would date. */
	if ((attr->ia_valid & ATTR_SIZE) && attr->ia_size != i_size_read(inode))
		attr->ia_valid |= ATTR_MTIME | ATTR_CTIME;
	if (attr->ia_valid & ATTR_SIZE)
		err = shale_promote_truncated(dentry, attr->ia_size);
	else
		err = shale_promote_inode(dentry);
	if (err)
		return err;
	attr_for_layer(idmap, inode, attr);
	return upper_setattr(inode, attr);
}

static const char *shale_get_link(struct dentry *dentry, struct inode *inode,
				  struct delayed_call *done)
{
	const struct cred *old;
	const char *target;
	struct path top;

	if (!dentry)
		return ERR_PTR(-ECHILD);
	shale_inode_top(inode, &top);
	old = shale_cred_begin(inode->i_sb);
	target = shale_real_get_link(&top, done);
	shale_cred_end(old);
	return target;
}

/* A lower object's access time stays; an upper one's follows the upper's own mount. */
int shale_update_time(struct inode *inode, enum fs_update_time type, unsigned int flags)
{
	struct path upper;

	if (type != FS_UPD_ATIME || !upper_path(inode, &upper))
		return 0;
	shale_real_touch(&upper);
	inode_set_atime_to_ts(inode, inode_get_atime(d_inode(upper.dentry)));
	return 0;
}

struct posix_acl *shale_get_inode_acl(struct inode *inode, int type, bool rcu)
{
	const struct cred *old;
	struct posix_acl *acl;
	struct path top;

	shale_inode_top(inode, &top);
	if (!IS_POSIXACL(d_inode(top.dentry)))
		return NULL;
	if (rcu)
		return ERR_PTR(-ECHILD);
	old = shale_cred_begin(inode->i_sb);
	acl = shale_real_get_acl(&top, type);
	shale_cred_end(old);
	return acl;
}

struct posix_acl *shale_get_acl(struct mnt_idmap *idmap, struct dentry *dentry, int type)
{
	return shale_get_inode_acl(d_inode(dentry), type, false);
}

static int upper_set_acl(struct dentry *dentry, struct posix_acl *acl, int type)
{
	struct inode *inode = d_inode(dentry);
	struct shale_fs *fs = SHALE_FS(inode->i_sb);
	const struct cred *old;
	int err;

	err = shale_real_want_write(fs);
	if (err)
		return err;
	old = shale_cred_begin(inode->i_sb);
	err = shale_real_set_acl(fs, shale_inode_upper(inode), acl, type);
	shale_cred_end(old);
	shale_real_drop_write(fs);
	shale_inode_copyattr(inode);
	forget_cached_acl(inode, type);
	return err;
}

/* A file whose owner's group the caller is not in loses its set-gid bit with a new access ACL. */
static int sgid_drop(struct mnt_idmap *idmap, struct dentry *dentry)
{
	struct inode *inode = d_inode(dentry);
	struct iattr attr = { .ia_valid = ATTR_KILL_SGID };

	if (!(inode->i_mode & S_ISGID) ||
	    vfsgid_in_group_p(i_gid_into_vfsgid(idmap, inode)) ||
	    capable_wrt_inode_uidgid(idmap, inode, CAP_FSETID))
		return 0;
	return upper_setattr(inode, &attr);
}

int shale_set_acl(struct mnt_idmap *idmap, struct dentry *dentry, struct posix_acl *acl, int type)
{
	struct inode *inode = d_inode(dentry);
	int err;

	if (!IS_POSIXACL(d_inode(dentry)))
		return -EOPNOTSUPP;
	if (!inode_owner_or_capable(idmap, inode))
		return -EPERM;
	if (type == ACL_TYPE_DEFAULT && !S_ISDIR(inode->i_mode))
		return acl ? -EACCES : 0;
	err = shale_promote_inode(dentry);
	if (!err && type == ACL_TYPE_ACCESS && acl)
		err = sgid_drop(idmap, dentry);
	return err ?: upper_set_acl(dentry, acl, type);
}

int shale_fileattr_get(struct dentry *dentry, struct file_kattr *fa)
{
	const struct cred *old;
	struct path top;
	int err;

	shale_inode_top(d_inode(dentry), &top);
	old = shale_cred_begin(dentry->d_sb);
	err = shale_real_fileattr_get(&top, fa);
	shale_cred_end(old);
	return err;
}

int shale_fileattr_set(struct mnt_idmap *idmap, struct dentry *dentry, struct file_kattr *fa)
{
	struct inode *inode = d_inode(dentry);
	struct shale_fs *fs = SHALE_FS(inode->i_sb);
	const struct cred *old;
	int err;

	err = shale_promote_inode(dentry);
	if (!err)
		err = shale_real_want_write(fs);
	if (err)
		return err;
	old = shale_cred_begin(inode->i_sb);
	err = shale_real_fileattr_set(fs, shale_inode_upper(inode), fa);
	shale_cred_end(old);
	shale_real_drop_write(fs);
	shale_inode_copyattr(inode);
	return err;
}

static int shale_fiemap(struct inode *inode, struct fiemap_extent_info *info, u64 start, u64 len)
{
	struct shale_parts *parts;
	const struct cred *old;
	struct path data;
	int err;

	/* Who sees the upper sees its parts. */
	shale_inode_data(inode, &data);
	parts = shale_inode_parts(inode);
	old = shale_cred_begin(inode->i_sb);
	if (parts)
		err = shale_parts_fiemap(inode, parts, info, start, len);
	else
		err = shale_real_fiemap(&data, info, start, len);
	shale_cred_end(old);
	return err;
}

COMPAT_DEFINE_ACL(shale_set_acl)
COMPAT_DEFINE_UPDATE_TIME(shale_update_time)

const struct inode_operations shale_file_iops = {
	.setattr = shale_setattr,
	.getattr = shale_getattr,
	.permission = shale_permission,
	.listxattr = shale_listxattr,
	COMPAT_ACL_OPS(shale_get_inode_acl, shale_get_acl, shale_set_acl),
	.update_time = COMPAT_UPDATE_TIME(shale_update_time),
	.fiemap = shale_fiemap,
	.fileattr_get = shale_fileattr_get,
	.fileattr_set = shale_fileattr_set,
};

const struct inode_operations shale_symlink_iops = {
	.setattr = shale_setattr,
	.getattr = shale_getattr,
	.permission = shale_permission,
	.get_link = shale_get_link,
	.listxattr = shale_listxattr,
	.update_time = COMPAT_UPDATE_TIME(shale_update_time),
};

const struct inode_operations shale_special_iops = {
	.setattr = shale_setattr,
	.getattr = shale_getattr,
	.permission = shale_permission,
	.listxattr = shale_listxattr,
	COMPAT_ACL_OPS(shale_get_inode_acl, shale_get_acl, shale_set_acl),
	.update_time = COMPAT_UPDATE_TIME(shale_update_time),
};
