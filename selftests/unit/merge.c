// SPDX-License-Identifier: GPL-2.0-only
/*
 * The names of a merged directory, kmod/merge.c, on the host: which names show and which layer's they
 * are, by rules one at a time and against a slow twin that follows the definition; the order; running
 * out of memory at every point. Reading real directories is tested in selftests/fs/readdir.
 */
#include "ktap.h"

#include <stdio.h>
#include <stdlib.h>
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/stringhash.h>

#include "merge.h"

#include <uapi/linux/shale.h>

long shim_alloc_left = -1;
bool shim_hash_is_bad;

#define BOTH (SHALE_LAYER_AUFS | SHALE_LAYER_OVERLAY)

/* One thing in a layer's directory. "w" after it: a char device 0:0. */
struct thing {
	char name[32];
	unsigned char type;
	bool is_device_whiteout;
};

struct layer {
	unsigned int flags, nr;
	struct thing thing[32];
};

static u64 ino_of(unsigned int layer, unsigned int i)
{
	return (layer + 1) * 1000 + i;
}

static bool is_whiteout(const struct layer *layer, const char *name, unsigned int len)
{
	for (unsigned int i = 0; i < layer->nr; i++)
		if (strlen(layer->thing[i].name) == len && !memcmp(layer->thing[i].name, name, len))
			return layer->thing[i].is_device_whiteout;
	return false;
}

/* Does what readdir.c does with the layers; the result of the first call that fails. */
static int merge_layers(struct shale_merge *m, const struct layer *layers, unsigned int nr)
{
	struct shale_merge_entry *e;
	int err = shale_merge_init(m);

	for (unsigned int l = 0; !err && l < nr; l++) {
		shale_merge_layer_begin(m, layers[l].flags);
		for (unsigned int i = 0; !err && i < layers[l].nr; i++) {
			const struct thing *t = &layers[l].thing[i];

			err = shale_merge_add(m, t->name, strlen(t->name), ino_of(l, i), t->type);
		}
		list_for_each_entry(e, &m->layer_entries, node)
			shale_merge_settle(m, e, is_whiteout(&layers[l], e->name, e->len));
		EXPECT_EQ(m->nr_suspects, 0);
		shale_merge_layer_end(m);
	}
	if (!err)
		shale_merge_finish(m);
	return err;
}

/* The names that show, in their order, each with the layer it is of: "a0 b1 ". */
static const char *shown(const struct layer *layers, unsigned int nr)
{
	static char text[4096];
	struct shale_merge_entry *e;
	struct shale_merge m;
	int len = 0;

	ASSERT_EQ(merge_layers(&m, layers, nr), 0);
	text[0] = '\0';
	list_for_each_entry(e, &m.entries, node)
		if (!e->is_hidden)
			len += snprintf(text + len, sizeof(text) - len, "%.*s%u ", e->len, e->name,
					e->layer);
	shale_merge_release(&m);
	return text;
}

struct merge_case {
	struct ktap_row row;
	unsigned int nr;
	struct layer layer[3];
	const char *want;
};

#define ROW(NAME, DESC) .row = {.name = NAME, .desc = DESC}

