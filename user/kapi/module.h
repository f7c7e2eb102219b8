/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Loads the module where the kernel could not do it by itself, to learn why.
 */
#ifndef SHALE_KAPI_MODULE_H
#define SHALE_KAPI_MODULE_H

#include "base/err.h"

/* Fails with one sentence on what stands in the way and what to do, as shale doctor would say it. */
int module_load(struct shale_err *err);

#endif
