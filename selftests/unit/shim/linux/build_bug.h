/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * build_bug.h - checks at compile time with the kernel's word, for MODEL files that are tested on the
 * host.
 */
#ifndef SHIM_LINUX_BUILD_BUG_H
#define SHIM_LINUX_BUILD_BUG_H

#undef static_assert
#define static_assert(expr) _Static_assert(expr, #expr)

#endif /* SHIM_LINUX_BUILD_BUG_H */
