// SPDX-License-Identifier: GPL-2.0-only
/*
 * The store below the verbs: sessions at work and dead ones, leases, commits and the collector, with a
 * store in memory. Kills at every step of the verbs are in selftests/image/crash.sh.
 */
#include "ktap.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "store/gc.h"
#include "store/session.h"

static char root[64];

static void store_make(struct store *store)
{
	struct shale_err err = { 0 };

	strcpy(root, "/dev/shm/shale-store-XXXXXX");
	ASSERT(mkdtemp(root));
	strcat(root, "/a/b");
	if (store_open(root, true, store, &err) < 0)
		ktap_fail(__FILE__, __LINE__, "%s", err.msg);
}

static void store_destroy(struct store *store)
{
	char command[128];

	store_close(store);
	root[strlen("/dev/shm/shale-store-XXXXXX")] = '\0';
	snprintf(command, sizeof(command), "rm -rf %s", root);
	EXPECT_EQ(system(command), 0);
}

static struct digest digest_with(char first)
{
	struct digest digest = { { 0 } };

	digest.sum[0] = first;
	return digest;
}

static void blob_make(int dirfd, char first)
{
	struct digest digest = digest_with(first);
	struct digest_text text = digest_text(&digest);

	close(ASSERT_OK(openat(dirfd, digest_hex(&text), O_WRONLY | O_CREAT | O_CLOEXEC, 0644)));
}

