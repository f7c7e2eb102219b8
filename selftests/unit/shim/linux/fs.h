/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fs.h - DT_*, under the kernel's name, for MODEL files that are tested on the host.
 */
#include <dirent.h>
