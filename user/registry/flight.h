/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A blob on its way from an upstream: fetched once, by a thread of its own, into a file without a name, from
 * which any number of clients are sent it while it comes, and into the storage. Its last byte is given to
 * nobody before the digest was right. It goes on when its clients have gone, and where the connection broke.
 */
#ifndef SHALE_REGISTRY_FLIGHT_H
#define SHALE_REGISTRY_FLIGHT_H

#include "registry/proxy.h"

/* Times a transfer that broke is gone on with, without a byte in between. */
#define FLIGHT_MAX_RESUMES 3
#define FLIGHT_WAIT_MSEC   200

struct flight;

/*
 * Joins the one that is on its way, or begins one, and waits until its size is known or it has failed. The
 * flight is put back by the caller. EBUSY: too many are on their way.
 */
int flight_join(struct proxy *proxy, struct upstream *upstream, const char *remote,
		const char *repo, const struct sum *sum, struct flight **ret_flight,
		struct shale_err *err);
/* Whether it is on its way; asked before the storage is, so that it is fetched once. */
bool flight_is_on(struct proxy *proxy, const char *repo, const struct sum *sum);
void flight_put(struct flight *flight);
uint64_t flight_size(const struct flight *flight);
/* 1 to len bytes from offset on, when they are there; 0 at the end; -1 when it has failed. */
ssize_t flight_read(struct flight *flight, uint64_t offset, void *data, size_t len);

#endif
