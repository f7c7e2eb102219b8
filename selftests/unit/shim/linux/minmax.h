/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * minmax.h - min() and max() of values of one type, as the kernel's, for MODEL files that are tested on
 * the host.
 */
#ifndef SHIM_LINUX_MINMAX_H
#define SHIM_LINUX_MINMAX_H

#define shim_select(a, b, op)                                                                  \
	({                                                                                     \
		__typeof__(a) a_ = (a);                                                        \
		__typeof__(b) b_ = (b);                                                        \
		_Static_assert(__builtin_types_compatible_p(__typeof__(a_), __typeof__(b_)),   \
			       "values of one type");                                          \
		a_ op b_ ? a_ : b_;                                                            \
	})
#define min(a, b) shim_select(a, b, <)
#define max(a, b) shim_select(a, b, >)

#endif /* SHIM_LINUX_MINMAX_H */
