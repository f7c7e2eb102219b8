// SPDX-License-Identifier: GPL-2.0-only
/*
 * origin.c - MODEL: who an object of the upper was before it was copied up. P.shale.origin names the
 * lower object by filesystem and inode number; it is how st_ino stays the same for ever, also after
 * the object is renamed away from everything that is below it. Called by promote.c, which writes it,
 * by lookup.c and readdir.c, which read it, and by index.c, whose names it makes.
 *
 * Reading it costs a getxattr for each object, so it is read only in directories that are marked
 * impure. The mark is set before the first object with an origin gets a name there, so that a crash
 * leaves at most a mark too many, which costs time and nothing else.
 */
#include "real.h"
#include "shale.h"

void shale_origin_of(struct shale_fs *fs, const struct shale_path *lower, struct shale_disk_origin *ret)
{
	const struct inode *inode = d_inode(lower->dentry);

	*ret = (struct shale_disk_origin) {
		.version = SHALE_DISK_ORIGIN_VERSION,
		.generation = cpu_to_le32(inode->i_generation),
		.ino = cpu_to_le64(inode->i_ino),
	};
	export_uuid(ret->uuid, &fs->realfs[lower->layer->fsid].uuid);
}

int shale_origin_set(struct shale_fs *fs, struct dentry *upper, const struct shale_path *lower)
{
	struct shale_disk_origin origin;

	if (!fs->realfs[lower->layer->fsid].has_uuid)
		return 0;
	shale_origin_of(fs, lower, &origin);
	return shale_real_set_private(fs, upper, SHALE_XATTR_ORIGIN, &origin, sizeof(origin));
}

int shale_origin_get(struct shale_fs *fs, struct dentry *upper, struct shale_key *ret_key)
{
	const struct path path = shale_upper_path(fs, upper);
	struct shale_disk_origin origin;
	ssize_t size;
	int fsid;

	size = shale_real_get_private(fs, &path, SHALE_XATTR_ORIGIN, &origin, sizeof(origin));
	/* Longer or foreign: of a later version, whose identities we cannot know. */
	if (size == -ERANGE || (size >= 0 && size != sizeof(origin)))
		return -ENODATA;
	if (size < 0)
		return size;
	if (origin.version != SHALE_DISK_ORIGIN_VERSION)
		return -ENODATA;
	fsid = shale_layer_fsid_of_uuid(fs, origin.uuid);
	if (fsid < 0)
		return -ENODATA;
	*ret_key = (struct shale_key) { .ino = le64_to_cpu(origin.ino), .fsid = fsid };
	return 0;
}

void shale_origin_name(const struct shale_disk_origin *origin, char ret_name[SHALE_ORIGIN_NAME_SIZE])
{
	snprintf(ret_name, SHALE_ORIGIN_NAME_SIZE, "%*phN", (int)sizeof(*origin), origin);
}

int shale_origin_name_of(struct shale_fs *fs, struct dentry *upper,
			 char ret_name[SHALE_ORIGIN_NAME_SIZE])
{
	const struct path path = shale_upper_path(fs, upper);
	struct shale_disk_origin origin;
	ssize_t size;

	size = shale_real_get_private(fs, &path, SHALE_XATTR_ORIGIN, &origin, sizeof(origin));
	if (size < 0)
		return size;
	if (size != sizeof(origin))
		return -ENODATA;
	shale_origin_name(&origin, ret_name);
	return 0;
}

bool shale_inode_has_origin(const struct inode *inode)
{
	struct shale_fs *fs = SHALE_FS(inode->i_sb);
	const struct dentry *upper = shale_inode_upper(inode);
	struct shale_key own;

	if (!upper)
		return false;
	own = (struct shale_key) { .ino = d_inode(upper)->i_ino, .fsid = shale_upper_layer(fs)->fsid };
	return !shale_key_equal(&own, &SHALE_I(inode)->key);
}

int shale_impure_set(struct shale_fs *fs, struct inode *dir)
{
	int err;

	if (test_bit(SHALE_I_IMPURE, &SHALE_I(dir)->flags))
		return 0;
	err = shale_real_set_private(fs, shale_inode_upper(dir), SHALE_XATTR_IMPURE, "y", 1);
	if (!err)
		set_bit(SHALE_I_IMPURE, &SHALE_I(dir)->flags);
	return err;
}
