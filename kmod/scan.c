// SPDX-License-Identifier: GPL-2.0-only
/*
 * scan.c - MODEL: the first time that a file handle is made or opened on an upper, the records of all renames
 * before are written, by one walk through the upper's directories. What a record is: moved.c. Begun by export.c,
 * in a work item, since handles are made in any context (fanotify makes them within a rename); who opens a
 * handle and needs a record waits.
 *
 * Needed is a record of each object with an origin that is not where the lower layers have it. They are written
 * into a directory in the work directory, which becomes UPPER/.shale/moved when it is complete and on disk: so
 * that this is there says that it is complete, and a crash before it leads to another scan, at the next use.
 *
 * Renames go on meanwhile, and record by themselves from the moment the scan begins. What makes this right:
 *
 * A directory is read under its lock (our inode's), and a rename holds the locks of both parents from before it
 * looks whether there is a scan until it is over. So it is either over when each of the two is read, and does not
 * matter; or it knows of the scan.
 *
 * Then it writes the record over the one that the scan has written or, if the scan writes later, that one
 * stays: the scan adds records and replaces none.
 *
 * A directory could be moved from a parent that was not read yet to one that was, and be missed with all that
 * is in it. So renamed directories are added to those that are to be read. Each is read once.
 */
#include <linux/slab.h>
#include <linux/xarray.h>

#include "cred.h"
#include "real.h"
#include "scan.h"
#include "shale.h"

#define RETRY_SECONDS 5
/* Tries a second to go on while something is frozen. */
#define FROZEN_TRIES 10
/* More directories than this are not renamed during a scan, or it is given up. */
#define ADDED_MAX (1U << 20)

/* shale_records.flags */
enum { IS_PENDING, IS_STOPPED };

/* In shale_scan.seen: the directory is to be read whatever its name, or was read. */
#define SEEN_ADDED xa_mk_value(1)
#define SEEN_READ  xa_mk_value(2)

/* A directory that is to be read. */
struct item {
	struct list_head node;
	struct dentry *dir; /* the parent; where there is no name, itself */
	char name[];
};

struct shale_scan {
	struct shale_fs *fs;
	struct list_head todo; /* of items; shale_records.lock */
	struct xarray seen;    /* by inode number of the upper's directory */
	unsigned int added;    /* shale_records.lock */
	int err;	       /* a directory could not be added; shale_records.lock */
};

static bool is_stopped(const struct shale_fs *fs)
{
	return test_bit(IS_STOPPED, &fs->records.flags);
}

static bool is_frozen(struct shale_fs *fs)
{
	return READ_ONCE(fs->sb->s_writers.frozen) != SB_UNFROZEN || shale_real_is_frozen(fs);
}

/* What cannot be read is passed over: handles of it are stale. */
static int error_of_read(int err)
{
	return err == -ENOMEM ? err : 0;
}

/* Access to write to the upper, as through a mount of ours. Nobody who stops a scan waits for a thaw. */
static int write_begin(struct shale_fs *fs)
{
	int err;

	while (shale_real_is_frozen(fs) || !sb_start_write_trylock(fs->sb)) {
		if (is_stopped(fs))
			return -EINTR;
		schedule_timeout_idle(HZ / FROZEN_TRIES);
	}
	err = shale_real_want_write(fs);
	if (err)
		sb_end_write(fs->sb);
	return err;
}

static void write_end(struct shale_fs *fs)
{
	shale_real_drop_write(fs);
	sb_end_write(fs->sb);
}

/* ------------------------------------------------------------------ what is to be read */

static struct item *item_make(struct dentry *dir, const struct qstr *name)
{
	struct item *item = kmalloc(struct_size(item, name, name->len + 1), GFP_KERNEL);

	if (!item)
		return NULL;
	item->dir = dget(dir);
	memcpy(item->name, name->name, name->len);
	item->name[name->len] = '\0';
	return item;
}

static void item_free(struct item *item)
{
	dput(item->dir);
	kfree(item);
}

static int item_add_locked(struct shale_scan *scan, struct dentry *dir, const struct qstr *name)
{
	struct item *item = item_make(dir, name);

	if (!item)
		return -ENOMEM;
	list_add(&item->node, &scan->todo);
	return 0;
}

static int item_add(struct shale_scan *scan, struct dentry *dir, const struct qstr *name)
{
	struct mutex *lock = &scan->fs->records.lock;
	int err;

	mutex_lock(lock);
	err = item_add_locked(scan, dir, name);
	mutex_unlock(lock);
	return err;
}

/* When there is none any more, renamed directories are not added from now on. */
static struct item *item_take(struct shale_scan *scan)
{
	struct shale_records *records = &scan->fs->records;
	struct item *item = NULL;

	mutex_lock(&records->lock);
	if (!scan->err)
		item = list_first_entry_or_null(&scan->todo, struct item, node);
	if (item)
		list_del(&item->node);
	else
		records->scan = NULL;
	mutex_unlock(&records->lock);
	return item;
}

