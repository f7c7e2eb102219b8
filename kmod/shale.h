/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * shale.h - the map of the module: its structs, the accessors that are the only way to their
 * fields, and every function that crosses a file, under the name of the file that has it.
 *
 * FACE files are VFS entries: they lock, ask MODEL, call GROUND. MODEL decides and calls no other
 * filesystem. GROUND (real.c, real_attr.c, real_file.c) is the only door to the layers.
 *
 * Lock order, outermost first:
 *
 *	sb_writers of shale
 *	  i_rwsem of shale inodes (directories before files, the VFS's own order)
 *	    shale_inode.lock		promotion of this inode, and its readdir cache
 *	      sb_writers of the upper filesystem
 *	        shale_records.lock
 *	        shale_parts.gate
 *	          shale_parts.sem
 *	            shale_fs.names_sem
 *	              i_rwsem of upper and lower inodes
 *	                what those filesystems take
 *
 * A read of the top part may hold its inode's lock while it copies to memory of the user, which faults, and faults need
 * shale_parts.sem: they only try it, but try again until they get it. So who reads holds the gate meanwhile,
 * and who takes the semaphore for writing, to take that inode's lock then, takes the gate before it. No fault
 * takes the gate. What writes holds the lock of our inode, and needs none.
 *
 * A parent is promoted before its child and its lock is dropped before the child's is taken, so no
 * two shale_inode.lock are ever held together, except by rename and link, which take them through
 * shale_inode_lock_two() in address order.
 */
#ifndef _SHALE_H
#define _SHALE_H

#include <linux/cred.h>
#include <linux/dcache.h>
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/mount.h>
#include <linux/mutex.h>
#include <linux/namei.h>
#include <linux/path.h>
#include <linux/rwsem.h>
#include <linux/uuid.h>
#include <linux/workqueue.h>
#include <linux/xattr.h>

#include <uapi/linux/shale.h>
#include <uapi/linux/shale_disk.h>

#include "stack.h"
#include "stats.h"

#undef pr_fmt
#define pr_fmt(fmt) "shale: " fmt

/* Longest redirect we write; longer ones make rename fail with EXDEV. ext4 keeps all xattrs of an
 * inode in one block, so this leaves three quarters of a 4 KiB block to others. */
#define SHALE_REDIRECT_MAX 1024

/* One distinct filesystem below us. st_dev tells btrfs subvolumes of one superblock apart. */
struct shale_realfs {
	struct super_block *sb;
	dev_t dev;	/* st_dev of the layer's root */
	uuid_t uuid;	/* identifies it in struct shale_disk_origin */
	bool has_uuid;	/* not null, and no other realfs of this mount has the same */
	bool has_handles; /* file handles can be encoded and decoded */
};

struct shale_layer {
	struct shale_fs *fs;  /* whose layer this is */
	struct vfsmount *mnt; /* private clone, noatime; read-only for lowers; NULL: no upper */
	struct dentry *root;  /* of mnt */
	unsigned int index;   /* in shale_fs.layers: 0 is the upper's place, lowers from 1, top first */
	unsigned int fsid;    /* in shale_fs.realfs */
	unsigned int flags;   /* SHALE_LAYER_* of the uapi */
	bool has_maps;	      /* may have files with P.shale.map */
	const char *name;     /* as given at mount, unescaped */
};

/* A directory as an option named it, and what the name meant to the caller. */
struct shale_dir_param {
	char *name; /* unescaped; NULL: not given */
	struct path path;
};

/* How a file of a lower layer gets an upper: option cow. */
enum shale_cow_mode { SHALE_COW_AUTO, SHALE_COW_BLOCK, SHALE_COW_CLONE, SHALE_COW_COPY };

struct shale_config {
	char *upperdir, *workdir; /* as given, unescaped; NULL: read-only */
	unsigned int whiteout;	  /* SHALE_LAYER_AUFS | SHALE_LAYER_OVERLAY */
	enum shale_cow_mode cow;
	bool is_volatile;
	bool userxattr;
};

/* What the options have said so far: fc->fs_private. shale_fill_super() takes the names out of it. */
struct shale_params {
	struct shale_config config;
	struct shale_dir_param upper, work;
	struct shale_dir_param *lower; /* top first */
	unsigned int nr_lower, lower_room;
};

/* UPPER/.shale/moved: where renamed objects are, see moved.c; and the scan that begins it, see scan.c. */
struct shale_records {
	struct mutex lock;	 /* before the i_rwsem of the upper */
	struct dentry *dir;	 /* in the work directory until the scan ends; NULL: renames record nothing; lock */
	struct shale_scan *scan; /* fills dir, and wants to know of renamed directories; lock */
	struct work_struct work;
	wait_queue_head_t done;
	unsigned long flags; /* bits of scan.c */
	u64 retry;	     /* jiffies: after one that failed none begins before */
};

/* One mount. Everything is set before the superblock is published and then only read, except where
 * a field names its lock. */
struct shale_fs {
	struct super_block *sb;
	struct shale_config config;
	unsigned int nr_layers;	    /* with the place of the upper, so lowers are [1, nr_layers) */
	unsigned int nr_visible;    /* of them, down to one whose root hides those below it */
	struct shale_layer *layers;
	unsigned int nr_realfs;
	struct shale_realfs *realfs;
	unsigned int fsid_bits;	    /* high bits of st_ino that carry fsid; 0: one filesystem below */
	const struct cred *creds;   /* the mounter's, for all access to layers */
	struct dentry *workdir;	    /* WORKDIR/work: where objects are prepared */
	struct dentry *indexdir;    /* UPPER/.shale/index, NULL: hard links of lower files break */
	struct dentry *mapdir;	    /* UPPER/.shale/map; NULL: files are copied whole */
	struct dentry *whiteout;    /* in workdir, hard-linked into place; protected by whiteout_lock */
	struct mutex whiteout_lock;
	bool no_shared_whiteout;    /* the upper cannot link whiteouts any more */
	struct shale_claim *claims; /* on upper and work directory, see layer.c */
	bool is_dax;		    /* mappings of the upper's files have no pages to fill */
	struct list_head unsaved;   /* parts whose map has changed, see mapio.c */
	spinlock_t unsaved_lock;
	struct mutex unsaved_mutex; /* held by who saves them */
	struct delayed_work save_work;
	struct shale_records records;
	u64 mount_id;
	atomic_t temp_seq;	    /* names in workdir */
	struct rw_semaphore names_sem; /* writers make names in the upper, readers sync files there; see real_sync.c */
	bool has_new_names;	    /* made and not committed since; names_sem */
	bool has_logged;	    /* a file was synced since nothing was in the log; names_sem */
	struct file_operations mapped_fops; /* of files of mapped.c that are no parts; unsaved_lock, until they are set */
	const struct file_operations *real_fops; /* what they stand for */
	errseq_t upper_err;	    /* s_wb_err of the upper at mount: a volatile mount fails after it moves */
	errseq_t upper_told;	    /* up to where it was told as ours; unsaved_mutex */
	struct list_head node;	    /* in genl.c's list, protected by its lock */
	struct shale_stats __percpu *stats;
};

/* shale_inode.flags */
enum {
	SHALE_I_OPAQUE,	   /* directory: no lower layer below the upper part shows */
	SHALE_I_IMPURE,	   /* upper directory: P.shale.impure is set */
	SHALE_I_INDEXED,   /* file: the upper is linked in indexdir */
	SHALE_I_WHITEOUTS, /* upper directory: may hold whiteouts */
	SHALE_I_PARTIAL,   /* regular file: its bytes are in several layers, see parts.h */
	SHALE_I_LOST,	   /* such a file, and some of its bytes are in none: it cannot be opened */
	SHALE_I_LOST_SAID, /* file that could not be opened: its event was sent */
	SHALE_I_HASHED,	   /* key is in the inode hash */
	SHALE_I_SETTLED,   /* file: shale_file_prepare() has nothing to sync */
	SHALE_I_UNSHADOWED, /* regular file: its shadow could not be made just now */
};

struct shale_inode {
	struct dentry *__upper;	   /* NULL, then set once under lock: shale_inode_upper() */
	struct shale_stack *lower; /* NULL: none */
	struct shale_key key;
	unsigned long flags;
	struct mutex lock;
	char *redirect; /* where lowers have it, NULL: same path; lock */
	union {
		struct { /* directories */
			struct shale_dircache *cache; /* of readdir.c; lock */
			u64 version;		   /* of the directory's contents; i_rwsem */
			struct shale_names *names; /* of narrow.c; NULL, then set once under lock */
			int patience;		   /* of narrow.c; 0: it was not searched in vain */
		};
		struct { /* regular files */
			struct shale_parts *__parts;  /* shale_inode_parts() */
			struct shale_parts *__shadow; /* shale_inode_shadow(); set under lock */
		};
	};
	struct inode vfs_inode;
};

/* Bits of dentry->d_fsdata */
#define SHALE_D_UPPER_NAME 0 /* this name exists in the upper's directory */
#define SHALE_D_LOST_NAME  1 /* no directory: another has taken its place, or nothing; the inode's lock */

static inline struct shale_fs *SHALE_FS(const struct super_block *sb)
{
	return sb->s_fs_info;
}

static inline struct shale_inode *SHALE_I(const struct inode *inode)
{
	return container_of(inode, struct shale_inode, vfs_inode);
}

/* The upper's dentry, or NULL. Pairs with the release in shale_inode_set_upper(): who sees it sees
 * a finished object. No reference is taken; the inode holds one for its lifetime. */
static inline struct dentry *shale_inode_upper(const struct inode *inode)
{
	return smp_load_acquire(&SHALE_I(inode)->__upper);
}

/* NULL: its bytes are in one layer. Set before the upper that has parts, and by shale_parts_open(). */
static inline struct shale_parts *shale_inode_parts(const struct inode *inode)
{
	return smp_load_acquire(&SHALE_I(inode)->__parts);
}

/* What becomes the parts of a regular file when it is promoted; see shadow.c. NULL: none, or it has become them. */
static inline struct shale_parts *shale_inode_shadow(const struct inode *inode)
{
	return smp_load_acquire(&SHALE_I(inode)->__shadow);
}

static inline const struct shale_stack *shale_inode_lower(const struct inode *inode)
{
	return SHALE_I(inode)->lower;
}

/* The lower directories that still show through a directory: what lookup and readdir merge. */
static inline const struct shale_stack *shale_dir_lower(const struct inode *dir)
{
	return test_bit(SHALE_I_OPAQUE, &SHALE_I(dir)->flags) ? NULL : SHALE_I(dir)->lower;
}

static inline struct shale_layer *shale_upper_layer(struct shale_fs *fs)
{
	return &fs->layers[0];
}

static inline bool shale_has_upper(const struct shale_fs *fs)
{
	return fs->layers[0].mnt;
}

/* Is REAL, of an object of this filesystem, in the upper? What it was when it was looked up, whatever was
 * promoted since. */
static inline bool shale_is_in_upper(struct shale_fs *fs, const struct path *real)
{
	return real->mnt == shale_upper_layer(fs)->mnt;
}

/* Is a file promoted without its data? Nothing that is measured in filesystem.md is better for files of any size. */
static inline bool shale_makes_parts(const struct shale_fs *fs)
{
	return fs->mapdir && !fs->is_dax && (fs->config.cow == SHALE_COW_AUTO || fs->config.cow == SHALE_COW_BLOCK);
}

static inline bool shale_has_upper_name(const struct dentry *dentry)
{
	return test_bit(SHALE_D_UPPER_NAME, (const unsigned long *)&dentry->d_fsdata);
}

/* A negative dentry that was a name before can become one again. */
static inline void shale_set_upper_name(struct dentry *dentry)
{
	clear_bit(SHALE_D_LOST_NAME, (unsigned long *)&dentry->d_fsdata);
	set_bit(SHALE_D_UPPER_NAME, (unsigned long *)&dentry->d_fsdata);
}

/* The VFS unhashes it only after unlink or rename has returned. */
static inline bool shale_is_unlinked(const struct dentry *dentry)
{
	return d_unlinked(dentry) || test_bit(SHALE_D_LOST_NAME, (const unsigned long *)&dentry->d_fsdata);
}

static inline void shale_set_unlinked(struct dentry *dentry)
{
	lockdep_assert_held(&SHALE_I(d_inode(dentry))->lock);
	set_bit(SHALE_D_LOST_NAME, (unsigned long *)&dentry->d_fsdata);
}

static inline struct path shale_path_real(struct shale_path p)
{
	return (struct path){ .mnt = p.layer->mnt, .dentry = p.dentry };
}

/* An object of the upper. */
static inline struct path shale_upper_path(struct shale_fs *fs, struct dentry *dentry)
{
	return (struct path){ .mnt = shale_upper_layer(fs)->mnt, .dentry = dentry };
}

/* layer.c - opening, checking and claiming layers at mount */
int shale_layers_open(struct shale_fs *fs, struct fs_context *fc);
void shale_layers_close(struct shale_fs *fs);
int shale_layer_fsid_of_uuid(struct shale_fs *fs, const u8 uuid[16]); /* -ENOENT: none */

/* params.c - mount options */
int shale_init_fs_context(struct fs_context *fc);
int shale_show_options(struct seq_file *m, struct dentry *root);

/* super.c */
int shale_fill_super(struct super_block *sb, struct fs_context *fc);
void shale_kill_sb(struct super_block *sb);
int shale_sync_fs(struct super_block *sb, int wait);
int shale_super_init(void); /* inode cache */
void shale_super_exit(void);

/* lookup.c - finding a name in the stack */
struct dentry *shale_lookup(struct inode *dir, struct dentry *dentry, unsigned int flags);
/* Is NAME visible in a lower layer below DIR's upper part? 1, 0 or -errno. What remove, rename and
 * create ask to know whether a whiteout is needed. Creds are the mounter's. */
int shale_lookup_in_lower(struct dentry *dir, const struct qstr *name);
/* SHALE_I_* of a directory by the private xattrs of its upper part. Creds are the mounter's. */
int shale_dir_flags(struct shale_fs *fs, struct dentry *upper, unsigned long *ret_flags);
/* Does this directory of a layer hide what is below it? 1, 0 or -errno. */
int shale_is_opaque(const struct shale_layer *layer, struct dentry *real);
/* Is this object of a layer a whiteout? */
bool shale_is_whiteout(const struct shale_layer *layer, const struct dentry *real);

/* narrow.c - which lower layers need not be asked. Places are those of the directory's stack; creds are the mounter's. */
struct shale_names;
/* The first place from FROM on whose layer may have NAME; beyond the stack: none. */
unsigned int shale_narrow_next(const struct inode *dir, const struct qstr *name, unsigned int from);
void shale_narrow_missed(struct inode *dir, unsigned int nr); /* so many layers were asked in vain */
/* Somebody has read all the lower directories: NAMES, consumed, or an error. The inode's lock is held, it has none. */
void shale_narrow_set(struct inode *dir, struct shale_names *names);

/* inode.c - inodes, attributes, permission */
extern const struct inode_operations shale_file_iops, shale_symlink_iops, shale_special_iops;
struct shale_iget {
	struct dentry *upper;	   /* consumed */
	struct shale_stack *lower; /* consumed */
	char *redirect;		   /* consumed */
	unsigned long flags;	   /* for shale_inode.flags */
	struct shale_key key;
	bool has_key; /* else made from the top object: see shale_key_of() */
};
struct inode *shale_iget(struct super_block *sb, struct shale_iget *args);
struct inode *shale_new_inode(struct super_block *sb, umode_t mode, dev_t rdev);
void shale_inode_set_upper(struct inode *inode, struct dentry *upper); /* consumes; lock held */
/* Turns an inode made by shale_new_inode() into the one of UPPER, just created. */
void shale_inode_instantiate(struct inode *inode, struct dentry *upper);
void shale_inode_copyattr(struct inode *inode); /* mode, owner, times, size, flags from the top object */
void shale_inode_top(const struct inode *inode, struct path *ret_path);	 /* metadata; borrowed */
void shale_inode_data(const struct inode *inode, struct path *ret_path); /* data; borrowed */
int shale_inode_lock_two(struct inode *a, struct inode *b);
void shale_inode_unlock_two(struct inode *a, struct inode *b);
int shale_setattr(struct mnt_idmap *idmap, struct dentry *dentry, struct iattr *attr);
int shale_getattr(struct mnt_idmap *idmap, const struct path *path, struct kstat *stat, u32 mask,
		  unsigned int flags);
int shale_update_time(struct inode *inode, enum fs_update_time type, unsigned int flags);
int shale_permission(struct mnt_idmap *idmap, struct inode *inode, int mask);
#ifdef CONFIG_FS_POSIX_ACL
struct posix_acl *shale_get_acl(struct mnt_idmap *idmap, struct dentry *dentry, int type);
struct posix_acl *shale_get_inode_acl(struct inode *inode, int type, bool rcu);
int shale_set_acl(struct mnt_idmap *idmap, struct dentry *dentry, struct posix_acl *acl, int type);
#endif
int shale_fileattr_get(struct dentry *dentry, struct file_kattr *fa);
int shale_fileattr_set(struct mnt_idmap *idmap, struct dentry *dentry, struct file_kattr *fa);

/* promote.c - giving an object of a lower layer its place in the upper. Callers are FACE, creds
 * their own. All return 0 or -errno, at once when there is nothing to do; the parents are promoted
 * first. Interrupted by a fatal signal: -EINTR, nothing is left behind. */
int shale_promote(struct dentry *dentry);	/* the inode, and this name of it */
int shale_promote_inode(struct dentry *dentry); /* the inode; other hard links may keep only lower names */
int shale_promote_whole(struct dentry *dentry); /* the inode; with all its data, if it is not partial already */
int shale_promote_truncated(struct dentry *dentry, loff_t size); /* the inode, at most SIZE bytes of data */

/* shadow.c - uppers that shared mappings are of, of files that have no other yet */
bool shale_shadow_is_wanted(const struct inode *inode); /* else such mappings keep showing the lower file */
int shale_shadow_make(struct dentry *dentry);		/* as promote.c's; 0 also when it is not wanted */

/* index.c - hard links over promotion. Creds are the mounter's, except where it says otherwise. */
int shale_index_open(struct shale_fs *fs);   /* at mount: sets indexdir, drops what has no name left */
void shale_index_close(struct shale_fs *fs); /* puts indexdir */
/* The upper of a lower file that has other links; -ENOENT: none, -EOPNOTSUPP: such files are not indexed. */
int shale_index_lookup(struct shale_fs *fs, const struct shale_path *lower, struct dentry **ret_upper);
int shale_index_name(struct shale_fs *fs, const struct shale_path *lower, char *ret_name, size_t size);
/* Is this a lower file whose other names must stay links of it? Then its upper is indexed. */
bool shale_index_wants(const struct inode *inode);
/* Is this a lower file whose names part when they are written? Then each has an inode of its own from the start. */
bool shale_index_breaks(const struct shale_fs *fs, const struct shale_path *lower);
/* What promotion calls around its links, with the write access of real.h: "pin" before the first one
 * fixes the count of names on disk, "settle" after the last one makes it follow the upper's again. */
int shale_index_nlink_pin(struct shale_fs *fs, struct inode *inode, struct dentry *upper);
int shale_index_nlink_settle(struct shale_fs *fs, struct inode *inode, struct dentry *upper);
int shale_index_nlink_get(struct shale_fs *fs, struct inode *inode, struct dentry *upper); /* sets i_nlink */
/* Around link, unlink and rename-over of INODE, no directory, which take its lock: no promotion is under way
 * between. "end" sets i_nlink and drops the index entry when the last name is gone. */
int shale_index_nlink_begin(struct inode *inode);
void shale_index_nlink_end(struct inode *inode);

/* origin.c - P.shale.origin */
int shale_origin_set(struct shale_fs *fs, struct dentry *upper, const struct shale_path *lower);
/* How .shale/index and .shale/moved call it: hexadecimal. */
#define SHALE_ORIGIN_NAME_SIZE (2 * sizeof(struct shale_disk_origin) + 1)
void shale_origin_name(const struct shale_disk_origin *origin, char ret_name[SHALE_ORIGIN_NAME_SIZE]);
/* The same of the origin that is written on UPPER; -ENODATA. */
int shale_origin_name_of(struct shale_fs *fs, struct dentry *upper,
			 char ret_name[SHALE_ORIGIN_NAME_SIZE]);
bool shale_inode_has_origin(const struct inode *inode); /* its upper has one, so its directory is impure */
int shale_origin_get(struct shale_fs *fs, struct dentry *upper, struct shale_key *ret_key); /* -ENODATA */
void shale_origin_of(struct shale_fs *fs, const struct shale_path *lower, struct shale_disk_origin *ret);
int shale_impure_set(struct shale_fs *fs, struct inode *dir); /* dir's upper part gets P.shale.impure */

/* moved.c - where renamed objects are, for file handles that were made before */
/* After the rename to NAME in DIR, both directories still locked. Only where handles are made. */
void shale_moved_record(struct shale_fs *fs, struct dentry *dentry, struct inode *dir,
			const struct qstr *name);
void shale_moved_forget(struct shale_fs *fs, struct inode *inode);
/* The upper's directory where this lower object is now, and its name there; -ENOENT: was not moved. No lock
 * is held: it may wait for a scan of the upper. */
struct shale_moved {
	struct dentry *dir;
	char name[NAME_MAX + 1];
};
int shale_moved_lookup(struct shale_fs *fs, const struct shale_path *lower, struct shale_moved *ret);

/* dir.c - creating names: create mkdir mknod symlink link tmpfile */
extern const struct inode_operations shale_dir_iops;
/* Names that must not be made in DIR: ours at the root, AUFS's where a layer like this one reads them. */
bool shale_name_is_reserved(const struct inode *dir, const struct qstr *name);
/* The upper's object behind this name, checked to be the inode's upper: -ESTALE when it is not. */
struct dentry *shale_upper_of_name(struct dentry *dentry);
/* After names under DIR changed: version, i_mtime and i_ctime, and the listing cache follows. */
void shale_dir_modified(struct inode *dir);
/* remove.c - unlink rmdir */
int shale_unlink(struct inode *dir, struct dentry *dentry);
int shale_rmdir(struct inode *dir, struct dentry *dentry);
/* Makes an upper directory that shows no name really empty, so that it can be removed or replaced. */
int shale_dir_clear(struct dentry *dentry);
/* rename.c */
/* A file with data in lower layers remembers where they have it, before it gets another name. */
int shale_rename_pin(struct dentry *dentry);
int shale_rename(struct mnt_idmap *idmap, struct inode *old_dir, struct dentry *old,
		 struct inode *new_dir, struct dentry *new, unsigned int flags);

/* readdir.c */
extern const struct file_operations shale_dir_fops;
int shale_dir_is_empty(struct dentry *dentry); /* 0, -ENOTEMPTY or -errno; creds are the mounter's */
void shale_dircache_free(struct shale_inode *si);

/* file.c */
extern const struct file_operations shale_file_fops;
extern const struct address_space_operations shale_aops;
void shale_file_accessed(struct file *file);
/* Before FILE is written: it has an upper. SYNCED: its data may be synced past us (O_DSYNC, msync), so the name
 * that promotion gave the upper is on disk, without which the data would be lost with it. No lock is held; creds
 * are the caller's. */
int shale_file_prepare(struct file *file, bool synced);
bool shale_file_is_prepared(const struct inode *inode, bool synced);
int shale_file_init(void);
void shale_file_exit(void);

/* sync.c - syncing one file. Creds are the mounter's. */
/* Is the name that promotion gave INODE's upper on disk? */
bool shale_sync_is_settled(const struct inode *inode);
/* REAL: an open file of the upper. FOPS as of shale_real_sync(). The map is written before, and synced with it. */
int shale_sync(struct inode *inode, const struct file_operations *fops, struct file *real, loff_t start, loff_t end,
	       bool datasync);

/* opened.c */
/* The open file of a layer behind an open regular file of ours, as it is now: the upper's as soon as
 * there is one. Borrowed; stays open as long as FILE. */
struct file *shale_file_real(struct file *file);
/* What FILE is read of: its parts or, where it has none, one layer's file. It stays what it is when a promotion ends. */
struct shale_source {
	struct shale_parts *parts;
	struct file *real;
};
int shale_file_source(struct file *file, struct shale_source *ret);
/* Slot 0: the upper's, which there must be; slot 1 + i: that of the stack's object i. Borrowed likewise. */
struct file *shale_file_slot(struct file *file, unsigned int slot);
unsigned int shale_file_data_slot(const struct inode *inode); /* where the data is, if not in parts */
/* The slot of one more file of the object in slot 0 or 1, only for mappings; see mapped.c. */
unsigned int shale_file_mapped_slot(const struct inode *inode, unsigned int slot);
int shale_opened_make(struct file *file);
void shale_opened_release(struct file *file);

/* mmap.c */
int shale_mmap(struct file *file, struct vm_area_struct *vma);
/* At open: a mapping cannot wait for what this does. */
int shale_mmap_prepare(struct file *file);

/* mapped.c: the open file of FILE's upper, which has no parts, that is mapped where the upper must not be synced past us */
struct file *shale_mapped_upper(struct file *file);

/* xattr.c */
extern const struct xattr_handler *const shale_xattr_handlers[];
ssize_t shale_listxattr(struct dentry *dentry, char *list, size_t size);
/* Is NAME one of ours or overlayfs's, hidden from the merged view and skipped by promotion? */
bool shale_xattr_is_private(const struct shale_fs *fs, const char *name);

/* export.c */
extern const struct export_operations shale_export_ops;
/* What the union has in DIR, which is consumed, under NAME; -ESTALE: nothing. Creds are the mounter's. */
struct dentry *shale_export_lookup(struct dentry *dir, const struct qstr *name);

/* ioctl.c */
long shale_ioctl(struct file *file, unsigned int cmd, unsigned long arg);
long shale_compat_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

/* file_map.c */
int shale_file_map(struct file *file, struct shale_ioc_file_map *map); /* of a regular file */

/* materialize.c */
int shale_materialize(struct file *file); /* SHALE_IOC_MATERIALIZE; no lock is held, creds are the caller's */

/* genl.c */
int shale_genl_init(void);
void shale_genl_exit(void);
void shale_genl_mounted(struct shale_fs *fs);	/* joins the list of mounts, sends the event */
void shale_genl_unmounted(struct shale_fs *fs);
void shale_genl_copied_up(struct shale_fs *fs, struct inode *inode, u64 bytes);
void shale_genl_map_error(struct shale_fs *fs, struct inode *inode, int err); /* ERR: -errno */

#endif /* _SHALE_H */
