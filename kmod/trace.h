/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * trace.h - CONTROL: tracepoints, under events/shale/. main.c makes them; lookup.c, rename.c, promote.c
 * and parts_io.c hit them. INO is st_ino of the union, DIR the parent's; ERR is 0 or -errno.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM shale

#if !defined(_SHALE_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _SHALE_TRACE_H

#include <linux/tracepoint.h>

#include "shale.h"

/* A copy-up that ended, well or not. */
TRACE_EVENT(shale_promote,
	TP_PROTO(const struct inode *inode, u64 bytes, int err),
	TP_ARGS(inode, bytes, err),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, ino)
		__field(umode_t, mode)
		__field(u64, bytes)
		__field(int, err)
	),
	TP_fast_assign(
		__entry->dev = inode->i_sb->s_dev;
		__entry->ino = inode->i_ino;
		__entry->mode = inode->i_mode;
		__entry->bytes = bytes;
		__entry->err = err;
	),
	TP_printk("dev %u:%u ino %llu mode 0%o bytes %llu err %d", MAJOR(__entry->dev),
		  MINOR(__entry->dev), __entry->ino, __entry->mode, __entry->bytes, __entry->err)
);

/* LEN bytes at POS that became the upper's: COPIED of them are as they were below, the others new. */
TRACE_EVENT(shale_takeover,
	TP_PROTO(const struct inode *inode, u64 pos, u64 len, u64 copied, int err),
	TP_ARGS(inode, pos, len, copied, err),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, ino)
		__field(u64, pos)
		__field(u64, len)
		__field(u64, copied)
		__field(int, err)
	),
	TP_fast_assign(
		__entry->dev = inode->i_sb->s_dev;
		__entry->ino = inode->i_ino;
		__entry->pos = pos;
		__entry->len = len;
		__entry->copied = copied;
		__entry->err = err;
	),
	TP_printk("dev %u:%u ino %llu pos %llu len %llu copied %llu err %d", MAJOR(__entry->dev),
		  MINOR(__entry->dev), __entry->ino, __entry->pos, __entry->len, __entry->copied,
		  __entry->err)
);

/* A name that no dentry was cached for; INO is 0 where there is nothing. */
TRACE_EVENT(shale_lookup,
	TP_PROTO(const struct inode *dir, const struct dentry *dentry, const struct inode *inode,
		 unsigned int layers, int err),
	TP_ARGS(dir, dentry, inode, layers, err),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, dir)
		__string(name, dentry->d_name.name)
		__field(u64, ino)
		__field(unsigned int, layers)
		__field(int, err)
	),
	TP_fast_assign(
		__entry->dev = dir->i_sb->s_dev;
		__entry->dir = dir->i_ino;
		compat_assign_str(name, dentry->d_name.name);
		__entry->ino = inode ? inode->i_ino : 0;
		__entry->layers = layers;
		__entry->err = err;
	),
	TP_printk("dev %u:%u dir %llu name %s ino %llu layers %u err %d", MAJOR(__entry->dev),
		  MINOR(__entry->dev), __entry->dir, __get_str(name), __entry->ino,
		  __entry->layers, __entry->err)
);

TRACE_EVENT(shale_rename,
	TP_PROTO(const struct dentry *old, const struct dentry *new, unsigned int flags, int err),
	TP_ARGS(old, new, flags, err),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, ino)
		__string(old_name, old->d_name.name)
		__string(new_name, new->d_name.name)
		__field(unsigned int, flags)
		__field(int, err)
	),
	TP_fast_assign(
		__entry->dev = old->d_sb->s_dev;
		__entry->ino = d_inode(old)->i_ino;
		compat_assign_str(old_name, old->d_name.name);
		compat_assign_str(new_name, new->d_name.name);
		__entry->flags = flags;
		__entry->err = err;
	),
	TP_printk("dev %u:%u ino %llu from %s to %s flags 0x%x err %d", MAJOR(__entry->dev),
		  MINOR(__entry->dev), __entry->ino, __get_str(old_name), __get_str(new_name),
		  __entry->flags, __entry->err)
);

#endif /* _SHALE_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
