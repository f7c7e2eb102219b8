// SPDX-License-Identifier: GPL-2.0-only
/*
 * The store's database: versions, transactions that are taken back, files that are none, and index.json as
 * it follows the rows, lags behind them, or is another tool's.
 */
#include "ktap.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "store/db.h"
#include "store/index.h"
#include "store/layer.h"
#include "store/schema.h"

static char root[64];

static void root_make(void)
{
	strcpy(root, "/dev/shm/shale-db-XXXXXX");
	ASSERT(mkdtemp(root));
}

static void root_remove(void)
{
	int dirfd = ASSERT_OK(open("/dev/shm", O_PATH | O_DIRECTORY | O_CLOEXEC));

	EXPECT_EQ(fs_remove_tree(dirfd, root + strlen("/dev/shm/")), 0);
	close(dirfd);
}

static void store_get(struct store *store)
{
	struct shale_err err = { 0 };

	if (store_open(root, true, store, &err) < 0)
		ktap_fail(__FILE__, __LINE__, "%s", err.msg);
}

/* Enters a name; its manifest does not exist, which the rows have to live with. */
static void name_enter(const struct store *store, const char *name, char first)
{
	struct index_entry entry = {
		.digest = { { first } },
		.size = 5,
		.media_type = "application/vnd.oci.image.manifest.v1+json",
	};
	struct index index = { 0 };
	struct ref ref;

	ASSERT_EQ(ref_parse(name, &ref, NULL), 0);
	ASSERT_EQ(index_load(store, &index, NULL), 0);
	ASSERT_EQ(index_set(&index, &ref, &entry, NULL), 0);
	ASSERT_EQ(index_save(store, &index, NULL), 0);
	index_release(&index);
}

static size_t names_count(const struct store *store)
{
	struct index index = { 0 };
	size_t count;

	ASSERT_EQ(index_load(store, &index, NULL), 0);
	count = index_count(&index);
	index_release(&index);
	return count;
}

static enum index_file file_state(const struct store *store)
{
	enum index_file state = INDEX_FILE_BROKEN;

	EXPECT_EQ(index_file_state(store, &state, NULL), 0);
	return state;
}

TEST(version, "a new file is taken to the current version, a later one is refused")
{
	struct store store = STORE_CLOSED;
	struct shale_err err = { 0 };
	struct txn txn = TXN_NONE;
	int64_t version = 0;

	root_make();
	store_get(&store);
	ASSERT_EQ(txn_begin(&txn, store.db, TXN_WRITE, &err), 0);
	EXPECT_EQ(schema_version(txn.db, &version, &err), 0);
	EXPECT(version > 0 && schema_is_current(version));
	EXPECT_EQ(db_script(txn.db, "PRAGMA user_version = 1000", &err), 0);
	EXPECT_EQ(txn_commit(&txn, &err), 0);
	store_close(&store);
	EXPECT_EQ(store_open(root, false, &store, &err), -1);
	EXPECT_EQ(err.code, ENOTSUP);
	root_remove();
}

TEST(abort, "what was not committed is not there")
{
	struct digest digest = { { 1 } };
	struct store store = STORE_CLOSED;
	bool entered = true;

	root_make();
	store_get(&store);
	for (int i = 0; i < 2; i++) {
		__cleanup_txn struct txn txn = TXN_NONE;

		ASSERT_EQ(txn_begin(&txn, store.db, TXN_WRITE, NULL), 0);
		EXPECT_EQ(layer_is_entered(txn.db, &digest, &entered, NULL), 0);
		EXPECT(!entered);
		EXPECT_EQ(layer_enter(txn.db, &digest, 5, NULL), 0);
	}
	store_close(&store);
	root_remove();
}

TEST(rules, "a digest that is none and a reference to nothing are refused")
{
	struct store store = STORE_CLOSED;
	struct shale_err err = { 0 };
	struct txn txn = TXN_NONE;

	root_make();
	store_get(&store);
	ASSERT_EQ(txn_begin(&txn, store.db, TXN_WRITE, NULL), 0);
	EXPECT_EQ(db_run(txn.db, &err, "INSERT INTO layer VALUES (x'00', x'00', 'shale', 0, 0)"), -1);
	EXPECT_EQ(err.code, EEXIST);
	EXPECT_EQ(db_run(txn.db, &err, "INSERT INTO ref VALUES (1, 'a', zeroblob(32), '{}')"), -1);
	txn_abort(&txn);
	store_close(&store);
	root_remove();
}

