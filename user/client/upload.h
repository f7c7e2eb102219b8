/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Blobs and manifests on their way to a registry. A blob that is there is not sent, one that another
 * repository there has is mounted, and an upload that breaks goes on from where the registry says it
 * stands.
 */
#ifndef SHALE_CLIENT_UPLOAD_H
#define SHALE_CLIENT_UPLOAD_H

#include "client/remote.h"
#include "store/digest.h"

/* Bytes sent in one request: what breaks in it is asked for, not sent again, but proxies have limits. */
#define UPLOAD_CHUNK (256ull << 20)

enum upload_result { UPLOAD_SENT, UPLOAD_EXISTED, UPLOAD_MOUNTED };

struct upload {
	struct remote *remote;
	struct digest digest;
	uint64_t size;
	int fd;		  /* the blob, borrowed */
	const char *from; /* a repository of the same registry that may have it, or NULL */
	/* Bytes that have gone out; -1 with err ends it. */
	int (*sent)(void *arg, uint64_t done, struct shale_err *err);
	void *arg;

	/* upload.c's own. */
	char *location;
	uint64_t offset;
	unsigned int failures;
};

int upload_blob(struct upload *upload, enum upload_result *ret_result, struct shale_err *err);

/* A manifest or an index, byte for byte, under a tag or a digest. */
struct upload_document {
	const char *reference;
	const char *media_type;
	const void *data;
	size_t len;
	struct digest digest;
};
int upload_document(struct remote *remote, const struct upload_document *document,
		    struct shale_err *err);

#endif
