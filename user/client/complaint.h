/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a registry says about a request it does not like.
 */
#ifndef SHALE_CLIENT_COMPLAINT_H
#define SHALE_CLIENT_COMPLAINT_H

#include "base/buf.h"
#include "base/err.h"

/* Appends "CODE: message" of the first error in a registry's JSON; nothing when there is none. */
int complaint_parse(const void *data, size_t len, struct buf *out);
/* The errno a status stands for. */
int complaint_code(long status);

#endif
