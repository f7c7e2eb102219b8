/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * real.h - GROUND: the only door to the layers. Each function is one operation on an object of a
 * layer, says so in one pr_debug line, and knows the layer's idmap, the locking of the directory and
 * the write access it needs; nobody else calls vfs_*, kernel_*, lookup_* or notify_change on a layer.
 *
 * Callers have the mounter's creds (cred.h). Dentries that come back hold a reference. An error of
 * the layer comes back as it is.
 */
#ifndef _SHALE_REAL_H
#define _SHALE_REAL_H

#include <linux/errseq.h>

#include "compat/mmap.h"
#include "shale.h"

/* The upper: access to write, around one or more of the operations below that say "write". */
int shale_real_want_write(struct shale_fs *fs);
void shale_real_drop_write(struct shale_fs *fs);

/* NAME in PARENT, no lock needed. A negative dentry is returned as NULL. */
struct dentry *shale_real_lookup(const struct shale_layer *layer, struct dentry *parent,
				 const struct qstr *name);
/* Is a dentry of a filesystem whose names change by themselves still right? 1, 0 or -errno. */
int shale_real_revalidate(struct dentry *dentry, unsigned int flags);
/* A path of names from the layer's root, no symlinks, no mounts crossed. NULL: not there. */
struct dentry *shale_real_lookup_path(const struct shale_layer *layer, const char *path);

/* What a new object of the upper is to be. */
struct shale_newattr {
	umode_t mode;	     /* type and permissions; the layer applies umask or default ACL */
	dev_t rdev;	     /* devices */
	const char *link;    /* symlinks */
	struct dentry *hardlink; /* not NULL: link this object instead of making one */
};

/* All "write". DIR is locked inside. */
int shale_real_create(struct shale_fs *fs, struct dentry *dir, const struct qstr *name,
		      const struct shale_newattr *attr, struct dentry **ret_dentry);
/* The same under a fresh name in the work directory. */
int shale_real_create_temp(struct shale_fs *fs, const struct shale_newattr *attr,
			   struct dentry **ret_dentry);
int shale_real_link(struct shale_fs *fs, struct dentry *old, struct dentry *dir,
		    const struct qstr *name, struct dentry **ret_dentry);
/* What was prepared gets its name, linked if it has none, else moved; DIR's time stays, whatever else changes DIR. */
int shale_real_link_quietly(struct shale_fs *fs, struct dentry *old, struct dentry *dir,
			    const struct qstr *name, struct dentry **ret_dentry);
int shale_real_move_quietly(struct shale_fs *fs, struct dentry *old, struct dentry *dir,
			    const struct qstr *name);
int shale_real_unlink(struct shale_fs *fs, struct dentry *dentry); /* its d_parent is locked inside */
int shale_real_rmdir(struct shale_fs *fs, struct dentry *dentry);
/* unlink or rmdir, recursively for directories of the work directory; logs what fails. */
void shale_real_cleanup(struct shale_fs *fs, struct dentry *dentry);
/* Checks under the locks that OLD is still where it was and NEW_NAME is what NEW says (NULL: nothing). */
int shale_real_rename(struct shale_fs *fs, struct dentry *old, struct dentry *new_dir,
		      const struct qstr *new_name, struct dentry *new, unsigned int flags);
/* A whiteout in the work directory, shared by hard links where the upper can. */
int shale_real_whiteout_temp(struct shale_fs *fs, struct dentry **ret_dentry);
/* Puts a whiteout at NAME of DIR, over what is there (NULL: nothing), atomically. */
int shale_real_whiteout(struct shale_fs *fs, struct dentry *dir, const struct qstr *name,
			struct dentry *over);
/* An unlinked file in DIR, or in the work directory if DIR is NULL, opened for reading and writing. */
struct file *shale_real_tmpfile(struct shale_fs *fs, struct dentry *dir, umode_t mode);

int shale_real_setattr(struct shale_fs *fs, struct dentry *dentry, struct iattr *attr);
/* May the mounter access the object so? MASK as of ->permission, MAY_NOT_BLOCK included. */
int shale_real_permission(const struct path *path, int mask);
int shale_real_getattr(const struct path *path, struct kstat *stat, u32 mask, unsigned int flags);

ssize_t shale_real_getxattr(const struct path *path, const char *name, void *value, size_t size);
int shale_real_setxattr(struct shale_fs *fs, struct dentry *dentry, const char *name,
			const void *value, size_t size, int flags);
int shale_real_removexattr(struct shale_fs *fs, struct dentry *dentry, const char *name);
ssize_t shale_real_listxattr(const struct path *path, char *list, size_t size);
/* Our private ones: NAME is without "trusted." or "user.", e.g. OVERLAY_XATTR_OPAQUE. */
ssize_t shale_real_get_private(struct shale_fs *fs, const struct path *path, const char *name,
			       void *value, size_t size);
