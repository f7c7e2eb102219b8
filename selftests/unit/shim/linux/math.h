/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * math.h - rounding with the kernel's words, for MODEL files that are tested on the host.
 */
#ifndef SHIM_LINUX_MATH_H
#define SHIM_LINUX_MATH_H

#define DIV_ROUND_UP(n, d) (((n) + (d)-1) / (d))
#define round_down(x, y)   ((x) & ~((__typeof__(x))(y)-1))

#endif /* SHIM_LINUX_MATH_H */
