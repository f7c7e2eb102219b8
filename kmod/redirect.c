// SPDX-License-Identifier: GPL-2.0-only
/*
 * redirect.c - MODEL: what redirects are, and how they add up while a path is walked through a layer.
 * Pure; reading them is lookup.c's.
 */
#include <linux/slab.h>
#include <linux/string.h>

#include "redirect.h"

static bool is_plain_name(const char *name, size_t len)
{
	if (!len || (len == 1 && name[0] == '.'))
		return false;
	return !(len == 2 && name[0] == '.' && name[1] == '.');
}

bool shale_redirect_is_valid(const char *redirect, size_t len)
{
	const char *at = redirect;
	size_t name_len;

	if (strlen(redirect) != len)
		return false;
	if (*at != '/')
		return is_plain_name(at, len) && !strchr(at, '/');
	while (*at++ == '/') {
		name_len = strcspn(at, "/");
		if (!is_plain_name(at, name_len))
			return false;
		at += name_len;
	}
	return true;
}

char *shale_redirect_follow(const char *path, size_t name_len, size_t rest_len,
			    const char *redirect)
{
	size_t len = strlen(path), redirect_len = strlen(redirect);
	size_t kept = shale_redirect_is_path(redirect) ? 0 : len - rest_len - name_len;
	char *followed = kmalloc(kept + redirect_len + rest_len + 1, GFP_KERNEL);

	if (!followed)
		return NULL;
	memcpy(followed, path, kept);
	memcpy(followed + kept, redirect, redirect_len);
	memcpy(followed + kept + redirect_len, path + len - rest_len, rest_len + 1);
	return followed;
}