TEST(no_database, "a file that is no database is EUCLEAN and stays")
{
	struct store store = STORE_CLOSED;
	struct shale_err err = { 0 };
	char path[96], junk[4096];

	root_make();
	store_get(&store);
	store_close(&store);
	snprintf(path, sizeof(path), "%s/store.db", root);
	memset(junk, 'j', sizeof(junk));
	ASSERT_EQ(fs_write_synced(AT_FDCWD, path, junk, sizeof(junk)), 0);
	EXPECT_EQ(store_open(root, false, &store, &err), -1);
	EXPECT_EQ(err.code, EUCLEAN);
	EXPECT(strstr(err.msg, "check --repair"));
	EXPECT_EQ(store_open_files(root, &store, &err), 0);
	EXPECT_EQ(store_replace_db_locked(&store, &err), 0);
	EXPECT_OK(faccessat(store.dirfd, STORE_DB_DAMAGED, F_OK, 0));
	EXPECT_EQ(names_count(&store), 0);
	store_close(&store);
	root_remove();
}

TEST(lost, "without its database a store has the names of index.json")
{
	struct store store = STORE_CLOSED;

	root_make();
	store_get(&store);
	name_enter(&store, "one", 1);
	name_enter(&store, "two", 2);
	ASSERT_OK(unlinkat(store.dirfd, "store.db", 0));
	store_close(&store);
	store_get(&store);
	EXPECT_EQ(names_count(&store), 2);
	store_close(&store);
	root_remove();
}

TEST(behind, "an index.json that is behind the rows is seen, and written again")
{
	__cleanup_buf struct buf old = BUF_INIT;
	struct store store = STORE_CLOSED;

	root_make();
	store_get(&store);
	EXPECT_EQ(file_state(&store), INDEX_FILE_CURRENT);
	name_enter(&store, "one", 1);
	ASSERT_EQ(fs_read_file(store.dirfd, "index.json", 65536, &old, NULL), 0);
	name_enter(&store, "two", 2);
	EXPECT_EQ(file_state(&store), INDEX_FILE_CURRENT);
	ASSERT_EQ(fs_write_synced(store.dirfd, "index.json", old.data, old.len), 0);
	EXPECT_EQ(file_state(&store), INDEX_FILE_STALE);
	EXPECT_EQ(names_count(&store), 2);
	EXPECT_EQ(index_settle_locked(&store, NULL), 0);
	EXPECT_EQ(file_state(&store), INDEX_FILE_CURRENT);
	ASSERT_OK(unlinkat(store.dirfd, "index.json", 0));
	EXPECT_EQ(file_state(&store), INDEX_FILE_MISSING);
	EXPECT_EQ(names_count(&store), 2);
	EXPECT_EQ(index_settle_locked(&store, NULL), 0);
	EXPECT_EQ(file_state(&store), INDEX_FILE_CURRENT);
	store_close(&store);
	root_remove();
}

TEST(foreign, "what another tool adds to index.json counts; what it takes away comes back")
{
	static const char other[] =
		"{\"schemaVersion\":2,\"x\":1,\"manifests\":[{\"mediaType\":"
		"\"application/vnd.oci.image.manifest.v1+json\",\"size\":5,\"digest\":\"sha256:"
		"0700000000000000000000000000000000000000000000000000000000000000\","
		"\"annotations\":{\"org.opencontainers.image.ref.name\":\"seven\",\"theirs\":\"y\"}}]}";
	__cleanup_buf struct buf text = BUF_INIT;
	struct store store = STORE_CLOSED;

	root_make();
	store_get(&store);
	name_enter(&store, "one", 1);
	ASSERT_EQ(fs_write_synced(store.dirfd, "index.json", other, strlen(other)), 0);
	EXPECT_EQ(file_state(&store), INDEX_FILE_FOREIGN);
	EXPECT_EQ(names_count(&store), 2);
	EXPECT_EQ(index_settle_locked(&store, NULL), 0);
	EXPECT_EQ(file_state(&store), INDEX_FILE_CURRENT);
	EXPECT_EQ(names_count(&store), 2);
	ASSERT_EQ(fs_read_file(store.dirfd, "index.json", 65536, &text, NULL), 0);
	EXPECT(strstr(buf_str(&text), "\"theirs\":\"y\""));
	store_close(&store);
	root_remove();
}
