// SPDX-License-Identifier: GPL-2.0-only
/*
 * The contract of driver.h, once for each storage driver: each test here runs on every bucket. The
 * drivers that need no server are tried always; SHALE_TEST_BUCKET="DRIVER KEY=VALUE..." tries another
 * one instead, whose server is the caller's business. The bucket must be empty and is emptied again.
 */
#include "ktap.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "registry/driver.h"

#define MAX_PARAMS 32

struct spec {
	char text[4096];
	struct bucket_param list[MAX_PARAMS];
	struct bucket_params params;
};

/* Cuts "DRIVER KEY=VALUE..." up; the driver's name is what is returned. */
static const char *spec_parse(struct spec *spec, const char *text)
{
	char *save = NULL;
	char *word;
	char *equal;

	snprintf(spec->text, sizeof(spec->text), "%s", text);
	word = strtok_r(spec->text, " ", &save);
	spec->params = (struct bucket_params){ spec->list, 0 };
	for (char *param; (param = strtok_r(NULL, " ", &save)) && spec->params.count < MAX_PARAMS;) {
		equal = strchr(param, '=');
		ASSERT(equal);
		*equal = '\0';
		spec->list[spec->params.count++] = (struct bucket_param){ param, equal + 1 };
	}
	return word;
}

static struct bucket *open_spec(const char *text)
{
	struct shale_err err = { 0 };
	struct bucket *bucket = NULL;
	struct spec spec;
	const char *driver = spec_parse(&spec, text);

	if (bucket_open(driver, &spec.params, &bucket, &err) < 0)
		ktap_fail(__FILE__, __LINE__, "%s: %s", text, err.msg);
	ASSERT(bucket);
	ASSERT_EQ(bucket_remove_tree(bucket, "t", &err), 0);
	return bucket;
}

static void run_on(const char *text, void (*test)(struct bucket *))
{
	struct bucket *bucket = open_spec(text);
	struct shale_err err = { 0 };

	ktap_note("%s", bucket->ops->name);
	test(bucket);
	EXPECT_EQ(bucket_remove_tree(bucket, "t", &err), 0);
	bucket_release(bucket);
}

