// SPDX-License-Identifier: GPL-2.0-only
/*
 * real_handle.c - GROUND: file handles of the layers' objects. What a handle of the union is made of is
 * in export.c; moved.c keeps handles of directories.
 */
#include <linux/exportfs.h>

#include "real.h"

int shale_real_encode_fh(struct dentry *dentry, struct shale_real_fh *fh)
{
	int room = fh->nr;

	fh->type = exportfs_encode_fh(dentry, (struct fid *)fh->words, &fh->nr,
				      d_is_dir(dentry) ? 0 : 1);
	pr_debug("encode_fh(%pd2) = %d\n", dentry, fh->type);
	if (fh->type == FILEID_INVALID || fh->type < 0)
		return fh->nr > room ? -EOVERFLOW : -EOPNOTSUPP;
	return 0;
}

static int is_any(void *context, struct dentry *dentry)
{
	return 1;
}

static int is_named(void *except, struct dentry *dentry)
{
	return !(dentry->d_flags & DCACHE_DISCONNECTED) && !d_unhashed(dentry) &&
	       READ_ONCE(dentry->d_parent) != except;
}

static struct dentry *decode_fh(const struct shale_layer *layer, const struct shale_real_fh *fh,
				int (*acceptable)(void *, struct dentry *), struct dentry *except)
{
	struct dentry *dentry;

	dentry = exportfs_decode_fh(layer->mnt, (struct fid *)fh->words, fh->nr, fh->type, acceptable,
				    except);
	pr_debug("decode_fh(0x%x) = %d\n", fh->type, PTR_ERR_OR_ZERO(dentry));
	return dentry ?: ERR_PTR(-ESTALE);
}

struct dentry *shale_real_decode_fh(const struct shale_layer *layer, const struct shale_real_fh *fh)
{
	return decode_fh(layer, fh, is_any, NULL);
}

struct dentry *shale_real_decode_named(const struct shale_layer *layer,
				       const struct shale_real_fh *fh, struct dentry *except)
{
	return decode_fh(layer, fh, is_named, except);
}
