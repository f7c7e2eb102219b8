/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * string.h - the C library's, under the kernel's name, for MODEL files that are tested on the host.
 */
#include <string.h>
