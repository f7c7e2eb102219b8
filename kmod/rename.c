// SPDX-License-Identifier: GPL-2.0-only
/*
 * rename.c - FACE: one name becomes another, for files and directories of any layer. Called by the
 * VFS with both parents and what is overwritten locked. Putting the object itself into the upper is
 * promote.c's work, emptying an overwritten directory remove.c's.
 *
 * Crash safety. Whatever can be prepared is prepared first and shows nothing: objects are promoted;
 * a directory with lower parts learns where they are (redirect), which is where it still is; one
 * without becomes opaque, which hides nothing where it is; an overwritten directory, already empty,
 * becomes opaque and loses its whiteouts; the parent is marked impure. Then one rename in the upper
 * does everything at once, the whiteout for the old name included: the upper's journal has the old
 * state or the new one. The only thing that may follow is the removal of a whiteout that hides
 * nothing (a directory changed places with it), so it does not matter whether a crash comes first.
 */
#include "cred.h"
#include "mapio.h"
#include "real.h"
#include "shale.h"
#include "trace.h"

/* One end of the rename. */
struct rename_end {
	struct inode *dir;
	struct dentry *dentry;
	struct inode *inode; /* NULL: nothing is there */
	struct dentry *upper; /* what the upper has at this name, a whiteout included; NULL: nothing */
	bool is_dir;
};

struct renaming {
	struct shale_fs *fs;
	struct rename_end old, new;
	bool is_exchange;
	bool is_over_whiteout; /* new.upper is one */
	bool leaves_whiteout;  /* a lower layer has the old name */
};

/* How the rename in the upper is done. The first row that fits is taken; -1 fits both. */
static const struct rename_case {
	signed char is_exchange, is_dir_over_whiteout, leaves_whiteout;
	bool should_drop_old; /* what has come to the old place is a useless whiteout */
	unsigned int flags;
} rename_cases[] = {
	{ 1, -1, -1, false, RENAME_EXCHANGE },
	{ 0, 1, 1, false, RENAME_EXCHANGE },
	{ 0, 1, 0, true, RENAME_EXCHANGE },
	{ 0, 0, 1, false, RENAME_WHITEOUT },
	{ 0, 0, 0, false, 0 },
};

static bool case_fits(signed char wanted, bool is)
{
	return wanted < 0 || wanted == is;
}

static const struct rename_case *case_of(const struct renaming *r)
{
	const struct rename_case *c = rename_cases;

	while (!case_fits(c->is_exchange, r->is_exchange) ||
	       !case_fits(c->is_dir_over_whiteout, r->old.is_dir && r->is_over_whiteout) ||
	       !case_fits(c->leaves_whiteout, r->leaves_whiteout))
		c++;
	return c;
}

/*
 * Puts where the lower layers have this directory before what is at *POS of BUF; 1 when that says all
 * that is above it too. The lock makes the redirect and the name one thing: a rename of the directory
 * sets the first before it changes the second.
 */
static int redirect_prepend(struct dentry *dentry, char *buf, unsigned int *pos)
{
	struct shale_inode *si = SHALE_I(d_inode(dentry));
	const char *name;
	unsigned int len;
	int ret = -EXDEV;

	mutex_lock(&si->lock);
	spin_lock(&dentry->d_lock);
	name = si->redirect ?: (const char *)dentry->d_name.name;
	len = strlen(name);
	if (len < *pos) {
		*pos -= len;
		memcpy(buf + *pos, name, len);
		ret = name[0] == '/';
		if (!ret)
			buf[--*pos] = '/';
	}
	spin_unlock(&dentry->d_lock);
	mutex_unlock(&si->lock);
	return ret;
}

/* The path from the root of the lower layers, to be freed. */
static char *redirect_absolute(struct dentry *dentry)
{
	unsigned int pos = SHALE_REDIRECT_MAX;
	struct dentry *d = dget(dentry), *parent;
	char *buf, *path;
	int ret = 0;

	buf = kmalloc(SHALE_REDIRECT_MAX + 1, GFP_KERNEL);
	if (!buf)
		ret = -ENOMEM;
	else
		buf[pos] = '\0';
	while (!ret && !IS_ROOT(d)) {
		ret = redirect_prepend(d, buf, &pos);
		parent = dget_parent(d);
		dput(d);
		d = parent;
	}
	dput(d);
	path = ret < 0 ? ERR_PTR(ret) : kstrdup(buf + pos, GFP_KERNEL);
	kfree(buf);
	return path ?: ERR_PTR(-ENOMEM);
}

static char *redirect_relative(struct dentry *dentry)
{
	return kstrdup(dentry->d_name.name, GFP_KERNEL) ?: ERR_PTR(-ENOMEM);
}

