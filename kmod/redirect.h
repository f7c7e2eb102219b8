/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * redirect.h - MODEL: what P.overlay.redirect says: a name, or a path from the layers' root, under which
 * the layers below have a directory. Pure: redirect.c needs no filesystem and is tested on the host.
 */
#ifndef _SHALE_REDIRECT_H
#define _SHALE_REDIRECT_H

#include <linux/types.h>

/* Is it a name, or a path of names from the root? LEN as the xattr has it, NULs do not count. */
bool shale_redirect_is_valid(const char *redirect, size_t len);

static inline bool shale_redirect_is_path(const char *redirect)
{
	return redirect && redirect[0] == '/';
}

/* The path for the layers below when, in PATH, the name of NAME_LEN bytes in front of the last REST_LEN
 * bytes is of a directory with REDIRECT. NULL: no memory. */
char *shale_redirect_follow(const char *path, size_t name_len, size_t rest_len,
			    const char *redirect);

#endif /* _SHALE_REDIRECT_H */
