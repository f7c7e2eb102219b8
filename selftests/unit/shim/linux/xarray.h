/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * xarray.h - the kernel's XArray for MODEL files that are tested on the host: a radix tree of the same
 * shape, so that its memory is the kernel's too. Only what they use: entries are stored and replaced,
 * never erased. As there, reading takes no lock and storing takes the xarray's own.
 */
#ifndef SHIM_LINUX_XARRAY_H
#define SHIM_LINUX_XARRAY_H

#include <errno.h>
#include <pthread.h>

#include <linux/compiler.h>
#include <linux/slab.h>
#include <linux/types.h>

#define XA_FLAGS_ACCOUNT 0
#define XA_PRESENT	 8
#define XA_MARK_0	 0
#define SHIM_XA_SLOTS	 64

struct xarray {
	pthread_mutex_t lock;
	void *head; /* an entry, for index 0 only, or a node */
	bool is_head_marked;
};

/* The kernel's has a list, counts and marks beside the slots: 576 bytes. */
struct shim_xa_node {
	unsigned int shift;
	void *slots[SHIM_XA_SLOTS];
	unsigned long marks; /* of slots that are entries */
	unsigned long others[6];
};

_Static_assert(sizeof(struct shim_xa_node) == 576, "a node is as large as the kernel's");

static inline void *xa_mk_value(unsigned long value)
{
	return (void *)(value << 1 | 1);
}

static inline unsigned long xa_to_value(const void *entry)
{
	return (unsigned long)entry >> 1;
}

static inline bool xa_is_value(const void *entry)
{
	return (unsigned long)entry & 1;
}

/* Nodes and errors are told from entries by the second bit. */
static inline void *shim_xa_internal(unsigned long value)
{
	return (void *)(value | 2);
}

static inline bool shim_xa_is_internal(const void *entry)
{
	return ((unsigned long)entry & 3) == 2;
}

static inline struct shim_xa_node *shim_xa_to_node(const void *entry)
{
	return (void *)((unsigned long)entry - 2);
}

static inline int xa_err(const void *entry)
{
	return entry == shim_xa_internal(ENOMEM << 2) ? -ENOMEM : 0;
}

static inline void xa_init_flags(struct xarray *xa, unsigned int flags)
{
	(void)flags;
	pthread_mutex_init(&xa->lock, NULL);
	xa->head = NULL;
	xa->is_head_marked = false;
}

static inline bool shim_xa_covers(const void *head, unsigned long index)
{
	unsigned int shift;

	if (!shim_xa_is_internal(head))
		return !index;
	shift = shim_xa_to_node(head)->shift + 6;
	return shift >= 64 || !(index >> shift);
}

static inline void *xa_load(struct xarray *xa, unsigned long index)
{
	void *entry = READ_ONCE(xa->head);

	if (!shim_xa_covers(entry, index))
		return NULL;
	while (shim_xa_is_internal(entry)) {
		struct shim_xa_node *node = shim_xa_to_node(entry);

		entry = READ_ONCE(node->slots[index >> node->shift & (SHIM_XA_SLOTS - 1)]);
	}
	shim_race();
	return entry;
}

static inline struct shim_xa_node *shim_xa_node_new(void **slot, unsigned int shift, void *first,
						    bool first_is_marked)
{
	struct shim_xa_node *node = kzalloc(sizeof(*node), GFP_NOFS);

	if (!node)
		return NULL;
	node->shift = shift;
	node->slots[0] = first;
	node->marks = first_is_marked;
	WRITE_ONCE(*slot, shim_xa_internal((unsigned long)node));
	return node;
}

/* The slot of INDEX, with the nodes above it made. */
static inline void **shim_xa_slot(struct xarray *xa, unsigned long index)
{
	void **slot = &xa->head;
	unsigned int shift;

	while (!shim_xa_covers(*slot, index)) {
		shift = shim_xa_is_internal(*slot) ? shim_xa_to_node(*slot)->shift + 6 : 0;
		if (!shim_xa_node_new(slot, shift, *slot, !shift && xa->is_head_marked))
			return NULL;
	}
	if (!shim_xa_is_internal(*slot))
		return slot;
	for (shift = shim_xa_to_node(*slot)->shift;; shift -= 6) {
		slot = &shim_xa_to_node(*slot)->slots[index >> shift & (SHIM_XA_SLOTS - 1)];
		if (!shift)
			return slot;
		if (!*slot && !shim_xa_node_new(slot, shift - 6, NULL, false))
			return NULL;
	}
}

