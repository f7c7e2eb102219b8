// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two servers on one bucket: one collects, the other takes in what the first is about to take away. Either is
 * stopped before each of its calls of the bucket in turn until the other is done, or waits for it; what was
 * acknowledged is there afterwards. The bucket is in memory and said to be shared.
 */
#include "ktap.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/cleanup.h"
#include "registry/catalog.h"
#include "registry/hold.h"
#include "registry/layout.h"
#include "registry/manifest.h"
#include "registry/repo.h"
#include "registry/sweep.h"
#include "registry/upload.h"

#define REPO "a/b"
#define TYPE "application/vnd.oci.image.manifest.v1+json"
/* More calls than any of them makes. */
#define MAX_STEPS 200

enum role { ROLE_NOBODY, ROLE_COLLECTOR, ROLE_PUSHER };

static _Thread_local enum role role;

static struct {
	const struct bucket_ops *real;
	struct bucket_ops ops;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	enum role stopped; /* who stops before the call number `step`; the rest is under the lock */
	unsigned int step;
	unsigned int calls;
	bool has_stopped;
	bool may_go_on;
	bool is_done[3];
} world = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void tell(bool *flag)
{
	pthread_mutex_lock(&world.lock);
	*flag = true;
	pthread_cond_broadcast(&world.changed);
	pthread_mutex_unlock(&world.lock);
}

/* Before each call of the bucket. */
static void gate(void)
{
	pthread_mutex_lock(&world.lock);
	if (role != ROLE_NOBODY && role == world.stopped && world.calls++ == world.step) {
		world.has_stopped = true;
		pthread_cond_broadcast(&world.changed);
		while (!world.may_go_on)
			pthread_cond_wait(&world.changed, &world.lock);
	}
	pthread_mutex_unlock(&world.lock);
}

static int gated_stat(struct bucket *bucket, const char *path, struct bucket_stat *ret_stat, struct shale_err *err)
{
	gate();
	return world.real->stat(bucket, path, ret_stat, err);
}

/* Who reads that it is doomed waits for the other. */
static int gated_get(struct bucket *bucket, const char *path, size_t max, struct buf *buf, struct shale_err *err)
{
	int ret;

	gate();
	ret = world.real->get(bucket, path, max, buf, err);
	if (ret == 0 && role == ROLE_PUSHER && !strcmp(path, ".shale/gc/doomed"))
		tell(&world.may_go_on);
	return ret;
}

static int gated_put(struct bucket *bucket, const char *path, const void *data, size_t len, unsigned int flags,
		     struct shale_err *err)
{
	gate();
	return world.real->put(bucket, path, data, len, flags, err);
}

static int gated_swap(struct bucket *bucket, const char *path, const char *old, const char *new, struct shale_err *err)
{
	gate();
	return world.real->swap(bucket, path, old, new, err);
}

static int gated_commit(struct bucket_writer *writer, const char *to, struct shale_err *err)
{
	gate();
	return world.real->commit(writer, to, err);
}

static int gated_list(struct bucket *bucket, const char *prefix, const char *after, bucket_entry_fn each, void *ctx,
		      struct shale_err *err)
{
	gate();
	return world.real->list(bucket, prefix, after, each, ctx, err);
}

static int gated_remove(struct bucket *bucket, const char *path, struct shale_err *err)
{
	gate();
	return world.real->remove(bucket, path, err);
}

static void make_shared(struct bucket *bucket)
{
	world.real = bucket->ops;
	world.ops = *bucket->ops;
	world.ops.is_shared = true;
	world.ops.has_swap = true;
	world.ops.stat = gated_stat;
	world.ops.get = gated_get;
	world.ops.put = gated_put;
	world.ops.swap = gated_swap;
	world.ops.commit = gated_commit;
	world.ops.list = gated_list;
	world.ops.remove = gated_remove;
	bucket->ops = &world.ops;
}

/* What everybody knows: a blob that nothing refers to, whether it is old, and an image that does. */
static const char blob[] = "what both are about";
static const char config[] = "{}";

struct image {
	struct sum blob;
	struct sum config;
	struct sum sum;
	struct buf text;
};

