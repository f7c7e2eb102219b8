// SPDX-License-Identifier: GPL-2.0-only
/*
 * parts.c - MODEL: the layers' objects behind a regular file whose bytes are in several of them. Reads what
 * each has, and refuses the file when something is not what it was. Which bytes are where is asked of
 * cow.c; changes are written by mapio.c.
 */
#include <linux/file.h>
#include <linux/slab.h>

#include "cred.h"
#include "mapio.h"
#include "parts.h"
#include "real.h"

static struct shale_map *map_alloc(u64 limit)
{
	struct shale_map *map = kmalloc(sizeof(*map), GFP_KERNEL_ACCOUNT);

	if (map)
		shale_map_init(map, limit);
	return map;
}

static void map_free(struct shale_map *map)
{
	if (!map)
		return;
	shale_map_destroy(map);
	kfree(map);
}

static struct shale_parts *parts_alloc(struct inode *inode, unsigned int nr)
{
	struct shale_parts *parts = kzalloc(struct_size(parts, maps, nr), GFP_KERNEL);

	if (!parts)
		return NULL;
	parts->inode = inode;
	parts->nr = nr;
	init_rwsem(&parts->sem);
	mutex_init(&parts->save_lock);
	INIT_LIST_HEAD(&parts->node);
	parts->below = kcalloc(nr, sizeof(*parts->below), GFP_KERNEL);
	if (parts->below)
		return parts;
	kfree(parts);
	return NULL;
}

void shale_parts_drop(struct shale_parts *parts)
{
	unsigned int i;

	if (!parts)
		return;
	/* The maps below are those of the parts before, where there are such. */
	for (i = 0; i < (parts->before ? 1 : parts->nr); i++)
		map_free(parts->maps[i]);
	for (i = 0; i + 1 < parts->nr; i++)
		if (parts->below[i])
			fput(parts->below[i]);
	kfree(parts->below);
	dput(parts->upper);
	kfree(parts);
}

void shale_parts_free(struct shale_parts *parts)
{
	struct shale_parts *before;

	for (; parts; parts = before) {
		before = parts->before;
		shale_parts_drop(parts);
	}
}

struct shale_path shale_parts_object(const struct inode *inode, const struct shale_parts *parts,
				     unsigned int part)
{
	if (parts->upper && !part)
		return (struct shale_path){
			.layer = shale_upper_layer(SHALE_FS(inode->i_sb)),
			.dentry = parts->upper,
		};
	return shale_inode_lower(inode)->path[part - !!parts->upper];
}

static void below_of(const struct kstat *stat, struct shale_map_lower *ret)
{
	*ret = (struct shale_map_lower){
		.size = stat->size,
		.mtime = stat->mtime.tv_sec,
		.mtime_nsec = stat->mtime.tv_nsec,
		.ctime = stat->ctime.tv_sec,
		.ctime_nsec = stat->ctime.tv_nsec,
	};
}

/* Is what is below a part still what it was when the part began? */
static int below_check(struct shale_path below, const struct shale_map_head *head)
{
	const struct path path = shale_path_real(below);
	struct shale_map_lower now;
	struct kstat stat;
	int err;

	err = shale_real_getattr(&path, &stat, STATX_BASIC_STATS, AT_STATX_SYNC_AS_STAT);
	if (err)
		return err;
	below_of(&stat, &now);
	if (now.size == head->lower.size && now.mtime == head->lower.mtime &&
	    now.mtime_nsec == head->lower.mtime_nsec && now.ctime == head->lower.ctime &&
	    now.ctime_nsec == head->lower.ctime_nsec)
		return 0;
	pr_warn_ratelimited("%pd2 is not the file any more that a layer above has blocks of\n",
			    below.dentry);
	return -EIO;
}

/* One of overlayfs's that has attributes only: all of its data is below. */
static int map_of_metacopy(const struct shale_path *object, struct shale_map *map)
{
	u64 size = i_size_read(d_inode(object->dentry));

	if (size > SHALE_DISK_MAP_LIMIT_MAX)
		return -EFBIG;
	shale_map_init(map, size);
	return 0;
}

