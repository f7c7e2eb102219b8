// SPDX-License-Identifier: GPL-2.0-only
/*
 * Uploads that end anywhere: the server dies before each change it makes to the bucket in turn, and what the
 * next one finds is a session with all that was acknowledged, or the blob. The bucket is a directory whose
 * changes are counted; trees are removed one object at a time, from either end.
 */
#include "ktap.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "registry/entries.h"
#include "registry/layout.h"
#include "registry/repo.h"
#include "registry/upload.h"

#define REPO  "a/b"
#define CHUNK 1000
#define SIZE  (3 * CHUNK)
/* More changes than any of them makes. */
#define MAX_STEPS 200

static struct {
	const struct bucket_ops *real;
	struct bucket_ops ops;
	unsigned int steps; /* until it dies */
	bool has_died;
	bool is_backward;
} world;

/* Nothing is changed any more. */
static bool is_dead(struct shale_err *err)
{
	if (world.steps) {
		world.steps--;
		return false;
	}
	world.has_died = true;
	shale_err_set(err, EIO, "died");
	return true;
}

static int dying_put(struct bucket *bucket, const char *path, const void *data, size_t len, unsigned int flags,
		     struct shale_err *err)
{
	return is_dead(err) ? -1 : world.real->put(bucket, path, data, len, flags, err);
}

static int dying_append(struct bucket *bucket, const char *path, uint64_t at, struct bucket_writer **ret_writer,
			struct shale_err *err)
{
	return is_dead(err) ? -1 : world.real->append(bucket, path, at, ret_writer, err);
}

static int dying_write(struct bucket_writer *writer, const void *data, size_t len, struct shale_err *err)
{
	return is_dead(err) ? -1 : world.real->write(writer, data, len, err);
}

/* Of a writer that dies the bytes are there: they were written. */
static int dying_keep(struct bucket_writer *writer, struct shale_err *err)
{
	bool dies = is_dead(err);

	return world.real->keep(writer, dies ? NULL : err) < 0 || dies ? -1 : 0;
}

static int dying_commit(struct bucket_writer *writer, const char *to, struct shale_err *err)
{
	if (!is_dead(err))
		return world.real->commit(writer, to, err);
	world.real->keep(writer, NULL);
	return -1;
}

static void dying_cancel(struct bucket_writer *writer)
{
	if (is_dead(NULL))
		world.real->keep(writer, NULL);
	else
		world.real->cancel(writer);
}

static int dying_remove(struct bucket *bucket, const char *path, struct shale_err *err)
{
	return is_dead(err) ? -1 : world.real->remove(bucket, path, err);
}

static int dying_move(struct bucket *bucket, const char *from, const char *to, struct shale_err *err)
{
	return is_dead(err) ? -1 : world.real->move(bucket, from, to, err);
}

static int collect(void *ctx, const struct bucket_entry *entry, struct shale_err *err)
{
	return entries_add(ctx, entry, strlen(entry->name), err);
}

static int dying_remove_tree(struct bucket *bucket, const char *prefix, struct shale_err *err)
{
	__cleanup_entries struct entries entries = { 0 };

	if (world.real->walk(bucket, prefix, collect, &entries, err) < 0)
		return -1;
	entries_sort(&entries);
	for (size_t i = 0; i < entries.count; i++) {
		size_t at = world.is_backward ? entries.count - 1 - i : i;

		if (dying_remove(bucket, entries.list[at].name, err) < 0)
			return -1;
	}
	return is_dead(err) ? -1 : world.real->remove_tree(bucket, prefix, err);
}

static void make_mortal(struct bucket *bucket)
{
	world.real = bucket->ops;
	world.ops = *bucket->ops;
	world.ops.put = dying_put;
	world.ops.append = dying_append;
	world.ops.write = dying_write;
	world.ops.keep = dying_keep;
	world.ops.commit = dying_commit;
	world.ops.cancel = dying_cancel;
	world.ops.remove = dying_remove;
	world.ops.remove_tree = dying_remove_tree;
	world.ops.removes_at_once = false;
	world.ops.move = dying_move;
	bucket->ops = &world.ops;
}

struct push_case {
	struct ktap_row row;
	enum sum_kind began;	/* what the session hashes with */
	enum sum_kind finished; /* what the client names */
	bool is_there;		/* the blob is there before */
	bool is_given_up;
};

static const struct push_case pushes[] = {
	{ { "sha256", "the usual one" }, SUM_SHA256, SUM_SHA256, false, false },
	{ { "sha512", "by another algorithm" }, SUM_SHA512, SUM_SHA512, false, false },
	{ { "named_late", "whose algorithm is named at its end" }, SUM_SHA256, SUM_SHA512, false, false },
	{ { "known", "of a blob that is there" }, SUM_SHA256, SUM_SHA256, true, false },
	{ { "given_up", "that is given up" }, SUM_SHA256, SUM_SHA256, false, true },
};

struct push {
	const struct push_case *c;
	char data[SIZE];
	struct sum sum;
	/* What the client knows. */
	char id[UPLOAD_ID_LEN + 1];
	uint64_t acknowledged;
	bool has_session;
	bool has_asked; /* to give it up */
	bool is_done;
};

/* A server that was just started. */
static struct reg *server_start(struct bucket *bucket)
{
	struct reg *reg = calloc(1, sizeof(*reg));

	ASSERT(reg);
	ASSERT_EQ(reg_init(reg, NULL), 0);
	reg->bucket = bucket;
	return reg;
}

