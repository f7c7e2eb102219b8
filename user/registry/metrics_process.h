/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What Prometheus' clients say of their own process: CPU, memory, descriptors, start.
 */
#ifndef SHALE_REGISTRY_METRICS_PROCESS_H
#define SHALE_REGISTRY_METRICS_PROCESS_H

#include "base/buf.h"

/* Appends; what the kernel does not tell is left out. -1 when out of memory. */
int metrics_process(struct buf *buf);

#endif
