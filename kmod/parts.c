// SPDX-License-Identifier: GPL-2.0-only
/*
 * parts.c - MODEL: the layers' objects behind a regular file whose bytes are in several of them. Reads what
 * each has, and refuses the file when something is not what it was. Which bytes are where is asked of
 * cow.c; changes are written by mapio.c.
 */
#include <linux/file.h>
#include <linux/slab.h>

#include "cow.h"
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
	init_rwsem(&parts->gate);
	init_rwsem(&parts->sem);
	mutex_init(&parts->save_lock);
	INIT_LIST_HEAD(&parts->node);
	parts->below = kcalloc(nr, sizeof(*parts->below), GFP_KERNEL);
	if (parts->below)
		return parts;
	kfree(parts);
	return NULL;
}

static void upper_set(struct shale_parts *parts, struct dentry *upper)
{
	parts->upper = dget(upper);
	parts->errors = shale_real_errors_now(upper);
}

void shale_parts_lock(struct shale_parts *parts)
{
	down_write(&parts->gate);
	down_write(&parts->sem);
}

void shale_parts_unlock(struct shale_parts *parts)
{
	up_write(&parts->sem);
	up_write(&parts->gate);
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
	if (upper)
		upper_set(parts, upper);
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
	upper_set(parts, upper);
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

int shale_parts_below_open(struct shale_parts *parts)
{
	struct file *file;
	struct path path;
	unsigned int i;

	for (i = 0; i + 1 < parts->nr; i++) {
		if (READ_ONCE(parts->below[i]))
			continue;
		path = shale_path_real(shale_parts_object(parts->inode, parts, i + 1));
		file = shale_real_open(&path, O_RDONLY | O_NOATIME);
		if (IS_ERR(file))
			return PTR_ERR(file);
		if (cmpxchg(&parts->below[i], NULL, file))
			fput(file);
	}
	return 0;
}

int shale_parts_below_read(struct shale_parts *parts, u64 pos, u64 len, u8 *buf)
{
	struct shale_run run;
	u64 done;
	int err = 0;

	for (done = 0; !err && done < len; done += run.len) {
		run = shale_cow_run(parts->maps + 1, pos + done, len - done);
		err = shale_real_read_pages(parts->below[run.part], buf + done, run.len, pos + done);
	}
	return err;
}

static int tail_write(struct shale_parts *parts, u64 pos, const u8 *buf, u64 len)
{
	struct path path = shale_path_real(shale_parts_object(parts->inode, parts, 0));
	struct file *top = shale_real_open(&path, O_RDWR);
	const u64 block = pos >> SHALE_MAP_BLOCK_SHIFT;
	ssize_t ret = len;

	if (IS_ERR(top))
		return PTR_ERR(top);
	shale_real_start_write(top);
	shale_parts_lock(parts);
	if (!shale_map_test(parts->maps[0], block)) {
		ret = shale_real_write_buf(top, buf, len, pos);
		if (ret == len)
			ret = shale_map_set(parts->maps[0], block, 1) ?: len;
		shale_parts_report(parts, pos, len, len, ret);
	}
	shale_parts_unlock(parts);
	shale_real_end_write(top);
	fput(top);
	if (ret < 0)
		return ret;
	return ret == len ? 0 : -EIO;
}

static int tail_take(struct shale_parts *parts, u64 limit)
{
	const u64 pos = round_down(limit, SHALE_MAP_BLOCK_SIZE);
	u8 *buf;
	int err;

	err = shale_parts_below_open(parts);
	if (err)
		return err;
	buf = kmalloc(SHALE_MAP_BLOCK_SIZE, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	err = shale_parts_below_read(parts, pos, limit - pos, buf) ?:
	      tail_write(parts, pos, buf, limit - pos);
	kfree(buf);
	return err;
}

/*
 * The block that the limit is in shows bytes of both sides. When it is written on both, a crash could leave the
 * new size and the new bytes above the limit with the old bytes below it. So before there is anything above the
 * limit the block is the top's, and on disk it is so, too.
 */
static int tail_settle(struct inode *inode, struct shale_parts *parts)
{
	const u64 limit = shale_map_limit(parts->maps[0]);
	int err = 0;

	if (IS_ALIGNED(limit, SHALE_MAP_BLOCK_SIZE) || parts->settled_limit == limit)
		return 0;
	if (!shale_map_test(parts->maps[0], limit >> SHALE_MAP_BLOCK_SHIFT))
		err = tail_take(parts, limit);
	if (!err)
		err = shale_mapio_flush(inode);
	if (!err)
		parts->settled_limit = limit;
	return err;
}

int shale_parts_grow(struct inode *inode, u64 end)
{
	struct shale_parts *parts = shale_inode_parts(inode);
	const u64 size = i_size_read(inode);
	int err;

	if (!parts || !parts->upper || end <= size)
		return 0;
	err = size <= shale_map_limit(parts->maps[0]) ? tail_settle(inode, parts) : 0;
	if (err || READ_ONCE(parts->saved_limit) <= size)
		return err;
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