static int map_load(struct shale_parts *parts, unsigned int part, struct shale_map *map)
{
	const struct shale_path object = shale_parts_object(parts->inode, parts, part);
	struct shale_map_head head;
	int err;

	err = shale_mapio_read(SHALE_FS(parts->inode->i_sb), &object, &head, map);
	if (err == -ENODATA)
		return map_of_metacopy(&object, map);
	if (err)
		return err;
	if (!part) {
		parts->head = head;
		parts->saved_limit = shale_map_limit(map);
		parts->saved = shale_map_generation(map);
		shale_map_changed_forget(map, 0, SHALE_DISK_MAP_LIMIT_MAX >> SHALE_DISK_MAP_BLOCK_SHIFT);
	}
	/* Where the file was cut and that is not saved yet: see shale_parts_grow(). */
	shale_map_limit_lower_to(map, i_size_read(d_inode(object.dentry)));
	err = below_check(shale_parts_object(parts->inode, parts, part + 1), &head);
	if (err)
		shale_map_destroy(map);
	return err;
}

static int part_load(struct shale_parts *parts, unsigned int part)
{
	struct shale_map *map = kmalloc(sizeof(*map), GFP_KERNEL_ACCOUNT);
	int err;

	if (!map)
		return -ENOMEM;
	err = map_load(parts, part, map);
	if (err)
		kfree(map);
	else
		parts->maps[part] = map;
	return err;
}

static int parts_load(struct inode *inode, struct shale_parts **ret)
{
	const struct shale_stack *lower = shale_inode_lower(inode);
	struct dentry *upper = shale_inode_upper(inode);
	struct shale_parts *parts;
	unsigned int part;
	int err = 0;

	if (test_bit(SHALE_I_LOST, &SHALE_I(inode)->flags))
		return -EIO;
	parts = parts_alloc(inode, !!upper + lower->nr);
	if (!parts)
		return -ENOMEM;
	parts->upper = dget(upper);
	for (part = 0; !err && part + 1 < parts->nr; part++)
		err = part_load(parts, part);
	if (err) {
		shale_parts_free(parts);
		return err;
	}
	*ret = parts;
	return 0;
}

static bool are_loaded(const struct inode *inode)
{
	return !test_bit(SHALE_I_PARTIAL, &SHALE_I(inode)->flags) || shale_inode_parts(inode);
}

/* A lack of memory says nothing about the file. */
static void lost_report(struct inode *inode, int err)
{
	struct shale_fs *fs = SHALE_FS(inode->i_sb);

	if (err == -ENOMEM)
		return;
	shale_stats_inc(fs, map_errors);
	if (!test_and_set_bit(SHALE_I_LOST_SAID, &SHALE_I(inode)->flags))
		shale_genl_map_error(fs, inode, err);
}

int shale_parts_open_locked(struct inode *inode)
{
	struct shale_parts *parts;
	int err;

	if (are_loaded(inode))
		return 0;
	err = parts_load(inode, &parts);
	if (err)
		lost_report(inode, err);
	else
		smp_store_release(&SHALE_I(inode)->__parts, parts);
	return err;
}

int shale_parts_open(struct inode *inode)
{
	const struct cred *old;
	int err;

	if (are_loaded(inode))
		return 0;
	mutex_lock(&SHALE_I(inode)->lock);
	old = shale_cred_begin(inode->i_sb);
	err = shale_parts_open_locked(inode);
	shale_cred_end(old);
	mutex_unlock(&SHALE_I(inode)->lock);
	return err;
}

int shale_parts_above(struct inode *inode, struct dentry *upper, const struct kstat *lower, u64 limit,
		      struct shale_parts **ret)
{
	struct shale_parts *before = shale_inode_parts(inode);
	unsigned int below_nr = before ? before->nr : 1;
	struct shale_parts *parts = parts_alloc(inode, 1 + below_nr);

	if (!parts)
		return -ENOMEM;
	parts->upper = dget(upper);
	parts->maps[0] = map_alloc(limit);
	if (!parts->maps[0]) {
		shale_parts_free(parts);
		return -ENOMEM;
	}
	if (before)
		memcpy(&parts->maps[1], before->maps, below_nr * sizeof(parts->maps[0]));
	parts->before = before;
	parts->saved_limit = limit;
	below_of(lower, &parts->head.lower);
	*ret = parts;
	return 0;
}

int shale_parts_grow(struct inode *inode, u64 end)
{
	struct shale_parts *parts = shale_inode_parts(inode);

	if (!parts || end <= i_size_read(inode) || READ_ONCE(parts->saved_limit) <= i_size_read(inode))
		return 0;
	return shale_mapio_flush(inode);
}

void shale_parts_cut(struct inode *inode, u64 size)
{
	struct shale_parts *parts = shale_inode_parts(inode);

	if (!parts || size >= shale_map_limit(parts->maps[0]))
		return;
	shale_map_limit_lower_to(parts->maps[0], size);
	shale_mapio_dirty(inode);
}
