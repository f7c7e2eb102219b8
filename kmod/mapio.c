// SPDX-License-Identifier: GPL-2.0-only
/*
 * mapio.c - MODEL: maps of blocks on disk. A map that is short is in an attribute of its file, and changes with
 * the same commit of the upper's journal as the data. A longer one is a file of its own at .shale/map/ of the layer, in
 * sectors that are written in place.
 *
 * Crash safety. A block may be set on disk once its data is there. So what is to be written is taken from the
 * map first; then all data of the file is written and waited for, which includes that of every block
 * taken; then the attribute is set. For a map in sectors the upper is synced in between, since they
 * do not pass through its journal. A block that is set in memory only shows what it was before after
 * a crash, as a write that was never synced may. Torn sectors do not exist, and sectors do not
 * depend on each other, so it does not matter how many of them were written.
 */
#include <linux/math64.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "cred.h"
#include "map_disk.h"
#include "mapio.h"
#include "real.h"

#define SECTORS	    SHALE_DISK_MAP_PAGE_SECTORS
#define PAGE_BYTES  SHALE_DISK_MAP_PAGE_SIZE
#define GROUP_PAGES SHALE_DISK_MAP_GROUP_PAGES
#define GROUP_BYTES (GROUP_PAGES * PAGE_BYTES)
#define ID_PATH_SIZE (sizeof(SHALE_PRIVATE_DIR "/" SHALE_MAP_DIR "/") + 16)

static void id_path(u64 id, char ret_path[ID_PATH_SIZE])
{
	snprintf(ret_path, ID_PATH_SIZE, SHALE_PRIVATE_DIR "/" SHALE_MAP_DIR "/%016llx", id);
}

/* ------------------------------------------------------------------ reading */

static int group_read(struct file *file, u64 id, u64 page, void *buf, struct shale_map *map)
{
	unsigned int i;
	int err;

	err = shale_real_read_buf(file, buf, GROUP_BYTES, page * PAGE_BYTES);
	for (i = 0; !err && i < GROUP_PAGES; i++)
		err = shale_map_disk_page_decode(buf + i * PAGE_BYTES, id, page + i, map);
	return err;
}

static int groups_read(struct file *file, u64 id, const struct shale_disk_map_sector *dir,
		       struct shale_map *map)
{
	const u64 last = shale_map_disk_pages(shale_map_limit(map));
	void *buf = kvmalloc(GROUP_BYTES, GFP_KERNEL);
	u64 page;
	int err = 0;

	if (!buf)
		return -ENOMEM;
	for (page = 1; !err && page <= last; page += GROUP_PAGES)
		if (shale_map_disk_dir_has(dir, page))
			err = group_read(file, id, page, buf, map);
	kvfree(buf);
	return err;
}

static struct file *sidecar_open(const struct shale_layer *layer, u64 id, int flags)
{
	struct path path = { .mnt = layer->mnt };
	char name[ID_PATH_SIZE];
	struct file *file;

	id_path(id, name);
	path.dentry = shale_real_lookup_path(layer, name);
	if (IS_ERR_OR_NULL(path.dentry))
		return path.dentry ? ERR_CAST(path.dentry) : ERR_PTR(-EIO);
	file = d_is_reg(path.dentry) ? shale_real_open(&path, flags) : ERR_PTR(-EIO);
	dput(path.dentry);
	return file;
}

static int sidecar_read(const struct shale_layer *layer, u64 id, struct shale_map *map)
{
	struct file *file = sidecar_open(layer, id, O_RDONLY);
	void *dir;
	int err = -ENOMEM;

	if (IS_ERR(file))
		return PTR_ERR(file);
	dir = kmalloc(PAGE_BYTES, GFP_KERNEL);
	if (dir)
		err = shale_real_read_buf(file, dir, PAGE_BYTES, 0) ?: shale_map_disk_dir_check(dir, id);
	if (!err)
		err = groups_read(file, id, dir, map);
	kfree(dir);
	fput(file);
	return err;
}