static void layer_make(int dirfd, char first)
{
	struct digest digest = digest_with(first);
	struct digest_text text = digest_text(&digest);
	int fd;

	ASSERT_OK(mkdirat(dirfd, digest_hex(&text), 0700));
	fd = ASSERT_OK(openat(dirfd, digest_hex(&text), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	ASSERT_OK(mkdirat(fd, "diff", 0755));
	close(fd);
}

static bool has_blob(const struct store *store, char first)
{
	struct digest digest = digest_with(first);

	return store_has_blob(store, &digest);
}

static bool has_layer(const struct store *store, char first)
{
	struct digest digest = digest_with(first);

	return store_has_layer(store, &digest);
}

static bool has_lease(struct session *session, char first)
{
	struct digest digest = digest_with(first);
	bool present = false;

	ASSERT_EQ(session_lease_layer(session, &digest, &present, NULL), 0);
	return present;
}

static void collect(struct session *session)
{
	struct shale_err err = { 0 };
	int lock = store_lock(session->store, LOCK_EX, &err);

	ASSERT(lock >= 0);
	if (gc_collect_locked(session, NULL, NULL, &err) < 0)
		ktap_fail(__FILE__, __LINE__, "%s", err.msg);
	close(lock);
}

static void begin(struct store *store, struct session *session)
{
	struct shale_err err = { 0 };

	if (session_begin(store, session, &err) < 0)
		ktap_fail(__FILE__, __LINE__, "%s", err.msg);
}

TEST(open, "a store is made with what is above it; layers are only for its owner")
{
	struct store store = STORE_CLOSED;
	struct stat st;

	store_make(&store);
	EXPECT_OK(faccessat(store.dirfd, "oci-layout", F_OK, 0));
	ASSERT_OK(fstatat(store.dirfd, "layers", &st, 0));
	EXPECT_EQ(st.st_mode & 0777, 0700);
	store_destroy(&store);
}

TEST(absent, "no store is ENOENT, and none is made")
{
	struct store store = STORE_CLOSED;
	struct shale_err err = { 0 };

	EXPECT_EQ(store_open("/dev/shm/shale-none", false, &store, &err), -1);
	EXPECT_EQ(err.code, ENOENT);
	EXPECT_ERR(access("/dev/shm/shale-none", F_OK), ENOENT);
}

TEST(lock, "readers share the lock, a writer has it alone")
{
	struct store store = STORE_CLOSED;
	int one, two;

	store_make(&store);
	one = ASSERT_OK(store_lock(&store, LOCK_SH, NULL));
	two = ASSERT_OK(store_lock(&store, LOCK_SH | LOCK_NB, NULL));
	EXPECT_ERR(store_lock(&store, LOCK_EX | LOCK_NB, NULL), EWOULDBLOCK);
	close(one);
	close(two);
	one = ASSERT_OK(store_lock(&store, LOCK_EX, NULL));
	EXPECT_ERR(store_lock(&store, LOCK_SH | LOCK_NB, NULL), EWOULDBLOCK);
	close(one);
	store_destroy(&store);
}

TEST(commit, "what a session made is in the store after its commit, and not before")
{
	struct session session = SESSION_NONE;
	struct store store = STORE_CLOSED;
	int lock;

	store_make(&store);
	begin(&store, &session);
	blob_make(session.blobs_fd, 1);
	layer_make(session.layers_fd, 2);
	EXPECT(!has_blob(&store, 1) && !has_layer(&store, 2));
	ASSERT_EQ(session_sync(&session, NULL), 0);
	lock = ASSERT_OK(store_lock(&store, LOCK_EX, NULL));
	EXPECT_EQ(session_commit_locked(&session, NULL), 0);
	close(lock);
	EXPECT(has_blob(&store, 1) && has_layer(&store, 2));
	session_end(&session);
	EXPECT(has_blob(&store, 1) && has_layer(&store, 2));
	store_destroy(&store);
}

TEST(commit_same, "a layer that another session has brought in meanwhile is no failure")
{
	struct session session = SESSION_NONE;
	struct store store = STORE_CLOSED;
	int lock;

	store_make(&store);
	begin(&store, &session);
	layer_make(session.layers_fd, 2);
	layer_make(store.layers_fd, 2);
	lock = ASSERT_OK(store_lock(&store, LOCK_EX, NULL));
	EXPECT_EQ(session_commit_locked(&session, NULL), 0);
	close(lock);
	session_end(&session);
	store_destroy(&store);
}

TEST(ends, "a session that ends leaves nothing")
{
	struct session session = SESSION_NONE;
	struct store store = STORE_CLOSED;

	store_make(&store);
	begin(&store, &session);
	blob_make(session.blobs_fd, 1);
	layer_make(session.layers_fd, 2);
	session_end(&session);
	EXPECT_OK(unlinkat(store.dirfd, "tmp", AT_REMOVEDIR));
	store_destroy(&store);
}

TEST(lease, "what is leased stays, what is not goes")
{
	struct session session = SESSION_NONE;
	struct store store = STORE_CLOSED;

	store_make(&store);
	begin(&store, &session);
	layer_make(store.layers_fd, 1);
	layer_make(store.layers_fd, 2);
	blob_make(store.blobs_fd, 3);
	EXPECT(has_lease(&session, 1));
	EXPECT(!has_lease(&session, 9));
	collect(&session);
	EXPECT(has_layer(&store, 1));
	EXPECT(!has_layer(&store, 2));
	EXPECT(!has_blob(&store, 3));
	session_end(&session);
	store_destroy(&store);
}

TEST(other_lease, "a lease counts against another session's collector, and ends with its session")
{
	struct session one = SESSION_NONE, two = SESSION_NONE;
	struct store store = STORE_CLOSED;

	store_make(&store);
	begin(&store, &one);
	layer_make(store.layers_fd, 1);
	EXPECT(has_lease(&one, 1));
	begin(&store, &two);
	collect(&two);
	EXPECT(has_layer(&store, 1));
	session_end(&one);
	collect(&two);
	EXPECT(!has_layer(&store, 1));
	session_end(&two);
	store_destroy(&store);
}

TEST(dead, "the next session removes a dead one and what it left in the store, not one at work")
{
	struct session alive = SESSION_NONE, next = SESSION_NONE;
	struct store store = STORE_CLOSED;

	store_make(&store);
	begin(&store, &alive);
	blob_make(alive.blobs_fd, 7);
	IN_CHILD {
		struct session dead = SESSION_NONE;

		begin(&store, &dead);
		EXPECT(!has_lease(&dead, 1));
		layer_make(dead.layers_fd, 3);
		layer_make(store.layers_fd, 1);
		_exit(0);
	}
	begin(&store, &next);
	EXPECT(!has_layer(&store, 1));
	EXPECT_OK(faccessat(store.tmp_fd, alive.name, F_OK, 0));
	session_end(&next);
	session_end(&alive);
	EXPECT_OK(unlinkat(store.dirfd, "tmp", AT_REMOVEDIR));
	store_destroy(&store);
}

TEST(orphans, "without a dead session nothing is searched for")
{
	struct session session = SESSION_NONE;
	struct store store = STORE_CLOSED;

	store_make(&store);
	layer_make(store.layers_fd, 1);
	begin(&store, &session);
	EXPECT(has_layer(&store, 1));
	session_end(&session);
	store_destroy(&store);
}

TEST(junk, "other files in tmp are removed too")
{
	struct session session = SESSION_NONE;
	struct store store = STORE_CLOSED;

	store_make(&store);
	close(ASSERT_OK(openat(store.tmp_fd, "junk", O_WRONLY | O_CREAT, 0644)));
	ASSERT_OK(symlinkat("/etc", store.tmp_fd, "link"));
	begin(&store, &session);
	session_end(&session);
	EXPECT_OK(unlinkat(store.dirfd, "tmp", AT_REMOVEDIR));
	store_destroy(&store);
}

TEST(blob_corrupt, "a blob that does not have its digest is not read")
{
	__cleanup_buf struct buf buf = BUF_INIT;
	struct store store = STORE_CLOSED;
	struct digest digest = digest_with(1);
	struct shale_err err = { 0 };

	store_make(&store);
	blob_make(store.blobs_fd, 1);
	EXPECT_EQ(store_read_blob(&store, &digest, &buf, &err), -1);
	EXPECT_EQ(err.code, EIO);
	EXPECT(strstr(err.msg, "is corrupt"));
	store_destroy(&store);
}
