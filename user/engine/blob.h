/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Streams of an import: a source's file into the session as a blob, and a blob unpacked into the
 * session as a layer, each with its digest computed on the way.
 */
#ifndef SHALE_ENGINE_BLOB_H
#define SHALE_ENGINE_BLOB_H

#include "engine/source.h"
#include "store/image.h"

/* Beside a layer's tree: directories its tar does not list, each path with its NUL; not there if there are none. */
#define BLOB_IMPLIED "implied"

struct blob_facts {
	struct digest digest;
	uint64_t size;
	const char *codec; /* codec_name() */
};

/* Reads a file of the source through. */
int blob_examine(const struct source *source, struct task *task, const char *path,
		 struct blob_facts *ret_facts, struct shale_err *err);

/* The digest of what a file of the source is when it is not compressed. */
int blob_diff_id(const struct source *source, struct task *task, const char *path,
		 struct digest *ret_digest, struct shale_err *err);
/* The same of a layer's blob that is in the session or the store. *ret_codec: codec_name(). */
struct blob_job;
int blob_diff_id_here(const struct blob_job *job, struct digest *ret_diff_id,
		      const char **ret_codec, struct shale_err *err);
/* Which private xattrs this process can write on the store's filesystem: see untar.h. */
int blob_probe_xattrs(const struct session *session, const char **ret_prefix,
		      struct shale_err *err);

/* One layer of an import and the session it goes into. */
struct blob_job {
	struct task *task;
	struct session *session;
	const struct source *source;
	const char *path; /* of the blob in the source */
	struct image_layer layer;
	uint64_t max_bytes;	  /* of the plain tar */
	const char *xattr_prefix; /* see untar.h */
};

/* Brings the layer's blob and tree in, unless the store has them; checks both digests. */
int blob_import(struct blob_job *job, struct shale_err *err);
/* Unpacks the store's blob once more, into the session, whatever the store has; it needs no source. */
int blob_unpack_again(struct blob_job *job, struct shale_err *err);

/* A document into the session, unless the store has it. */
int blob_add(struct session *session, const struct digest *digest, const struct buf *data,
	     struct shale_err *err);

#endif
