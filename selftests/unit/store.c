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
#include "store/layer.h"
#include "store/lease.h"
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
	ASSERT_OK(fs_write_synced(fd, "size", "5\n", 2));
	close(fd);
}

/* In the store with its row; without one it is not there. */
static void layer_bring(struct store *store, char first)
{
	__cleanup_txn struct txn txn = TXN_NONE;
	struct digest digest = digest_with(first);

	layer_make(store->layers_fd, first);
	ASSERT_EQ(txn_begin(&txn, store->db, TXN_WRITE, NULL), 0);
	ASSERT_EQ(layer_enter(txn.db, &digest, 5, NULL), 0);
	ASSERT_EQ(txn_commit(&txn, NULL), 0);
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

/* What its row says; -1 without one. */
static long long content_of(const struct store *store, char first)
{
	struct digest digest = digest_with(first);
	uint64_t content;

	return store_layer_size(store, &digest, &content, NULL) < 0 ? -1 : (long long)content;
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

static void drop_leases(struct store *store)
{
	__cleanup_txn struct txn txn = TXN_NONE;

	ASSERT_EQ(txn_begin(&txn, store->db, TXN_WRITE, NULL), 0);
	ASSERT_EQ(db_run(txn.db, NULL, "DELETE FROM lease"), 0);
	ASSERT_EQ(txn_commit(&txn, NULL), 0);
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
	EXPECT_EQ(content_of(&store, 2), 5);
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
	layer_bring(&store, 2);
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
	layer_bring(&store, 1);
	layer_bring(&store, 2);
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
	layer_bring(&store, 1);
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
		struct store own = STORE_CLOSED;

		ASSERT_EQ(store_open(root, false, &own, NULL), 0);
		begin(&own, &dead);
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

TEST(stray_layer, "a directory without a row is not in the store, and gives way to the layer")
{
	struct session session = SESSION_NONE;
	struct store store = STORE_CLOSED;
	struct digest digest = digest_with(2);
	enum lease_claim claim = LEASE_BUSY;

	store_make(&store);
	begin(&store, &session);
	layer_make(store.layers_fd, 2);
	EXPECT_EQ(content_of(&store, 2), -1);
	ASSERT_EQ(lease_claim(&session, LEASE_LAYER, &digest, &claim, NULL), 0);
	EXPECT_EQ(claim, LEASE_MINE);
	layer_make(session.layers_fd, 2);
	ASSERT_EQ(session_publish_layer(&session, &digest, NULL), 0);
	EXPECT(has_layer(&store, 2));
	session_end(&session);
	EXPECT(!has_layer(&store, 2));
	EXPECT_OK(unlinkat(store.dirfd, "tmp", AT_REMOVEDIR));
	store_destroy(&store);
}

TEST(claim, "of two who want a layer one is to bring it, and the other has it then")
{
	struct session one = SESSION_NONE, two = SESSION_NONE;
	struct store store = STORE_CLOSED;
	struct digest digest = digest_with(2);
	enum lease_claim claim = LEASE_PRESENT;

	store_make(&store);
	begin(&store, &one);
	begin(&store, &two);
	ASSERT_EQ(lease_claim(&one, LEASE_LAYER, &digest, &claim, NULL), 0);
	EXPECT_EQ(claim, LEASE_MINE);
	ASSERT_EQ(lease_claim(&one, LEASE_LAYER, &digest, &claim, NULL), 0);
	EXPECT_EQ(claim, LEASE_OURS);
	ASSERT_EQ(lease_claim(&two, LEASE_LAYER, &digest, &claim, NULL), 0);
	EXPECT_EQ(claim, LEASE_BUSY);
	layer_make(one.layers_fd, 2);
	ASSERT_EQ(session_publish_layer(&one, &digest, NULL), 0);
	ASSERT_EQ(lease_claim(&two, LEASE_LAYER, &digest, &claim, NULL), 0);
	EXPECT_EQ(claim, LEASE_PRESENT);
	/* Who brought it gives up; the other still has it, and commits it. */
	session_end(&one);
	EXPECT(has_layer(&store, 2));
	EXPECT_EQ(content_of(&store, 2), -1);
	ASSERT_EQ(session_sync(&two, NULL), 0);
	ASSERT_EQ(session_commit_locked(&two, NULL), 0);
	EXPECT_EQ(content_of(&store, 2), 5);
	session_end(&two);
	store_destroy(&store);
}

TEST(claim_dead, "a claim of a session that was killed counts no more, nor does one that was given up")
{
	struct session next = SESSION_NONE, other = SESSION_NONE;
	struct store store = STORE_CLOSED;
	struct digest digest = digest_with(2);
	enum lease_claim claim = LEASE_PRESENT;

	store_make(&store);
	begin(&store, &next);
	IN_CHILD {
		struct session dead = SESSION_NONE;
		struct store own = STORE_CLOSED;

		ASSERT_EQ(store_open(root, false, &own, NULL), 0);
		begin(&own, &dead);
		ASSERT_EQ(lease_claim(&dead, LEASE_LAYER, &digest, &claim, NULL), 0);
		EXPECT_EQ(claim, LEASE_MINE);
		_exit(0);
	}
	ASSERT_EQ(lease_claim(&next, LEASE_LAYER, &digest, &claim, NULL), 0);
	EXPECT_EQ(claim, LEASE_MINE);
	ASSERT_EQ(lease_settle(&next, LEASE_LAYER, &digest, false, NULL), 0);
	begin(&store, &other);
	ASSERT_EQ(lease_claim(&other, LEASE_LAYER, &digest, &claim, NULL), 0);
	EXPECT_EQ(claim, LEASE_MINE);
	session_end(&other);
	session_end(&next);
	store_destroy(&store);
}

TEST(extended, "a lease with a time outlives its session until then")
{
	struct session session = SESSION_NONE;
	struct store store = STORE_CLOSED;
	struct digest digest = digest_with(3);
	bool present = false;

	store_make(&store);
	for (int i = 0; i < 2; i++) {
		begin(&store, &session);
		blob_make(store.blobs_fd, 3);
		ASSERT_EQ(session_lease_blob(&session, &digest, &present, NULL), 0);
		EXPECT(present);
		ASSERT_EQ(lease_extend(&session, LEASE_BLOB, &digest, time(NULL) + (i ? -1 : 1000),
				       NULL), 0);
		session_end(&session);
		begin(&store, &session);
		collect(&session);
		EXPECT_EQ(has_blob(&store, 3), !i);
		session_end(&session);
		if (!i)
			drop_leases(&store);
	}
	begin(&store, &session);
	EXPECT_EQ(lease_extend(&session, LEASE_BLOB, &digest, 1, NULL), -1);
	session_end(&session);
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
