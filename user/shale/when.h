/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Times as people give them to docker: how long ago, a date, or seconds since the epoch.
 */
#ifndef SHALE_CLI_WHEN_H
#define SHALE_CLI_WHEN_H

#include <stdbool.h>
#include <stdint.h>

/* "1h30m", "2026-11-24", "2026-11-24T04:28:53Z", "1795494533" */
bool when_parse(const char *text, int64_t now, int64_t *ret_when);

#endif
