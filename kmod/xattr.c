// SPDX-License-Identifier: GPL-2.0-only
/*
 * xattr.c - FACE: extended attributes. POSIX ACLs have operations of their own, in inode.c. Called by
 * the VFS, and by promote.c, which asks which names are not to be copied.
 *
 * P.overlay.* and P.shale.* are the layer's bytes: the merged view neither shows nor takes them. But
 * somebody may mount a union on top of ours and then must be able to keep such attributes in it. So a
 * name under one of those prefixes is stored with the prefix's word once more, as overlayfs does it:
 * "trusted.overlay.opaque" through our mount is "trusted.overlay.overlay.opaque" in the layer.
 */
#include <linux/capability.h>
#include <linux/posix_acl_xattr.h>

#include "cred.h"
#include "real.h"
#include "shale.h"

/* The words after "trusted." or "user.". */
static const char *const private_words[] = { OVERLAY_XATTR_PREFIX, SHALE_XATTR_PREFIX };

static const char *family_of(const struct shale_fs *fs)
{
	return fs->config.userxattr ? XATTR_USER_PREFIX : XATTR_TRUSTED_PREFIX;
}

/* The private word that NAME has after the family's prefix; *RET_AT is where it begins. */
static const char *private_word(const struct shale_fs *fs, const char *name, size_t *ret_at)
{
	const char *family = family_of(fs);
	size_t i, at = strlen(family);

	if (strncmp(name, family, at))
		return NULL;
	for (i = 0; i < ARRAY_SIZE(private_words); i++) {
		if (strstarts(name + at, private_words[i])) {
			*ret_at = at;
			return private_words[i];
		}
	}
	return NULL;
}

/* Is NAME of a layer one that stands for a private name of a union above us? */
static bool is_escaped(const char *name, size_t at, const char *word)
{
	return strstarts(name + at + strlen(word), word);
}

bool shale_xattr_is_private(const struct shale_fs *fs, const char *name)
{
	size_t at;
	const char *word = private_word(fs, name, &at);

	return word && !is_escaped(name, at, word);
}

/* The name in the layer of a name through our mount: NAME itself, or written to BUF. */
static const char *name_escape(const struct shale_fs *fs, const char *name,
			       char buf[XATTR_NAME_MAX + 1])
{
	size_t at, len;
	const char *word = private_word(fs, name, &at);

	if (!word)
		return name;
	len = strlen(word);
	if (strlen(name) + len > XATTR_NAME_MAX)
		return ERR_PTR(-EOPNOTSUPP);
	memcpy(buf, name, at);
	memcpy(buf + at, word, len);
	strcpy(buf + at + len, name + at);
	return buf;
}

static int xattr_get(struct inode *inode, const char *name, void *value, size_t size)
{
	const struct cred *old;
	struct path real;
	ssize_t ret;

	shale_inode_top(inode, &real);
	old = shale_cred_begin(inode->i_sb);
	ret = shale_real_getxattr(&real, name, value, size);
	shale_cred_end(old);
	return ret;
}

static int xattr_set(struct dentry *dentry, const char *name, const void *value, size_t size, int flags)
{
	struct shale_fs *fs = SHALE_FS(dentry->d_sb);
	struct dentry *upper = shale_inode_upper(d_inode(dentry));

	if (!value)
		return shale_real_removexattr(fs, upper, name);
	return shale_real_setxattr(fs, upper, name, value, size, flags);
}

/* Removing what is not there must not copy the object up. */
static int xattr_check_removal(struct inode *inode, const char *name)
{
	int ret = xattr_get(inode, name, NULL, 0);

	return ret < 0 ? ret : 0;
}

static int xattr_change(struct dentry *dentry, const char *name, const void *value, size_t size,
			int flags)
{
	struct inode *inode = d_inode(dentry);
	struct shale_fs *fs = SHALE_FS(dentry->d_sb);
	const struct cred *old;
	int err = 0;

	if (!value && !shale_inode_upper(inode))
		err = xattr_check_removal(inode, name);
	if (!err)
		err = shale_promote_inode(dentry);
	if (err)
		return err;

	err = shale_real_want_write(fs);
	if (err)
		return err;
	old = shale_cred_begin(dentry->d_sb);
	err = xattr_set(dentry, name, value, size, flags);
	shale_cred_end(old);
	shale_real_drop_write(fs);
	shale_inode_copyattr(inode);
	return err;
}

static int shale_xattr_get(const struct xattr_handler *handler, struct dentry *dentry,
			   struct inode *inode, const char *name, void *value, size_t size)
{
	const struct shale_fs *fs = SHALE_FS(inode->i_sb);
	char *buf;
	int ret;
	size_t at;

	if (likely(!private_word(fs, name, &at)))
		return xattr_get(inode, name, value, size);

	buf = kmalloc(XATTR_NAME_MAX + 1, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	name = name_escape(fs, name, buf);
	ret = IS_ERR(name) ? PTR_ERR(name) : xattr_get(inode, name, value, size);
	kfree(buf);
	return ret;
}

static int shale_xattr_set(const struct xattr_handler *handler, struct mnt_idmap *idmap,
			   struct dentry *dentry, struct inode *inode, const char *name,
			   const void *value, size_t size, int flags)
{
	char *buf;
	int err;

	buf = kmalloc(XATTR_NAME_MAX + 1, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	name = name_escape(SHALE_FS(inode->i_sb), name, buf);
	err = IS_ERR(name) ? PTR_ERR(name) : xattr_change(dentry, name, value, size, flags);
	kfree(buf);
	return err;
}

static bool may_list(const struct shale_fs *fs, const char *name, bool is_admin)
{
	return !shale_xattr_is_private(fs, name) && (is_admin || !strstarts(name, XATTR_TRUSTED_PREFIX));
}

/* Turns the layer's list at FROM into ours, in place or, if LIST is NULL, only counted. */
static ssize_t list_translate(const struct shale_fs *fs, const char *from, size_t size, char *list,
			      bool is_admin)
{
	const char *end = from + size;
	size_t len, at, ret = 0;
	const char *word;

	for (; from < end; from += len) {
		len = strnlen(from, end - from) + 1;
		if (len > end - from)
			return -EIO;
		if (!may_list(fs, from, is_admin))
			continue;
		word = private_word(fs, from, &at);
		if (!word) {
			memmove(list + ret, from, len);
			ret += len;
			continue;
		}
		memmove(list + ret, from, at);
		memmove(list + ret + at, from + at + strlen(word), len - at - strlen(word));
		ret += len - strlen(word);
	}
	return ret;
}

ssize_t shale_listxattr(struct dentry *dentry, char *list, size_t size)
{
	const struct shale_fs *fs = SHALE_FS(dentry->d_sb);
	const struct cred *old;
	struct path real;
	ssize_t ret;

	shale_inode_top(d_inode(dentry), &real);
	old = shale_cred_begin(dentry->d_sb);
	ret = shale_real_listxattr(&real, list, size);
	shale_cred_end(old);
	/* The size that is asked for may be more than the list then takes. */
	if (ret <= 0 || !size)
		return ret;
	return list_translate(fs, list, ret, list, ns_capable_noaudit(&init_user_ns, CAP_SYS_ADMIN));
}

static const struct xattr_handler xattr_handler = {
	.prefix = "", /* any */
	.get = shale_xattr_get,
	.set = shale_xattr_set,
};

const struct xattr_handler *const shale_xattr_handlers[] = {
	COMPAT_XATTR_HANDLERS_ACL
	&xattr_handler,
	NULL
};
