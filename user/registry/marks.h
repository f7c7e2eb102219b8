/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A set of digests, for the collector: 16 bytes each, so that millions fit. Two digests that share their
 * first 128 bits are one to it, which keeps a blob too long and loses none.
 */
#ifndef SHALE_REGISTRY_MARKS_H
#define SHALE_REGISTRY_MARKS_H

#include "base/err.h"
#include "registry/sum.h"

struct marks;

struct marks *marks_new(void);
void marks_free(struct marks *marks);
int marks_add(struct marks *marks, const struct sum *sum, struct shale_err *err);
bool marks_has(struct marks *marks, const struct sum *sum);

#endif