static int attr_read(struct shale_fs *fs, const struct shale_path *object, struct shale_map_head *ret_head,
		     struct shale_map *ret_map)
{
	const struct path path = shale_path_real(*object);
	u8 *buf = kmalloc(SHALE_DISK_MAP_INLINE_MAX, GFP_KERNEL);
	ssize_t size;
	int err;

	if (!buf)
		return -ENOMEM;
	size = shale_real_get_private(fs, &path, SHALE_XATTR_MAP, buf, SHALE_DISK_MAP_INLINE_MAX);
	if (size == -ERANGE)
		size = -EIO;
	err = size < 0 ? size : shale_map_disk_decode(buf, size, ret_map, ret_head);
	kfree(buf);
	return err;
}

int shale_mapio_read(struct shale_fs *fs, const struct shale_path *object, struct shale_map_head *ret_head,
		     struct shale_map *ret_map)
{
	int err = attr_read(fs, object, ret_head, ret_map);

	if (!err && ret_head->id) {
		err = sidecar_read(object->layer, ret_head->id, ret_map);
		if (err)
			shale_map_destroy(ret_map);
	}
	if (err == -EIO)
		pr_warn_ratelimited("the map of %pd2 is damaged\n", object->dentry);
	else if (err == -EOPNOTSUPP)
		pr_warn_ratelimited("the map of %pd2 is of a later version\n", object->dentry);
	return err;
}

/* ------------------------------------------------------------------ writing */

int shale_mapio_create(struct shale_fs *fs, struct dentry *upper, const struct shale_parts *parts)
{
	u8 *buf = kmalloc(SHALE_DISK_MAP_INLINE_MAX, GFP_KERNEL);
	int ret;

	if (!buf)
		return -ENOMEM;
	ret = shale_map_disk_encode(parts->maps[0], &parts->head, buf);
	if (ret > 0)
		ret = shale_real_set_map(fs, upper, buf, ret);
	kfree(buf);
	return ret;
}

/* One saving of one map. */
struct saving {
	struct shale_fs *fs;
	struct shale_parts *parts;
	struct dentry *upper;
	struct file *file; /* the sidecar */
	struct shale_disk_map_sector *dir;
	u64 next; /* the block that the next round begins at */
	u8 attr[SHALE_DISK_MAP_INLINE_MAX];
	int attr_size;
};

static bool is_volatile(const struct saving *s)
{
	return s->fs->config.is_volatile;
}

/*
 * Data that could not be written is gone from memory as if it was, and a block of which that is so must never be set on
 * disk: it would be a hole where there was something. Which blocks those are cannot be known any more. So the map
 * on disk stays as it was, and all syncs fail, until the file is read from disk again, by another mount.
 */
static int data_check(struct saving *s, int err)
{
	return err ?: shale_real_errors_since(s->upper, s->parts->errors);
}

static int data_sync(struct saving *s)
{
	struct path path = { .mnt = shale_upper_layer(s->fs)->mnt, .dentry = s->upper };
	struct file *file;
	int err;

	if (is_volatile(s))
		return 0;
	file = shale_real_open(&path, O_RDWR);
	if (IS_ERR(file))
		return PTR_ERR(file);
	/* Which of them matter is data_check()'s business. */
	shale_real_errors_skip(file);
	err = shale_real_sync(s->fs, NULL, file, 0, LLONG_MAX, false);
	fput(file);
	return data_check(s, err);
}

static int attr_write(struct saving *s)
{
	int err = shale_real_want_write(s->fs);

	if (err)
		return err;
	err = shale_real_set_map(s->fs, s->upper, s->attr, s->attr_size);
	shale_real_drop_write(s->fs);
	return err;
}

