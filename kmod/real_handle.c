// SPDX-License-Identifier: GPL-2.0-only
/*
 * real_handle.c - GROUND: file handles of the layers. What a handle of the union is made of is in
 * export.c, the only caller.
 */
#include <linux/exportfs.h>

#include "real.h"

int shale_real_encode_fh(struct dentry *dentry, struct fid *fid, int *max_words)
{
	int type = exportfs_encode_fh(dentry, fid, max_words, d_is_dir(dentry) ? 0 : 1);

	pr_debug("encode_fh(%pd2) = %d\n", dentry, type);
	return type;
}

static int is_named(void *except, struct dentry *dentry)
{
	return !(dentry->d_flags & DCACHE_DISCONNECTED) && !d_unhashed(dentry) &&
	       READ_ONCE(dentry->d_parent) != except;
}

struct dentry *shale_real_decode_fh(const struct shale_layer *layer, struct fid *fid, int words,
				    int type, struct dentry *except)
{
	struct dentry *dentry;

	dentry = exportfs_decode_fh(layer->mnt, fid, words, type, is_named, except);
	pr_debug("decode_fh() = %d\n", PTR_ERR_OR_ZERO(dentry));
	return dentry ?: ERR_PTR(-ESTALE);
}