static const struct merge_case merge_cases[] = {
	{ ROW("union", "names of all layers show once, the topmost's"), 2,
	  { { BOTH, 2, { { "a", DT_REG }, { "b", DT_REG } } },
	    { BOTH, 2, { { "b", DT_REG }, { "c", DT_REG } } } },
	  "b0 c1 a0 " },
	{ ROW("dots", "\".\" and \"..\" are not names, \"...\" is"), 1,
	  { { BOTH, 3, { { ".", DT_DIR }, { "..", DT_DIR }, { "...", DT_REG } } } },
	  "...0 " },
	{ ROW("private_root", "the private directory is hidden at a layer's root"), 1,
	  { { BOTH | SHALE_MERGE_ROOT, 2, { { ".shale", DT_DIR }, { ".shalex", DT_DIR } } } },
	  ".shalex0 " },
	{ ROW("private_below", "a directory of that name shows elsewhere"), 1,
	  { { BOTH, 1, { { ".shale", DT_DIR } } } },
	  ".shale0 " },
	{ ROW("device", "a device 0:0 hides the name below and itself"), 2,
	  { { BOTH, 1, { { "a", DT_CHR, true } } }, { BOTH, 1, { { "a", DT_REG } } } },
	  "" },
	{ ROW("device_other", "another character device shows"), 2,
	  { { BOTH, 1, { { "a", DT_CHR } } }, { BOTH, 1, { { "a", DT_REG } } } },
	  "a0 " },
	{ ROW("device_unread", "a device 0:0 shows where overlay's whiteouts are not read"), 1,
	  { { SHALE_LAYER_AUFS, 1, { { "a", DT_CHR, true } } } },
	  "a0 " },
	{ ROW("device_unknown", "a device 0:0 of unknown type hides too"), 2,
	  { { BOTH, 1, { { "a", DT_UNKNOWN, true } } }, { BOTH, 1, { { "a", DT_REG } } } },
	  "" },
	{ ROW("xwhiteout", "a regular file may be a whiteout in a directory marked so"), 2,
	  { { BOTH | SHALE_MERGE_XWHITEOUTS, 2, { { "a", DT_REG, true }, { "b", DT_REG } } },
	    { BOTH, 1, { { "a", DT_REG } } } },
	  "b0 " },
	{ ROW("xwhiteout_unmarked", "and not in any other"), 1,
	  { { BOTH, 1, { { "a", DT_REG, true } } } },
	  "a0 " },
	{ ROW("aufs", "\".wh.a\" hides \"a\" below and itself"), 2,
	  { { BOTH, 1, { { ".wh.a", DT_REG } } },
	    { BOTH, 2, { { "a", DT_REG }, { "b", DT_REG } } } },
	  "b1 " },
	{ ROW("aufs_above", "and not above"), 2,
	  { { BOTH, 1, { { "a", DT_REG } } }, { BOTH, 1, { { ".wh.a", DT_REG } } } },
	  "a0 " },
	{ ROW("aufs_unread", "\".wh.a\" is a name where AUFS's whiteouts are not read"), 2,
	  { { SHALE_LAYER_OVERLAY, 1, { { ".wh.a", DT_REG } } },
	    { SHALE_LAYER_OVERLAY, 1, { { "a", DT_REG } } } },
	  "a1 .wh.a0 " },
	{ ROW("aufs_and_name", "a layer with \".wh.a\" and then \"a\" has \"a\""), 2,
	  { { BOTH, 2, { { ".wh.a", DT_REG }, { "a", DT_DIR } } },
	    { BOTH, 1, { { "a", DT_REG } } } },
	  "a0 " },
	{ ROW("name_and_aufs", "a layer with \"a\" and then \".wh.a\" has \"a\""), 2,
	  { { BOTH, 2, { { "a", DT_DIR }, { ".wh.a", DT_REG } } },
	    { BOTH, 1, { { "a", DT_REG } } } },
	  "a0 " },
	{ ROW("aufs_and_device", "a layer with \".wh.a\" and a device 0:0 \"a\" has no \"a\""), 2,
	  { { BOTH, 2, { { ".wh.a", DT_REG }, { "a", DT_CHR, true } } },
	    { BOTH, 1, { { "a", DT_REG } } } },
	  "" },
	{ ROW("aufs_marks", "AUFS's own marks show nowhere and delete nothing"), 2,
	  { { BOTH, 3, { { ".wh..wh..opq", DT_REG }, { ".wh..wh.plnk", DT_DIR }, { ".wh.", DT_REG } } },
	    { BOTH, 2, { { ".opq", DT_REG }, { "plnk", DT_REG } } } },
	  ".opq1 plnk1 " },
	{ ROW("aufs_mark_unread", "nor do they hide what begins like them below"), 2,
	  { { BOTH, 1, { { ".wh..wh.plnk", DT_DIR } } },
	    { SHALE_LAYER_OVERLAY, 1, { { ".wh.plnk", DT_REG } } } },
	  ".wh.plnk1 " },
	{ ROW("aufs_unknown", "\".wh.a\" of unknown type hides too"), 2,
	  { { BOTH, 1, { { ".wh.a", DT_UNKNOWN } } }, { BOTH, 1, { { "a", DT_REG } } } },
	  "" },
	{ ROW("deleted_keeps_place", "deleting a lower name moves no other"), 2,
	  { { BOTH, 2, { { "b", DT_CHR, true }, { "new", DT_REG } } },
	    { BOTH, 3, { { "a", DT_REG }, { "b", DT_REG }, { "c", DT_REG } } } },
	  "a1 c1 new0 " },
	{ ROW("order_three", "the lowest layer's names come first"), 3,
	  { { BOTH, 2, { { "u", DT_REG }, { "m", DT_REG } } },
	    { BOTH, 2, { { "m", DT_REG }, { "l", DT_REG } } },
	    { BOTH, 2, { { "z", DT_REG }, { "l", DT_REG } } } },
	  "z2 l1 m0 u0 " },
};

TEST_TABLE(rules, struct merge_case, merge_cases, c)
{
	EXPECT_STREQ(shown(c->layer, c->nr), c->want);
}