static int redirect_store(struct shale_fs *fs, struct inode *inode, char *redirect)
{
	struct shale_inode *si = SHALE_I(inode);
	int err;

	mutex_lock(&si->lock);
	err = shale_real_want_write(fs);
	if (!err) {
		err = shale_real_set_private(fs, shale_inode_upper(inode), OVERLAY_XATTR_REDIRECT,
					     redirect, strlen(redirect));
		shale_real_drop_write(fs);
	}
	if (!err)
		swap(si->redirect, redirect);
	mutex_unlock(&si->lock);
	kfree(redirect);
	return err;
}

static int redirect_set(struct shale_fs *fs, struct rename_end *end, bool is_same_dir)
{
	const char *now = SHALE_I(end->inode)->redirect;
	char *redirect;

	if (now && (is_same_dir || now[0] == '/'))
		return 0;
	redirect = is_same_dir ? redirect_relative(end->dentry) : redirect_absolute(end->dentry);
	if (IS_ERR(redirect))
		return PTR_ERR(redirect);
	shale_stats_inc(fs, redirects);
	return redirect_store(fs, end->inode, redirect);
}

int shale_rename_pin(struct dentry *dentry)
{
	struct inode *inode = d_inode(dentry);
	char *redirect;

	if (!test_bit(SHALE_I_PARTIAL, &SHALE_I(inode)->flags) || SHALE_I(inode)->redirect)
		return 0;
	redirect = redirect_absolute(dentry);
	if (IS_ERR(redirect))
		return PTR_ERR(redirect);
	shale_stats_inc(SHALE_FS(inode->i_sb), redirects);
	return redirect_store(SHALE_FS(inode->i_sb), inode, redirect);
}

static int opaque_set(struct shale_fs *fs, struct inode *inode)
{
	int err;

	if (test_bit(SHALE_I_OPAQUE, &SHALE_I(inode)->flags))
		return 0;
	err = shale_real_want_write(fs);
	if (err)
		return err;
	err = shale_real_set_private(fs, shale_inode_upper(inode), OVERLAY_XATTR_OPAQUE, "y", 1);
	shale_real_drop_write(fs);
	if (!err)
		set_bit(SHALE_I_OPAQUE, &SHALE_I(inode)->flags);
	return err;
}

/* A directory takes its lower parts along, and nothing that is below its new place. */
static int dir_prepare(struct shale_fs *fs, struct rename_end *end, const struct inode *new_dir)
{
	if (!end->is_dir)
		return shale_rename_pin(end->dentry);
	if (shale_dir_lower(end->inode))
		return redirect_set(fs, end, end->dir == new_dir);
	return shale_dir_lower(new_dir) ? opaque_set(fs, end->inode) : 0;
}

/* Does a lookup have to read the private xattrs of this object? */
static bool is_marked(const struct inode *inode)
{
	return shale_inode_has_origin(inode) || test_bit(SHALE_I_PARTIAL, &SHALE_I(inode)->flags);
}

static int impure_prepare(struct shale_fs *fs, const struct rename_end *end, struct inode *new_dir)
{
	if (end->dir == new_dir || !end->inode || !is_marked(end->inode))
		return 0;
	return shale_impure_set(fs, new_dir);
}

/* What the upper has at a name of ours. */
static int end_find_upper(struct shale_fs *fs, struct rename_end *end, bool *ret_is_whiteout)
{
	const struct shale_layer *layer = shale_upper_layer(fs);
	struct dentry *upper;

	if (end->inode && shale_has_upper_name(end->dentry))
		upper = shale_upper_of_name(end->dentry);
	else
		upper = shale_real_lookup(layer, shale_inode_upper(end->dir), &end->dentry->d_name);
	if (IS_ERR(upper))
		return PTR_ERR(upper);
	end->upper = upper;
	*ret_is_whiteout = upper && shale_is_whiteout(layer, upper);
	if (upper && !*ret_is_whiteout && !(end->inode && shale_has_upper_name(end->dentry)))
		return -ESTALE;
	return 0;
}

static int upper_rename(struct renaming *r)
{
	const struct rename_case *c = case_of(r);
	int err;

	if (c->flags & RENAME_WHITEOUT)
		shale_stats_inc(r->fs, whiteouts);
	err = shale_real_rename(r->fs, r->old.upper, shale_inode_upper(r->new.dir),
				&r->new.dentry->d_name, r->new.upper, c->flags);
	if (!err && c->should_drop_old)
		shale_real_cleanup(r->fs, r->new.upper);
	return err;
}