static void image_init(struct image *image)
{
	sum_of(SUM_SHA256, blob, strlen(blob), &image->blob);
	sum_of(SUM_SHA256, config, strlen(config), &image->config);
	ASSERT_EQ(buf_addf(&image->text,
			   "{\"schemaVersion\":2,\"mediaType\":\"" TYPE "\","
			   "\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":\"%s\",\"size\":%zu},"
			   "\"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"%s\",\"size\":%zu}]}",
			   image->config.text, strlen(config), image->blob.text, strlen(blob)), 0);
	sum_of(SUM_SHA256, image->text.data, image->text.len, &image->sum);
}

static void server_init(struct reg *reg, struct bucket *bucket)
{
	enum catalog_state state;

	*reg = (struct reg){ .bucket = bucket };
	ASSERT_EQ(reg_init(reg, NULL), 0);
	ASSERT_EQ(catalog_open(":memory:", &reg->catalog, &state, NULL), 0);
}

static void server_release(struct reg *reg)
{
	catalog_close(reg->catalog);
	reg_release(reg);
}

static int push_blob(struct reg *reg, const char *data, const struct sum *sum, struct shale_err *err)
{
	struct upload *upload;

	if (upload_create(reg, REPO, SUM_SHA256, &upload, err) < 0)
		return -1;
	if (upload_write(upload, data, strlen(data), err) < 0) {
		upload_cancel(upload);
		return -1;
	}
	return upload_finish(upload, sum, err);
}

static int push_manifest(struct reg *reg, const struct image *image, struct shale_err *err)
{
	__cleanup_manifest struct manifest manifest = { 0 };
	__cleanup_buf struct buf copy = BUF_INIT;
	const char *tag = "t";
	const struct sum *absent;
	struct doc *doc;
	int ret;

	ASSERT_EQ(buf_add(&copy, image->text.data, image->text.len), 0);
	ASSERT_EQ(manifest_parse(TYPE, image->text.data, image->text.len, &manifest, err), 0);
	doc = doc_new(TYPE, &copy);
	ASSERT(doc);
	ret = repo_push(reg, REPO,
			&(struct repo_push){ .sum = &image->sum, .manifest = &manifest, .doc = doc, .tags = &tag,
					     .tag_count = 1 },
			&absent, err);
	doc_put(doc);
	return ret;
}

struct server {
	struct reg reg;
	struct image *image;
	int (*run)(struct server *server, struct shale_err *err);
	int ret;
	struct shale_err err;
};

static int collect(struct server *server, struct shale_err *err)
{
	const struct sweep_options options = { .age = 0 };
	struct sweep_result result;

	return sweep_run(&server->reg, &options, &result, err);
}

/* Its client has found the blob in the repository, and refers to it. */
static int refer(struct server *server, struct shale_err *err)
{
	return push_manifest(&server->reg, server->image, err);
}

/* Its client sends the blob again; when it is told that this is done, it is. */
static int send_again(struct server *server, struct shale_err *err)
{
	if (push_blob(&server->reg, blob, &server->image->blob, err) < 0)
		return -1;
	return push_manifest(&server->reg, server->image, err);
}

static void *server_thread(void *arg)
{
	struct server *server = arg;

	role = server->run == collect ? ROLE_COLLECTOR : ROLE_PUSHER;
	server->ret = server->run(server, &server->err);
	tell(&world.is_done[role]);
	return NULL;
}

static bool has_object(struct bucket *bucket, struct layout_path path)
{
	struct bucket_stat st;

	return bucket_stat(bucket, path.text, &st, NULL) == 0;
}

struct meeting {
	struct ktap_row row;
	int (*push)(struct server *server, struct shale_err *err);
	bool must_succeed;
	enum role stopped;
};

static const struct meeting meetings[] = {
	{ { "refer", "beside who refers to a blob, the collector stops" }, refer, false, ROLE_COLLECTOR },
	{ { "refer_stops", "beside who refers to a blob and stops" }, refer, false, ROLE_PUSHER },
	{ { "send", "beside who sends a blob again, the collector stops" }, send_again, true, ROLE_COLLECTOR },
	{ { "send_stops", "beside who sends a blob again and stops" }, send_again, true, ROLE_PUSHER },
};

