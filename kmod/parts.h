/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * parts.h - MODEL: the objects that a regular file's bytes are in, when that is more than one: the top part
 * and those below it, each with the map of what it has, but the last, which has the rest.
 */
#ifndef _SHALE_PARTS_H
#define _SHALE_PARTS_H

#include <linux/rwsem.h>

#include "map.h"
#include "map_disk.h"
#include "real.h"
#include "shale.h"

struct shale_parts {
	struct inode *inode;
	struct rw_semaphore gate;   /* see shale.h */
	struct rw_semaphore sem;    /* likewise */
	struct mutex save_lock;	    /* one saves at a time; head */
	struct shale_map_head head; /* of the top part's map */
	u64 saved_limit;	    /* the limit that is on disk */
	u64 settled_limit;	    /* the last one whose block tail_settle() saw on disk; inode's lock */
	u64 saved;		    /* the generation of the map that was written */
	u64 synced;		    /* the one that is on disk for sure; at most saved */
	struct shale_moment errors; /* of the top's data: those up to when it got these parts */
	struct list_head node;	    /* in shale_fs.unsaved_parts, by its lock */
	/* Of mappings, see mapped.c: set once, under the inode's lock. */
	bool is_mappable;
	const struct vm_operations_struct *vm_ops;
	const struct file_operations *real_fops;
	struct file_operations fops;
	struct file **below; /* open files of the parts below the top, NULL as long as nobody wanted them */
	struct shale_parts *before; /* what the file had before its promotion; readers may still use them */
	struct dentry *upper;	    /* part 0; NULL: the stack's objects are the parts */
	unsigned int nr;
	struct shale_map *maps[];   /* nr; the last is NULL, the others owned */
};

/* The parts of a file that was found with more than one are read from its layers, at its first open. Errors:
 * -EIO, about which the log says more; -EOPNOTSUPP; -ENOMEM. */
int shale_parts_open(struct inode *inode);
int shale_parts_open_locked(struct inode *inode); /* its lock is held, creds are the mounter's */
/* The parts with a new upper, which has nothing up to LIMIT, above what there is; LOWER is the next one's. Not
 * the inode's yet. */
int shale_parts_above(struct inode *inode, struct dentry *upper, const struct kstat *lower, u64 limit,
		      struct shale_parts **ret);
void shale_parts_drop(struct shale_parts *parts); /* which came to nothing; NULL is fine */
void shale_parts_free(struct shale_parts *parts); /* with those before; NULL is fine */

/* Who changes what blocks are the top's, or the bytes of those that are not: page faults do neither meanwhile. */
void shale_parts_lock(struct shale_parts *parts);
void shale_parts_unlock(struct shale_parts *parts);

/* The object that a part is. */
struct shale_path shale_parts_object(const struct inode *inode, const struct shale_parts *parts,
				     unsigned int part);

/* For what has no open file of ours at hand. Creds are the mounter's. */
int shale_parts_below_open(struct shale_parts *parts);
/* What the parts below the top show, zeros where they end; they are open. */
int shale_parts_below_read(struct shale_parts *parts, u64 pos, u64 len, u8 *buf);

/* Before a file grows: what was cut off is not to show again, after a crash either. Our inode is locked. */
int shale_parts_grow(struct inode *inode, u64 end);
/* After it was cut to SIZE bytes, likewise. */
void shale_parts_cut(struct inode *inode, u64 size);

/* mmap_parts.c */
int shale_parts_mmap(struct file *file, struct shale_parts *parts, struct vm_area_struct *vma);
void shale_parts_map(struct vm_area_struct *vma, struct shale_parts *parts); /* VMA is the file system's */

/* mapped.c */
int shale_mapped_prepare(struct shale_parts *parts); /* their inode's lock is held, creds are the mounter's */
/* What a mapping that FILE is the first of is a mapping of; borrowed as of shale_file_slot(). */
struct file *shale_mapped_file(struct file *file, struct shale_parts *parts);

/* What follows is called with the mounter's creds. */

/* parts_io.c */
ssize_t shale_parts_read(struct shale_parts *parts, struct kiocb *iocb, struct iov_iter *iter);
/* The layer's file that has the bytes at POS, and how many of the LEN there; NULL at the end. Borrowed. */
struct file *shale_parts_at(struct file *file, struct shale_parts *parts, u64 pos, size_t *len);
int shale_parts_fadvise(struct file *file, struct shale_parts *parts, loff_t pos, loff_t len, int advice);
/* Our inode is locked. WRITTEN as of shale_real_write_iter(). What is to be synced was, or is the caller's to be. */
ssize_t shale_parts_write(struct shale_parts *parts, struct kiocb *iocb, struct iov_iter *iter,
			  void (*written)(struct file *user), bool *ret_is_synced);
ssize_t shale_parts_splice_write(struct file *file, struct shale_parts *parts, struct pipe_inode_info *pipe,
				 loff_t *pos, size_t len);

/* For counters and tracing, after LEN bytes at POS became the top's, or failed to: COPIED of them are none of the user's. */
void shale_parts_report(struct shale_parts *parts, u64 pos, u64 len, u64 copied, ssize_t ret);

/* parts_space.c */
/* All bytes become the upper's. Our inode is locked. */
int shale_parts_fill(struct file *file, struct shale_parts *parts);
/* What the LEN bytes at POS show becomes the top's, with all of their blocks; likewise. */
int shale_parts_take(struct file *file, struct shale_parts *parts, u64 pos, u64 len);
/* Likewise, a block once it is on the disk: one for which that fails shows what it showed. */
int shale_parts_take_carefully(struct file *file, struct shale_parts *parts, u64 pos, u64 len);
int shale_parts_fallocate(struct file *file, struct shale_parts *parts, int mode, u64 pos, u64 len);
/* Where data begins from POS on, END if not before; as sure as of shale_real_data(). */
loff_t shale_parts_data(struct file *file, struct shale_parts *parts, u64 pos, u64 end);
loff_t shale_parts_seek(struct file *file, struct shale_parts *parts, loff_t pos, int whence);

/* parts_copy.c */
struct shale_range;
/* Clone or dedupe between files of ours, one or both of which have parts. Both inodes are locked; TOP is the target's
 * upper, NULL for a dedupe with one that has none. */
loff_t shale_parts_remap(const struct shale_range *r, struct file *top);

/* parts_extents.c */
int shale_parts_fiemap(struct inode *inode, struct shale_parts *parts, struct fiemap_extent_info *info,
		       u64 start, u64 len);

#endif /* _SHALE_PARTS_H */