static const char *const through_hidden[] = { ".wh.a", ".wh..wh..opq", ".wh." };
static const char *const through_shown[] = { "a", "wh.a", ".wha", ".", "..", ".shalex" };

TEST(read_through, "a directory of one layer hides the same marks")
{
	unsigned int root = BOTH | SHALE_MERGE_ROOT;

	for (size_t i = 0; i < sizeof(through_hidden) / sizeof(*through_hidden); i++)
		EXPECT(shale_merge_is_format_name(BOTH, through_hidden[i], strlen(through_hidden[i])));
	for (size_t i = 0; i < sizeof(through_shown) / sizeof(*through_shown); i++)
		EXPECT(!shale_merge_is_format_name(root, through_shown[i], strlen(through_shown[i])));
	EXPECT(!shale_merge_is_format_name(SHALE_LAYER_OVERLAY, ".wh.a", 5));
	EXPECT(shale_merge_is_format_name(SHALE_MERGE_ROOT, ".shale", 6));
	EXPECT(!shale_merge_is_format_name(BOTH, ".shale", 6));
}

/*
 * The slow twin. A name shows if the topmost layer that says something about it has it; a layer says
 * "deleted" by either whiteout, unless it also has the name.
 */
static bool twin_has(const struct layer *layer, const char *name)
{
	for (unsigned int i = 0; i < layer->nr; i++)
		if (!strcmp(layer->thing[i].name, name))
			return !((layer->flags & SHALE_LAYER_OVERLAY) &&
				 layer->thing[i].is_device_whiteout);
	return false;
}

static bool twin_deletes(const struct layer *layer, const char *name)
{
	for (unsigned int i = 0; i < layer->nr; i++) {
		const struct thing *t = &layer->thing[i];

		if (!strcmp(t->name, name) && t->is_device_whiteout &&
		    (layer->flags & SHALE_LAYER_OVERLAY))
			return true;
		if ((layer->flags & SHALE_LAYER_AUFS) && !strncmp(t->name, ".wh.", 4) &&
		    !strcmp(t->name + 4, name))
			return true;
	}
	return false;
}

static bool twin_is_mark(const struct layer *layer, const char *name)
{
	return (layer->flags & SHALE_LAYER_AUFS) && !strncmp(name, ".wh.", 4);
}

/* The layer NAME shows from, or -1. */
static int twin_lookup(const struct layer *layers, unsigned int nr, const char *name)
{
	for (unsigned int l = 0; l < nr; l++) {
		if (twin_is_mark(&layers[l], name))
			continue;
		if (twin_has(&layers[l], name))
			return l;
		if (twin_deletes(&layers[l], name))
			return -1;
	}
	return -1;
}

static void random_layer(struct layer *layer)
{
	static const unsigned int flags[] = { BOTH, SHALE_LAYER_AUFS, SHALE_LAYER_OVERLAY, BOTH };

	layer->flags = flags[rand() % 4];
	layer->nr = 0;
	for (char c = 'a'; c < 'k'; c++) {
		struct thing *t = &layer->thing[layer->nr];

		if (rand() % 2) {
			*t = (struct thing) { .type = rand() % 2 ? DT_REG : DT_DIR };
			snprintf(t->name, sizeof(t->name), "%c", c);
			if (rand() % 3 == 0) {
				t->type = rand() % 2 ? DT_CHR : DT_UNKNOWN;
				t->is_device_whiteout = rand() % 2;
			}
			layer->nr++;
		}
		if (rand() % 4 == 0) {
			t = &layer->thing[layer->nr++];
			*t = (struct thing) { .type = DT_REG };
			snprintf(t->name, sizeof(t->name), ".wh.%c", c);
		}
	}
}

static void shuffle(struct layer *layer)
{
	for (unsigned int i = layer->nr; i > 1; i--) {
		unsigned int j = rand() % i;
		struct thing t = layer->thing[i - 1];

		layer->thing[i - 1] = layer->thing[j];
		layer->thing[j] = t;
	}
}

static void compare_with_twin(const struct layer *layers, unsigned int nr)
{
	struct shale_merge_entry *e;
	struct shale_merge m;
	char name[64];
	int count = 0, want = 0;

	ASSERT_EQ(merge_layers(&m, layers, nr), 0);
	list_for_each_entry(e, &m.entries, node) {
		if (e->is_hidden)
			continue;
		snprintf(name, sizeof(name), "%.*s", e->len, e->name);
		EXPECT_EQ(e->layer, twin_lookup(layers, nr, name));
		EXPECT_STREQ(layers[e->layer].thing[e->ino % 1000].name, name);
		EXPECT_EQ(layers[e->layer].thing[e->ino % 1000].type, e->type);
		count++;
	}
	for (char c = 'a'; c < 'k'; c++) {
		snprintf(name, sizeof(name), "%c", c);
		want += twin_lookup(layers, nr, name) >= 0;
		snprintf(name, sizeof(name), ".wh.%c", c);
		want += twin_lookup(layers, nr, name) >= 0;
	}
	EXPECT_EQ(count, want);
	shale_merge_release(&m);
}