static inline void *xa_store(struct xarray *xa, unsigned long index, void *entry, unsigned int gfp)
{
	void **slot, *old;

	(void)gfp;
	pthread_mutex_lock(&xa->lock);
	slot = shim_xa_slot(xa, index);
	old = slot ? *slot : shim_xa_internal(ENOMEM << 2);
	if (slot)
		WRITE_ONCE(*slot, entry);
	pthread_mutex_unlock(&xa->lock);
	return old;
}

static inline void shim_xa_mark(struct xarray *xa, unsigned long index, bool is_marked)
{
	void *entry;

	pthread_mutex_lock(&xa->lock);
	entry = xa->head;
	if (!shim_xa_is_internal(entry))
		xa->is_head_marked = is_marked;
	while (shim_xa_is_internal(entry)) {
		struct shim_xa_node *node = shim_xa_to_node(entry);
		unsigned int slot = index >> node->shift & (SHIM_XA_SLOTS - 1);

		entry = node->slots[slot];
		if (!node->shift && is_marked)
			node->marks |= 1UL << slot;
		else if (!node->shift)
			node->marks &= ~(1UL << slot);
	}
	pthread_mutex_unlock(&xa->lock);
}

static inline void xa_set_mark(struct xarray *xa, unsigned long index, unsigned int mark)
{
	(void)mark;
	shim_xa_mark(xa, index, true);
}

static inline void xa_clear_mark(struct xarray *xa, unsigned long index, unsigned int mark)
{
	(void)mark;
	shim_xa_mark(xa, index, false);
}

/* From *INDEX on within the node; without success *INDEX is behind the node, or above MAX. */
static inline void *shim_xa_find_in(struct shim_xa_node *node, unsigned long *index,
				    unsigned long max, unsigned int filter)
{
	for (unsigned int i = *index >> node->shift & (SHIM_XA_SLOTS - 1);
	     i < SHIM_XA_SLOTS && *index <= max; i++) {
		void *entry = READ_ONCE(node->slots[i]);

		if (entry && node->shift) {
			entry = shim_xa_find_in(shim_xa_to_node(entry), index, max, filter);
		} else if (!entry || (filter == XA_MARK_0 && !(node->marks >> i & 1))) {
			entry = NULL;
			*index = ((*index >> node->shift) + 1) << node->shift;
		}
		if (entry)
			return entry;
	}
	return NULL;
}

static inline void *xa_find(struct xarray *xa, unsigned long *index, unsigned long max,
			    unsigned int filter)
{
	void *entry = READ_ONCE(xa->head);
	unsigned long at = *index;

	if (!shim_xa_covers(entry, at) || at > max)
		return NULL;
	if (shim_xa_is_internal(entry))
		entry = shim_xa_find_in(shim_xa_to_node(entry), &at, max, filter);
	else if (filter == XA_MARK_0 && !xa->is_head_marked)
		entry = NULL;
	if (entry)
		*index = at;
	return entry;
}

#define xa_for_each(xa, index, entry)                                                       \
	for ((index) = 0; ((entry) = xa_find(xa, &(index), ~0UL, XA_PRESENT)); (index)++)

static inline void shim_xa_free(void *entry)
{
	struct shim_xa_node *node = shim_xa_to_node(entry);

	for (unsigned int i = 0; node->shift && i < SHIM_XA_SLOTS; i++)
		if (node->slots[i])
			shim_xa_free(node->slots[i]);
	kfree(node);
}

static inline void xa_destroy(struct xarray *xa)
{
	if (shim_xa_is_internal(xa->head))
		shim_xa_free(xa->head);
	pthread_mutex_destroy(&xa->lock);
}

#endif /* SHIM_LINUX_XARRAY_H */
