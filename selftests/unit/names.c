// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which layers may have a name, kmod/names.c, on the host: against a slow twin, with good hashes and with one for all
 * names; whiteouts of AUFS's family; the limit; running out of memory at every point. What is made of
 * it is tested in selftests/fs/narrow.
 */
#include "ktap.h"

#include <linux/err.h>
#include <linux/slab.h>
#include <linux/stringhash.h>
#include <stdio.h>
#include <string.h>

#include "names.h"

#include <uapi/linux/shale.h>

long shim_alloc_left = -1;
bool shim_hash_is_bad;

#define LAYERS 40
#define NAMES  50

static void add(struct shale_names_draft *draft, unsigned int flags, const char *name, unsigned int place)
{
	shale_names_add(draft, flags, name, strlen(name), place);
}

static unsigned int next(const struct shale_names *names, const char *name, unsigned int from)
{
	return shale_names_next(names, name, strlen(name), from);
}

TEST(empty, "in a set of nothing there is no name")
{
	struct shale_names_draft draft = {};
	struct shale_names *names = shale_names_finish(&draft);

	ASSERT(!IS_ERR(names));
	EXPECT_EQ(next(names, "a", 0), SHALE_NAMES_NONE);
	shale_names_free(names);
}

TEST(places, "the places of a name come in order, from any place on")
{
	struct shale_names_draft draft = {};
	struct shale_names *names;

	add(&draft, 0, "a", 0);
	add(&draft, 0, "b", 0);
	add(&draft, 0, "b", 3);
	add(&draft, 0, "a", 7);
	add(&draft, 0, "a", 499);
	names = shale_names_finish(&draft);
	ASSERT(!IS_ERR(names));
	EXPECT_EQ(next(names, "a", 0), 0U);
	EXPECT_EQ(next(names, "a", 1), 7U);
	EXPECT_EQ(next(names, "a", 7), 7U);
	EXPECT_EQ(next(names, "a", 8), 499U);
	EXPECT_EQ(next(names, "a", 500), SHALE_NAMES_NONE);
	EXPECT_EQ(next(names, "b", 1), 3U);
	EXPECT_EQ(next(names, "c", 0), SHALE_NAMES_NONE);
	shale_names_free(names);
}

TEST(aufs, "a whiteout of AUFS's family is something to find under the name it deletes, in such a layer")
{
	struct shale_names_draft draft = {};
	struct shale_names *names;

	add(&draft, SHALE_LAYER_AUFS, ".wh.a", 1);
	add(&draft, SHALE_LAYER_OVERLAY, ".wh.b", 2);
	add(&draft, SHALE_LAYER_AUFS, ".wh.", 3);
	names = shale_names_finish(&draft);
	ASSERT(!IS_ERR(names));
	EXPECT_EQ(next(names, "a", 0), 1U);
	EXPECT_EQ(next(names, ".wh.a", 0), 1U);
	EXPECT_EQ(next(names, "b", 0), SHALE_NAMES_NONE);
	EXPECT_EQ(next(names, ".wh.b", 0), 2U);
	EXPECT_EQ(next(names, "", 0), SHALE_NAMES_NONE);
	shale_names_free(names);
}

/* Does the twin's table have the name at a place? Its lines are layers. */
static bool has[LAYERS][NAMES];

static struct shale_names *make_random(unsigned int *state)
{
	struct shale_names_draft draft = {};
	char name[16];

	for (unsigned int place = 0; place < LAYERS; place++)
		for (unsigned int i = 0; i < NAMES; i++) {
			*state = *state * 1103515245 + 12345;
			has[place][i] = !(*state >> 16 & 7);
			snprintf(name, sizeof(name), "name%u", i);
			if (has[place][i])
				add(&draft, 0, name, place);
		}
	return shale_names_finish(&draft);
}

static unsigned int twin_next(unsigned int i, unsigned int from)
{
	for (; from < LAYERS; from++)
		if (has[from][i])
			return from;
	return SHALE_NAMES_NONE;
}

TEST(twin, "what a slow twin finds is found, and nothing else")
{
	unsigned int state = 7;
	char name[16];

	for (unsigned int turn = 0; turn < 50; turn++) {
		struct shale_names *names = make_random(&state);

		ASSERT(!IS_ERR(names));
		for (unsigned int i = 0; i < NAMES; i++)
			for (unsigned int from = 0; from <= LAYERS; from++) {
				snprintf(name, sizeof(name), "name%u", i);
				ASSERT_EQ(next(names, name, from), twin_next(i, from));
			}
		shale_names_free(names);
	}
}

TEST(collide, "where all names have one hash, no place that has a name is left out")
{
	struct shale_names *names;
	unsigned int state = 9;
	char name[16];

	shim_hash_is_bad = true;
	names = make_random(&state);
	ASSERT(!IS_ERR(names));
	for (unsigned int i = 0; i < NAMES; i++)
		for (unsigned int from = 0; from <= LAYERS; from++) {
			snprintf(name, sizeof(name), "name%u", i);
			ASSERT(next(names, name, from) <= twin_next(i, from));
		}
	shale_names_free(names);
	shim_hash_is_bad = false;
}

TEST(limit, "more names than the limit are refused, as many are taken")
{
	for (unsigned int more = 0; more < 2; more++) {
		struct shale_names_draft draft = {};
		struct shale_names *names;

		for (unsigned int i = 0; i < SHALE_NAMES_MAX + more; i++)
			shale_names_add(&draft, 0, (const char *)&i, sizeof(i), 0);
		names = shale_names_finish(&draft);
		EXPECT_EQ(IS_ERR(names) ? PTR_ERR(names) : 0, more ? -E2BIG : 0);
		if (!IS_ERR(names))
			shale_names_free(names);
	}
}

TEST(no_memory, "without memory there is an error and nothing is left")
{
	long before = shim_alloc_bytes;

	for (long left = 0;; left++) {
		struct shale_names_draft draft = {};
		struct shale_names *names;

		shim_alloc_left = left;
		for (unsigned int i = 0; i < 1000; i++)
			shale_names_add(&draft, 0, (const char *)&i, sizeof(i), i);
		names = shale_names_finish(&draft);
		shim_alloc_left = -1;
		if (!IS_ERR(names)) {
			EXPECT_EQ(names->nr, 1000U);
			shale_names_free(names);
			EXPECT(left > 2);
			break;
		}
		EXPECT_EQ(PTR_ERR(names), -ENOMEM);
		EXPECT_EQ(shim_alloc_bytes, before);
	}
	EXPECT_EQ(shim_alloc_bytes, before);
}