static int sidecar_write(struct saving *s, const void *buf, size_t len, u64 page)
{
	ssize_t ret;

	shale_real_start_write(s->file);
	ret = shale_real_write_buf(s->file, buf, len, page * PAGE_BYTES);
	shale_real_end_write(s->file);
	if (ret < 0)
		return ret;
	return ret == len ? 0 : -EIO;
}

static int sidecar_sync(struct saving *s)
{
	return is_volatile(s) ? 0 : shale_real_fsync(s->file, 0, LLONG_MAX, true);
}

/* The groups of one round, as the map was before the data was written. */
#define ROUND_GROUPS 16

struct round {
	unsigned int nr;
	u64 page[ROUND_GROUPS];
	struct shale_disk_map_sector sectors[ROUND_GROUPS][GROUP_PAGES * SECTORS];
};

static u64 page_block(u64 page)
{
	return (page - 1) * SHALE_DISK_MAP_PAGE_BITS;
}

static void group_take(struct saving *s, u64 page, struct shale_disk_map_sector *ret_sectors)
{
	struct shale_map *map = s->parts->maps[0];
	unsigned int i;

	shale_map_changed_forget(map, page_block(page), page_block(page + GROUP_PAGES));
	for (i = 0; i < GROUP_PAGES; i++)
		shale_map_disk_page_encode(map, s->parts->head.id, page + i, &ret_sectors[i * SECTORS]);
}

/* False: there is no more that changed. What changes behind is of a later saving, or a busy file would have no end. */
static bool round_take(struct saving *s, struct round *round)
{
	const u64 end = SHALE_DISK_MAP_LIMIT_MAX >> SHALE_DISK_MAP_BLOCK_SHIFT;
	u64 page;

	round->nr = 0;
	while (round->nr < ROUND_GROUPS && shale_map_changed(s->parts->maps[0], s->next, end, &s->next)) {
		page = shale_map_disk_group(1 + div_u64(s->next, SHALE_DISK_MAP_PAGE_BITS));
		group_take(s, page, round->sectors[round->nr]);
		round->page[round->nr++] = page;
		s->next = page_block(page + GROUP_PAGES);
	}
	return round->nr;
}

/* A group is stable before the directory knows of it. */
static int groups_add(struct saving *s, const struct round *round)
{
	bool is_any = false;
	unsigned int i;
	int err;

	for (i = 0; i < round->nr; i++)
		is_any |= !shale_map_disk_dir_has(s->dir, round->page[i]);
	if (!is_any)
		return 0;
	err = sidecar_sync(s);
	if (err)
		return err;
	for (i = 0; i < round->nr; i++)
		shale_map_disk_dir_add(s->dir, round->page[i]);
	return sidecar_write(s, s->dir, PAGE_BYTES, 0);
}

static int round_write(struct saving *s, const struct round *round)
{
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < round->nr; i++)
		err = sidecar_write(s, round->sectors[i], GROUP_BYTES, round->page[i]);
	return err ?: groups_add(s, round);
}

static int rounds_write(struct saving *s)
{
	struct round *round = kvmalloc(sizeof(*round), GFP_KERNEL);
	int err = 0;

	if (!round)
		return -ENOMEM;
	while (!err && round_take(s, round)) {
		err = data_sync(s);
		if (!err)
			err = round_write(s, round);
	}
	kvfree(round);
	return err ?: sidecar_sync(s);
}

static struct file *sidecar_create(struct saving *s)
{
	const struct shale_newattr attr = { .mode = S_IFREG | 0600 };
	struct path path = { .mnt = shale_upper_layer(s->fs)->mnt };
	char text[17];
	const struct qstr name = QSTR_INIT(text, 16);
	struct file *file;
	int err;

	snprintf(text, sizeof(text), "%016llx", s->parts->head.id);
	err = shale_real_want_write(s->fs);
	if (err)
		return ERR_PTR(err);
	err = shale_real_create(s->fs, s->fs->mapdir, &name, &attr, &path.dentry);
	shale_real_drop_write(s->fs);
	if (err)
		return ERR_PTR(err);
	file = shale_real_open(&path, O_RDWR);
	dput(path.dentry);
	return file;
}

