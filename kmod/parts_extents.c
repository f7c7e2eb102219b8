// SPDX-License-Identifier: GPL-2.0-only
/*
 * parts_extents.c - FACE: FIEMAP of a regular file whose bytes are in several layers: the extents of each part
 * where it shows, in order. A layer writes them to the caller's memory, one run at a time; there they are cut to
 * the run and get what only we know. Called by inode.c with the mounter's credentials.
 *
 * The addresses are those of the filesystem that the top part is on. Where another one's extents show, they are
 * unknown, which is how FIEMAP says that data is not where it could be looked for; what is below is
 * shared, since others show it as well.
 */
#include <linux/fiemap.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "cow.h"
#include "parts_io.h"
#include "real.h"

/* How far ahead it is looked for another extent, at first and at most at a time. */
#define WINDOW	   (1ULL << 20)
#define WINDOW_MAX (1ULL << 60)

struct extents {
	struct inode *inode;
	const struct shale_parts *parts;
	struct fiemap_extent_info *info; /* the caller's */
};

/* What one part shows. */
struct shown {
	unsigned int part;
	u64 pos, end;
};

static bool is_full(const struct fiemap_extent_info *info)
{
	return info->fi_extents_max && info->fi_extents_mapped >= info->fi_extents_max;
}

/* Behind the end of the file the rest of a block shows nothing, so it is the extent's that it begins with. */
static struct shown shown_at(const struct extents *e, u64 pos, u64 end)
{
	struct shale_run run = shale_cow_run(e->parts->maps, pos, end - pos);
	struct shown shown = { .part = run.part, .pos = pos, .end = pos + run.len };

	if (run.part && shown.end >= i_size_read(e->inode))
		shown.end = min(end, round_up(shown.end, SHALE_MAP_BLOCK_SIZE));
	return shown;
}

static bool has_addresses(const struct extents *e, unsigned int part)
{
	const struct shale_path top = shale_parts_object(e->inode, e->parts, 0);
	const struct shale_path object = shale_parts_object(e->inode, e->parts, part);

	return top.layer->fsid == object.layer->fsid;
}

/* False: nothing of it is in the run. */
static bool extent_cut(const struct shown *shown, struct fiemap_extent *extent)
{
	const u64 start = max(extent->fe_logical, shown->pos);
	const u64 end = min(extent->fe_logical + extent->fe_length, shown->end);
	const u64 off = start - extent->fe_logical;

	if (start >= end)
		return false;
	if (extent->fe_physical && !(extent->fe_flags & (FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_ENCODED)))
		extent->fe_physical += off;
	if (!IS_ALIGNED(start | end, SHALE_MAP_BLOCK_SIZE) && (off || end - start < extent->fe_length))
		extent->fe_flags |= FIEMAP_EXTENT_NOT_ALIGNED;
	extent->fe_logical = start;
	extent->fe_length = end - start;
	return true;
}

static void extent_tell(const struct extents *e, unsigned int part, struct fiemap_extent *extent)
{
	extent->fe_flags &= ~FIEMAP_EXTENT_LAST;
	if (part)
		extent->fe_flags |= FIEMAP_EXTENT_SHARED;
	if (!has_addresses(e, part)) {
		extent->fe_flags |= FIEMAP_EXTENT_UNKNOWN;
		extent->fe_physical = 0;
	}
}

/* The NR extents that a layer has written behind those that are there. */
static int extents_finish(const struct extents *e, const struct shown *shown, unsigned int nr)
{
	struct fiemap_extent __user *list = e->info->fi_extents_start;
	unsigned int i, from = e->info->fi_extents_mapped;
	struct fiemap_extent extent;

	for (i = 0; i < nr; i++) {
		if (copy_from_user(&extent, &list[from + i], sizeof(extent)))
			return -EFAULT;
		if (!extent_cut(shown, &extent))
			continue;
		extent_tell(e, shown->part, &extent);
		if (copy_to_user(&list[e->info->fi_extents_mapped], &extent, sizeof(extent)))
			return -EFAULT;
		e->info->fi_extents_mapped++;
	}
	return 0;
}

static int part_fiemap(const struct extents *e, struct fiemap_extent_info *info, const struct shown *shown)
{
	const struct path path = shale_path_real(shale_parts_object(e->inode, e->parts, shown->part));

	return shale_real_fiemap(&path, info, shown->pos, shown->end - shown->pos);
}

