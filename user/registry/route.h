/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What of the registry a path means: a resource, the repository it is in, and the last part that names
 * one of them. Purely text; whether any of it exists is the handlers' knowledge.
 */
#ifndef SHALE_REGISTRY_ROUTE_H
#define SHALE_REGISTRY_ROUTE_H

#include "httpd/target.h"
#include "registry/name.h"

enum resource {
	RESOURCE_NONE,
	RESOURCE_BASE,	    /* /v2/ */
	RESOURCE_CATALOG,   /* /v2/_catalog */
	RESOURCE_DISCOVER,  /* /v2/_oci/ext/discover, also of a repository */
	RESOURCE_TAGS,	    /* /v2/N/tags/list */
	RESOURCE_MANIFEST,  /* /v2/N/manifests/TAG|DIGEST */
	RESOURCE_BLOB,	    /* /v2/N/blobs/DIGEST */
	RESOURCE_UPLOADS,   /* /v2/N/blobs/uploads/ */
	RESOURCE_UPLOAD,    /* /v2/N/blobs/uploads/ID */
	RESOURCE_REFERRERS, /* /v2/N/referrers/DIGEST */
	RESOURCE_COUNT,
};

struct route {
	enum resource resource;
	char repo[NAME_MAX_REPO + 1];
	const char *last; /* tag, digest or id, as it was sent; the target's */
};

enum route_answer {
	ROUTE_FOUND,
	ROUTE_NONE,	/* no such resource */
	ROUTE_BAD_NAME, /* the resource is clear, the repository's name is none */
};

/* prefix: segments before v2 which the configuration adds, "" or "/a/b". */
enum route_answer route_find(const struct target *target, const char *prefix,
			     struct route *ret_route);

#endif