int shale_real_set_private(struct shale_fs *fs, struct dentry *dentry, const char *name,
			   const void *value, size_t size);
int shale_real_set_map(struct shale_fs *fs, struct dentry *dentry, const void *value, size_t size); /* NULL: it goes */

struct posix_acl *shale_real_get_acl(const struct path *path, int type);
int shale_real_set_acl(struct shale_fs *fs, struct dentry *dentry, struct posix_acl *acl, int type);
int shale_real_fiemap(const struct path *path, struct fiemap_extent_info *info, u64 start, u64 len);
/* Makes the layer's object see a read, as its own mount's flags say. */
void shale_real_touch(const struct path *path);
int shale_real_fileattr_get(const struct path *path, struct file_kattr *fa);
int shale_real_fileattr_set(struct shale_fs *fs, struct dentry *dentry, struct file_kattr *fa);

const char *shale_real_get_link(const struct path *path, struct delayed_call *done);
/* Opens an object of a layer for the module's own use. */
struct file *shale_real_open(const struct path *path, int flags);
/* Opens it on behalf of USER, whose path is what /proc shows for mappings of the result. */
struct file *shale_real_open_for(struct file *user, const struct path *path, int flags);
int shale_real_iterate(struct file *file, struct dir_context *ctx); /* from ctx->pos, leaves it there */
loff_t shale_real_llseek(struct file *file, loff_t offset, int whence);
bool shale_real_is_frozen(struct shale_fs *fs); /* the upper, just now */
int shale_real_sync_fs(struct shale_fs *fs, bool wait);
int shale_real_statfs(const struct path *path, struct kstatfs *st);
/* Where data begins from POS on, END if not before. A layer that cannot tell has data everywhere. */
loff_t shale_real_data(struct file *real, loff_t pos, loff_t end);
int shale_real_extend(struct file *out, loff_t len); /* to LEN bytes, with a hole */
/* The first LEN bytes of OUT, which is empty, become IN's: by sharing blocks, where both can, or by copying in
 * chunks, holes kept. RET_BYTES grows by what was copied. -EINTR on a fatal signal. */
int shale_real_clone_data(struct file *in, struct file *out, loff_t len);
int shale_real_copy_data(struct file *in, struct file *out, loff_t len, u64 *ret_bytes);

/* A handle of a layer's object. */
struct shale_real_fh {
	u32 *words;
	int nr; /* of words; before encoding: room */
	int type;
};
int shale_real_encode_fh(struct dentry *dentry, struct shale_real_fh *fh); /* -EOVERFLOW sets nr */
/* The object, by any layer of its filesystem; "named" has a path, not by the directory EXCEPT. */
struct dentry *shale_real_decode_fh(const struct shale_layer *layer, const struct shale_real_fh *fh);
struct dentry *shale_real_decode_named(const struct shale_layer *layer,
				       const struct shale_real_fh *fh, struct dentry *except);

/* real_sync.c: one open file or directory of the upper. FOPS: its own operations where ours are in their place, or NULL. */
int shale_real_sync(struct shale_fs *fs, const struct file_operations *fops, struct file *file, loff_t start,
		    loff_t end, bool datasync);
/* The same of what has no name yet, or one that nobody changes. */
int shale_real_fsync(struct file *file, loff_t start, loff_t end, bool datasync);
/* Does the upper's filesystem sync files by themselves, so that the upper must not be synced past us? */
bool shale_real_logs_names(const struct shale_fs *fs);
/* Around what gives the upper's objects names, for real.c. No directory is locked yet. */
int shale_real_names_begin(struct shale_fs *fs, bool with_whiteout);
void shale_real_names_end(struct shale_fs *fs, bool is_made);

/* real_names.c: what a directory holds, without . and .. */
struct shale_real_name {
	struct list_head node;
	struct qstr name;
	unsigned char type; /* DT_* */
	char text[];
};
/* CTX gets the names, . and .. too, until its actor wants no more. */
int shale_real_names_walk(const struct path *dir, struct dir_context *ctx);
int shale_real_names_read(const struct path *dir, struct list_head *names); /* free them on failure, too */
void shale_real_names_free(struct list_head *names);

/* real_io.c: data of open files. REAL is open, what writes is of the upper. */

/* Called when a write has ended, in a context that may sleep; not for writes that end before the
 * function returns. */
typedef void (*shale_written_t)(struct file *user);

/* Does such a read hold the lock of the layer's inode while it copies? */
bool shale_real_read_locks(const struct file *real, const struct kiocb *iocb);
/* USER is the kiocb of our file; an asynchronous one gives -EIOCBQUEUED and is completed later. */
ssize_t shale_real_read_iter(struct file *real, struct kiocb *user, struct iov_iter *iter);
ssize_t shale_real_write_iter(struct file *real, struct kiocb *user, struct iov_iter *iter,
			      shale_written_t written);
