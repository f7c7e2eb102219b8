// SPDX-License-Identifier: GPL-2.0-only
/*
 * real_handle.c - GROUND: file handles of the layers' objects. What a handle of the union is made of is
 * in export.c; moved.c keeps handles of directories.
 */
#include <linux/blkdev.h>
#include <linux/exportfs.h>
#include <linux/magic.h>

#include "real.h"

#define XFS_TYPE_WIDE 0x80 /* in the type of a handle: its inode numbers take two words */

/* What XFS puts into a handle with wide numbers. */
struct xfs_wide {
	u64 ino;
	u32 generation;
	u64 parent_ino;
	u32 parent_generation;
} __packed;

/* With its directory's, a file that is not cached can be found by name. tmpfs, which keeps all its names
 * cached, has no such handles, and the kernel gives none at all to who asks for them there. */
static bool has_parent_in_handle(const struct dentry *dentry)
{
	return !d_is_dir(dentry) && dentry->d_sb->s_export_op->fh_to_parent;
}

int shale_real_encode_fh(struct dentry *dentry, struct shale_real_fh *fh)
{
	int room = fh->nr;

	fh->type = exportfs_encode_fh(dentry, (struct fid *)fh->words, &fh->nr,
				      has_parent_in_handle(dentry));
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

static bool is_number_at(const struct super_block *sb, const struct shale_real_fh *fh, size_t offset)
{
	u64 ino;

	if (fh->nr * sizeof(u32) < offset + sizeof(ino))
		return true;
	memcpy(&ino, (const u8 *)fh->words + offset, sizeof(ino));
	return ino <= bdev_nr_bytes(sb->s_bdev);
}

/*
 * The XFS of 6.1 asks for an inode again and again, in a sleep that no signal ends, if one is cached whose
 * number differs only in bits too high for any allocation group. XFS numbers inodes by where they are, in
 * units of many bytes: a number above the device's bytes is none, and stale without asking.
 */
static bool is_possible(const struct super_block *sb, const struct shale_real_fh *fh)
{
	if (sb->s_magic != XFS_SUPER_MAGIC || !(fh->type & XFS_TYPE_WIDE))
		return true;
	return is_number_at(sb, fh, offsetof(struct xfs_wide, ino)) &&
	       ((fh->type & ~XFS_TYPE_WIDE) != FILEID_INO32_GEN_PARENT ||
		is_number_at(sb, fh, offsetof(struct xfs_wide, parent_ino)));
}

static struct dentry *decode_fh(const struct shale_layer *layer, const struct shale_real_fh *fh,
				int (*acceptable)(void *, struct dentry *), struct dentry *except)
{
	struct dentry *dentry;

	if (!is_possible(layer->mnt->mnt_sb, fh))
		return ERR_PTR(-ESTALE);
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