static int add_locked(struct shale_scan *scan, struct dentry *dir)
{
	const unsigned long ino = d_inode(shale_inode_upper(d_inode(dir)))->i_ino;
	int err;

	if (xa_load(&scan->seen, ino))
		return 0;
	if (scan->added++ == ADDED_MAX)
		return -EBUSY;
	err = xa_err(xa_store(&scan->seen, ino, SEEN_ADDED, GFP_KERNEL));
	return err ?: item_add_locked(scan, dir, &(struct qstr)QSTR_INIT("", 0));
}

void shale_scan_add(struct shale_fs *fs, struct dentry *dir)
{
	struct shale_scan *scan;

	mutex_lock(&fs->records.lock);
	scan = fs->records.scan;
	if (scan && !scan->err)
		scan->err = add_locked(scan, dir);
	mutex_unlock(&fs->records.lock);
}

/* ------------------------------------------------------------------ reading */

/* Is KEY's object where the lower layers have it? */
static bool is_at_home(struct dentry *dir, const struct qstr *name, const struct shale_key *key)
{
	const struct shale_stack *lower = shale_inode_lower(d_inode(dir));
	struct shale_key found = {};
	struct dentry *real;
	unsigned int i;

	for (i = 0; lower && i < lower->nr; i++) {
		real = shale_real_lookup(lower->path[i].layer, lower->path[i].dentry, name);
		if (IS_ERR(real))
			return false;
		if (!real)
			continue;
		found.ino = d_inode(real)->i_ino;
		found.fsid = lower->path[i].layer->fsid;
		dput(real);
		return shale_key_equal(&found, key);
	}
	return false;
}

static int object_record(struct shale_scan *scan, struct dentry *upper, struct dentry *upperdir,
			 const struct qstr *name)
{
	int err = write_begin(scan->fs);

	if (err)
		return err;
	err = shale_moved_add(scan->fs, upper, upperdir, name);
	write_end(scan->fs);
	return err;
}

static int name_record(struct shale_scan *scan, struct dentry *dir, const struct qstr *name)
{
	struct dentry *upperdir = shale_inode_upper(d_inode(dir)), *upper;
	struct shale_key key;
	int err;

	upper = shale_real_lookup(shale_upper_layer(scan->fs), upperdir, name);
	if (IS_ERR_OR_NULL(upper))
		return error_of_read(PTR_ERR_OR_ZERO(upper));
	err = shale_origin_get(scan->fs, upper, &key);
	if (err)
		err = error_of_read(err);
	else if (!is_at_home(dir, name, &key))
		err = object_record(scan, upper, upperdir, name);
	dput(upper);
	return err;
}

static int name_visit(struct shale_scan *scan, struct dentry *dir, const struct shale_real_name *one)
{
	struct inode *inode = d_inode(dir);
	int err = 0;

	if (is_stopped(scan->fs))
		return -EINTR;
	if (shale_name_is_reserved(inode, &one->name))
		return 0;
	if (test_bit(SHALE_I_IMPURE, &SHALE_I(inode)->flags))
		err = name_record(scan, dir, &one->name);
	if (!err && one->type == DT_DIR)
		err = item_add(scan, dir, &one->name);
	cond_resched();
	return err;
}

static int names_read(struct shale_scan *scan, struct dentry *dir, struct list_head *names)
{
	struct inode *inode = d_inode(dir);
	const struct path path = {
		.mnt = shale_upper_layer(scan->fs)->mnt,
		.dentry = shale_inode_upper(inode),
	};
	int err;

	inode_lock_shared(inode);
	err = shale_real_names_read(&path, names);
	inode_unlock_shared(inode);
	return error_of_read(err);
}

static int dir_visit(struct shale_scan *scan, struct dentry *dir)
{
	const unsigned long ino = d_inode(shale_inode_upper(d_inode(dir)))->i_ino;
	struct shale_real_name *one;
	LIST_HEAD(names);
	void *seen;
	int err;

	seen = xa_store(&scan->seen, ino, SEEN_READ, GFP_KERNEL);
	if (xa_is_err(seen))
		return xa_err(seen);
	if (seen == SEEN_READ)
		return 0;
	err = names_read(scan, dir, &names);
	list_for_each_entry(one, &names, node)
		if (!err)
			err = name_visit(scan, dir, one);
	shale_real_names_free(&names);
	return err;
}

static int item_visit(struct shale_scan *scan, struct item *item)
{
	const struct qstr name = QSTR_INIT(item->name, strlen(item->name));
	struct dentry *dir = dget(item->dir);
	int err = 0;

	if (name.len)
		dir = shale_export_lookup(dir, &name);
	if (IS_ERR(dir))
		return error_of_read(PTR_ERR(dir));
	if (d_can_lookup(dir) && shale_inode_upper(d_inode(dir)))
		err = dir_visit(scan, dir);
	dput(dir);
	return err;
}

static int upper_visit(struct shale_scan *scan)
{
	struct item *item;
	int err;

	err = item_add(scan, scan->fs->sb->s_root, &(struct qstr)QSTR_INIT("", 0));
	while (!err && (item = item_take(scan))) {
		err = item_visit(scan, item);
		item_free(item);
	}
	return err ?: scan->err;
}

