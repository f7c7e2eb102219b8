/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Image names by docker's rule: "debian" means docker.io/library/debian:latest, and is shown as
 * "debian" again. A name may carry a digest instead of, or beside, a tag. Purely text: which image
 * a name stands for is index.c's knowledge.
 */
#ifndef SHALE_STORE_REF_H
#define SHALE_STORE_REF_H

#include "store/digest.h"

/* The registries' limit for domain and path together. */
#define REF_MAX_NAME 255
#define REF_MAX_TAG  128

struct ref {
	char name[REF_MAX_NAME + 1]; /* domain and path: docker.io/library/debian */
	char tag[REF_MAX_TAG + 1];   /* empty when only a digest was given */
	bool has_digest;
	struct digest digest; /* of the manifest */
};

struct ref_text {
	char text[REF_MAX_NAME + 1 + REF_MAX_TAG + 1];
};

_Static_assert(REF_MAX_TAG >= DIGEST_TEXT, "a digest fits in the place of a tag");

/* Without tag and digest the tag is "latest". */
int ref_parse(const char *text, struct ref *ret_ref, struct shale_err *err);
/* The same of a name that an image is to get. */
int ref_parse_new(const char *text, struct ref *ret_ref, struct shale_err *err);

/* By docker's rule. */
bool ref_is_tag(const char *text);
/* Whether a name that is known to be good was written with a tag. */
bool ref_has_tag(const char *text);

/* name:tag in full, or name@digest without a tag: the form in which the store keeps it. */
struct ref_text ref_text(const struct ref *ref);
/* The same as people write it. */
struct ref_text ref_shown(const struct ref *ref);

/* The name as people write it, without tag: points into ref->name. */
const char *ref_familiar(const struct ref *ref);

#endif
