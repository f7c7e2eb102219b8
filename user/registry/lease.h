/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which blobs somebody is about to refer to: a client that was told a blob is there, or has just sent
 * it, will push a manifest that needs it. The collector leaves alone what is leased. Leases end by time;
 * a lease on everything is what a server takes that was just started and remembers none.
 */
#ifndef SHALE_REGISTRY_LEASE_H
#define SHALE_REGISTRY_LEASE_H

#include <stdint.h>

#include "registry/sum.h"

/* A push of the largest image over a slow line, told at its beginning that a blob is there. */
#define LEASE_SECONDS (24 * 3600)

struct leases;

struct leases *leases_new(void);
void leases_free(struct leases *leases);
/* From now on for LEASE_SECONDS. */
void lease_take(struct leases *leases, const struct sum *sum);
bool lease_is_held(struct leases *leases, const struct sum *sum);
/* That it was told to other servers, too, in that epoch of theirs (hold.h). Forgotten with the lease. */
void lease_note_told(struct leases *leases, const struct sum *sum, uint64_t epoch);
bool lease_is_told(struct leases *leases, const struct sum *sum, uint64_t epoch);

#endif
