/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * POSIX ACLs as tar carries them in text (SCHILY.acl.access and .default), turned into the bytes of
 * the kernel's system.posix_acl_* xattrs.
 */
#ifndef SHALE_ARCHIVE_ACL_H
#define SHALE_ARCHIVE_ACL_H

#include <archive_entry.h>

#include "base/err.h"

/* Entries of one ACL; ext4 holds fewer. */
#define ACL_MAX_ENTRIES 1024

/* *ret_len 0 when the entry has no ACL of the type beyond its mode; the value is malloc'ed. */
int acl_from_entry(struct archive_entry *entry, int type, void **ret_value, size_t *ret_len,
		   struct shale_err *err);

#endif