/* A map that became too long for the attribute. */
static int sidecar_begin(struct saving *s)
{
	s->parts->head.id = get_random_u64() | 1;
	shale_map_disk_dir_init(s->dir, s->parts->head.id);
	shale_map_changed_all(s->parts->maps[0]);
	s->file = sidecar_create(s);
	if (IS_ERR(s->file))
		return PTR_ERR(s->file);
	return sidecar_write(s, s->dir, PAGE_BYTES, 0);
}

static int sidecar_continue(struct saving *s)
{
	s->file = sidecar_open(shale_upper_layer(s->fs), s->parts->head.id, O_RDWR);
	if (IS_ERR(s->file))
		return PTR_ERR(s->file);
	return shale_real_read_buf(s->file, s->dir, PAGE_BYTES, 0) ?:
	       shale_map_disk_dir_check(s->dir, s->parts->head.id);
}

static int sidecar_save(struct saving *s, bool is_new)
{
	int err = is_new ? sidecar_begin(s) : sidecar_continue(s);

	if (!err)
		err = rounds_write(s);
	if (!IS_ERR(s->file))
		fput(s->file);
	if (err)
		return err;
	s->attr_size = shale_map_disk_encode(s->parts->maps[0], &s->parts->head, s->attr);
	return attr_write(s);
}

static void sidecar_remove(struct shale_fs *fs, u64 id)
{
	const struct shale_layer *layer = shale_upper_layer(fs);
	char name[ID_PATH_SIZE];
	struct dentry *dentry;

	if (shale_real_want_write(fs))
		return;
	id_path(id, name);
	dentry = shale_real_lookup_path(layer, name);
	if (!IS_ERR_OR_NULL(dentry)) {
		shale_real_unlink(fs, dentry);
		dput(dentry);
	}
	shale_real_drop_write(fs);
}

static int map_save_pages(struct saving *s)
{
	const bool is_new = !s->parts->head.id;
	int err = data_check(s, 0);

	/* It may go on failing, and is not to make a sidecar each time. */
	if (err)
		return err;
	err = -ENOMEM;
	s->dir = kmalloc(PAGE_BYTES, GFP_KERNEL);
	if (s->dir)
		err = sidecar_save(s, is_new);
	kfree(s->dir);
	/* What of it is on disk is not known; the next saving of a new one makes another. */
	if (err)
		shale_map_changed_all(s->parts->maps[0]);
	if (err && is_new) {
		sidecar_remove(s->fs, s->parts->head.id);
		s->parts->head.id = 0;
	}
	return err;
}

static int map_save(struct saving *s)
{
	int err;

	s->attr_size = -E2BIG;
	if (!s->parts->head.id)
		s->attr_size = shale_map_disk_encode(s->parts->maps[0], &s->parts->head, s->attr);
	if (s->attr_size < 0)
		return map_save_pages(s);
	err = is_volatile(s) ? 0 : data_check(s, shale_real_write_data(s->upper));
	if (!err)
		err = attr_write(s);
	/* The file's other attributes may have left no room but for that of a sidecar, which is never longer than the first. */
	return err == -ENOSPC && s->attr_size > sizeof(struct shale_disk_map) ? map_save_pages(s) : err;
}

static int save_locked(struct shale_parts *parts, struct saving *s)
{
	const u64 generation = shale_map_generation(parts->maps[0]);
	const u64 limit = shale_map_limit(parts->maps[0]);
	int err;

	/* Of a file without a name nobody reads it, see shale_mapio_forget(). */
	if (generation == parts->saved || !d_inode(s->upper)->i_nlink)
		return 0;
	err = map_save(s);
	if (!err) {
		/* Pairs with shale_mapio_saved(): what is synced then has the attribute. */
		smp_store_release(&parts->saved, generation);
		WRITE_ONCE(parts->saved_limit, limit);
	}
	return err;
}

