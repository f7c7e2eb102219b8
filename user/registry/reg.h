/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The registry as its own files see it: what a running server has, and one request on its way through
 * it. main.c makes the server, call.c steps a request through, h_*.c have one resource each, repo.c and
 * upload.c change what is in the bucket.
 */
#ifndef SHALE_REGISTRY_REG_H
#define SHALE_REGISTRY_REG_H

#include <pthread.h>
#include <stdatomic.h>

#include "httpd/server.h"
#include "registry/catalog.h"
#include "registry/doc.h"
#include "registry/driver.h"
#include "registry/fault.h"
#include "registry/lease.h"
#include "registry/route.h"

/* The specification wants at least 4 MiB to be taken; json.h stops there, too. */
#define REG_MAX_MANIFEST (4u << 20)
/* Tags that one push of a manifest may set; the specification wants at least 10. */
#define REG_MAX_TAGS 32
/* Fields that the configuration adds to each answer. */
#define REG_MAX_FIELDS 8
/* Locks that changes of repositories share. */
#define REG_LOCKS 64
/* Of a repository's blobs all manifests that the cache holds. */
#define REG_DOC_CACHE (8u << 20)

struct reg_field {
	const char *name;
	const char *value;
};

enum reg_platforms {
	PLATFORMS_ALL,	/* an index's manifests must all be there */
	PLATFORMS_NONE,
	PLATFORMS_LIST, /* those of the listed platforms must */
};

struct reg_platform {
	const char *os;
	const char *architecture;
};

/* Texts are the configuration's. */
struct reg_settings {
	const char *prefix; /* "" or "/a" */
	const char *host;   /* "https://host", how clients reach us; NULL: by what they say */
	bool is_relative;   /* Locations without a host */
	bool is_delete_enabled;
	bool is_readonly;
	bool is_redirect_disabled;
	struct reg_field fields[REG_MAX_FIELDS];
	size_t field_count;
	uint64_t catalog_max;
	uint64_t tags_max;
	enum reg_platforms platforms;
	const struct reg_platform *platform_list;
	size_t platform_count;
};

struct upload_claims;
struct gate;
struct marks;
struct meter;
struct notify;
struct proxy;
struct quota;
struct upstreams;

struct reg {
	struct reg_settings settings;
	struct bucket *bucket;
	struct catalog *catalog;
	struct doc_cache *docs;
	struct leases *leases;
	struct upload_claims *claims;
	struct httpd *httpd;
	struct gate *gate; /* NULL: everybody may do everything */
	struct meter *meter;   /* NULL: nothing is counted */
	struct notify *notify; /* NULL: nobody is told */
	struct quota *quota;	     /* NULL: no limits */
	struct upstreams *upstreams; /* NULL: everything is ours */
	struct proxy *proxy;	     /* of a server with upstreams */
	pthread_mutex_t locks[REG_LOCKS];
	/*
	 * Held for reading from finding out that a blob is there until it is leased, marked or linked; by
	 * the collector for writing when it takes one.
	 */
	pthread_rwlock_t sweep_lock;
	struct marks *marks; /* of the collection that runs, or NULL; under sweep_lock */
	/* The storage has failed its last checks. */
	atomic_bool is_sick;
};

int reg_init(struct reg *reg, struct shale_err *err);
void reg_release(struct reg *reg);
/* One change of a repository at a time. */
pthread_mutex_t *reg_lock(struct reg *reg, const char *repo);

struct upload;
struct handler;

struct call {
	struct reg *reg;
	struct httpd_request *http;
	struct target target;
	struct route route;
	const struct handler *handler;
	char actor[256];
	bool is_metered;
	bool is_mount_denied; /* the mount's source may not be read: it has nothing for this client */
	/* The handler's. */
	struct upload *upload;
	struct buf body;
	struct sum sum;
	/* For the log, and kept here because the connection can be gone by then. */
	struct sockaddr_storage peer;
	char agent[256];
	char *error; /* what went wrong with the storage */
	char reason[256]; /* why the door stayed closed */
	const char *fault;
};

/* A row for each method of each resource. begin answers, or wants a body; abort: the client is gone. */
struct handler {
	enum resource resource;
	const char *method;
	bool is_change; /* refused when read-only */
	void (*begin)(struct call *call);
	void (*body)(struct call *call, const void *data, size_t len);
	void (*end)(struct call *call);
};

extern const struct httpd_ops call_ops;

/* For handlers. Starts an answer with the fields that all have. */
void call_answer(struct call *call, unsigned int status);
/* Location: a path below the server, by the settings absolute or not. */
void call_add_location(struct call *call, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* "https://host" as the client sees us, or ""; and "address:port" of the client, or "". */
void call_print_origin(struct call *call, char *text, size_t size);
void call_print_peer(const struct call *call, char *text, size_t size);
/* The page the query asks for; false: it was answered already. */
bool call_page(struct call *call, uint64_t max, uint64_t *ret_count, const char **ret_last);
/* Link: rel=next */
void call_add_link(struct call *call, const char *path, uint64_t count, const char *last,
		   const char *more);
/* Parses the digest in the path, or answers. */
bool call_sum(struct call *call, const char *text, struct sum *ret_sum);

void h_base_get(struct call *call);
void h_discover_get(struct call *call);
void h_catalog_get(struct call *call);
void h_tags_get(struct call *call);
void h_blob_get(struct call *call);
void h_blob_delete(struct call *call);
void h_upload_post(struct call *call);
void h_upload_get(struct call *call);
void h_upload_patch(struct call *call);
void h_upload_put(struct call *call);
void h_upload_delete(struct call *call);
void h_upload_body(struct call *call, const void *data, size_t len);
void h_upload_post_end(struct call *call);
void h_upload_patch_end(struct call *call);
void h_upload_put_end(struct call *call);
void h_manifest_get(struct call *call);
/* The manifest, whose digest is in call->sum. */
void h_manifest_send(struct call *call, const struct doc *doc);
void h_manifest_put(struct call *call);
void h_manifest_body(struct call *call, const void *data, size_t len);
void h_manifest_put_end(struct call *call);
void h_manifest_delete(struct call *call);
void h_referrers_get(struct call *call);

#endif