/* ------------------------------------------------------------------ the directory */

/* From here on renames record. */
static int records_open(struct shale_scan *scan)
{
	const struct shale_newattr attr = { .mode = S_IFDIR | 0700 };
	struct shale_records *records = &scan->fs->records;
	struct dentry *dir;
	int err = write_begin(scan->fs);

	if (err)
		return err;
	err = shale_real_create_temp(scan->fs, &attr, &dir);
	write_end(scan->fs);
	if (err)
		return err;
	mutex_lock(&records->lock);
	records->scan = scan;
	WRITE_ONCE(records->dir, dir);
	mutex_unlock(&records->lock);
	return 0;
}

static int records_publish(struct shale_scan *scan)
{
	static const struct qstr name = QSTR_INIT(SHALE_MOVED_DIR, sizeof(SHALE_MOVED_DIR) - 1);
	struct shale_fs *fs = scan->fs;
	struct dentry *private;
	int err = 0;

	if (!fs->config.is_volatile)
		err = shale_real_sync_fs(fs, true);
	if (!err)
		err = write_begin(fs);
	if (err)
		return err;
	private = dget_parent(fs->indexdir);
	err = shale_real_rename(fs, fs->records.dir, private, &name, NULL, 0);
	dput(private);
	write_end(fs);
	return err;
}

/* Whoever records holds the lock, so nobody does any more. */
static void records_abandon(struct shale_scan *scan)
{
	struct shale_records *records = &scan->fs->records;
	struct dentry *dir = records->dir;
	struct item *item, *next;

	mutex_lock(&records->lock);
	records->scan = NULL;
	WRITE_ONCE(records->dir, NULL);
	mutex_unlock(&records->lock);
	list_for_each_entry_safe(item, next, &scan->todo, node)
		item_free(item);
	/* What is left in the work directory the next mount removes. */
	if (!write_begin(scan->fs)) {
		shale_real_cleanup(scan->fs, dir);
		write_end(scan->fs);
	}
	dput(dir);
}

static int scan_run(struct shale_fs *fs)
{
	struct shale_scan scan = { .fs = fs, .todo = LIST_HEAD_INIT(scan.todo) };
	int err;

	if (is_stopped(fs))
		return -EINTR;
	xa_init(&scan.seen);
	err = records_open(&scan);
	if (err)
		return err;
	err = upper_visit(&scan);
	if (!err)
		err = records_publish(&scan);
	if (err)
		records_abandon(&scan);
	xa_destroy(&scan.seen);
	return err;
}

static void scan_end(struct shale_records *records)
{
	clear_bit(IS_PENDING, &records->flags);
	wake_up_all(&records->done);
}

static void scan_work(struct work_struct *work)
{
	struct shale_fs *fs = container_of(work, struct shale_fs, records.work);
	const struct cred *old = shale_cred_begin(fs->sb);
	int err = scan_run(fs);

	shale_cred_end(old);
	if (err && err != -EINTR)
		WRITE_ONCE(fs->records.retry, get_jiffies_64() + RETRY_SECONDS * HZ);
	if (err)
		pr_debug("no records of renames were made: %d\n", err);
	scan_end(&fs->records);
}

/* ------------------------------------------------------------------ beginning and ending */

void shale_scan_init(struct shale_fs *fs)
{
	mutex_init(&fs->records.lock);
	init_waitqueue_head(&fs->records.done);
	INIT_WORK(&fs->records.work, scan_work);
}

static bool is_possible(const struct shale_fs *fs, const struct shale_layer *layer)
{
	return shale_has_upper(fs) && !sb_rdonly(fs->sb) && !is_stopped(fs) &&
	       fs->realfs[fs->layers[0].fsid].has_handles && fs->realfs[layer->fsid].has_uuid;
}

void shale_scan_begin(struct shale_fs *fs, const struct shale_layer *layer)
{
	struct shale_records *records = &fs->records;

	if (READ_ONCE(records->dir) || !is_possible(fs, layer) ||
	    time_before64(get_jiffies_64(), READ_ONCE(records->retry)))
		return;
	if (!test_and_set_bit(IS_PENDING, &records->flags))
		queue_work(system_unbound_wq, &records->work);
}

void shale_scan_wait(struct shale_fs *fs)
{
	struct shale_records *records = &fs->records;

	while (test_bit(IS_PENDING, &records->flags) && !is_frozen(fs))
		if (wait_event_killable_timeout(records->done,
						!test_bit(IS_PENDING, &records->flags), HZ) < 0)
			break;
}

void shale_scan_stop(struct shale_fs *fs)
{
	set_bit(IS_STOPPED, &fs->records.flags);
	cancel_work_sync(&fs->records.work);
	scan_end(&fs->records);
}

void shale_scan_allow(struct shale_fs *fs)
{
	clear_bit(IS_STOPPED, &fs->records.flags);
}
