/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Errors of the protocol: their codes, statuses and words, and the body that says them. One place, so
 * that no handler invents its own.
 */
#ifndef SHALE_REGISTRY_FAULT_H
#define SHALE_REGISTRY_FAULT_H

#include "base/err.h"

struct call;

enum fault {
	FAULT_BLOB_UNKNOWN,
	FAULT_BLOB_UPLOAD_INVALID,
	FAULT_BLOB_UPLOAD_UNKNOWN,
	FAULT_DENIED,
	FAULT_DIGEST_INVALID,
	FAULT_MANIFEST_BLOB_UNKNOWN,
	FAULT_MANIFEST_INVALID,
	FAULT_MANIFEST_TOO_LARGE,
	FAULT_MANIFEST_UNKNOWN,
	FAULT_NAME_INVALID,
	FAULT_NAME_UNKNOWN,
	FAULT_PAGINATION_INVALID,
	FAULT_RANGE_INVALID,
	FAULT_SIZE_INVALID,
	FAULT_TAG_INVALID,
	FAULT_TOO_MANY,
	FAULT_UNAUTHORIZED,
	FAULT_UNAVAILABLE,
	FAULT_NO_ROOM,
	FAULT_QUOTA,
	FAULT_UNKNOWN,
	FAULT_UNSUPPORTED,
	FAULT_BAD_REQUEST,
	FAULT_NOT_FOUND,
	FAULT_URI_TOO_LONG,
	FAULT_COUNT,
};

/* Answers with the fault; the text becomes its detail, NULL for none. */
void fault_send(struct call *call, enum fault fault, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Answers with what a failed call of the bucket means: absent when the object is not there. */
void fault_send_err(struct call *call, const struct shale_err *err, enum fault absent);

#endif
