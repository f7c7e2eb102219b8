/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * promote.h - MODEL: what promote.c, which gives objects of lower layers their place in the upper,
 * and promote_meta.c, which gives them all but their data, say to each other.
 */
#ifndef _SHALE_PROMOTE_H
#define _SHALE_PROMOTE_H

#include "shale.h"

struct shale_promotion {
	struct shale_fs *fs;
	struct dentry *dentry; /* the name it happens at */
	struct inode *inode;
	struct inode *dir;	  /* its directory */
	struct dentry *upper_dir; /* dir's upper; NULL: the name is gone already */
	struct name_snapshot name;
	struct shale_path lower; /* its attributes */
	struct path lower_path;	 /* the same */
	struct kstat stat;	 /* of lower */
	loff_t size;		 /* of the data that is wanted */
	bool is_whole;		 /* a map is not wanted */
	bool is_indexed;	 /* other names have to stay links of it */

	struct file *file;	/* regular files: the unnamed upper */
	struct dentry *upper;	/* what is being prepared */
	u64 bytes;		/* of data copied */
	bool is_divided;	/* nothing is copied: the upper gets a map */
	struct shale_parts *parts; /* then */
	bool is_shadow;		   /* the file and the parts are the inode's shadow, which stays when it fails */
};

/* promote.c: prepares an unnamed upper for p->inode, whose lock is held: the shadow that is there, else a new one.
 * Creds are the mounter's. What is left in P then goes with "end", after a failure as well. */
int shale_promote_begin(struct shale_promotion *p);
void shale_promote_end(struct shale_promotion *p);

/* Gives p->upper the xattrs, ACLs, owner, mode, times and identity of p->lower. "write", see real.h. */
int shale_promote_meta(struct shale_promotion *p);
/* The flags that forbid what still had to be done before. */
int shale_promote_flags(struct shale_promotion *p, bool is_final);

#endif /* _SHALE_PROMOTE_H */
