/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How much file content a tree holds: the sizes of its regular files, each file once however many
 * names it has. Holes count, directories do not; links are not followed and mounts not entered.
 */
#ifndef SHALE_BASE_DU_H
#define SHALE_BASE_DU_H

#include <stdint.h>

/* -1 and errno when something cannot be read. */
int du_tree(int dirfd, const char *path, uint64_t *ret_bytes);

#endif
