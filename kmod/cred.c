// SPDX-License-Identifier: GPL-2.0-only
/*
 * cred.c - GROUND: switching to the mounter's rights and back.
 *
 * Nested uses are fine; each end undoes one begin. Deciding which accesses need it is the caller's.
 */
#include <linux/security.h>

#include "compat/cred.h"
#include "cred.h"

const struct cred *shale_cred_begin(struct super_block *sb)
{
	return compat_override_creds(SHALE_FS(sb)->creds);
}

void shale_cred_end(const struct cred *old)
{
	compat_revert_creds(old);
}

int shale_cred_begin_create(struct dentry *name, const struct inode *inode, umode_t mode,
			    const struct cred **ret_old)
{
	struct cred *creds = prepare_creds();
	int err;

	if (!creds)
		return -ENOMEM;
	creds->fsuid = inode->i_uid;
	creds->fsgid = inode->i_gid;
	err = security_dentry_create_files_as(name, mode, &name->d_name, current_real_cred(), creds);
	if (!err)
		*ret_old = compat_override_creds(creds);
	put_cred(creds);
	return err;
}

const struct cred *shale_cred_replace(struct cred *creds)
{
	const struct cred *old = compat_override_creds(creds);

	put_cred(creds);
	return old;
}