static void on_each(void (*test)(struct bucket *))
{
	const char *other = getenv("SHALE_TEST_BUCKET");
	char dir[] = "/tmp/shale-bucket.XXXXXX";
	char text[128];
	int tmp;
	if (other) {
		run_on(other, test);
		return;
	}
	run_on("inmemory", test);
	ASSERT(mkdtemp(dir));
	snprintf(text, sizeof(text), "filesystem rootdirectory=%s/root", dir);
	run_on(text, test);
	tmp = ASSERT_OK(open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	EXPECT_OK(fs_remove_tree(tmp, dir + strlen("/tmp/")));
}

/* A test of the contract: its body is run with each bucket. */
#define BUCKET_TEST(NAME, DESC)                                                                    \
	static void bucket_test_##NAME(struct bucket *bucket);                                     \
	TEST(NAME, DESC)                                                                           \
	{                                                                                          \
		on_each(bucket_test_##NAME);                                                       \
	}                                                                                          \
	static void bucket_test_##NAME(struct bucket *bucket)

#define EXPECT_CODE(CALL, CODE)                                                                    \
	({                                                                                         \
		err = (struct shale_err){ 0 };                                                     \
		EXPECT_EQ(CALL, -1);                                                               \
		EXPECT_EQ(err.code, CODE);                                                         \
		EXPECT(err.msg[0]);                                                                \
	})

#define OK(CALL)                                                                                   \
	({                                                                                         \
		int ok_ = (CALL);                                                                  \
		if (ok_ < 0)                                                                       \
			ktap_fail(__FILE__, __LINE__, "%s: %s", #CALL, err.msg);                   \
		if (ok_ < 0)                                                                       \
			ktap_stop();                                                               \
	})

static void put_text(struct bucket *bucket, const char *path, const char *text)
{
	struct shale_err err = { 0 };

	OK(bucket_put(bucket, path, text, strlen(text), 0, &err));
}

static void expect_text(struct bucket *bucket, const char *path, const char *text)
{
	__cleanup_buf struct buf buf = BUF_INIT;
	struct shale_err err = { 0 };

	OK(bucket_get(bucket, path, BUCKET_MAX_SMALL, &buf, &err));
	EXPECT_STREQ(buf_str(&buf), text);
}

BUCKET_TEST(put_get, "what is put can be got, replaced and removed")
{
	__cleanup_buf struct buf buf = BUF_INIT;
	struct shale_err err = { 0 };
	struct bucket_stat st;

	EXPECT_CODE(bucket_get(bucket, "t/a/b", 10, &buf, &err), ENOENT);
	EXPECT_CODE(bucket_stat(bucket, "t/a/b", &st, &err), ENOENT);
	put_text(bucket, "t/a/b", "hello");
	expect_text(bucket, "t/a/b", "hello");
	OK(bucket_stat(bucket, "t/a/b", &st, &err));
	EXPECT_EQ(st.size, 5);
	EXPECT(st.mtime > 1600000000);
	EXPECT_CODE(bucket_stat(bucket, "t/a", &st, &err), ENOENT);
	put_text(bucket, "t/a/b", "");
	expect_text(bucket, "t/a/b", "");
	OK(bucket_remove(bucket, "t/a/b", &err));
	EXPECT_CODE(bucket_remove(bucket, "t/a/b", &err), ENOENT);
	EXPECT_CODE(bucket_get(bucket, "t/a/b", 10, &buf, &err), ENOENT);
}

BUCKET_TEST(get_limit, "what is larger than wanted is not read")
{
	__cleanup_buf struct buf buf = BUF_INIT;
	struct shale_err err = { 0 };

	put_text(bucket, "t/a", "12345");
	OK(buf_adds(&buf, "x"));
	EXPECT_CODE(bucket_get(bucket, "t/a", 4, &buf, &err), EFBIG);
	EXPECT_STREQ(buf_str(&buf), "x");
	OK(bucket_get(bucket, "t/a", 5, &buf, &err));
	EXPECT_STREQ(buf_str(&buf), "x12345");
}

BUCKET_TEST(swap, "a swap happens only if the object is as was thought")
{
	struct shale_err err = { 0 };
	struct bucket_stat st;

	EXPECT_CODE(bucket_swap(bucket, "t/tag", "old", "new", &err), ESTALE);
	EXPECT_CODE(bucket_stat(bucket, "t/tag", &st, &err), ENOENT);
	OK(bucket_swap(bucket, "t/tag", NULL, "one", &err));
	EXPECT_CODE(bucket_swap(bucket, "t/tag", NULL, "two", &err), ESTALE);
	EXPECT_CODE(bucket_swap(bucket, "t/tag", "on", "two", &err), ESTALE);
	EXPECT_CODE(bucket_swap(bucket, "t/tag", "one!", "two", &err), ESTALE);
	expect_text(bucket, "t/tag", "one");
	OK(bucket_swap(bucket, "t/tag", "one", "two", &err));
	EXPECT_CODE(bucket_swap(bucket, "t/tag", "one", NULL, &err), ESTALE);
	expect_text(bucket, "t/tag", "two");
	OK(bucket_swap(bucket, "t/tag", "two", NULL, &err));
	EXPECT_CODE(bucket_stat(bucket, "t/tag", &st, &err), ENOENT);
}

struct swapper {
	struct bucket *bucket;
	unsigned int won;
};

#define SWAPPERS 4
#define SWAPS	 25

static void *swap_many(void *arg)
{
	struct swapper *swapper = arg;
	struct shale_err err = { 0 };
	char old[16];
	char new[16];

	for (int i = 0; i < SWAPS; i++) {
		snprintf(old, sizeof(old), "%d", i);
		snprintf(new, sizeof(new), "%d", i + 1);
		if (bucket_swap(swapper->bucket, "t/n", old, new, &err) == 0)
			swapper->won++;
		else
			EXPECT_EQ(err.code, ESTALE);
	}
	return NULL;
}

BUCKET_TEST(swap_race, "each change of many threads' swaps is made by one of them")
{
	struct swapper swappers[SWAPPERS];
	pthread_t threads[SWAPPERS];
	unsigned int won = 0;
	char last[16];

	put_text(bucket, "t/n", "0");
	for (int i = 0; i < SWAPPERS; i++) {
		swappers[i] = (struct swapper){ bucket, 0 };
		ASSERT_EQ(pthread_create(&threads[i], NULL, swap_many, &swappers[i]), 0);
	}
	for (int i = 0; i < SWAPPERS; i++) {
		pthread_join(threads[i], NULL);
		won += swappers[i].won;
	}
	snprintf(last, sizeof(last), "%u", won);
	expect_text(bucket, "t/n", last);
}

static void write_text(struct bucket *bucket, const char *path, uint64_t at, const char *text,
		       uint64_t size)
{
	struct bucket_writer *writer = NULL;
	struct shale_err err = { 0 };

	OK(bucket_append(bucket, path, at, &writer, &err));
	OK(bucket_write(writer, text, strlen(text), &err));
	EXPECT_EQ(writer->size, size);
	OK(bucket_keep(writer, &err));
}

BUCKET_TEST(writer_resume, "a writer that was kept is gone on with, and appears when committed")
{
	struct bucket_writer *writer = NULL;
	struct shale_err err = { 0 };
	struct bucket_stat st;

	EXPECT_CODE(bucket_append(bucket, "t/up", BUCKET_ALL, &writer, &err), ENOENT);
	write_text(bucket, "t/up", BUCKET_FRESH, "hello ", 6);
	write_text(bucket, "t/up", BUCKET_ALL, "wor", 9);
	write_text(bucket, "t/up", 9, "ld", 11);
	EXPECT_CODE(bucket_stat(bucket, "t/done", &st, &err), ENOENT);
	OK(bucket_append(bucket, "t/up", BUCKET_ALL, &writer, &err));
	EXPECT_EQ(writer->size, 11);
	OK(bucket_write(writer, "", 0, &err));
	OK(bucket_commit(writer, "t/done", &err));
	expect_text(bucket, "t/done", "hello world");
	EXPECT_CODE(bucket_append(bucket, "t/up", BUCKET_ALL, &writer, &err), ENOENT);
}

BUCKET_TEST(writer_cut, "a writer goes on at a place where it was kept, not behind the end")
{
	struct bucket_writer *writer = NULL;
	struct shale_err err = { 0 };

	write_text(bucket, "t/up", BUCKET_FRESH, "12345", 5);
	write_text(bucket, "t/up", 5, "678", 8);
	EXPECT_CODE(bucket_append(bucket, "t/up", 9, &writer, &err), EINVAL);
	write_text(bucket, "t/up", 5, "abc", 8);
	OK(bucket_append(bucket, "t/up", 8, &writer, &err));
	OK(bucket_commit(writer, "t/done", &err));
	expect_text(bucket, "t/done", "12345abc");
	write_text(bucket, "t/up", BUCKET_FRESH, "x", 1);
	write_text(bucket, "t/up", BUCKET_FRESH, "y", 1);
	OK(bucket_append(bucket, "t/up", BUCKET_ALL, &writer, &err));
	EXPECT_EQ(writer->size, 1);
	bucket_cancel(writer);
	EXPECT_CODE(bucket_append(bucket, "t/up", BUCKET_ALL, &writer, &err), ENOENT);
}

BUCKET_TEST(writer_empty, "an object of no bytes can be written")
{
	struct bucket_writer *writer = NULL;
	struct shale_err err = { 0 };

	OK(bucket_append(bucket, "t/up", BUCKET_FRESH, &writer, &err));
	OK(bucket_commit(writer, "t/done", &err));
	expect_text(bucket, "t/done", "");
	write_text(bucket, "t/up", BUCKET_FRESH, "", 0);
	OK(bucket_append(bucket, "t/up", BUCKET_ALL, &writer, &err));
	EXPECT_EQ(writer->size, 0);
	OK(bucket_commit(writer, "t/done", &err));
	expect_text(bucket, "t/done", "");
}

/* Larger than any part or buffer a driver may have, in pieces that fit none. */
#define LARGE (12u * 1024 * 1024 + 4321)
#define PIECE 77777u

static unsigned char pattern(uint64_t at)
{
	return at * 2654435761u >> 16;
}

static void write_pattern(struct bucket_writer *writer, uint64_t to)
{
	static unsigned char piece[PIECE];
	struct shale_err err = { 0 };

	while (writer->size < to) {
		size_t len = to - writer->size < PIECE ? to - writer->size : PIECE;

		for (size_t i = 0; i < len; i++)
			piece[i] = pattern(writer->size + i);
		OK(bucket_write(writer, piece, len, &err));
	}
}

static void expect_pattern(struct bucket *bucket, const char *path, uint64_t from, uint64_t size)
{
	static unsigned char piece[PIECE];
	struct bucket_reader *reader = NULL;
	struct shale_err err = { 0 };
	uint64_t wrong = 0;
	ssize_t got;

	OK(bucket_open_reader(bucket, path, from, &reader, &err));
	EXPECT_EQ(reader->size, size);
	while ((got = bucket_read(reader, piece, sizeof(piece), &err)) > 0)
		for (ssize_t i = 0; i < got; i++)
			wrong += piece[i] != pattern(from++);
	EXPECT_EQ(got, 0);
	EXPECT_EQ(wrong, 0);
	EXPECT_EQ(from, size);
	bucket_close(reader);
}

BUCKET_TEST(large, "a large object is written in steps and read from any place")
{
	struct bucket_writer *writer = NULL;
	struct shale_err err = { 0 };

	OK(bucket_append(bucket, "t/up", BUCKET_FRESH, &writer, &err));
	write_pattern(writer, 100);
	OK(bucket_keep(writer, &err));
	OK(bucket_append(bucket, "t/up", BUCKET_ALL, &writer, &err));
	write_pattern(writer, LARGE / 2);
	OK(bucket_keep(writer, &err));
	OK(bucket_append(bucket, "t/up", LARGE / 2, &writer, &err));
	write_pattern(writer, LARGE);
	OK(bucket_commit(writer, "t/large", &err));
	expect_pattern(bucket, "t/large", 0, LARGE);
	expect_pattern(bucket, "t/large", LARGE - 5, LARGE);
	expect_pattern(bucket, "t/large", LARGE, LARGE);
	OK(bucket_move(bucket, "t/large", "t/moved", &err));
	expect_pattern(bucket, "t/moved", 5000000, LARGE);
}

BUCKET_TEST(open_errors, "what is not there, or not so long, is not opened")
{
	struct bucket_reader *reader = NULL;
	struct shale_err err = { 0 };

	put_text(bucket, "t/d/f", "123");
	EXPECT_CODE(bucket_open_reader(bucket, "t/none", 0, &reader, &err), ENOENT);
	EXPECT_CODE(bucket_open_reader(bucket, "t/d", 0, &reader, &err), ENOENT);
	EXPECT_CODE(bucket_open_reader(bucket, "t/d/f", 4, &reader, &err), EINVAL);
}

BUCKET_TEST(reader_version, "a reader keeps its version, or fails: it never mixes two")
{
	struct bucket_reader *reader = NULL;
	struct shale_err err = { 0 };
	char got[8] = "";
	ssize_t len;

	put_text(bucket, "t/f", "first");
	OK(bucket_open_reader(bucket, "t/f", 1, &reader, &err));
	put_text(bucket, "t/f", "other");
	OK(bucket_remove(bucket, "t/f", &err));
	len = bucket_read(reader, got, sizeof(got) - 1, &err);
	if (len < 0)
		EXPECT_EQ(err.code, EIO);
	else
		EXPECT_STREQ(got, "irst");
	bucket_close(reader);
}

struct listing {
	struct buf text;
	unsigned int stop_after;
};

static int note_entry(void *ctx, const struct bucket_entry *entry, struct shale_err *err)
{
	struct listing *listing = ctx;

	(void)err;
	buf_addf(&listing->text, "%s%s ", entry->name, entry->is_prefix ? "/" : "");
	return listing->stop_after && !--listing->stop_after;
}

static void expect_list(struct bucket *bucket, const char *prefix, const char *after,
			unsigned int stop_after, const char *want)
{
	struct listing listing = { BUF_INIT, stop_after };
	struct shale_err err = { 0 };

	OK(bucket_list(bucket, prefix, after, note_entry, &listing, &err));
	EXPECT_STREQ(buf_str(&listing.text), want);
	buf_release(&listing.text);
}

BUCKET_TEST(list, "a listing is one level, by byte order, behind a name, and can be ended")
{
	static const char *const paths[] = { "t/a/x", "t/a-b/x", "t/a.b", "t/b/c/d", "t/b/c/e",
					     "t/b/f", "t/B", "t/ab", "tt/a", "t/_c/u" };
	struct shale_err err = { 0 };

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		put_text(bucket, paths[i], "1");
	expect_list(bucket, "t", NULL, 0, "B _c/ a/ a-b/ a.b ab b/ ");
	expect_list(bucket, "t", "a-", 0, "a-b/ a.b ab b/ ");
	expect_list(bucket, "t", "a", 0, "a-b/ a.b ab b/ ");
	expect_list(bucket, "t", "a-b", 2, "a.b ab ");
	expect_list(bucket, "t", "b", 0, "");
	expect_list(bucket, "t/b", NULL, 0, "c/ f ");
	expect_list(bucket, "t/b/c", NULL, 0, "d e ");
	expect_list(bucket, "t/none", NULL, 0, "");
	OK(bucket_remove_tree(bucket, "tt", &err));
}

static int fail_entry(void *ctx, const struct bucket_entry *entry, struct shale_err *err)
{
	(void)ctx;
	return shale_err_set(err, EDOM, "%s", entry->name);
}

static int remove_entry(void *ctx, const struct bucket_entry *entry, struct shale_err *err)
{
	struct bucket *bucket = ctx;

	EXPECT_EQ(entry->size, 3);
	EXPECT(entry->mtime > 1600000000);
	return bucket_remove(bucket, entry->name, err);
}

static int count_entry(void *ctx, const struct bucket_entry *entry, struct shale_err *err)
{
	(void)entry, (void)err;
	++*(unsigned int *)ctx;
	return 0;
}

BUCKET_TEST(walk, "a walk meets every object below a prefix, and its callback may change them")
{
	unsigned int count = 0;
	struct shale_err err = { 0 };
	char path[32];

	for (int i = 0; i < 30; i++) {
		snprintf(path, sizeof(path), "t/%d/%d/f", i % 3, i);
		put_text(bucket, path, "abc");
	}
	put_text(bucket, "t/10/f", "abc");
	OK(bucket_walk(bucket, "t", count_entry, &count, &err));
	EXPECT_EQ(count, 31);
	count = 0;
	OK(bucket_walk(bucket, "t/1", count_entry, &count, &err));
	EXPECT_EQ(count, 10);
	EXPECT_CODE(bucket_walk(bucket, "t", fail_entry, NULL, &err), EDOM);
	EXPECT_CODE(bucket_list(bucket, "t", NULL, fail_entry, NULL, &err), EDOM);
	OK(bucket_walk(bucket, "t/1", remove_entry, bucket, &err));
	count = 0;
	OK(bucket_walk(bucket, "t", count_entry, &count, &err));
	EXPECT_EQ(count, 21);
}

BUCKET_TEST(many, "more objects than a page of any storage holds are all listed")
{
	/* Where the caller has made pages smaller fewer will do. */
	const char *wanted = getenv("SHALE_TEST_MANY");
	const int many = wanted ? atoi(wanted) : 1100;
	unsigned int count = 0;
	struct shale_err err = { 0 };
	char last[32];
	char path[32];

	for (int i = 0; i < many; i++) {
		snprintf(path, sizeof(path), "t/%04d/f", i);
		OK(bucket_put(bucket, path, "x", 1, BUCKET_SOON, &err));
	}
	OK(bucket_list(bucket, "t", NULL, count_entry, &count, &err));
	EXPECT_EQ(count, many);
	snprintf(path, sizeof(path), "%04d", many - 3);
	snprintf(last, sizeof(last), "%04d/ %04d/ ", many - 2, many - 1);
	expect_list(bucket, "t", path, 0, last);
	OK(bucket_remove_tree(bucket, "t", &err));
	expect_list(bucket, "t", NULL, 0, "");
}

BUCKET_TEST(remove_tree, "a tree is removed with what is unfinished in it, and nothing beside it")
{
	struct bucket_writer *writer = NULL;
	struct shale_err err = { 0 };

	put_text(bucket, "t/a/b/c", "1");
	put_text(bucket, "t/a/d", "1");
	put_text(bucket, "t/ab", "1");
	write_text(bucket, "t/a/up", BUCKET_FRESH, "x", 1);
	OK(bucket_remove_tree(bucket, "t/a", &err));
	OK(bucket_remove_tree(bucket, "t/a", &err));
	expect_list(bucket, "t", NULL, 0, "ab ");
	EXPECT_CODE(bucket_append(bucket, "t/a/up", BUCKET_ALL, &writer, &err), ENOENT);
}

BUCKET_TEST(move, "a move replaces what is there")
{
	struct shale_err err = { 0 };
	struct bucket_stat st;

	put_text(bucket, "t/a", "from");
	put_text(bucket, "t/b/c", "to");
	OK(bucket_move(bucket, "t/a", "t/b/c", &err));
	expect_text(bucket, "t/b/c", "from");
	EXPECT_CODE(bucket_stat(bucket, "t/a", &st, &err), ENOENT);
	EXPECT_CODE(bucket_move(bucket, "t/a", "t/b/c", &err), ENOENT);
	expect_text(bucket, "t/b/c", "from");
}

BUCKET_TEST(names, "odd bytes in paths are just bytes")
{
	static const char *const paths[] = { "t/sp ace", "t/pl+us", "t/per%20cent", "t/am&p=x?y#z",
					     "t/quo'te\"", "t/gr\xc3\xbc\xc3\x9f", "t/sha256:ab~*" };

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		put_text(bucket, paths[i], paths[i]);
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		expect_text(bucket, paths[i], paths[i]);
	expect_list(bucket, "t", NULL, 0,
		    "am&p=x?y#z gr\xc3\xbc\xc3\x9f per%20cent pl+us quo'te\" sha256:ab~* sp ace ");
}

BUCKET_TEST(health, "a bucket that works is healthy")
{
	struct shale_err err = { 0 };

	OK(bucket_health(bucket, &err));
}

struct path_case {
	struct ktap_row row;
	const char *path;
	bool is_valid;
};

static const struct path_case paths[] = {
	{ { "plain", "a path" }, "a/b_c/d.e-f", true },
	{ { "dots_within", "dots within a name" }, "..a/b../c..d/...", true },
	{ { "empty", "nothing" }, "", false },
	{ { "dot", "a dot" }, "a/./b", false },
	{ { "dotdot", "two dots" }, "a/../b", false },
	{ { "dotdot_last", "two dots last" }, "a/..", false },
	{ { "absolute", "a slash first" }, "/a", false },
	{ { "slash_last", "a slash last" }, "a/", false },
	{ { "slashes", "two slashes" }, "a//b", false },
	{ { "newline", "a newline" }, "a\nb", false },
};

TEST_TABLE(path, struct path_case, paths, c)
{
	static const struct bucket_params none = { NULL, 0 };
	struct bucket *bucket = NULL;
	struct shale_err err = { 0 };
	int put;

	EXPECT_EQ(bucket_path_is_valid(c->path), c->is_valid);
	ASSERT_EQ(bucket_open("inmemory", &none, &bucket, &err), 0);
	put = bucket_put(bucket, c->path, "x", 1, 0, &err);
	EXPECT_EQ(put, c->is_valid ? 0 : -1);
	bucket_release(bucket);
}

TEST(params, "parameters are read, bounded and named when they are wrong")
{
	static const struct bucket_param list[] = { { "a", "5" }, { "b", "true" }, { "c", "x" } };
	static const struct bucket_params params = { list, 3 };
	static const char *const known[] = { "a", "b", NULL };
	struct shale_err err = { 0 };
	struct bucket *bucket;
	uint64_t number;
	bool truth;

	OK(bucket_param_number(&params, "a", 1, 9, 7, &number, &err));
	EXPECT_EQ(number, 5);
	OK(bucket_param_number(&params, "z", 1, 9, 7, &number, &err));
	EXPECT_EQ(number, 7);
	EXPECT_CODE(bucket_param_number(&params, "a", 6, 9, 7, &number, &err), EINVAL);
	EXPECT_CODE(bucket_param_number(&params, "c", 6, 9, 7, &number, &err), EINVAL);
	OK(bucket_param_bool(&params, "b", false, &truth, &err));
	EXPECT(truth);
	EXPECT_CODE(bucket_param_bool(&params, "c", false, &truth, &err), EINVAL);
	EXPECT_CODE(bucket_params_check(&params, "x", known, &err), EINVAL);
	EXPECT(strstr(err.msg, "'c'"));
	EXPECT_CODE(bucket_open("nonesuch", &params, &bucket, &err), EINVAL);
	EXPECT_CODE(bucket_open("inmemory", &params, &bucket, &err), EINVAL);
}