static void expect_outcome(const struct meeting *meeting, struct server *pusher, const struct image *image)
{
	struct bucket *bucket = pusher->reg.bucket;

	if (pusher->ret == 0) {
		EXPECT(has_object(bucket, layout_blob(&image->blob)));
		EXPECT(has_object(bucket, layout_layer(REPO, &image->blob)));
		EXPECT(has_object(bucket, layout_blob(&image->config)));
		EXPECT(has_object(bucket, layout_blob(&image->sum)));
		EXPECT(has_object(bucket, layout_revision(REPO, &image->sum)));
		return;
	}
	/* Told that it is not there; and nothing is left that says otherwise. */
	EXPECT(!meeting->must_succeed);
	EXPECT_EQ(pusher->err.code, ENOENT);
	EXPECT(!has_object(bucket, layout_revision(REPO, &image->sum)));
}

static void run_both(struct server *first, struct server *second)
{
	pthread_t threads[2];

	ASSERT_EQ(pthread_create(&threads[0], NULL, server_thread, first), 0);
	pthread_mutex_lock(&world.lock);
	while (!world.has_stopped && !world.is_done[world.stopped])
		pthread_cond_wait(&world.changed, &world.lock);
	pthread_mutex_unlock(&world.lock);
	ASSERT_EQ(pthread_create(&threads[1], NULL, server_thread, second), 0);
	pthread_mutex_lock(&world.lock);
	while (!world.may_go_on && !world.is_done[second->run == collect ? ROLE_COLLECTOR : ROLE_PUSHER])
		pthread_cond_wait(&world.changed, &world.lock);
	pthread_mutex_unlock(&world.lock);
	tell(&world.may_go_on);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}

/* False: who was to stop has made no such call. */
static bool meet(const struct meeting *meeting, unsigned int step)
{
	struct bucket_params params = { NULL, 0 };
	struct image image = { .text = BUF_INIT };
	struct server collector = { .image = &image, .run = collect };
	struct server pusher = { .image = &image, .run = meeting->push };
	struct shale_err err = { 0 };
	struct bucket *bucket;

	world.stopped = ROLE_NOBODY;
	ASSERT_EQ(bucket_open("inmemory", &params, &bucket, &err), 0);
	make_shared(bucket);
	image_init(&image);
	/* The first server, which has told nobody anything for long. */
	ASSERT_EQ(bucket_put(bucket, layout_blob(&image.blob).text, blob, strlen(blob), 0, &err), 0);
	ASSERT_EQ(bucket_put(bucket, layout_layer(REPO, &image.blob).text, image.blob.text, strlen(image.blob.text), 0,
			     &err), 0);
	server_init(&collector.reg, bucket);
	server_init(&pusher.reg, bucket);
	ASSERT_EQ(push_blob(&pusher.reg, config, &image.config, &err), 0);
	world.stopped = meeting->stopped;
	world.step = step;
	world.calls = 0;
	world.has_stopped = world.may_go_on = false;
	memset(world.is_done, 0, sizeof(world.is_done));
	if (meeting->stopped == ROLE_COLLECTOR)
		run_both(&collector, &pusher);
	else
		run_both(&pusher, &collector);
	EXPECT_EQ(collector.ret, 0);
	expect_outcome(meeting, &pusher, &image);
	EXPECT(!has_object(bucket, (struct layout_path){ ".shale/gc/doomed" }));
	server_release(&collector.reg);
	server_release(&pusher.reg);
	buf_release(&image.text);
	bucket_release(bucket);
	return world.has_stopped;
}

TEST_TABLE(meets, struct meeting, meetings, c)
{
	unsigned int step = 0;
	bool had_failed = false;

	while (step < MAX_STEPS && meet(c, step)) {
		if (ktap_has_failed() && !had_failed)
			ktap_note("stopped before call %u", step);
		had_failed = ktap_has_failed();
		step++;
	}
	EXPECT(step > 8 && step < MAX_STEPS);
	ktap_note("%u places", step);
}

