// SPDX-License-Identifier: GPL-2.0-only
/*
 * real_file.c - GROUND: open objects of the layers: opening, listing and copying them. Syncing is in
 * real_sync.c. Names are in real.c, attributes in real_attr.c.
 */
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "compat/backing.h"
#include "compat/dirops.h"
#include "real.h"

/* Bytes copied between two looks at pending signals. */
#define COPY_CHUNK (128 * 1024)

struct file *shale_real_tmpfile(struct shale_fs *fs, struct dentry *dir, umode_t mode)
{
	struct path parent = {
		.mnt = shale_upper_layer(fs)->mnt,
		.dentry = dir ?: fs->workdir,
	};
	struct file *file;

	file = kernel_tmpfile_open(mnt_idmap(parent.mnt), &parent, mode, O_RDWR | O_LARGEFILE,
				   current_cred());
	pr_debug("tmpfile(%pd2, 0%o) = %d\n", parent.dentry, mode, PTR_ERR_OR_ZERO(file));
	return file;
}

/*
 * Opening by a path asks nobody, so the mounter's rights are asked here. What was opened for writing before it was made
 * immutable may be opened by us later, and the filesystem refuses the write itself.
 */
static int open_check(const struct path *path, int mask)
{
	struct inode *inode = d_inode(path->dentry);

	if (IS_IMMUTABLE(inode))
		mask &= ~MAY_WRITE;
	return inode_permission(mnt_idmap(path->mnt), inode, MAY_OPEN | mask);
}

struct file *shale_real_open(const struct path *path, int flags)
{
	int err = open_check(path, ACC_MODE(flags));
	struct file *file;

	file = err ? ERR_PTR(err) :
		     dentry_open(path, flags | O_LARGEFILE | COMPAT_O_NONOTIFY, current_cred());
	pr_debug("open(%pd2, 0x%x) = %d\n", path->dentry, flags, PTR_ERR_OR_ZERO(file));
	return file;
}

/* Who only writes reads for us, and not for the user. */
static int open_for_mask(const struct file *user, int flags)
{
	const int mask = ACC_MODE(flags);

	return mask & MAY_WRITE && !(user->f_mode & FMODE_READ) ? mask & ~MAY_READ : mask;
}

struct file *shale_real_open_for(struct file *user, const struct path *path, int flags)
{
	int err = open_check(path, open_for_mask(user, flags));
	struct file *file;

	file = err ? ERR_PTR(err) :
		     compat_backing_file_open(user, flags | COMPAT_O_NONOTIFY, path, current_cred());
	pr_debug("open_for(%pd2, 0x%x) = %d\n", path->dentry, flags, PTR_ERR_OR_ZERO(file));
	return file;
}

loff_t shale_real_llseek(struct file *file, loff_t offset, int whence)
{
	return vfs_llseek(file, offset, whence);
}

int shale_real_iterate(struct file *file, struct dir_context *ctx)
{
	loff_t pos;
	int err;

	if (file->f_pos != ctx->pos) {
		pos = vfs_llseek(file, ctx->pos, SEEK_SET);
		if (pos < 0)
			return pos;
	}
	err = iterate_dir(file, ctx);
	pr_debug("iterate(%pD2) = %d\n", file, err);
	return err;
}

bool shale_real_is_frozen(struct shale_fs *fs)
{
	return READ_ONCE(shale_upper_layer(fs)->mnt->mnt_sb->s_writers.frozen) != SB_UNFROZEN;
}

int shale_real_sync_fs(struct shale_fs *fs, bool wait)
{
	struct super_block *sb = shale_upper_layer(fs)->mnt->mnt_sb;
	int err;

	if (!wait)
		return 0;
	down_read(&sb->s_umount);
	err = sync_filesystem(sb);
	up_read(&sb->s_umount);
	pr_debug("sync_fs = %d\n", err);
	return err;
}

struct piece {
	struct file *out;
	const char *buf;
	size_t len;
	loff_t *pos;
};

static long piece_write(void *arg)
{
	const struct piece *p = arg;

	return kernel_write(p->out, p->buf, p->len, p->pos);
}

static ssize_t write_all(struct file *out, const char *buf, size_t len, loff_t *pos)
{
	ssize_t done, ret;

	for (done = 0; done < len; done += ret) {
		struct piece p = { out, buf + done, len - done, pos };

		ret = shale_real_unlimited(*pos + p.len, piece_write, &p);
		if (ret < 0)
			return ret;
		if (!ret)
			return -EIO;
	}
	return done;
}

static ssize_t copy_chunk(struct file *in, struct file *out, char *buf, loff_t pos, loff_t len)
{
	loff_t in_pos = pos, out_pos = pos;
	ssize_t ret;

	ret = kernel_read(in, buf, min_t(loff_t, len - pos, COPY_CHUNK), &in_pos);
	if (ret <= 0)
		return ret;
	return write_all(out, buf, ret, &out_pos);
}

static int copy_chunks(struct file *in, struct file *out, loff_t len, u64 *ret_bytes)
{
	char *buf = kvmalloc(min_t(loff_t, len, COPY_CHUNK), GFP_KERNEL);
	loff_t pos = 0;
	ssize_t ret = 0;

	if (!buf)
		return -ENOMEM;
	while (pos < len) {
		if (fatal_signal_pending(current)) {
			ret = -EINTR;
			break;
		}
		pos = shale_real_data(in, pos, len);
		if (pos == len)
			break;
		ret = copy_chunk(in, out, buf, pos, len);
		if (ret <= 0)
			break;
		pos += ret;
		*ret_bytes += ret;
		cond_resched();
	}
	kvfree(buf);
	return min_t(ssize_t, ret, 0);
}

struct extension {
	struct file *out;
	loff_t len;
};

static long extend(void *arg)
{
	const struct extension *x = arg;
	struct iattr attr = { .ia_valid = ATTR_SIZE, .ia_size = x->len };
	struct dentry *dentry = file_dentry(x->out);
	int err;

	err = mnt_want_write(x->out->f_path.mnt);
	if (err)
		return err;
	inode_lock(d_inode(dentry));
	err = notify_change(mnt_idmap(x->out->f_path.mnt), dentry, &attr, NULL);
	inode_unlock(d_inode(dentry));
	mnt_drop_write(x->out->f_path.mnt);
	return err;
}

/* A hole at the end of the file is made by size alone. */
int shale_real_extend(struct file *out, loff_t len)
{
	struct extension x = { out, len };

	if (i_size_read(d_inode(file_dentry(out))) >= len)
		return 0;
	return shale_real_unlimited(len, extend, &x);
}

struct clone {
	struct file *in, *out;
	loff_t len;
};

static long clone_all(void *arg)
{
	const struct clone *c = arg;
	loff_t ret = vfs_clone_file_range(c->in, 0, c->out, 0, c->len, 0);

	if (ret < 0)
		return ret;
	return ret == c->len ? 0 : -EIO;
}

int shale_real_clone_data(struct file *in, struct file *out, loff_t len)
{
	struct clone c = { in, out, len };
	int err = shale_real_unlimited(len, clone_all, &c);

	pr_debug("clone(%pD2, %lld) = %d\n", in, len, err);
	return err;
}

int shale_real_copy_data(struct file *in, struct file *out, loff_t len, u64 *ret_bytes)
{
	int err;

	err = copy_chunks(in, out, len, ret_bytes);
	if (!err)
		err = shale_real_extend(out, len);
	pr_debug("copy(%pD2, %lld) = %d\n", in, len, err);
	return err;
}
