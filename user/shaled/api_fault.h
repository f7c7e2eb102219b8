/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From the engine's errors to HTTP's statuses, as dockerd's clients expect them. Purely a table.
 */
#ifndef SHALE_SHALED_API_FAULT_H
#define SHALE_SHALED_API_FAULT_H

/* code: a positive errno. */
unsigned int api_fault_status(int code);

#endif