/* Buffers of ours. Reading fills all of it, with zeros beyond the end. Writing writes all of it, LEN bytes, or fails; it
 * needs the pair around it, and has no limit but the filesystem's. */
int shale_real_read_buf(struct file *real, void *buf, size_t len, loff_t pos);
ssize_t shale_real_write_buf(struct file *real, const void *buf, size_t len, loff_t pos);
void shale_real_modified(struct file *real); /* it was modified now */
/* The same of bytes that the file shows already, to those who read it through us. Nobody else may change it
 * meanwhile: our inode is locked and stores to mappings wait. */
ssize_t shale_real_write_quietly(struct file *real, const void *buf, size_t len, loff_t pos);
void shale_real_start_write(struct file *real);
void shale_real_end_write(struct file *real);
/* Within the pair, too. At POS, never appended, not synced. */
ssize_t shale_real_write_held(struct file *real, struct iov_iter *iter, loff_t pos, bool is_direct);
/* The same with locks held that a page fault may take: -EFAULT, or fewer bytes, where memory of the user is not
 * there at once. */
ssize_t shale_real_write_present(struct file *real, struct iov_iter *iter, loff_t pos);
struct shale_moment {
	errseq_t file, fs;
};

/* Errors of writing an object's data, whoever else has heard of them: a moment, and what came since, 0 or -errno. */
struct shale_moment shale_real_errors_now(struct dentry *object);
int shale_real_errors_since(struct dentry *object, struct shale_moment moment);
/* Those that were up to now the next sync of FILE does not tell. */
void shale_real_errors_skip(struct file *file);
/* All of it reaches the device, and what its filesystem commits from now on knows where it is. */
int shale_real_write_data(struct dentry *object);
/* The upper's data from POS on reaches the device; with drop it also leaves the page cache. */
int shale_real_write_pages(struct file *real, loff_t pos, loff_t len);
int shale_real_drop_pages(struct file *real, loff_t pos, loff_t len);
/* Pages of the upper's that hold nothing to be written, mapped or not, are dropped. */
void shale_real_forget_pages(struct file *real, loff_t pos, loff_t len);
ssize_t shale_real_splice_read(struct file *real, loff_t *pos, struct pipe_inode_info *pipe,
			       size_t len, unsigned int flags);
ssize_t shale_real_splice_write(struct pipe_inode_info *pipe, struct file *real, loff_t *pos,
				size_t len, unsigned int flags);
int shale_real_fallocate(struct file *real, int mode, loff_t pos, loff_t len);
int shale_real_fallocate_held(struct file *real, int mode, loff_t pos, loff_t len); /* within the pair */
int shale_real_fadvise(struct file *real, loff_t pos, loff_t len, int advice);
int shale_real_flush(struct file *real, fl_owner_t id);
int shale_real_mmap(struct file *real, struct vm_area_struct *vma);

/* real_pages.c: data of open files in a page fault. Fills all of BUF, with zeros beyond the end. */
int shale_real_read_pages(struct file *real, void *buf, size_t len, loff_t pos);
/* A store through a mapping dirties a folio as a whole, so new ones of this file are of one page each.
 * tmpfs makes large ones only when it was mounted to do so. */
void shale_real_use_pages(struct inode *real);
/* Is there room in the upper for pages of SIZE bytes in memory? Only tmpfs counts those. */
bool shale_real_has_room(struct shale_fs *fs, loff_t size);
/* Pages of a file that are in memory, asked for in order up to page LAST. Sleeps not. */
struct shale_pages {
	struct address_space *mapping;
	pgoff_t last;
	struct folio_batch batch; /* held */
	unsigned int next;	  /* in it */
};
void shale_real_pages_begin(struct shale_pages *p, struct file *real, pgoff_t last);
void shale_real_pages_end(struct shale_pages *p);
/* LEN bytes of the page that POS is in; false: it is not there. A page may also be asked for that was passed by,
 * and then is not there. */
bool shale_real_pages_copy(struct shale_pages *p, void *to, size_t len, loff_t pos);

/* From one open file into another. */
struct shale_range {
	struct file *in, *out;
	loff_t pos_in, pos_out, len;
	unsigned int flags; /* of copy_file_range(2), or REMAP_FILE_* */
};
loff_t shale_real_copy_range(const struct shale_range *r);
loff_t shale_real_remap(const struct shale_range *r); /* clone or dedupe */
bool shale_real_can_clone(struct file *in, struct file *out);
loff_t shale_real_clone_held(const struct shale_range *r); /* where it can, within the pair */

int shale_real_io_init(void);
void shale_real_io_exit(void);

/* real_limit.c: RUN, which writes up to END of a file, not stopped by the limit on the caller's files */
long shale_real_unlimited(loff_t end, long (*run)(void *arg), void *arg);
long shale_real_unlimited_held(loff_t end, long (*run)(void *arg), void *arg); /* the access to write is there */

#endif /* _SHALE_REAL_H */
