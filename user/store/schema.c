// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tables, as a list of steps; see schema.h. Digests are blobs of 32 bytes, times are seconds since the
 * epoch. Called by store.c when a store is opened.
 */
#include "store/schema.h"

#include <errno.h>

/* "shal": file(1) and we know the file by it. */
#define SCHEMA_APPLICATION 0x7368616c
#define SCHEMA_TEXT_(n)	   #n
#define SCHEMA_TEXT(n)	   SCHEMA_TEXT_(n)

#define DIGEST_COLUMN(name) name " BLOB NOT NULL CHECK (length(" name ") = 32)"

/*
 * image	a manifest, or an index that another tool put here. is_known: what it needs is in
 *		image_layer and image_blob; else it could not be read, and nothing may be collected.
 * image_layer	its layers, base first
 * image_blob	blobs it needs besides its manifest and its layers'
 * ref		index.json's entries in their order: the name in full, if it has one, and the whole
 *		descriptor, which may hold what other tools wrote
 * layer	layers in the store. driver: what holds it; chain: of it and all below, for drivers whose
 *		layers hold those too, else its diff id again; content: bytes of file content
 * container	writable layers; image: the ID of the image it was made for, if that is known
 * lease	what a session needs to stay, see lease.h
 * setting	single values, by name
 */
static const char version_1[] =
	"CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE image ("
	"	" DIGEST_COLUMN("digest") " PRIMARY KEY,"
	"	media_type TEXT NOT NULL,"
	"	is_known INTEGER NOT NULL,"
	"	config BLOB CHECK (length(config) = 32),"
	"	created INTEGER NOT NULL,"
	"	entered INTEGER NOT NULL"
	") WITHOUT ROWID;"
	"CREATE TABLE image_layer ("
	"	image BLOB NOT NULL REFERENCES image (digest) ON DELETE CASCADE,"
	"	position INTEGER NOT NULL,"
	"	" DIGEST_COLUMN("diff_id") ","
	"	" DIGEST_COLUMN("blob") ","
	"	size INTEGER NOT NULL,"
	"	PRIMARY KEY (image, position)"
	") WITHOUT ROWID;"
	"CREATE INDEX image_layer_diff_id ON image_layer (diff_id);"
	"CREATE INDEX image_layer_blob ON image_layer (blob);"
	"CREATE TABLE image_blob ("
	"	image BLOB NOT NULL REFERENCES image (digest) ON DELETE CASCADE,"
	"	" DIGEST_COLUMN("digest") ","
	"	PRIMARY KEY (image, digest)"
	") WITHOUT ROWID;"
	"CREATE TABLE ref ("
	"	id INTEGER PRIMARY KEY,"
	"	name TEXT UNIQUE,"
	"	image BLOB NOT NULL REFERENCES image (digest),"
	"	descriptor TEXT NOT NULL UNIQUE"
	");"
	"CREATE INDEX ref_image ON ref (image);"
	"CREATE TABLE layer ("
	"	" DIGEST_COLUMN("diff_id") ","
	"	" DIGEST_COLUMN("chain") ","
	"	driver TEXT NOT NULL,"
	"	content INTEGER NOT NULL,"
	"	entered INTEGER NOT NULL,"
	"	PRIMARY KEY (driver, chain)"
	") WITHOUT ROWID;"
	"CREATE INDEX layer_diff_id ON layer (diff_id);"
	"CREATE TABLE container ("
	"	id TEXT PRIMARY KEY,"
	"	image BLOB CHECK (length(image) = 32),"
	"	driver TEXT NOT NULL,"
	"	created INTEGER NOT NULL"
	") WITHOUT ROWID;"
	"CREATE TABLE lease ("
	"	session TEXT NOT NULL,"
	"	kind INTEGER NOT NULL,"
	"	" DIGEST_COLUMN("digest") ","
	"	state INTEGER NOT NULL,"
	"	expires INTEGER NOT NULL,"
	"	PRIMARY KEY (session, kind, digest)"
	") WITHOUT ROWID;"
	"CREATE INDEX lease_digest ON lease (digest, kind);"
	"PRAGMA application_id = " SCHEMA_TEXT(SCHEMA_APPLICATION) ";";

/* volume	labels: a JSON object, if it has any */
static const char version_2[] =
	"CREATE TABLE volume ("
	"	name TEXT PRIMARY KEY,"
	"	created INTEGER NOT NULL,"
	"	labels TEXT"
	") WITHOUT ROWID;";

/* instance	containers with a name and a process; is_ready: they were made in full */
static const char version_3[] =
	"CREATE TABLE instance ("
	"	id TEXT PRIMARY KEY,"
	"	layer TEXT NOT NULL UNIQUE REFERENCES container (id) ON DELETE CASCADE,"
	"	name TEXT NOT NULL UNIQUE,"
	"	is_ready INTEGER NOT NULL"
	");";

/* The i-th takes a file of version i to version i + 1. */
static const char *const migrations[] = { version_1, version_2, version_3 };

#define SCHEMA_CURRENT (int64_t)(sizeof(migrations) / sizeof(*migrations))

bool schema_is_current(int64_t version)
{
	return version == SCHEMA_CURRENT;
}

static int check_application(struct db *db, struct shale_err *err)
{
	int64_t application = 0;

	if (db_number(db, err, &application, "PRAGMA application_id") < 0)
		return -1;
	if (application == SCHEMA_APPLICATION)
		return 0;
	return shale_err_set(err, ENOTSUP, "the database is another program's");
}

int schema_version(struct db *db, int64_t *ret_version, struct shale_err *err)
{
	int64_t version = 0;

	if (db_number(db, err, &version, "PRAGMA user_version") < 0)
		return -1;
	if (version && check_application(db, err) < 0)
		return -1;
	if (version > SCHEMA_CURRENT || version < 0)
		return shale_err_set(err, ENOTSUP,
				     "the database has version %lld, and this shale knows versions up to %lld: "
				     "a later shale made it", (long long)version, (long long)SCHEMA_CURRENT);
	*ret_version = version;
	return 0;
}

static int set_version(struct db *db, int64_t version, struct shale_err *err)
{
	char sql[64];

	/* A pragma takes no bound value. */
	snprintf(sql, sizeof(sql), "PRAGMA user_version = %lld", (long long)version);
	return db_script(db, sql, err);
}

int schema_migrate(struct db *db, int64_t from, struct shale_err *err)
{
	for (int64_t version = from; version < SCHEMA_CURRENT; version++)
		if (db_script(db, migrations[version], err) < 0 ||
		    set_version(db, version + 1, err) < 0)
			return shale_err_wrap(err, "taking the database to version %lld",
					      (long long)version + 1);
	return 0;
}