static int upper_prepare_and_rename(struct renaming *r)
{
	int err;

	err = impure_prepare(r->fs, &r->old, r->new.dir);
	if (!err && r->is_exchange)
		err = impure_prepare(r->fs, &r->new, r->old.dir);
	if (!err && !r->is_exchange && r->new.is_dir && r->new.upper)
		err = shale_dir_clear(r->new.dentry);
	return err ?: upper_rename(r);
}

static int rename_upper(struct renaming *r)
{
	bool is_whiteout;
	int err, below = 0;

	err = end_find_upper(r->fs, &r->old, &is_whiteout);
	if (!err)
		err = end_find_upper(r->fs, &r->new, &r->is_over_whiteout);
	if (!err && !r->is_exchange)
		below = shale_lookup_in_lower(r->old.dentry->d_parent, &r->old.dentry->d_name);
	if (err || below < 0)
		return err ?: below;
	r->leaves_whiteout = below;

	err = shale_real_want_write(r->fs);
	if (err)
		return err;
	err = upper_prepare_and_rename(r);
	shale_real_drop_write(r->fs);
	return err;
}

/* What is overwritten loses its name: an indexed file counts it, a directory must be empty. */
static int rename_over(struct renaming *r)
{
	struct inode *victim = r->is_exchange ? NULL : r->new.inode;
	int err;

	if (!victim)
		return rename_upper(r);
	if (r->new.is_dir) {
		err = shale_dir_is_empty(r->new.dentry) ?: rename_upper(r);
		if (!err)
			clear_nlink(victim);
		return err;
	}
	err = shale_index_nlink_begin(victim);
	if (err)
		return err;
	err = rename_upper(r);
	if (!err)
		shale_set_unlinked(r->new.dentry);
	if (!err && !shale_inode_upper(victim))
		drop_nlink(victim);
	shale_index_nlink_end(victim);
	return err;
}

/* For file handles that were made before; see moved.c. */
static void rename_record(struct renaming *r)
{
	shale_moved_record(r->fs, r->old.dentry, r->new.dir, &r->new.dentry->d_name);
	if (r->is_exchange)
		shale_moved_record(r->fs, r->new.dentry, r->old.dir, &r->old.dentry->d_name);
	else if (r->new.inode)
		shale_moved_forget(r->fs, r->new.inode);
	if (!r->is_exchange && r->new.inode)
		shale_mapio_forget(r->new.inode);
}

static int rename_as_mounter(struct renaming *r)
{
	int err;

	err = dir_prepare(r->fs, &r->old, r->new.dir);
	if (!err && r->is_exchange)
		err = dir_prepare(r->fs, &r->new, r->old.dir);
	if (!err)
		err = rename_over(r);
	if (!err)
		rename_record(r);
	dput(r->old.upper);
	dput(r->new.upper);
	return err;
}

static int rename_promote(struct renaming *r)
{
	struct dentry *new = r->new.dentry;
	int err;

	err = shale_promote(r->old.dentry);
	if (err)
		return err;
	if (r->is_exchange || (r->new.inode && shale_index_wants(r->new.inode)))
		return shale_promote(new);
	return shale_promote(new->d_parent);
}

static void rename_finish(struct renaming *r)
{
	if (r->new.inode && shale_inode_upper(r->new.inode))
		shale_inode_copyattr(r->new.inode);
	shale_inode_copyattr(r->old.inode);
	shale_dir_modified(r->old.dir);
	if (r->new.dir != r->old.dir)
		shale_dir_modified(r->new.dir);
}

static void end_init(struct rename_end *end, struct inode *dir, struct dentry *dentry)
{
	end->dir = dir;
	end->dentry = dentry;
	end->inode = d_inode(dentry);
	end->is_dir = d_is_dir(dentry);
}

int shale_rename(struct mnt_idmap *idmap, struct inode *old_dir, struct dentry *old,
		 struct inode *new_dir, struct dentry *new, unsigned int flags)
{
	struct renaming r = { .fs = SHALE_FS(old_dir->i_sb), .is_exchange = flags & RENAME_EXCHANGE };
	const struct cred *creds;
	int err;

	/* The VFS has seen to RENAME_NOREPLACE; a whiteout of ours is not for users to make. */
	if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	if (shale_name_is_reserved(new_dir, &new->d_name))
		return -EPERM;
	end_init(&r.old, old_dir, old);
	end_init(&r.new, new_dir, new);
	err = rename_promote(&r);
	if (err)
		return err;

	creds = shale_cred_begin(old_dir->i_sb);
	err = rename_as_mounter(&r);
	shale_cred_end(creds);
	if (!err)
		rename_finish(&r);
	trace_shale_rename(old, new, flags, err);
	return err;
}