int shale_mapio_flush(struct inode *inode)
{
	struct shale_parts *parts = shale_inode_parts(inode);
	struct saving *s;
	int err;

	if (!parts || !parts->upper ||
	    shale_map_generation(parts->maps[0]) == READ_ONCE(parts->saved))
		return 0;
	s = kzalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		return -ENOMEM;
	s->fs = SHALE_FS(inode->i_sb);
	s->parts = parts;
	s->upper = parts->upper;
	mutex_lock(&parts->save_lock);
	err = save_locked(parts, s);
	mutex_unlock(&parts->save_lock);
	kfree(s);
	return err;
}

u64 shale_mapio_saved(const struct inode *inode)
{
	const struct shale_parts *parts = shale_inode_parts(inode);

	return parts ? smp_load_acquire(&parts->saved) : 0;
}

void shale_mapio_synced(struct inode *inode, u64 saved)
{
	struct shale_parts *parts = shale_inode_parts(inode);

	if (parts)
		WRITE_ONCE(parts->synced, saved);
}

bool shale_mapio_is_synced(const struct inode *inode)
{
	const struct shale_parts *parts = shale_inode_parts(inode);

	return !parts || READ_ONCE(parts->synced) == shale_mapio_saved(inode);
}

static u64 sidecar_id(struct shale_fs *fs, struct inode *inode)
{
	struct shale_parts *parts = shale_inode_parts(inode);
	struct shale_path upper = { .layer = shale_upper_layer(fs), .dentry = shale_inode_upper(inode) };
	struct shale_map_head head;
	struct shale_map map;

	if (parts)
		return parts->head.id;
	if (attr_read(fs, &upper, &head, &map))
		return 0;
	shale_map_destroy(&map);
	return head.id;
}

static int attr_remove(struct saving *s)
{
	int err = shale_real_want_write(s->fs);

	if (err)
		return err;
	err = shale_real_set_map(s->fs, s->upper, NULL, 0);
	shale_real_drop_write(s->fs);
	return err == -ENODATA ? 0 : err;
}

/* Nothing of what is below shows any more, so the map never changes again and is not saved. */
static void map_end(struct shale_parts *parts)
{
	shale_map_limit_lower_to(parts->maps[0], 0);
	WRITE_ONCE(parts->saved, shale_map_generation(parts->maps[0]));
	WRITE_ONCE(parts->saved_limit, 0);
	parts->head.id = 0;
	clear_bit(SHALE_I_PARTIAL, &SHALE_I(parts->inode)->flags);
}

/*
 * The data is there before the attribute goes, and the attribute is gone before the sidecar that it leads to. Until
 * it is known to be gone, no sync may be one of data alone: after a crash the map that is still there would hide
 * that data.
 */
static int remove_locked(struct saving *s)
{
	unsigned long *flags = &SHALE_I(s->parts->inode)->flags;
	const u64 id = s->parts->head.id;
	int err;

	err = data_sync(s);
	if (err)
		return err;
	clear_bit(SHALE_I_SETTLED, flags);
	err = attr_remove(s);
	if (err)
		return err;
	map_end(s->parts);
	err = data_sync(s);
	if (err)
		return err;
	set_bit(SHALE_I_SETTLED, flags);
	if (id)
		sidecar_remove(s->fs, id);
	return 0;
}

int shale_mapio_remove(struct inode *inode)
{
	struct shale_parts *parts = shale_inode_parts(inode);
	struct saving *s = kzalloc(sizeof(*s), GFP_KERNEL);
	int err;

	if (!s)
		return -ENOMEM;
	s->fs = SHALE_FS(inode->i_sb);
	s->parts = parts;
	s->upper = parts->upper;
	mutex_lock(&parts->save_lock);
	err = remove_locked(s);
	mutex_unlock(&parts->save_lock);
	kfree(s);
	return err;
}

