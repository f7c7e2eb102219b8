// SPDX-License-Identifier: GPL-2.0-only
/*
 * narrow.c - FACE: which lower layers a search need not ask. A directory that many layers have is searched in each of
 * them for a name that none has, or only the lowest. So the names of its lower directories, which do not change, are
 * made a set (names.c) and kept with the inode, and then only layers are asked that may have the name. Called by
 * lookup.c, and by readdir.c, which has all the names when it lists such a directory.
 *
 * Reading a directory costs more than looking for one name in it. So the set is made when searches that found nothing
 * have cost as much as making it would: what is searched once pays for it at most twice, and what is searched
 * often pays for it once.
 */
#include "names.h"
#include "real.h"
#include "shale.h"

/*
 * In looks that find nothing, by `make bench` (layers): a small directory of one layer, and so many bytes of a
 * larger one.
 */
#define PRICE_SMALL  2
#define SMALL_BYTES  4096
#define PRICE_BYTES  1024
#define PATIENCE_MAX (1 << 30)

struct reader {
	struct dir_context ctx;
	struct shale_names_draft *draft;
	const struct shale_layer *layer;
	unsigned int place;
};

static bool take_name(struct dir_context *ctx, const char *name, int len, loff_t pos, u64 ino,
		      unsigned int type)
{
	struct reader *reader = container_of(ctx, struct reader, ctx);

	shale_names_add(reader->draft, reader->layer->flags, name, len, reader->place);
	return !reader->draft->err;
}

static struct shale_names *names_read(const struct shale_stack *lower)
{
	struct shale_names_draft draft = {};
	unsigned int i;

	for (i = 0; i < lower->nr && !draft.err; i++) {
		const struct path path = shale_path_real(lower->path[i]);
		struct reader reader = { .ctx.actor = take_name, .draft = &draft,
					 .layer = lower->path[i].layer, .place = i };
		int err = shale_real_names_walk(&path, &reader.ctx);

		draft.err = draft.err ?: err;
	}
	return shale_names_finish(&draft);
}

/* What making the set costs. */
static int price_of(const struct shale_stack *lower)
{
	u64 price = 0;
	unsigned int i;

	for (i = 0; i < lower->nr; i++) {
		loff_t size = i_size_read(d_inode(lower->path[i].dentry));

		price += PRICE_SMALL + max_t(loff_t, size - SMALL_BYTES, 0) / PRICE_BYTES;
	}
	return min_t(u64, price, PATIENCE_MAX);
}

static void names_make(struct inode *dir)
{
	struct shale_inode *si = SHALE_I(dir);
	struct shale_names *names;

	/* Who makes a name asks under the lock. */
	if (!mutex_trylock(&si->lock))
		return;
	if (!si->names) {
		names = names_read(si->lower);
		shale_narrow_set(dir, names);
	}
	mutex_unlock(&si->lock);
}

void shale_narrow_set(struct inode *dir, struct shale_names *names)
{
	struct shale_inode *si = SHALE_I(dir);

	lockdep_assert_held(&si->lock);
	if (!IS_ERR(names))
		smp_store_release(&si->names, names);
	else if (PTR_ERR(names) == -E2BIG)
		WRITE_ONCE(si->patience, PATIENCE_MAX);
	else
		WRITE_ONCE(si->patience, 0);
}

/* The count is not exact where several search at once, and need not be. */
void shale_narrow_missed(struct inode *dir, unsigned int nr)
{
	struct shale_inode *si = SHALE_I(dir);
	int patience = READ_ONCE(si->patience);

	if (!nr || si->lower->nr < 2 || patience == PATIENCE_MAX || smp_load_acquire(&si->names))
		return;
	if (!patience)
		patience = price_of(si->lower);
	patience = max_t(int, patience - (int)nr, 1);
	WRITE_ONCE(si->patience, patience);
	if (patience == 1)
		names_make(dir);
}

unsigned int shale_narrow_next(const struct inode *dir, const struct qstr *name, unsigned int from)
{
	const struct shale_names *names = smp_load_acquire(&SHALE_I(dir)->names);

	return names ? shale_names_next(names, name->name, name->len, from) : from;
}
