// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the drivers of object stores promise beside the contract that unit/bucket tests: several servers on one
 * bucket, links, and a store or a network that fails in every way servers/faulty.py knows. Run by drivers.py on
 * each of them, with
 *
 *	SHALE_TEST_BUCKET	the store, as unit/bucket takes it
 *	SHALE_TEST_FAULTY	the same store behind the proxy, with few repeats and little patience
 *	SHALE_TEST_FAULTY_URL	the proxy
 */
#include "ktap.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/cleanup.h"
#include "registry/driver.h"
#include "registry/remote_http.h"
#include "registry/remote_store.h"
#include "registry/sigv4.h"

#define MAX_PARAMS 40

#define OK(CALL)                                                                                   \
	({                                                                                         \
		int ok_ = (CALL);                                                                  \
		if (ok_ < 0)                                                                       \
			ktap_fail(__FILE__, __LINE__, "%s: %s", #CALL, err.msg);                   \
		if (ok_ < 0)                                                                       \
			ktap_stop();                                                               \
		ok_;                                                                               \
	})

#define EXPECT_CODE(CALL, CODE)                                                                    \
	({                                                                                         \
		err = (struct shale_err){ 0 };                                                     \
		EXPECT_EQ(CALL, -1);                                                               \
		EXPECT_EQ(err.code, CODE);                                                         \
		if (err.code != (CODE))                                                            \
			ktap_note("%s", err.msg);                                                  \
	})

static int open_spec(const char *variable, const char *more, struct bucket **ret_bucket,
		     struct shale_err *err)
{
	const char *spec = getenv(variable);
	struct bucket_param list[MAX_PARAMS];
	char text[8192];
	size_t count = 0;
	char *save = NULL;
	char *driver;

	if (!spec)
		SKIP("no %s", variable);
	snprintf(text, sizeof(text), "%s %s", spec, more);
	driver = strtok_r(text, " ", &save);
	for (char *word; (word = strtok_r(NULL, " ", &save)) && count < MAX_PARAMS;) {
		char *equal = strchr(word, '=');
		size_t at = 0;

		ASSERT(equal);
		*equal = '\0';
		/* What is said later counts. */
		while (at < count && strcmp(list[at].key, word))
			at++;
		list[at] = (struct bucket_param){ word, equal + 1 };
		count += at == count;
	}
	const struct bucket_params params = { list, count };
	return bucket_open(driver, &params, ret_bucket, err);
}

static struct bucket *open_with(const char *variable, const char *more)
{
	struct bucket *bucket = NULL;
	struct shale_err err = { 0 };

	OK(open_spec(variable, more, &bucket, &err));
	return bucket;
}

/* What a store can compare is found out by requests, which only tests of swaps need. */
static struct bucket *open_store(void)
{
	struct bucket *bucket = open_with("SHALE_TEST_BUCKET", "conditional=lock");
	struct shale_err err = { 0 };

	OK(bucket_remove_tree(bucket, "r", &err));
	return bucket;
}

static void end_store(struct bucket *bucket)
{
	struct shale_err err = { 0 };

	OK(bucket_remove_tree(bucket, "r", &err));
	bucket_release(bucket);
}

/* A plain request, not signed; the status, and the body. */
static long ask(const char *method, const char *url, const char *body, struct buf *ret_body)
{
	static const struct remote_options options = { .connect_seconds = 5, .stall_seconds = 20, .user_agent = "test" };
	const struct remote_call call = {
		.method = method, .url = url, .what = url, .max = 1 << 20,
		.body = { .data = body, .fd = -1, .len = body ? strlen(body) : 0 },
	};
	struct remote_answer answer = { 0 };
	struct shale_err err = { 0 };
	struct remote *remote;
	long status;

	OK(remote_http_open(&options, &remote, &err));
	OK(remote_run(remote, &call, &answer, &err));
	remote_release(remote);
	status = answer.status;
	if (ret_body)
		*ret_body = answer.body, answer.body = (struct buf)BUF_INIT;
	remote_answer_release(&answer);
	return status;
}

static void set_fault(const char *rule)
{
	struct buf url = BUF_INIT;
	const char *proxy = getenv("SHALE_TEST_FAULTY_URL");

	if (!proxy)
		SKIP("no SHALE_TEST_FAULTY_URL");
	ASSERT_OK(buf_addf(&url, "%s/_fault", proxy));
	ASSERT_EQ(ask(rule ? "PUT" : "DELETE", buf_str(&url), rule, NULL), 200);
	buf_release(&url);
}

/* How often the fault has struck; it is removed. */
static int end_fault(void)
{
	struct buf url = BUF_INIT;
	struct buf body = BUF_INIT;
	int struck;

	ASSERT_OK(buf_addf(&url, "%s/_fault", getenv("SHALE_TEST_FAULTY_URL")));
	ASSERT_EQ(ask("GET", buf_str(&url), NULL, &body), 200);
	struck = atoi(buf_str(&body));
	ASSERT_EQ(ask("DELETE", buf_str(&url), NULL, NULL), 200);
	buf_release(&url);
	buf_release(&body);
	return struck;
}

#define PIECE 65536u

static unsigned char pattern(uint64_t at)
{
	return at * 2654435761u >> 16;
}

static int write_pattern(struct bucket_writer *writer, uint64_t to, struct shale_err *err)
{
	static unsigned char piece[PIECE];

	while (writer->size < to) {
		size_t len = to - writer->size < PIECE ? to - writer->size : PIECE;

		for (size_t i = 0; i < len; i++)
			piece[i] = pattern(writer->size + i);
		if (bucket_write(writer, piece, len, err) < 0)
			return -1;
	}
	return 0;
}

/* Reads all from an offset; -1 when that fails, else the number of bytes. Wrong ones fail the test. */
static int64_t read_pattern(struct bucket *bucket, const char *path, uint64_t from,
			    struct shale_err *err)
{
	static unsigned char piece[PIECE];
	struct bucket_reader *reader = NULL;
	uint64_t wrong = 0;
	uint64_t at = from;
	ssize_t got;

	if (bucket_open_reader(bucket, path, from, &reader, err) < 0)
		return -1;
	while ((got = bucket_read(reader, piece, sizeof(piece), err)) > 0)
		for (ssize_t i = 0; i < got; i++)
			wrong += piece[i] != pattern(at++);
	EXPECT_EQ(wrong, 0);
	if (got == 0)
		EXPECT_EQ(at, reader->size);
	bucket_close(reader);
	return got < 0 ? -1 : (int64_t)(at - from);
}

static int put_pattern(struct bucket *bucket, const char *path, uint64_t size, struct shale_err *err)
{
	struct bucket_writer *writer = NULL;

	if (bucket_append(bucket, "r/up", BUCKET_FRESH, &writer, err) < 0)
		return -1;
	if (write_pattern(writer, size, err) < 0) {
		bucket_cancel(writer);
		return -1;
	}
	return bucket_commit(writer, path, err);
}

TEST(another_server, "an upload begun by one server is read, cut, gone on with and finished by others")
{
	struct bucket *one = open_store();
	struct bucket *two = open_with("SHALE_TEST_BUCKET", "conditional=lock");
	struct bucket_writer *writer = NULL;
	struct bucket_stat st;
	struct shale_err err = { 0 };

	OK(bucket_append(one, "r/up", BUCKET_FRESH, &writer, &err));
	OK(write_pattern(writer, 1000, &err));
	OK(bucket_keep(writer, &err));
	OK(bucket_append(two, "r/up", 1000, &writer, &err));
	OK(write_pattern(writer, 7000000, &err));
	OK(bucket_keep(writer, &err));
	EXPECT_EQ(read_pattern(one, "r/up", 0, &err), 7000000);
	EXPECT_EQ(read_pattern(one, "r/up", 1000, &err), 6999000);
	EXPECT_EQ(read_pattern(one, "r/up", 5242879, &err), 7000000 - 5242879);
	EXPECT_EQ(read_pattern(one, "r/up", 7000000, &err), 0);
	EXPECT_CODE(read_pattern(one, "r/up", 7000001, &err), EINVAL);
	EXPECT_CODE(bucket_append(one, "r/up", 999, &writer, &err), EINVAL);
	OK(bucket_append(one, "r/up", 1000, &writer, &err));
	OK(write_pattern(writer, 6000000, &err));
	OK(bucket_keep(writer, &err));
	OK(bucket_append(two, "r/up", BUCKET_ALL, &writer, &err));
	EXPECT_EQ(writer->size, 6000000);
	OK(write_pattern(writer, 6000007, &err));
	OK(bucket_commit(writer, "r/done", &err));
	OK(bucket_stat(one, "r/done", &st, &err));
	EXPECT_EQ(st.size, 6000007);
	EXPECT_EQ(read_pattern(one, "r/done", 0, &err), 6000007);
	EXPECT_CODE(read_pattern(one, "r/up", 0, &err), ENOENT);
	bucket_release(two);
	end_store(one);
}

TEST(replaced, "an object that was written in pieces is replaced by one that was not, and back")
{
	struct bucket *bucket = open_store();
	struct shale_err err = { 0 };

	OK(put_pattern(bucket, "r/o", 6000000, &err));
	OK(put_pattern(bucket, "r/o", 300, &err));
	EXPECT_EQ(read_pattern(bucket, "r/o", 0, &err), 300);
	OK(put_pattern(bucket, "r/o", 5500000, &err));
	OK(put_pattern(bucket, "r/o", 5600000, &err));
	EXPECT_EQ(read_pattern(bucket, "r/o", 5000000, &err), 600000);
	OK(put_pattern(bucket, "r/p", 5500000, &err));
	OK(bucket_move(bucket, "r/p", "r/o", &err));
	EXPECT_EQ(read_pattern(bucket, "r/o", 0, &err), 5500000);
	end_store(bucket);
}

static int count_entry(void *ctx, const struct bucket_entry *entry, struct shale_err *err)
{
	(void)entry, (void)err;
	++*(unsigned int *)ctx;
	return 0;
}

TEST(hidden, "what is unfinished is in no walk, and its pieces in no list")
{
	struct bucket *bucket = open_store();
	struct bucket_writer *writer = NULL;
	struct shale_err err = { 0 };
	unsigned int count = 0;

	OK(bucket_append(bucket, "r/up", BUCKET_FRESH, &writer, &err));
	OK(write_pattern(writer, 6000000, &err));
	OK(bucket_keep(writer, &err));
	OK(bucket_walk(bucket, "r", count_entry, &count, &err));
	EXPECT_EQ(count, 0);
	OK(bucket_list(bucket, "r/up", NULL, count_entry, &count, &err));
	EXPECT_EQ(count, 0);
	end_store(bucket);
}

#define SWAPPERS 3
#define SWAPS	 6

static void *swap_many(void *arg)
{
	struct bucket *bucket = arg;
	struct shale_err err = { 0 };
	uintptr_t won = 0;
	char old[16], new[16];

	for (int i = 0; i < SWAPS; i++) {
		snprintf(old, sizeof(old), "%d", i);
		snprintf(new, sizeof(new), "%d", i + 1);
		if (bucket_swap(bucket, "r/n", old, new, &err) == 0)
			won++;
		else if (err.code != ESTALE)
			ktap_fail(__FILE__, __LINE__, "swap: %s", err.msg);
	}
	return (void *)won;
}

TEST(swap_servers, "swaps of several servers at once are one after another: none is lost")
{
	struct bucket *bucket = open_with("SHALE_TEST_BUCKET", "");
	struct bucket *servers[SWAPPERS];
	pthread_t threads[SWAPPERS];
	__cleanup_buf struct buf text = BUF_INIT;
	struct shale_err err = { 0 };
	void *result;
	long won = 0;

	EXPECT(bucket->ops->has_swap);
	OK(bucket_remove_tree(bucket, "r", &err));
	OK(bucket_put(bucket, "r/n", "0", 1, 0, &err));
	for (int i = 0; i < SWAPPERS; i++)
		servers[i] = open_with("SHALE_TEST_BUCKET", "");
	for (int i = 0; i < SWAPPERS; i++)
		ASSERT_EQ(pthread_create(&threads[i], NULL, swap_many, servers[i]), 0);
	for (int i = 0; i < SWAPPERS; i++) {
		pthread_join(threads[i], &result);
		won += (uintptr_t)result;
		bucket_release(servers[i]);
	}
	OK(bucket_get(bucket, "r/n", 16, &text, &err));
	EXPECT_EQ(atoi(buf_str(&text)), won);
	EXPECT(won > 0);
	end_store(bucket);
}

static void *remove_old(void *arg)
{
	struct shale_err err = { 0 };

	if (bucket_swap(arg, "r/t", "old", NULL, &err) < 0 && err.code != ESTALE)
		ktap_fail(__FILE__, __LINE__, "swap: %s", err.msg);
	return NULL;
}

TEST(swap_put, "what is put is not removed by a swap that has looked before and changes after")
{
	struct bucket *bucket = open_with("SHALE_TEST_BUCKET", "");
	const struct timespec second = { 1, 0 };
	__cleanup_buf struct buf text = BUF_INIT;
	struct shale_err err = { 0 };
	struct bucket *faulty;
	pthread_t remover;

	OK(bucket_remove_tree(bucket, "r", &err));
	OK(bucket_put(bucket, "r/t", "old", 3, 0, &err));
	set_fault(NULL);
	faulty = open_with("SHALE_TEST_FAULTY", "");
	set_fault("{\"method\": \"DELETE\", \"path\": \"/r/t\", \"action\": \"wait\", \"seconds\": 3}");
	ASSERT_EQ(pthread_create(&remover, NULL, remove_old, faulty), 0);
	nanosleep(&second, NULL);
	OK(bucket_put(bucket, "r/t", "new", 3, BUCKET_SWAPPED, &err));
	pthread_join(remover, NULL);
	EXPECT_EQ(end_fault(), 1);
	OK(bucket_get(bucket, "r/t", 16, &text, &err));
	EXPECT_STREQ(buf_str(&text), "new");
	bucket_release(faulty);
	end_store(bucket);
}

TEST(swap_alone, "where the store can compare nothing, swaps of one process still have an order")
{
	struct bucket *bucket = open_with("SHALE_TEST_BUCKET", "conditional=none");
	struct shale_err err = { 0 };

	EXPECT(!bucket->ops->has_swap);
	OK(bucket_remove_tree(bucket, "r", &err));
	OK(bucket_swap(bucket, "r/t", NULL, "a", &err));
	EXPECT_CODE(bucket_swap(bucket, "r/t", NULL, "b", &err), ESTALE);
	OK(bucket_swap(bucket, "r/t", "a", "b", &err));
	OK(bucket_swap(bucket, "r/t", "b", NULL, &err));
	end_store(bucket);
}

TEST(lock_left, "a lock that a server left behind when it died is broken after its lease")
{
	struct bucket *bucket = open_with("SHALE_TEST_BUCKET", "");
	struct remote_store *store = remote_store_of(bucket);
	__cleanup_buf struct buf path = BUF_INIT;
	__cleanup_buf struct buf key = BUF_INIT;
	struct shale_err err = { 0 };
	char hash[SIGV4_HEX];
	struct bucket_stat st;
	time_t start = time(NULL);

	if (store->can_put_match || !store->has_exact_lists)
		SKIP("stores that need locks only");
	OK(remote_store_key(store, "r/t", &key, &err));
	OK(sigv4_hash(key.data, key.len, hash, &err));
	OK(buf_addf(&path, ".shale/lock/%s/0123456789abcdef", hash));
	OK(bucket_put(bucket, buf_str(&path), "0123456789abcdef", 16, 0, &err));
	OK(bucket_swap(bucket, "r/t", NULL, "a", &err));
	EXPECT(time(NULL) - start >= 29);
	EXPECT_CODE(bucket_stat(bucket, buf_str(&path), &st, &err), ENOENT);
	end_store(bucket);
}

TEST(link, "a link gives the object to anybody, and to nobody when it is changed")
{
	struct bucket *bucket = open_store();
	static const char path[] = "r/a b+c%d:e";
	struct shale_err err = { 0 };
	struct buf url = BUF_INIT;
	struct buf body = BUF_INIT;

	OK(bucket_put(bucket, path, "hello", 5, 0, &err));
	if (!OK(bucket_redirect(bucket, path, "GET", 300, &url, &err)))
		SKIP("no links with this configuration");
	EXPECT_EQ(ask("GET", buf_str(&url), NULL, &body), 200);
	EXPECT_STREQ(buf_str(&body), "hello");
	url.data[url.len - 1] = url.data[url.len - 1] == '0' ? '1' : '0';
	EXPECT(ask("GET", buf_str(&url), NULL, NULL) >= 400);
	buf_clear(&url);
	OK(bucket_redirect(bucket, path, "HEAD", 300, &url, &err));
	EXPECT_EQ(ask("HEAD", buf_str(&url), NULL, NULL), 200);
	buf_release(&url);
	buf_release(&body);
	end_store(bucket);
}

TEST(readonly, "a bucket that is only read is not written to, not even to try what it can do")
{
	struct bucket *bucket;
	struct shale_err err = { 0 };

	set_fault("{\"method\": \"PUT\", \"action\": \"status\", \"status\": 403}");
	bucket = open_with("SHALE_TEST_FAULTY", BUCKET_PARAM_READONLY "=true");
	OK(bucket_health(bucket, &err));
	EXPECT_EQ(end_fault(), 0);
	bucket_release(bucket);
}

/* Two sizes: one request, and several pieces. */
#define SMALL 70000u
#define LARGE 11000000u

static int do_put(struct bucket *bucket, struct shale_err *err)
{
	__cleanup_buf struct buf text = BUF_INIT;

	if (bucket_put(bucket, "r/f", "hello", 5, 0, err) < 0)
		return -1;
	if (bucket_get(bucket, "r/f", 10, &text, err) < 0)
		return -1;
	EXPECT_STREQ(buf_str(&text), "hello");
	return 0;
}

static int do_small(struct bucket *bucket, struct shale_err *err)
{
	return put_pattern(bucket, "r/f", SMALL, err) < 0 || read_pattern(bucket, "r/f", 0, err) != SMALL ? -1 : 0;
}

static int do_large(struct bucket *bucket, struct shale_err *err)
{
	return put_pattern(bucket, "r/f", LARGE, err) < 0 || read_pattern(bucket, "r/f", 0, err) != LARGE ? -1 : 0;
}

static int do_read(struct bucket *bucket, struct shale_err *err)
{
	return read_pattern(bucket, "r/large", 12345, err) == LARGE - 12345 ? 0 : -1;
}

static int do_get(struct bucket *bucket, struct shale_err *err)
{
	__cleanup_buf struct buf text = BUF_INIT;

	return bucket_get(bucket, "r/large", LARGE, &text, err);
}

static int do_stat(struct bucket *bucket, struct shale_err *err)
{
	struct bucket_stat st;

	return bucket_stat(bucket, "r/large", &st, err);
}

static int do_list(struct bucket *bucket, struct shale_err *err)
{
	unsigned int count = 0;

	if (bucket_list(bucket, "r", NULL, count_entry, &count, err) < 0)
		return -1;
	EXPECT_EQ(count, 1);
	return 0;
}

static int do_swap(struct bucket *bucket, struct shale_err *err)
{
	if (bucket_swap(bucket, "r/t", NULL, "a", err) < 0 || bucket_swap(bucket, "r/t", "a", "b", err) < 0)
		return -1;
	return bucket_swap(bucket, "r/t", "b", NULL, err);
}

static int do_move(struct bucket *bucket, struct shale_err *err)
{
	if (bucket_put(bucket, "r/f", "hello", 5, 0, err) < 0 || bucket_move(bucket, "r/f", "r/g", err) < 0)
		return -1;
	return bucket_remove(bucket, "r/g", err);
}

static int do_tree(struct bucket *bucket, struct shale_err *err)
{
	if (bucket_put(bucket, "r/d/f", "hello", 5, 0, err) < 0 || bucket_put(bucket, "r/d/g", "hello", 5, 0, err) < 0)
		return -1;
	return bucket_remove_tree(bucket, "r/d", err);
}

struct fault_case {
	struct ktap_row row;
	const char *rule;
	int (*run)(struct bucket *bucket, struct shale_err *err);
	int code;	     /* 0: it goes well all the same */
	const char *message; /* a part of it; NULL: any */
	const char *only;    /* this driver; NULL: all */
};

#define STATUS(CODE) "\"action\": \"status\", \"status\": " #CODE
#define FIRST(METHOD) "{\"method\": \"" METHOD "\", \"path\": \"/r/\", \"times\": 1, "
#define EACH(METHOD)  "{\"method\": \"" METHOD "\", \"path\": \"/r/\", "
#define S3_ERROR(CODE) "\"body\": \"<Error><Code>" CODE "</Code><Message>m</Message></Error>\""

static const struct fault_case faults[] = {
	{ { "put_500", "a write after two errors" },
	  "{\"method\": \"PUT\", \"times\": 2, " STATUS(500) "}", do_put, 0, NULL, NULL },
	{ { "put_503", "a write when the store is too busy for one" },
	  FIRST("PUT") STATUS(503) ", " S3_ERROR("SlowDown") ", \"headers\": {\"Retry-After\": \"1\"}}", do_put, 0, NULL, NULL },
	{ { "put_429", "a write after 429" }, FIRST("PUT") STATUS(429) "}", do_put, 0, NULL, NULL },
	{ { "put_503_always", "a store that stays too busy" }, EACH("PUT") STATUS(503) "}", do_put, EAGAIN, "503", NULL },
	{ { "put_wait_long", "a store that wants us back in an hour" },
	  EACH("PUT") STATUS(503) ", \"headers\": {\"Retry-After\": \"3600\"}}", do_put, EAGAIN, NULL, NULL },
	{ { "put_400_timeout", "S3's 400 for a timeout is one that goes by" },
	  FIRST("PUT") STATUS(400) ", " S3_ERROR("RequestTimeout") "}", do_put, 0, NULL, "s3" },
	{ { "put_dropped", "a write of which the connection breaks" }, FIRST("PUT") "\"action\": \"drop\"}", do_put, 0, NULL, NULL },
	{ { "put_late", "a write of which the answer is lost" }, FIRST("PUT") "\"action\": \"late\"}", do_put, 0, NULL, NULL },
	{ { "put_stalled", "a write of which the answer does not come" },
	  FIRST("PUT") "\"action\": \"stall\", \"seconds\": 12}", do_put, 0, NULL, NULL },
	{ { "put_dropped_always", "a store that always hangs up" }, EACH("PUT") "\"action\": \"drop\"}", do_put, EAGAIN, NULL, NULL },
	{ { "put_403", "a store that refuses us" },
	  EACH("PUT") STATUS(403) ", " S3_ERROR("AccessDenied") "}", do_put, EACCES, NULL, NULL },
	{ { "put_507", "a store that is full" }, EACH("PUT") STATUS(507) "}", do_put, ENOSPC, NULL, NULL },
	{ { "skew", "a clock that is wrong is named" },
	  EACH("PUT") STATUS(403) ", \"headers\": {\"Date\": \"Thu, 26 Nov 2015 12:00:00 GMT\"}, " S3_ERROR("RequestTimeTooSkewed") "}",
	  do_put, EACCES, "seconds ahead of S3's", "s3" },
	{ { "skew_azure", "a clock that is wrong is named" },
	  EACH("PUT") STATUS(403) ", \"headers\": {\"Date\": \"Thu, 26 Nov 2045 12:00:00 GMT\"}, " S3_ERROR("AuthenticationFailed") "}",
	  do_put, EACCES, "seconds behind Azure's", "azure" },
	{ { "region", "a bucket of another region is named" },
	  EACH("PUT") STATUS(301) ", \"headers\": {\"x-amz-bucket-region\": \"eu-west-9\"}, " S3_ERROR("PermanentRedirect") "}",
	  do_put, EIO, "the bucket is in region 'eu-west-9', not 'us-east-1'", "s3" },
	{ { "token", "a token that is refused once" }, FIRST("PUT") STATUS(401) "}", do_put, 0, NULL, "swift" },
	{ { "token_always", "a token that is always refused" }, EACH("PUT") STATUS(401) "}", do_put, EACCES, "401", "swift" },
	{ { "older", "a write that comes with an older time" }, EACH("PUT") STATUS(202) "}", do_put, EAGAIN, "clocks of its proxies", "swift" },
	{ { "older_once", "a write that comes with an older time once" }, FIRST("PUT") STATUS(202) "}", do_put, 0, NULL, "swift" },
	{ { "small_500", "an upload of one piece after an error" }, FIRST("PUT") STATUS(500) "}", do_small, 0, NULL, NULL },
	{ { "large_500", "an upload whose every third write fails" },
	  "{\"method\": \"PUT\", \"skip\": 2, \"times\": 1, " STATUS(500) "}", do_large, 0, NULL, NULL },
	{ { "large_late", "an upload of which an answer is lost" },
	  "{\"method\": \"PUT\", \"path\": \"/r/\", \"skip\": 1, \"times\": 1, \"action\": \"late\"}", do_large, 0, NULL, NULL },
	{ { "finish_late", "an upload of which the last answer is lost" },
	  "{\"method\": \"POST\", \"path\": \"uploadId\", \"times\": 1, \"action\": \"late\"}", do_large, 0, NULL, "s3" },
	{ { "finish_error", "an upload that fails with status 200 once" },
	  "{\"method\": \"POST\", \"path\": \"uploadId\", \"times\": 1, " STATUS(200) ", " S3_ERROR("InternalError") "}", do_large, 0, NULL, "s3" },
	{ { "finish_refused", "an upload that fails with status 200" },
	  "{\"method\": \"POST\", \"path\": \"uploadId\", " STATUS(200) ", " S3_ERROR("InvalidPart") "}", do_large, EIO, "InvalidPart", "s3" },
	{ { "no_copies", "a store that copies no parts is sent them" },
	  "{\"method\": \"PUT\", \"path\": \"partNumber\", \"times\": 1, " STATUS(501) ", " S3_ERROR("NotImplemented") "}", do_large, 0, NULL, "s3" },
	{ { "read_500", "reading after two errors" },
	  "{\"method\": \"GET\", \"path\": \"/r/large\", \"times\": 2, " STATUS(500) "}", do_read, 0, NULL, NULL },
	{ { "read_cut", "reading when every answer breaks off" },
	  "{\"method\": \"GET\", \"path\": \"/r/large\", \"times\": 5, \"action\": \"cut\", \"bytes\": 1500000}", do_read, 0, NULL, NULL },
	{ { "read_stall", "reading when an answer stops" },
	  "{\"method\": \"GET\", \"path\": \"/r/large\", \"times\": 1, \"action\": \"stall\", \"bytes\": 300000, \"seconds\": 12}", do_read, 0, NULL, NULL },
	{ { "read_dropped", "reading when the store always hangs up" },
	  "{\"method\": \"GET\", \"path\": \"/r/large\", \"action\": \"drop\"}", do_read, EAGAIN, NULL, NULL },
	{ { "read_other", "an answer with another range" },
	  "{\"method\": \"GET\", \"path\": \"/r/large\", " STATUS(206) ", \"headers\": {\"Content-Range\": \"bytes 0-4/5\"}, \"body\": \"12345\"}",
	  do_read, EIO, "another range", NULL },
	{ { "get_cut", "a small read that breaks off" },
	  "{\"method\": \"GET\", \"path\": \"/r/large\", \"times\": 1, \"action\": \"cut\", \"bytes\": 1000}", do_get, 0, NULL, NULL },
	{ { "stat_503", "a question after an error" }, FIRST("HEAD") STATUS(503) "}", do_stat, 0, NULL, NULL },
	{ { "stat_403", "a question that is refused" }, EACH("HEAD") STATUS(403) "}", do_stat, EACCES, NULL, NULL },
	{ { "list_cut", "a list that breaks off once" },
	  "{\"method\": \"GET\", \"path\": \"prefix=\", \"times\": 1, \"action\": \"cut\", \"bytes\": 100}", do_list, 0, NULL, NULL },
	{ { "list_no_xml", "a list that is a proxy's page" },
	  "{\"method\": \"GET\", \"path\": \"prefix=\", " STATUS(200) ", \"body\": \"<html><p>busy</html>\"}", do_list, EIO, "not XML", "s3" },
	{ { "list_no_json", "a list that is a proxy's page" },
	  "{\"method\": \"GET\", \"path\": \"prefix=\", " STATUS(200) ", \"body\": \"<html><p>busy</html>\"}", do_list, EINVAL, "not JSON", "swift" },
	{ { "list_endless", "a list of which every page is the first" },
	  "{\"method\": \"GET\", \"path\": \"prefix=\", " STATUS(200) ", \"body\": \"<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>x</NextContinuationToken></ListBucketResult>\"}",
	  do_list, EIO, "pages do not end", "s3" },
	{ { "list_gone", "a bucket that is not there is no empty one" },
	  "{\"method\": \"GET\", \"path\": \"prefix=\", " STATUS(404) ", " S3_ERROR("NoSuchBucket") "}", do_list, EIO, NULL, NULL },
	{ { "swap_late", "a swap of which the answer is lost" },
	  "{\"method\": \"PUT\", \"path\": \"/r/t\", \"times\": 1, \"action\": \"late\"}", do_swap, 0, NULL, NULL },
	{ { "swap_lock_late", "a lock of which the answer is lost" },
	  "{\"method\": \"PUT\", \"path\": \"/lock/\", \"times\": 1, \"action\": \"late\"}", do_swap, 0, NULL, NULL },
	{ { "swap_dropped", "a swap that never gets there" },
	  "{\"method\": \"PUT\", \"path\": \"/r/t\", \"action\": \"drop\"}", do_swap, EAGAIN, NULL, NULL },
	{ { "move_500", "a move after an error" }, FIRST("PUT") STATUS(500) "}", do_move, 0, NULL, NULL },
	{ { "tree_late", "a removal of which an answer is lost" },
	  "{\"method\": \"DELETE\", \"path\": \"/r/d/\", \"times\": 1, \"action\": \"late\"}", do_tree, 0, NULL, NULL },
	{ { "tree_403", "a removal that is refused" }, "{\"method\": \"DELETE\", \"path\": \"/r/d/\", " STATUS(403) "}", do_tree, EACCES, NULL, NULL },
};

TEST_TABLE(fault, struct fault_case, faults, c)
{
	struct bucket *bucket = open_store();
	struct shale_err err = { 0 };
	struct bucket *faulty;
	int ret, struck;

	if (c->only && strcmp(c->only, bucket->ops->name))
		SKIP("%s only", c->only);
	if (c->run == do_read || c->run == do_get || c->run == do_stat || c->run == do_list)
		OK(put_pattern(bucket, "r/large", LARGE, &err));
	set_fault(NULL);
	faulty = open_with("SHALE_TEST_FAULTY", c->run == do_swap ? "" : "conditional=lock");
	set_fault(c->rule);
	err = (struct shale_err){ 0 };
	ret = c->run(faulty, &err);
	struck = end_fault();
	/* Not all stores need locks. */
	EXPECT(struck > 0 || !strcmp(c->row.name, "swap_lock_late"));
	EXPECT_EQ(ret, c->code ? -1 : 0);
	if (c->code)
		EXPECT_EQ(err.code, c->code);
	if (ret < 0 && (!c->code || err.code != c->code))
		ktap_note("%s", err.msg);
	if (c->code && c->message && !strstr(err.msg, c->message))
		EXPECT_STREQ(err.msg, c->message);
	bucket_release(faulty);
	end_store(bucket);
}

TEST(replaced_while_read, "an object that is replaced while the connection is broken fails: no two versions are mixed")
{
	struct bucket *bucket = open_store();
	static unsigned char piece[PIECE];
	struct bucket_reader *reader = NULL;
	struct shale_err err = { 0 };
	struct bucket *faulty;
	ssize_t got;

	OK(put_pattern(bucket, "r/large", LARGE, &err));
	set_fault(NULL);
	faulty = open_with("SHALE_TEST_FAULTY", "");
	set_fault("{\"method\": \"GET\", \"path\": \"/r/large\", \"times\": 1, \"action\": \"cut\", \"bytes\": 200000}");
	OK(bucket_open_reader(faulty, "r/large", 0, &reader, &err));
	EXPECT(bucket_read(reader, piece, sizeof(piece), &err) > 0);
	OK(bucket_put(bucket, "r/large", piece, 1000, 0, &err));
	while ((got = bucket_read(reader, piece, sizeof(piece), &err)) > 0)
		;
	EXPECT_EQ(got, -1);
	EXPECT_EQ(err.code, EIO);
	EXPECT_EQ(end_fault(), 1);
	bucket_close(reader);
	bucket_release(faulty);
	end_store(bucket);
}

TEST(slow_reader, "a reader that takes its time gets all, whether or not the store waits")
{
	struct bucket *bucket = open_store();
	const struct timespec pause = { 6, 0 };
	static unsigned char piece[PIECE];
	struct bucket_reader *reader = NULL;
	struct shale_err err = { 0 };
	uint64_t wrong = 0, at = 0;
	struct bucket *faulty;
	ssize_t got;

	OK(put_pattern(bucket, "r/large", LARGE, &err));
	set_fault(NULL);
	/* Patience is 5 seconds there: what nobody reads is no stall. */
	faulty = open_with("SHALE_TEST_FAULTY", "");
	OK(bucket_open_reader(faulty, "r/large", 0, &reader, &err));
	while ((got = bucket_read(reader, piece, sizeof(piece), &err)) > 0) {
		for (ssize_t i = 0; i < got; i++)
			wrong += piece[i] != pattern(at++);
		if (at < PIECE)
			nanosleep(&pause, NULL);
	}
	EXPECT_EQ(got, 0);
	EXPECT_EQ(at, LARGE);
	EXPECT_EQ(wrong, 0);
	bucket_close(reader);
	bucket_release(faulty);
	end_store(bucket);
}

struct open_case {
	struct ktap_row row;
	const char *driver;
	const char *more;
	int code;
	const char *message;
};

static const struct open_case opens[] = {
	{ { "s3_key", "an unknown key" }, "s3", "accesskey=nobody:x", EACCES, "the storage cannot be written: " },
	{ { "s3_secret", "a wrong secret" }, "s3", "secretkey=wrong", EACCES, "SignatureDoesNotMatch" },
	{ { "s3_bucket", "a bucket that is not there" }, "s3", "bucket=nonesuch", EIO, "S3 has no bucket 'nonesuch'" },
	{ { "s3_region", "another region" }, "s3", "region=eu-west-1", EACCES, "region" },
	{ { "s3_host", "a server that is not there" }, "s3", "regionendpoint=http://127.0.0.1:1 retries=0", EAGAIN, "Failed to connect" },
	{ { "s3_tls", "TLS to a server without" }, "s3", "regionendpoint=127.0.0.1:1 retries=0", EAGAIN, "Failed to connect" },
	{ { "swift_user", "an unknown user" }, "swift", "username=nobody:x", EACCES, "logging in to Swift: " },
	{ { "swift_password", "a wrong password" }, "swift", "password=wrong", EACCES, "is refused with status 401" },
	{ { "swift_host", "a server that is not there" }, "swift", "authurl=http://127.0.0.1:1/auth/v1.0 retries=0", EAGAIN, "Failed to connect" },
	{ { "azure_key", "a wrong key" }, "azure", "accountkey=AAAA", EACCES, "AuthorizationFailure" },
	{ { "azure_host", "a server that is not there" }, "azure", "serviceurl=http://127.0.0.1:1/devstoreaccount1 retries=0", EAGAIN, "Failed to connect" },
};

TEST_TABLE(open, struct open_case, opens, c)
{
	const char *spec = getenv("SHALE_TEST_BUCKET");
	struct bucket *bucket = NULL;
	struct shale_err err = { 0 };

	if (!spec || strncmp(spec, c->driver, strlen(c->driver)))
		SKIP("%s only", c->driver);
	EXPECT_EQ(open_spec("SHALE_TEST_BUCKET", c->more, &bucket, &err), -1);
	EXPECT_EQ(err.code, c->code);
	if (err.code != c->code || !strstr(err.msg, c->message))
		EXPECT_STREQ(err.msg, c->message);
	if (bucket)
		bucket_release(bucket);
}