void shale_mapio_forget(struct inode *inode)
{
	struct shale_fs *fs = SHALE_FS(inode->i_sb);
	struct shale_parts *parts = shale_inode_parts(inode);
	struct dentry *upper = shale_inode_upper(inode);
	u64 id;

	if (!test_bit(SHALE_I_PARTIAL, &SHALE_I(inode)->flags) || !upper || d_inode(upper)->i_nlink)
		return;
	/* A saving that has begun ends before, and another does not begin. */
	if (parts)
		mutex_lock(&parts->save_lock);
	id = sidecar_id(fs, inode);
	if (id)
		sidecar_remove(fs, id);
	if (parts)
		mutex_unlock(&parts->save_lock);
}

/* Inodes whose map has changed. Each is held, so that it stays in memory until it is saved. */
void shale_mapio_dirty(struct inode *inode)
{
	struct shale_fs *fs = SHALE_FS(inode->i_sb);
	struct shale_parts *parts = shale_inode_parts(inode);
	bool is_first = false;

	/* Who takes it off the list after this sees the change: with the barrier of unsaved_take(). */
	smp_mb();
	if (!list_empty_careful(&parts->node))
		return;
	spin_lock(&fs->unsaved_lock);
	if (list_empty(&parts->node)) {
		is_first = list_empty(&fs->unsaved);
		ihold(inode);
		list_add_tail(&parts->node, &fs->unsaved);
	}
	spin_unlock(&fs->unsaved_lock);
	if (is_first)
		queue_delayed_work(system_unbound_wq, &fs->save_work, SHALE_MAPIO_SECONDS * HZ);
}

static struct shale_parts *unsaved_take(struct shale_fs *fs, struct list_head *list)
{
	struct shale_parts *parts;

	spin_lock(&fs->unsaved_lock);
	parts = list_first_entry_or_null(list, struct shale_parts, node);
	if (parts)
		list_del_init(&parts->node);
	spin_unlock(&fs->unsaved_lock);
	smp_mb();
	return parts;
}

/* Who syncs waits for who has begun: what is not on the list any more may not be saved yet. */
static int unsaved_save(struct shale_fs *fs, bool is_last)
{
	struct shale_parts *parts;
	LIST_HEAD(list);
	int err, ret = 0;

	mutex_lock(&fs->unsaved_mutex);
	spin_lock(&fs->unsaved_lock);
	list_splice_init(&fs->unsaved, &list);
	spin_unlock(&fs->unsaved_lock);
	while ((parts = unsaved_take(fs, &list))) {
		err = shale_mapio_flush(parts->inode);
		if (err) {
			pr_warn_ratelimited("the map of %pd2 could not be written (%d)\n",
					    shale_inode_upper(parts->inode), err);
			if (!is_last)
				shale_mapio_dirty(parts->inode);
			ret = ret ?: err;
		}
		iput(parts->inode);
	}
	mutex_unlock(&fs->unsaved_mutex);
	return ret;
}

int shale_mapio_flush_all(struct shale_fs *fs)
{
	const struct cred *old = shale_cred_begin(fs->sb);
	int err = unsaved_save(fs, false);

	shale_cred_end(old);
	return err;
}

static void save_later(struct work_struct *work)
{
	shale_mapio_flush_all(container_of(to_delayed_work(work), struct shale_fs, save_work));
}

void shale_mapio_init(struct shale_fs *fs)
{
	INIT_LIST_HEAD(&fs->unsaved);
	spin_lock_init(&fs->unsaved_lock);
	mutex_init(&fs->unsaved_mutex);
	INIT_DELAYED_WORK(&fs->save_work, save_later);
}

void shale_mapio_stop(struct shale_fs *fs)
{
	const struct cred *old;

	cancel_delayed_work_sync(&fs->save_work);
	old = shale_cred_begin(fs->sb);
	unsaved_save(fs, true);
	shale_cred_end(old);
}
