// SPDX-License-Identifier: GPL-2.0-only
/*
 * file_map.c - CONTROL: SHALE_IOC_FILE_MAP: which layers the bytes of an open regular file are in, as runs.
 * Changes nothing and takes no lock. Called by ioctl.c.
 */
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "cow.h"
#include "parts.h"

struct walk {
	struct inode *inode;
	struct shale_parts *parts; /* NULL: it is in one layer, */
	const struct shale_layer *whole; /* which is this */
	struct shale_ioc_file_map *map;
	struct shale_file_run __user *to; /* NULL: runs are counted */
	u32 room;
	struct shale_file_run run; /* may go on; length 0: there is none */
};

static u32 layer_index(const struct shale_layer *layer)
{
	return layer->index - !shale_has_upper(layer->fs);
}

static const struct shale_layer *whole_layer(struct inode *inode)
{
	const struct shale_stack *lower = shale_inode_lower(inode);

	if (shale_inode_upper(inode))
		return shale_upper_layer(SHALE_FS(inode->i_sb));
	return lower->path[lower->nr - 1].layer;
}

static const struct shale_layer *top_layer(struct inode *inode)
{
	if (shale_inode_upper(inode))
		return shale_upper_layer(SHALE_FS(inode->i_sb));
	return shale_inode_lower(inode)->path[0].layer;
}

static const struct shale_layer *next_run(const struct walk *w, u64 pos, u64 end, u64 *ret_len)
{
	struct shale_run run;

	*ret_len = end - pos;
	if (!w->parts)
		return w->whole;
	run = shale_cow_run(w->parts->maps, pos, end - pos);
	*ret_len = run.len;
	return shale_parts_object(w->inode, w->parts, run.part).layer;
}

/* What was gathered is a run of the answer. 1: there is no room for it. */
static int run_put(struct walk *w)
{
	struct shale_ioc_file_map *map = w->map;

	if (!w->run.length)
		return 0;
	if (map->count == w->room) {
		map->state |= SHALE_FILE_MORE;
		return 1;
	}
	if (w->to && copy_to_user(&w->to[map->count], &w->run, sizeof(w->run)))
		return -EFAULT;
	map->count++;
	if (!w->run.layer && shale_has_upper(SHALE_FS(w->inode->i_sb)))
		map->owned += w->run.length;
	else
		map->shared += w->run.length;
	w->run.length = 0;
	return 0;
}

static int run_add(struct walk *w, u64 pos, u64 len, u32 layer)
{
	int err;

	if (w->run.length && w->run.layer == layer) {
		w->run.length += len;
		return 0;
	}
	err = run_put(w);
	if (!err)
		w->run = (struct shale_file_run){ .offset = pos, .length = len, .layer = layer };
	return err;
}

static int runs_walk(struct walk *w, u64 pos, u64 end)
{
	const struct shale_layer *layer;
	int err = 0;
	u64 len;

	for (; !err && pos < end; pos += len) {
		if (fatal_signal_pending(current))
			return -EINTR;
		layer = next_run(w, pos, end, &len);
		err = run_add(w, pos, len, layer_index(layer));
		cond_resched();
	}
	return err ?: run_put(w);
}

int shale_file_map(struct file *file, struct shale_ioc_file_map *map)
{
	struct inode *inode = file_inode(file);
	struct walk w = {
		.inode = inode,
		.whole = whole_layer(inode),
		.map = map,
		.to = map->count ? u64_to_user_ptr(map->runs_ptr) : NULL,
		.room = map->count ?: U32_MAX,
	};

	/* Who sees the upper sees its parts. */
	w.parts = shale_inode_parts(inode);
	map->count = 0;
	map->owned = 0;
	map->shared = 0;
	map->layer = layer_index(top_layer(inode));
	map->state = test_bit(SHALE_I_PARTIAL, &SHALE_I(inode)->flags) ? SHALE_FILE_PARTIAL : 0;
	map->file_size = i_size_read(inode);
	map->limit = w.parts ? shale_map_limit(w.parts->maps[0]) : 0;
	return min(runs_walk(&w, map->offset, map->file_size), 0);
}