static int count_one(void *ctx, const struct bucket_entry *entry, struct shale_err *err)
{
	(void)entry, (void)err;
	++*(unsigned int *)ctx;
	return 0;
}

TEST(takes, "what nobody wants is taken, and old leases")
{
	struct bucket_params params = { NULL, 0 };
	struct image image = { .text = BUF_INIT };
	struct server collector = { .image = &image, .run = collect };
	struct layout_path old = { ".shale/lease/17/sha256/00" };
	const struct sweep_options alone = { .is_alone = true };
	struct sweep_result result;
	unsigned int left = 0;
	struct shale_err err = { 0 };
	struct bucket *bucket;

	ASSERT_EQ(bucket_open("inmemory", &params, &bucket, &err), 0);
	make_shared(bucket);
	image_init(&image);
	ASSERT_EQ(bucket_put(bucket, layout_blob(&image.blob).text, blob, strlen(blob), 0, &err), 0);
	ASSERT_EQ(bucket_put(bucket, layout_blob(&image.config).text, config, strlen(config), 0, &err), 0);
	ASSERT_EQ(bucket_put(bucket, old.text, "1", 1, 0, &err), 0);
	server_init(&collector.reg, bucket);
	ASSERT_EQ(hold_sum(&collector.reg, &image.config, &err), 0);
	EXPECT_EQ(collect(&collector, &err), 0);
	EXPECT(!has_object(bucket, layout_blob(&image.blob)));
	EXPECT(has_object(bucket, layout_blob(&image.config)));
	EXPECT(!has_object(bucket, old));
	/* Who is alone has nobody's promises to keep; what this server knows itself is gone with it. */
	server_release(&collector.reg);
	server_init(&collector.reg, bucket);
	EXPECT_EQ(sweep_run(&collector.reg, &alone, &result, &err), 0);
	EXPECT(!has_object(bucket, layout_blob(&image.config)));
	EXPECT_EQ(bucket_walk(bucket, ".shale", count_one, &left, &err), 0);
	EXPECT_EQ(left, 0);
	server_release(&collector.reg);
	buf_release(&image.text);
	bucket_release(bucket);
}

TEST(dead_collector, "the list of a collector that died keeps others out for half an hour, and one that is none nobody")
{
	struct bucket_params params = { NULL, 0 };
	struct image image = { .text = BUF_INIT };
	struct server collector = { .image = &image, .run = collect };
	struct shale_err err = { 0 };
	static const struct {
		const char *when; /* NULL: so many minutes ago */
		int minutes;
		bool keeps_out;
	} lists[] = {
		{ NULL, 29, true }, { NULL, 31, false }, { NULL, -29, true }, { NULL, -31, false },
		{ "-9223372036854775808", 0, false }, { "99999999999999999999", 0, false }, { "x", 0, false }, { "", 0, false },
	};
	struct bucket *bucket;
	char when[32];
	char text[128];

	ASSERT_EQ(bucket_open("inmemory", &params, &bucket, &err), 0);
	make_shared(bucket);
	image_init(&image);
	server_init(&collector.reg, bucket);
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		snprintf(when, sizeof(when), "%lld", (long long)time(NULL) - lists[i].minutes * 60);
		snprintf(text, sizeof(text), "0123456789abcdef %s %.16s", lists[i].when ?: when, sum_hex(&image.blob));
		ASSERT_EQ(bucket_put(bucket, layout_blob(&image.blob).text, blob, strlen(blob), 0, &err), 0);
		ASSERT_EQ(bucket_put(bucket, ".shale/gc/doomed", text, strlen(text), 0, &err), 0);
		EXPECT_EQ(collect(&collector, &err), lists[i].keeps_out ? -1 : 0);
		EXPECT_EQ(has_object(bucket, layout_blob(&image.blob)), lists[i].keeps_out);
		if (lists[i].keeps_out)
			EXPECT_EQ(err.code, EBUSY);
	}
	EXPECT_EQ(hold_sum(&collector.reg, &image.blob, &err), 0);
	server_release(&collector.reg);
	buf_release(&image.text);
	bucket_release(bucket);
}
