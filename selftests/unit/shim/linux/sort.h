/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sort.h - the kernel's sort() over qsort(3), for MODEL files that are tested on the host.
 */
#ifndef SHIM_LINUX_SORT_H
#define SHIM_LINUX_SORT_H

#include <stdlib.h>

#define sort(base, nr, size, compare, swap) qsort(base, nr, size, compare)

#endif /* SHIM_LINUX_SORT_H */
