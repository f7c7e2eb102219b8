// SPDX-License-Identifier: GPL-2.0-only
/*
 * shadow.c - MODEL: an upper that nobody sees yet. A shared mapping of a file that only lower layers have would keep
 * showing what is there, whatever is written later, since mappings cannot be moved to another file. So it is one of
 * an unnamed file of the upper, as long as the lower one and with an empty map: all it shows is below. A
 * promotion gives that file its place instead of making a new one. Most never get there, and go with their inode.
 *
 * Called by mmap.c; promote.c takes what is there.
 */
#include "cred.h"
#include "parts.h"
#include "promote.h"
#include "real.h"

bool shale_shadow_is_wanted(const struct inode *inode)
{
	const struct shale_fs *fs = SHALE_FS(inode->i_sb);

	return !shale_inode_upper(inode) && !sb_rdonly(inode->i_sb) && shale_has_upper(fs) &&
	       shale_makes_parts(fs) &&
	       i_size_read(inode) <= SHALE_DISK_MAP_LIMIT_MAX;
}

static int shadow_fill_in(struct shale_promotion *p)
{
	int err = shale_parts_above(p->inode, p->upper, &p->stat, p->stat.size, &p->parts);

	if (!err)
		err = shale_real_extend(p->file, p->stat.size);
	return err ?: shale_mapped_prepare(p->parts);
}

static int shadow_create(struct shale_promotion *p)
{
	int err = -EBUSY;

	/* Reading does not wait for a thaw, and does not fail for want of space. */
	if (!shale_real_is_frozen(p->fs) && shale_real_has_room(p->fs, i_size_read(p->inode)))
		err = shale_promote_begin(p);
	if (!err)
		err = shadow_fill_in(p);
	if (!err) {
		smp_store_release(&SHALE_I(p->inode)->__shadow, p->parts);
		p->parts = NULL;
	}
	shale_promote_end(p);
	return err;
}

int shale_shadow_make(struct dentry *dentry)
{
	struct shale_promotion p = {
		.fs = SHALE_FS(dentry->d_sb),
		.dentry = dentry,
		.inode = d_inode(dentry),
		.size = LLONG_MAX,
	};
	struct mutex *lock = &SHALE_I(p.inode)->lock;
	const struct cred *old;
	int err;

	err = mutex_lock_killable(lock);
	if (err)
		return err;
	if (shale_shadow_is_wanted(p.inode) && !shale_inode_shadow(p.inode)) {
		old = shale_cred_begin(dentry->d_sb);
		err = shadow_create(&p);
		shale_cred_end(old);
	}
	mutex_unlock(lock);
	return err;
}
