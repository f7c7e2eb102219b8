/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How the collector of one server leaves alone what another server on the same bucket is about to need, be it a
 * blob that a client was told is there or one that a manifest refers to which is being pushed.
 *
 * Who is going to rely on a blob first puts a lease on it, then reads what is doomed, and looks for the blob last.
 * A collector first says what is doomed, then looks for leases, and takes what has none. Each writes before it
 * reads, so at least one of them sees the other: the collector a lease, and spares the blob; or the other one that
 * it is doomed, and waits until that is over and it is seen whether the blob is there. All it needs of a store is that
 * an object which was put is read, and that a swap is one step.
 *
 *	.shale/lease/EPOCH/ALGORITHM/HEX	a lease, by the half day it was put in; it ends with the epoch after
 *						the next, for which a collection is not too long (SWEEP_SECONDS)
 *	.shale/gc/doomed			whose it is, when it was written, and the first 16 digits of each
 *
 * Clocks may be a quarter of an hour apart: a list of who died over it is nobody's after half an hour.
 * On a bucket that is one server's alone none of this is needed, and lease.h is enough.
 */
#ifndef SHALE_REGISTRY_HOLD_H
#define SHALE_REGISTRY_HOLD_H

#include "registry/reg.h"

#define HOLD_EPOCH_SECONDS (12 * 3600)
/* What is doomed at once; each but the first saves two changes of the list. */
#define HOLD_BATCH 16

/* From now on for LEASE_SECONDS by all servers. EAGAIN: a collector has one of them, and does not come to an end. */
int hold_sums(struct reg *reg, const struct sum *const *sums, size_t count, struct shale_err *err);
int hold_sum(struct reg *reg, const struct sum *sum, struct shale_err *err);

struct hold_doom {
	char text[64 + HOLD_BATCH * 17];
	int64_t since;
};

/* The collector's. EBUSY: another one is at it, or has died over it a short time ago. */
int hold_doom(struct reg *reg, const struct sum *const *sums, size_t count, struct hold_doom *ret_doom,
	      struct shale_err *err);
/* Whether something may still be taken: others do not wait for ever. */
bool hold_doom_is_fresh(const struct hold_doom *doom);
/* 1: some server has a lease on it; 0; or -1. */
int hold_is_held(struct reg *reg, const struct sum *sum, struct shale_err *err);
int hold_doom_end(struct reg *reg, const struct hold_doom *doom, struct shale_err *err);
/* Takes leases away that ended long ago, or all. */
int hold_forget(struct reg *reg, bool is_all, struct shale_err *err);

#endif
