// SPDX-License-Identifier: GPL-2.0-only
/*
 * ACL bytes; see acl.h. The kernel wants the entries ordered by tag and, within a tag, by id, and
 * checks the rest itself. NFSv4 ACLs are not for Linux filesystems and are left out.
 */
#include "archive/acl.h"

#include <endian.h>
#include <errno.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "archive/libarchive.h"

static const struct {
	int archive_tag;
	uint16_t tag;
} tags[] = {
	{ ARCHIVE_ENTRY_ACL_USER_OBJ, ACL_USER_OBJ },	{ ARCHIVE_ENTRY_ACL_USER, ACL_USER },
	{ ARCHIVE_ENTRY_ACL_GROUP_OBJ, ACL_GROUP_OBJ }, { ARCHIVE_ENTRY_ACL_GROUP, ACL_GROUP },
	{ ARCHIVE_ENTRY_ACL_MASK, ACL_MASK },		{ ARCHIVE_ENTRY_ACL_OTHER, ACL_OTHER },
};

static uint16_t find_tag(int archive_tag)
{
	for (size_t i = 0; i < sizeof(tags) / sizeof(*tags); i++)
		if (tags[i].archive_tag == archive_tag)
			return tags[i].tag;
	return 0;
}

static uint16_t make_perm(int permset)
{
	uint16_t perm = 0;

	if (permset & ARCHIVE_ENTRY_ACL_READ)
		perm |= ACL_READ;
	if (permset & ARCHIVE_ENTRY_ACL_WRITE)
		perm |= ACL_WRITE;
	if (permset & ARCHIVE_ENTRY_ACL_EXECUTE)
		perm |= ACL_EXECUTE;
	return perm;
}

static int compare_entries(const void *a, const void *b)
{
	const struct posix_acl_xattr_entry *left = a;
	const struct posix_acl_xattr_entry *right = b;

	if (left->e_tag != right->e_tag)
		return le16toh(left->e_tag) < le16toh(right->e_tag) ? -1 : 1;
	return le32toh(left->e_id) < le32toh(right->e_id) ? -1 :
							    le32toh(left->e_id) > le32toh(right->e_id);
}

static int fill_entry(struct posix_acl_xattr_entry *out, int permset, int archive_tag, int id)
{
	uint16_t tag = find_tag(archive_tag);
	bool has_id = tag == ACL_USER || tag == ACL_GROUP;

	if (!tag)
		return -1;
	out->e_tag = htole16(tag);
	out->e_perm = htole16(make_perm(permset));
	out->e_id = htole32(has_id ? (uint32_t)id : (uint32_t)ACL_UNDEFINED_ID);
	return 0;
}

int acl_from_entry(struct archive_entry *entry, int type, void **ret_value, size_t *ret_len,
		   struct shale_err *err)
{
	int count = libarchive.entry_acl_reset(entry, type);
	struct posix_acl_xattr_header *header;
	struct posix_acl_xattr_entry *entries;
	int got_type, permset, tag, id;
	const char *name;
	int used = 0;

	*ret_len = 0;
	/* For an access ACL libarchive counts the mode's three entries even when there is none. */
	if (count <= 0 || (type == ARCHIVE_ENTRY_ACL_TYPE_ACCESS && count <= 3))
		return 0;
	if (count > ACL_MAX_ENTRIES)
		return shale_err_set(err, E2BIG, "an ACL of more than %d entries", ACL_MAX_ENTRIES);
	header = malloc(sizeof(*header) + count * sizeof(*entries));
	if (!header)
		return shale_err_errno(err, "access control list");
	header->a_version = htole32(POSIX_ACL_XATTR_VERSION);
	entries = (void *)(header + 1);
	while (used < count && libarchive.entry_acl_next(entry, type, &got_type, &permset, &tag, &id,
						      &name) == ARCHIVE_OK)
		used += !fill_entry(&entries[used], permset, tag, id);
	qsort(entries, used, sizeof(*entries), compare_entries);
	*ret_value = header;
	*ret_len = sizeof(*header) + used * sizeof(*entries);
	return 0;
}
