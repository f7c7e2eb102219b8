// SPDX-License-Identifier: GPL-2.0-only
/*
 * names.c - MODEL: which layers of a merged directory may have a name; see names.h.
 */
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/string.h>
#include <linux/stringhash.h>

#include <uapi/linux/shale.h>
#include <uapi/linux/shale_disk.h>

#include "names.h"

#define ROOM_MIN   64U
#define PREFIX_LEN (sizeof(AUFS_WHITEOUT_PREFIX) - 1)

static size_t names_size(unsigned int room)
{
	return sizeof(struct shale_names) + room * sizeof(u64);
}

static u64 pair_of(const char *name, unsigned int len, unsigned int place)
{
	return (u64)full_name_hash(NULL, name, len) << 32 | place;
}

static int draft_grow(struct shale_names_draft *draft)
{
	unsigned int room = draft->room ? draft->room * 2 : ROOM_MIN;
	struct shale_names *names;

	if (draft->room == SHALE_NAMES_MAX)
		return -E2BIG;
	names = kvmalloc(names_size(room), GFP_KERNEL_ACCOUNT);
	if (!names)
		return -ENOMEM;
	names->nr = 0;
	if (draft->names)
		memcpy(names, draft->names, names_size(draft->names->nr));
	kvfree(draft->names);
	draft->names = names;
	draft->room = room;
	return 0;
}

static void draft_put(struct shale_names_draft *draft, u64 pair)
{
	if (!draft->err && (!draft->names || draft->names->nr == draft->room))
		draft->err = draft_grow(draft);
	if (!draft->err)
		draft->names->pair[draft->names->nr++] = pair;
}

void shale_names_add(struct shale_names_draft *draft, unsigned int flags, const char *name, unsigned int len,
		     unsigned int place)
{
	draft_put(draft, pair_of(name, len, place));
	if ((flags & SHALE_LAYER_AUFS) && len > PREFIX_LEN && !memcmp(name, AUFS_WHITEOUT_PREFIX, PREFIX_LEN))
		draft_put(draft, pair_of(name + PREFIX_LEN, len - PREFIX_LEN, place));
}

static int compare_pairs(const void *a, const void *b)
{
	const u64 *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

struct shale_names *shale_names_finish(struct shale_names_draft *draft)
{
	int err = draft->err ?: draft->names ? 0 : draft_grow(draft);
	struct shale_names *names = draft->names;

	memset(draft, 0, sizeof(*draft));
	if (err) {
		kvfree(names);
		return ERR_PTR(err);
	}
	sort(names->pair, names->nr, sizeof(u64), compare_pairs, NULL);
	return names;
}

void shale_names_free(struct shale_names *names)
{
	kvfree(names);
}

/* How many pairs are less than PAIR. */
static unsigned int count_below(const struct shale_names *names, u64 pair)
{
	unsigned int low = 0, high = names->nr;

	while (low < high) {
		unsigned int middle = low + (high - low) / 2;

		if (names->pair[middle] < pair)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

unsigned int shale_names_next(const struct shale_names *names, const char *name, unsigned int len,
			      unsigned int from)
{
	u64 pair = pair_of(name, len, from);
	unsigned int at = count_below(names, pair);

	if (at == names->nr || names->pair[at] >> 32 != pair >> 32)
		return SHALE_NAMES_NONE;
	return (u32)names->pair[at];
}