static void compare_random(unsigned int rounds)
{
	struct layer layers[5];

	for (unsigned int seed = 0; seed < rounds && !ktap_has_failed(); seed++) {
		unsigned int nr;

		srand(seed);
		nr = 1 + rand() % 5;
		for (unsigned int l = 0; l < nr; l++) {
			random_layer(&layers[l]);
			shuffle(&layers[l]);
		}
		compare_with_twin(layers, nr);
		if (ktap_has_failed())
			ktap_note("seed %u", seed);
	}
}

TEST(twin, "10,000 random stacks show what the definition says")
{
	compare_random(10000);
}

TEST(twin_colliding, "and when all names have the same hash")
{
	shim_hash_is_bad = true;
	compare_random(1000);
}

TEST(many, "200,000 names in two layers are merged, each in its place")
{
	const unsigned int nr = 100000;
	struct shale_merge_entry *e;
	struct shale_merge m;
	unsigned int count = 0;
	char name[32];

	ASSERT_EQ(shale_merge_init(&m), 0);
	for (unsigned int l = 0; l < 2; l++) {
		shale_merge_layer_begin(&m, BOTH);
		for (unsigned int i = 0; i < nr; i++) {
			snprintf(name, sizeof(name), "name-%u", i + l * nr / 2);
			ASSERT_EQ(shale_merge_add(&m, name, strlen(name), i, DT_REG), 0);
		}
		shale_merge_layer_end(&m);
	}
	shale_merge_finish(&m);
	EXPECT_EQ(m.nr, nr * 3 / 2);
	list_for_each_entry(e, &m.entries, node) {
		unsigned int want = count < nr ? count + nr / 2 : count - nr;

		snprintf(name, sizeof(name), "name-%u", want);
		EXPECT(e->len == strlen(name) && !memcmp(e->name, name, e->len));
		count++;
	}
	EXPECT_EQ(count, nr * 3 / 2);
	shale_merge_release(&m);
}

TEST(longest, "a name of 255 bytes is kept whole, and so is its whiteout")
{
	struct shale_merge_entry *e;
	struct shale_merge m;
	char name[256], whiteout[256] = ".wh.";

	memset(name, 'n', 255);
	memset(whiteout + 4, 'w', 251);
	ASSERT_EQ(shale_merge_init(&m), 0);
	shale_merge_layer_begin(&m, BOTH);
	ASSERT_EQ(shale_merge_add(&m, name, 255, 1, DT_REG), 0);
	ASSERT_EQ(shale_merge_add(&m, whiteout, 255, 2, DT_REG), 0);
	shale_merge_layer_end(&m);
	e = list_entry(m.entries.next, struct shale_merge_entry, node);
	EXPECT(e->len == 255 && !memcmp(e->name, name, 255) && !e->is_hidden);
	e = list_entry(e->node.next, struct shale_merge_entry, node);
	EXPECT(e->len == 251 && !memcmp(e->name, whiteout + 4, 251) && e->is_hidden);
	shale_merge_release(&m);
}

TEST(no_memory, "running out of memory at any point is ENOMEM and loses nothing")
{
	const struct layer *layers = merge_cases[0].layer;
	struct shale_merge m;
	int err = -1;

	for (long left = 0; err && left < 10; left++) {
		shim_alloc_left = left;
		err = merge_layers(&m, layers, 2);
		shim_alloc_left = -1;
		EXPECT(!err || err == -ENOMEM);
		shale_merge_release(&m);
	}
	EXPECT_EQ(err, 0);
}

TEST(no_memory_to_grow, "a table that cannot grow still finds every name")
{
	struct shale_merge m;
	char name[32];

	ASSERT_EQ(shale_merge_init(&m), 0);
	shale_merge_layer_begin(&m, BOTH);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 500; i++) {
			snprintf(name, sizeof(name), "%d", i);
			/* Room for one chunk of entries, none for a bigger table. */
			shim_alloc_left = m.nr % 64 == 0 ? -1 : 0;
			if (shale_merge_add(&m, name, strlen(name), i, DT_REG)) {
				shim_alloc_left = -1;
				ASSERT_EQ(shale_merge_add(&m, name, strlen(name), i, DT_REG), 0);
			}
		}
	}
	shim_alloc_left = -1;
	EXPECT_EQ(m.nr, 500);
	shale_merge_release(&m);
}
