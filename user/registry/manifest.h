/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the registry has to know of a manifest: its type, what it refers to, its subject. The bytes are
 * the client's and are never changed. Of types we do not know only the subject is looked for.
 */
#ifndef SHALE_REGISTRY_MANIFEST_H
#define SHALE_REGISTRY_MANIFEST_H

#include <jansson.h>
#include <stdint.h>

#include "base/err.h"
#include "registry/sum.h"

#define MANIFEST_OCI_INDEX "application/vnd.oci.image.index.v1+json"

/* Of a Content-Type without its parameters; RFC 6838 allows 127 + 1 + 127. */
#define MANIFEST_MAX_TYPE 255
/* References of one manifest; an index of every platform and its attestations has some dozens. */
#define MANIFEST_MAX_REFS 10000

enum manifest_kind {
	MANIFEST_OTHER, /* a type we do not know: kept as it is */
	MANIFEST_IMAGE, /* refers to blobs */
	MANIFEST_INDEX, /* refers to manifests */
};

struct manifest_ref {
	struct sum sum;
	uint64_t size;
	bool is_manifest;
	bool may_be_absent; /* a layer that may not be distributed, or is to be fetched from its urls */
	const char *os;	    /* of an index's entry, else NULL; the manifest's */
	const char *architecture;
};

struct manifest {
	enum manifest_kind kind;
	char type[MANIFEST_MAX_TYPE + 1];
	/* The type could be told from the bytes alone. */
	bool is_type_implied;
	struct manifest_ref *refs;
	size_t ref_count;
	bool has_subject;
	struct sum subject;
	const char *artifact_type; /* of a referrer's descriptor; NULL: none. Ours, as the annotations */
	const json_t *annotations; /* an object, or NULL */
	json_t *json;		   /* NULL for what is not JSON */
};

#define __cleanup_manifest __attribute__((cleanup(manifest_release)))

/*
 * type: the Content-Type it was pushed with, or NULL for one whose type is to be told from its bytes.
 * EINVAL says what is wrong with it.
 */
int manifest_parse(const char *type, const void *data, size_t len, struct manifest *ret_manifest,
		   struct shale_err *err);
/* The descriptors of what it refers to, as a new array; NULL: none. */
json_t *manifest_references(const struct manifest *manifest);
void manifest_release(struct manifest *manifest);

#endif
