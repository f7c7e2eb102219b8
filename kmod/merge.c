// SPDX-License-Identifier: GPL-2.0-only
/*
 * merge.c - MODEL: the names of a merged directory; see merge.h. Reading the layers' directories and
 * looking at what may be a whiteout is readdir.c's work.
 *
 * A directory of a thousand names is listed often, so a name costs one hash and one copy: entries are
 * packed into chunks and are never freed one by one.
 */
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/stringhash.h>

#include <uapi/linux/shale.h>
#include <uapi/linux/shale_disk.h>

#include "merge.h"

#define CHUNK_SIZE	 4096
#define BUCKET_BITS_MIN	 5
#define BUCKET_BITS_MAX	 18
#define PREFIX_LEN	 (sizeof(AUFS_WHITEOUT_PREFIX) - 1)

struct shale_merge_chunk {
	struct shale_merge_chunk *next;
	size_t used; /* of CHUNK_SIZE, this header included */
};

static size_t entry_size(unsigned int len)
{
	return ALIGN(offsetof(struct shale_merge_entry, name) + len, sizeof(u64));
}

static struct shale_merge_entry *entry_alloc(struct shale_merge *m, unsigned int len)
{
	struct shale_merge_chunk *chunk = m->chunks;
	size_t size = entry_size(len);

	if (!chunk || chunk->used + size > CHUNK_SIZE) {
		chunk = kmalloc(CHUNK_SIZE, GFP_KERNEL_ACCOUNT);
		if (!chunk)
			return NULL;
		chunk->next = m->chunks;
		chunk->used = ALIGN(sizeof(*chunk), sizeof(u64));
		m->chunks = chunk;
	}
	chunk->used += size;
	return (void *)chunk + chunk->used - size;
}

static struct shale_merge_entry **bucket_of(struct shale_merge *m, u32 hash)
{
	return &m->buckets[hash & ((1U << m->bucket_bits) - 1)];
}

static struct shale_merge_entry *entry_find(struct shale_merge *m, const char *name,
					    unsigned int len, u32 hash)
{
	struct shale_merge_entry *e;

	for (e = *bucket_of(m, hash); e; e = e->next)
		if (e->hash == hash && e->len == len && !memcmp(e->name, name, len))
			return e;
	return NULL;
}

static void entry_hash(struct shale_merge *m, struct shale_merge_entry *e)
{
	struct shale_merge_entry **bucket = bucket_of(m, e->hash);

	e->next = *bucket;
	*bucket = e;
}

static struct shale_merge_entry **buckets_alloc(unsigned int bits)
{
	return kvcalloc(1U << bits, sizeof(struct shale_merge_entry *), GFP_KERNEL);
}

/* Failing to grow only makes the chains longer. */
static void buckets_grow(struct shale_merge *m)
{
	unsigned int bits = m->bucket_bits + 2;
	struct shale_merge_entry **buckets, *e;

	if (m->bucket_bits >= BUCKET_BITS_MAX)
		return;
	buckets = buckets_alloc(bits);
	if (!buckets)
		return;
	kvfree(m->buckets);
	m->buckets = buckets;
	m->bucket_bits = bits;
	list_for_each_entry(e, &m->entries, node)
		entry_hash(m, e);
	list_for_each_entry(e, &m->layer_entries, node)
		entry_hash(m, e);
}

int shale_merge_init(struct shale_merge *m)
{
	memset(m, 0, sizeof(*m));
	INIT_LIST_HEAD(&m->entries);
	INIT_LIST_HEAD(&m->layer_entries);
	m->bucket_bits = BUCKET_BITS_MIN;
	m->buckets = buckets_alloc(m->bucket_bits);
	return m->buckets ? 0 : -ENOMEM;
}

void shale_merge_finish(struct shale_merge *m)
{
	kvfree(m->buckets);
	m->buckets = NULL;
}

void shale_merge_release(struct shale_merge *m)
{
	struct shale_merge_chunk *chunk = m->chunks, *next;

	for (; chunk; chunk = next) {
		next = chunk->next;
		kfree(chunk);
	}
	m->chunks = NULL;
	shale_merge_finish(m);
}

