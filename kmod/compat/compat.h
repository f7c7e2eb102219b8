/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * compat.h - force-included before every file of the module, which is written for the newest kernel
 * we support; here older ones learn its words. HAVE_x comes from Kbuild.include. What only one file
 * needs is in a header of its own that this file includes in its own name: acl.h, backing.h, cred.h,
 * dirops.h, io.h.
 */
#ifndef _SHALE_COMPAT_H
#define _SHALE_COMPAT_H

/* Where bin2hex() is, in kernels that moved it out of kernel.h. */
#ifdef HAVE_HEX_H
#include <linux/hex.h>
#endif

#ifdef HAVE_HEX
#include <linux/hex.h>
#endif

#include "idmap.h"
#include "inode.h"
#include "ops.h"
#include "trace.h"

#endif /* _SHALE_COMPAT_H */