static void server_end(struct reg *reg)
{
	reg_release(reg);
	free(reg);
}

static int push_chunk(struct reg *reg, struct push *push, uint64_t from, uint64_t len, struct shale_err *err)
{
	struct upload *upload;

	if (upload_open(reg, REPO, push->id, &upload, err) < 0)
		return -1;
	if (upload_write(upload, push->data + from, len, err) < 0) {
		upload_keep(upload, NULL);
		return -1;
	}
	if (upload_keep(upload, err) < 0)
		return -1;
	push->acknowledged = from + len;
	return 0;
}

static int push_end(struct reg *reg, struct push *push, struct shale_err *err)
{
	struct upload *upload;

	if (upload_open(reg, REPO, push->id, &upload, err) < 0)
		return -1;
	if (push->c->is_given_up) {
		push->has_asked = true;
		upload_cancel(upload);
		return 0;
	}
	return upload_finish(upload, &push->sum, err);
}

/* As far as it comes. */
static void push_run(struct reg *reg, struct push *push)
{
	struct shale_err err = { 0 };

	if (upload_make_session(reg, REPO, push->c->began, push->id, &err) < 0)
		return;
	push->has_session = true;
	for (uint64_t from = 0; from < SIZE; from += CHUNK)
		if (push_chunk(reg, push, from, CHUNK, &err) < 0)
			return;
	push->is_done = push_end(reg, push, &err) == 0 && !world.has_died;
}

static void expect_blob(struct reg *reg, const struct push *push)
{
	__cleanup_buf struct buf got = BUF_INIT;
	struct shale_err err = { 0 };

	EXPECT_EQ(repo_has_blob(reg, REPO, &push->sum, &err), 1);
	ASSERT_EQ(bucket_get(reg->bucket, layout_blob(&push->sum).text, SIZE, &got, &err), 0);
	EXPECT(got.len == SIZE && !memcmp(got.data, push->data, SIZE));
}

/* 1: there is a session, with all that was acknowledged; 0: there is none. */
static int look_at_session(struct reg *reg, const struct push *push, uint64_t *ret_size)
{
	struct shale_err err = { 0 };
	struct upload *upload;

	if (upload_open(reg, REPO, push->id, &upload, &err) < 0) {
		EXPECT_EQ(err.code, ENOENT);
		return 0;
	}
	*ret_size = upload_size(upload);
	EXPECT(*ret_size >= push->acknowledged);
	EXPECT_EQ(upload_keep(upload, &err), 0);
	return 1;
}

static void expect_all(struct reg *reg, struct push *push)
{
	struct shale_err err = { 0 };
	uint64_t size = 0;
	int there = look_at_session(reg, push, &size);

	EXPECT_EQ(look_at_session(reg, push, &size), there);
	EXPECT(!push->is_done || !there);
	if (!there && !push->has_asked)
		expect_blob(reg, push);
	if (!there || push->has_asked)
		return;
	if (size < SIZE)
		EXPECT_EQ(push_chunk(reg, push, size, SIZE - size, &err), 0);
	EXPECT_EQ(push_end(reg, push, &err), 0);
	EXPECT_EQ(look_at_session(reg, push, &size), 0);
	if (!push->c->is_given_up)
		expect_blob(reg, push);
}

/* False: it came to its end. */
static bool die_after(struct bucket *bucket, const struct push_case *c, unsigned int steps)
{
	struct push push = { .c = c };
	struct shale_err err = { 0 };
	struct reg *reg;
	bool has_died;

	for (size_t i = 0; i < SIZE; i++)
		push.data[i] = (char)(i * 7 + i / 251);
	sum_of(c->finished, push.data, SIZE, &push.sum);
	world.steps = UINT32_MAX;
	if (c->is_there)
		ASSERT_EQ(bucket_put(bucket, layout_blob(&push.sum).text, push.data, SIZE, 0, &err), 0);
	world.steps = steps;
	world.has_died = false;
	reg = server_start(bucket);
	push_run(reg, &push);
	has_died = world.has_died;
	server_end(reg);
	world.steps = UINT32_MAX;
	reg = server_start(bucket);
	if (push.has_session)
		expect_all(reg, &push);
	server_end(reg);
	EXPECT_EQ(bucket_remove_tree(bucket, "docker", &err), 0);
	return has_died;
}

static void die_everywhere(const struct push_case *c, bool is_backward)
{
	char dir[] = "/tmp/shale-upload.XXXXXX";
	struct bucket_param param = { "rootdirectory", dir };
	struct bucket_params params = { &param, 1 };
	struct shale_err err = { 0 };
	struct bucket *bucket;
	bool had_failed = false;
	unsigned int steps = 0;
	int tmp;

	ASSERT(mkdtemp(dir));
	ASSERT_EQ(bucket_open("filesystem", &params, &bucket, &err), 0);
	make_mortal(bucket);
	world.is_backward = is_backward;
	while (steps < MAX_STEPS && die_after(bucket, c, steps)) {
		if (ktap_has_failed() && !had_failed)
			ktap_note("died after %u changes, trees removed %s", steps, is_backward ? "backward" : "forward");
		had_failed = ktap_has_failed();
		steps++;
	}
	EXPECT(steps > 10 && steps < MAX_STEPS);
	bucket_release(bucket);
	tmp = ASSERT_OK(open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	EXPECT_OK(fs_remove_tree(tmp, dir + strlen("/tmp/")));
}

TEST_TABLE(dies, struct push_case, pushes, c)
{
	die_everywhere(c, false);
	die_everywhere(c, true);
}