void shale_merge_layer_begin(struct shale_merge *m, unsigned int flags)
{
	m->flags = flags;
	m->nr_suspects = 0;
}

void shale_merge_layer_end(struct shale_merge *m)
{
	list_splice_init(&m->layer_entries, &m->entries);
	m->layer++;
}

bool shale_merge_is_suspect(unsigned int flags, unsigned int type)
{
	if (!(flags & SHALE_LAYER_OVERLAY))
		return false;
	return type == DT_CHR || type == DT_UNKNOWN ||
	       (type == DT_REG && (flags & SHALE_MERGE_XWHITEOUTS));
}

void shale_merge_settle(struct shale_merge *m, struct shale_merge_entry *e, bool is_whiteout)
{
	if (!e->is_suspect)
		return;
	e->is_suspect = false;
	e->is_hidden = is_whiteout;
	m->nr_suspects--;
}

static void entry_describe(struct shale_merge *m, struct shale_merge_entry *e, u64 ino,
			   unsigned int type, bool is_whiteout)
{
	e->ino = ino;
	e->type = type;
	e->is_hidden = is_whiteout;
	e->is_suspect = !is_whiteout && shale_merge_is_suspect(m->flags, type);
	m->nr_suspects += e->is_suspect;
}

static int entry_insert(struct shale_merge *m, const char *name, unsigned int len, u32 hash,
			u64 ino, unsigned int type, bool is_whiteout)
{
	struct shale_merge_entry *e = entry_alloc(m, len);

	if (!e)
		return -ENOMEM;
	e->hash = hash;
	e->layer = m->layer;
	e->len = len;
	memcpy(e->name, name, len);
	entry_describe(m, e, ino, type, is_whiteout);
	list_add_tail(&e->node, &m->layer_entries);
	entry_hash(m, e);
	if (++m->nr > 2U << m->bucket_bits)
		buckets_grow(m);
	return 0;
}

static bool has_prefix(const char *name, unsigned int len)
{
	return len >= PREFIX_LEN && !memcmp(name, AUFS_WHITEOUT_PREFIX, PREFIX_LEN);
}

static bool is_private(unsigned int flags, const char *name, unsigned int len)
{
	return (flags & SHALE_MERGE_ROOT) && len == sizeof(SHALE_PRIVATE_DIR) - 1 &&
	       !memcmp(name, SHALE_PRIVATE_DIR, len);
}

static bool is_dots(const char *name, unsigned int len)
{
	return len == 1 || (len == 2 && name[1] == '.');
}

bool shale_merge_is_format_name(unsigned int flags, const char *name, unsigned int len)
{
	return name[0] == '.' && (is_private(flags, name, len) ||
				  ((flags & SHALE_LAYER_AUFS) && has_prefix(name, len)));
}

int shale_merge_add(struct shale_merge *m, const char *name, unsigned int len, u64 ino,
		    unsigned int type)
{
	struct shale_merge_entry *e;
	bool is_whiteout = false;
	u32 hash;

	if (name[0] == '.') {
		if (is_dots(name, len) || is_private(m->flags, name, len))
			return 0;
		is_whiteout = (m->flags & SHALE_LAYER_AUFS) && has_prefix(name, len);
	}
	if (is_whiteout) {
		name += PREFIX_LEN;
		len -= PREFIX_LEN;
		/* ".wh..wh.X" are AUFS's own marks; they delete no name. */
		if (!len || has_prefix(name, len))
			return 0;
	}

	hash = full_name_hash(NULL, name, len);
	e = entry_find(m, name, len, hash);
	if (!e)
		return entry_insert(m, name, len, hash, ino, type, is_whiteout);
	if (e->layer != m->layer)
		list_move_tail(&e->node, &m->layer_entries);
	else if (e->is_hidden && !is_whiteout)
		/* A layer with the whiteout and the name replaces the name. */
		entry_describe(m, e, ino, type, false);
	return 0;
}