static int shown_list(const struct extents *e, const struct shown *shown)
{
	struct fiemap_extent_info *info = e->info;
	struct fiemap_extent_info run = {
		.fi_flags = info->fi_flags,
		.fi_extents_max = info->fi_extents_max,
		.fi_extents_start = info->fi_extents_start,
	};
	int err;

	if (info->fi_extents_max) {
		run.fi_extents_max -= info->fi_extents_mapped;
		run.fi_extents_start += info->fi_extents_mapped;
	}
	err = part_fiemap(e, &run, shown);
	if (err) {
		info->fi_flags = run.fi_flags;
		return err;
	}
	if (info->fi_extents_max)
		return extents_finish(e, shown, run.fi_extents_mapped);
	info->fi_extents_mapped += run.fi_extents_mapped;
	return 0;
}

/* Counts, which a layer does to the end of what it is asked for: so that is little at first. 1, 0 or -errno. */
static int has_more(const struct extents *e, u64 pos, u64 end)
{
	u64 window = WINDOW;
	struct shown shown;
	int err;

	for (; pos < end; pos = shown.end) {
		struct fiemap_extent_info count = {};

		shown = shown_at(e, pos, pos + min(window, end - pos));
		window = min(window << 2, WINDOW_MAX);
		err = part_fiemap(e, &count, &shown);
		if (err || count.fi_extents_mapped)
			return err ?: 1;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/* Where nothing follows the last extent in the whole file it says so. */
static int last_mark(const struct extents *e)
{
	struct fiemap_extent __user *last = e->info->fi_extents_start;
	struct fiemap_extent extent;
	int ret;

	if (!e->info->fi_extents_max || !e->info->fi_extents_mapped)
		return 0;
	last += e->info->fi_extents_mapped - 1;
	if (copy_from_user(&extent, last, sizeof(extent)))
		return -EFAULT;
	ret = has_more(e, extent.fe_logical + extent.fe_length, e->inode->i_sb->s_maxbytes);
	if (ret)
		return min(ret, 0);
	extent.fe_flags |= FIEMAP_EXTENT_LAST;
	return copy_to_user(last, &extent, sizeof(extent)) ? -EFAULT : 0;
}

/* What was written to a layer just before it became one is not on disk yet. */
static int parts_write(const struct extents *e)
{
	unsigned int part;
	int err = 0;

	for (part = 0; !err && part < e->parts->nr; part++)
		err = shale_real_write_data(shale_parts_object(e->inode, e->parts, part).dentry);
	return err;
}

/* Attributes are all the top's. */
static int xattrs_list(const struct extents *e, u64 start, u64 len)
{
	const struct path path = shale_path_real(shale_parts_object(e->inode, e->parts, 0));

	return shale_real_fiemap(&path, e->info, start, len);
}

static int extents_list(struct inode *inode, const struct shale_parts *parts, struct fiemap_extent_info *info,
			u64 start, u64 len)
{
	const struct extents e = { inode, parts, info };
	struct shown shown = { .end = round_down(start, SHALE_MAP_BLOCK_SIZE) };
	u64 end;
	int err = fiemap_prep(inode, info, start, &len, FIEMAP_FLAG_XATTR);

	if (err)
		return err;
	if (info->fi_flags & FIEMAP_FLAG_XATTR)
		return xattrs_list(&e, start, len);
	if (info->fi_flags & FIEMAP_FLAG_SYNC)
		err = parts_write(&e);
	info->fi_flags &= ~FIEMAP_FLAG_SYNC;
	end = min_t(u64, inode->i_sb->s_maxbytes, round_up(start + len, SHALE_MAP_BLOCK_SIZE));
	while (!err && shown.end < end && !is_full(info)) {
		shown = shown_at(&e, shown.end, end);
		err = shown_list(&e, &shown);
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return err ?: last_mark(&e);
}

/* XFS holds the lock of the inode while it writes to the user's list. */
int shale_parts_fiemap(struct inode *inode, struct shale_parts *parts, struct fiemap_extent_info *info,
		       u64 start, u64 len)
{
	int err = down_read_killable(&parts->gate);

	if (err)
		return err;
	err = extents_list(inode, parts, info, start, len);
	up_read(&parts->gate);
	return err;
}
