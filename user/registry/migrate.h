/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copies everything that is finished from one storage to another, of whatever drivers: blobs first, each
 * checked against its digest, then what refers to them. Can be broken off and run again: what is there
 * already is not copied twice.
 */
#ifndef SHALE_REGISTRY_MIGRATE_H
#define SHALE_REGISTRY_MIGRATE_H

#include "registry/driver.h"

struct migrate_result {
	uint64_t blobs_copied;
	uint64_t blobs_there;
	uint64_t bytes;
	uint64_t links;
};

int migrate_run(struct bucket *from, struct bucket *to, struct migrate_result *ret_result,
		struct shale_err *err);

#endif
