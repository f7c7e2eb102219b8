/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cred.h - who holds the reference to overriding credentials. Up to 6.12 the kernel takes and drops
 * it; later it is the caller's, so here it is taken and dropped in every version. Called by cred.c.
 */
#ifndef _SHALE_COMPAT_CRED_H
#define _SHALE_COMPAT_CRED_H

#include <linux/cred.h>

static inline const struct cred *compat_override_creds(const struct cred *creds)
{
#ifdef HAVE_UNCOUNTED_OVERRIDE_CREDS
	get_cred(creds);
#endif
	return override_creds(creds);
}

static inline void compat_revert_creds(const struct cred *old)
{
#ifdef HAVE_UNCOUNTED_OVERRIDE_CREDS
	put_cred(revert_creds(old));
#else
	revert_creds(old);
#endif
}

#endif /* _SHALE_COMPAT_CRED_H */
