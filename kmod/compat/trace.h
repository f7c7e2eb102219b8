/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * trace.h - how a tracepoint takes a string: newer kernels remember where __string() said it is.
 * Part of compat.h, used by ../trace.h.
 */
#ifndef _SHALE_COMPAT_TRACE_H
#define _SHALE_COMPAT_TRACE_H

#ifdef HAVE_ASSIGN_STR_BY_NAME
#define compat_assign_str(dst, src) __assign_str(dst)
#else
#define compat_assign_str(dst, src) __assign_str(dst, src)
#endif

#endif /* _SHALE_COMPAT_TRACE_H */
