/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tells the notifications what a request has done.
 */
#ifndef SHALE_REGISTRY_ANNOUNCE_H
#define SHALE_REGISTRY_ANNOUNCE_H

#include "registry/notify.h"
#include "registry/reg.h"

/* What a request did it to; texts that do not apply are NULL. */
struct announcement {
	enum notify_action action;
	bool is_manifest;
	const struct sum *sum;
	const char *type;
	int64_t size; /* -1: not known */
	const char *from;
	const json_t *references;
	const char *const *tags;
	size_t tag_count;
};

/*
 * Before the request is answered. False: it could not be written down, and, unless it is a pull, the
 * request was answered with that.
 */
bool announce(struct call *call, const struct announcement *announcement);
/* Whether reading has to be written down. */
bool announce_wants_pulls(const struct reg *reg);

#endif
