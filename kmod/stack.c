// SPDX-License-Identifier: GPL-2.0-only
/*
 * stack.c - MODEL: stacks of lower objects and the numbers that tell inodes apart. Pure: decides
 * without asking a filesystem, and is tested in user space. Stacks are filled by lookup.c and super.c.
 */
#include <linux/dcache.h>
#include <linux/hash.h>
#include <linux/slab.h>

#include "stack.h"

/* st_ino has 64 bits; the highest is left to numbers that do not fit the scheme. */
#define INO_BITS 63

struct shale_stack *shale_stack_alloc(unsigned int nr)
{
	struct shale_stack *stack = kvzalloc(struct_size(stack, path, nr), GFP_KERNEL);

	if (stack)
		stack->nr = nr;
	return stack;
}

void shale_stack_put(struct shale_stack *stack)
{
	unsigned int i;

	for (i = 0; stack && i < stack->nr; i++)
		dput(stack->path[i].dentry);
}

void shale_stack_free(struct shale_stack *stack)
{
	shale_stack_put(stack);
	kvfree(stack);
}

/* A number too large to carry its filesystem beside it is mixed with it: two of them could only meet
 * by chance, and none of them can meet one that fits. */
u64 shale_key_to_ino(const struct shale_key *key, unsigned int fsid_bits)
{
	unsigned int shift = INO_BITS - fsid_bits;

	if (!fsid_bits)
		return key->ino;
	if (!(key->ino >> shift))
		return key->ino | (u64)key->fsid << shift;
	return hash_64(key->ino ^ (u64)key->fsid << 32, 64) | 1ULL << INO_BITS;
}

bool shale_key_equal(const struct shale_key *a, const struct shale_key *b)
{
	return a->ino == b->ino && a->fsid == b->fsid;
}
