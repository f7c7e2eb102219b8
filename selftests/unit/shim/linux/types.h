/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * types.h - the kernel's names of integers in user space. Every MODEL file that is tested on the host
 * comes here first.
 */
#ifndef SHIM_LINUX_TYPES_H
#define SHIM_LINUX_TYPES_H

#include_next <linux/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;

#define ALIGN(x, a) (((x) + (a)-1) / (a) * (a))

#endif /* SHIM_LINUX_TYPES_H */
