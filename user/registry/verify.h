/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads a whole storage and says what is wrong with it: blobs whose bytes are not their digest's, tags
 * and manifests that lead to nothing. Changes nothing.
 */
#ifndef SHALE_REGISTRY_VERIFY_H
#define SHALE_REGISTRY_VERIFY_H

#include "registry/reg.h"

struct verify_result {
	uint64_t repos;
	uint64_t tags;
	uint64_t manifests;
	uint64_t blobs;
	uint64_t bytes;
	uint64_t faults;
};

/* fault: each thing that is wrong. is_quick: bytes are not read. */
int verify_run(struct reg *reg, bool is_quick, void (*fault)(const char *what),
	       struct verify_result *ret_result, struct shale_err *err);
/* The digest of a path below blobs/; false for another one. */
bool verify_parse_blob(const char *path, struct sum *ret_sum);
/* EBADMSG: the bytes are not the digest's. */
int verify_blob(struct bucket *bucket, const struct sum *sum, struct shale_err *err);

#endif
