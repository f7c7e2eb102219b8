/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The small documents of an image: its manifest or index, by tag or digest, and its config. They are
 * kept as they came, byte for byte, and checked before anybody reads them.
 */
#ifndef SHALE_CLIENT_DOCUMENT_H
#define SHALE_CLIENT_DOCUMENT_H

#include "client/remote.h"
#include "store/json.h"

/* What registries accept, and so what is sent in earnest. */
#define DOCUMENT_MAX_BYTES JSON_MAX_BYTES
#define DOCUMENT_MAX_TYPE  128

struct document {
	struct buf data;
	char media_type[DOCUMENT_MAX_TYPE];
	struct digest digest;
};

#define __cleanup_document __attribute__((cleanup(document_release)))
void document_release(struct document *document);

/*
 * A manifest. @digest: the one it must have, or NULL for what the tag @reference leads to. Of a schema 1 manifest, where
 * the remote takes it, its verified payload, as SCHEMA1_PLAIN.
 */
int document_fetch(struct remote *remote, const char *reference, const struct digest *digest,
		   struct document *ret_document, struct shale_err *err);
/* What the registry says of a blob's length; who fetches it finds out. */
int document_blob_size(struct remote *remote, const struct digest *digest, uint64_t *ret_size,
		       struct shale_err *err);
/* A blob that is small, of exactly @size bytes. */
int document_fetch_blob(struct remote *remote, const struct digest *digest, uint64_t size,
			struct buf *ret_data, struct shale_err *err);

/* The type of a manifest, of which the answer's header and the document itself may say something. */
int document_type(const char *header, const struct buf *data, char *ret_type,
		  struct shale_err *err);

#endif
