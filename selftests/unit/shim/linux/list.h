/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * list.h - doubly linked lists with the kernel's words, for MODEL files that are tested on the host.
 */
#ifndef SHIM_LINUX_LIST_H
#define SHIM_LINUX_LIST_H

#include <stddef.h>

struct list_head {
	struct list_head *next, *prev;
};

static inline void INIT_LIST_HEAD(struct list_head *head)
{
	head->next = head->prev = head;
}

static inline void shim_list_join(struct list_head *prev, struct list_head *next)
{
	prev->next = next;
	next->prev = prev;
}

static inline void list_add_tail(struct list_head *node, struct list_head *head)
{
	shim_list_join(head->prev, node);
	shim_list_join(node, head);
}

static inline void list_move_tail(struct list_head *node, struct list_head *head)
{
	shim_list_join(node->prev, node->next);
	list_add_tail(node, head);
}

static inline void list_splice_init(struct list_head *from, struct list_head *head)
{
	if (from->next != from) {
		shim_list_join(from->prev, head->next);
		shim_list_join(head, from->next);
	}
	INIT_LIST_HEAD(from);
}

#define list_entry(node, type, member) ((type *)((char *)(node) - offsetof(type, member)))

#define list_for_each_entry(e, head, member)                                           \
	for (e = list_entry((head)->next, __typeof__(*e), member); &e->member != (head); \
	     e = list_entry(e->member.next, __typeof__(*e), member))

#endif /* SHIM_LINUX_LIST_H */
