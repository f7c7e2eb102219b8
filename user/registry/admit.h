/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The door: whether a request may do what its route and method mean.
 */
#ifndef SHALE_REGISTRY_ADMIT_H
#define SHALE_REGISTRY_ADMIT_H

#include "registry/reg.h"

/* False: answered with why not. */
bool admit(struct call *call);
/* Requests that are for the door itself; true: answered. */
bool admit_special(struct call *call);
/* Whether to decide may take long. */
bool admit_may_sleep(struct reg *reg, struct httpd_request *http);
/* Everybody may do everything. */
bool admit_is_open(struct reg *reg);

#endif
