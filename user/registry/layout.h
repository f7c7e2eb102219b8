/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where everything lies in the bucket: Docker distribution's layout, so that either server can take over
 * the other's storage, and three additions of ours that distribution passes over:
 *
 *	docker/registry/v2/
 *	  blobs/ALGORITHM/HH/HEX/data
 *	  repositories/NAME/
 *	    _layers/ALGORITHM/HEX/link				a blob of the repository
 *	    _manifests/revisions/ALGORITHM/HEX/link		a manifest of the repository
 *	    _manifests/revisions/ALGORITHM/HEX/mediatype	ours: its type, where its bytes do not tell
 *	    _manifests/tags/TAG/current/link			what the tag points to
 *	    _manifests/tags/TAG/index/ALGORITHM/HEX/link	what it ever pointed to
 *	    _referrers/ALGORITHM/HEX/ALGORITHM/HEX/link		ours: a manifest whose subject is the first
 *	    _uploads/ID/data, startedat, hashstates/ALGORITHM/OFFSET
 *
 * A link's content is the digest.
 */
#ifndef SHALE_REGISTRY_LAYOUT_H
#define SHALE_REGISTRY_LAYOUT_H

#include "registry/driver.h"
#include "registry/name.h"
#include "registry/sum.h"

#define LAYOUT_ROOT  "docker/registry/v2"
#define LAYOUT_REPOS LAYOUT_ROOT "/repositories"
#define LAYOUT_BLOBS LAYOUT_ROOT "/blobs"

/* A path in a struct of its own, as digest_text() does it. */
struct layout_path {
	char text[BUCKET_MAX_PATH + 1];
};

struct layout_path layout_blob(const struct sum *sum);
struct layout_path layout_layer(const char *repo, const struct sum *sum);
struct layout_path layout_revision(const char *repo, const struct sum *sum);
struct layout_path layout_media_type(const char *repo, const struct sum *sum);
struct layout_path layout_tag(const char *repo, const char *tag);
/* sum NULL: all of it. */
struct layout_path layout_tag_history(const char *repo, const char *tag, const struct sum *sum);
/* sum NULL: all referrers of the subject. */
struct layout_path layout_referrer(const char *repo, const struct sum *subject,
				   const struct sum *sum);
/* One thing of an upload: "data", "startedat", "hashstates/sha256"; NULL: all of it. */
struct layout_path layout_upload(const char *repo, const char *id, const char *what);
/* "_manifests/tags" and so on below a repository. */
struct layout_path layout_repo(const char *repo, const char *what);

#endif
