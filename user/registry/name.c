// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names; see name.h. Called by the router and by whatever reads names from a body or a configuration.
 */
#include "registry/name.h"

#include <stddef.h>
#include <string.h>

static bool is_lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Between two letters or digits: one '.', one or two '_', or any number of '-'. */
static bool is_separator(const char *text, size_t len)
{
	if (len == 1)
		return *text == '.' || *text == '_' || *text == '-';
	if (len == 2 && !strncmp(text, "__", 2))
		return true;
	return strspn(text, "-") >= len;
}

static bool is_component(const char *text, size_t len)
{
	size_t i = 0;
	size_t start;

	if (!len || !is_lower_alnum(text[0]) || !is_lower_alnum(text[len - 1]))
		return false;
	while (i < len) {
		while (i < len && is_lower_alnum(text[i]))
			i++;
		start = i;
		while (i < len && !is_lower_alnum(text[i]))
			i++;
		if (i > start && !is_separator(text + start, i - start))
			return false;
	}
	return true;
}

bool name_is_repo(const char *text)
{
	size_t len;

	if (strnlen(text, NAME_MAX_REPO + 1) > NAME_MAX_REPO)
		return false;
	for (;; text += len + 1) {
		len = strcspn(text, "/");
		if (!is_component(text, len))
			return false;
		if (!text[len])
			return true;
	}
}

static bool is_tag_byte(char c)
{
	return is_lower_alnum(c) || (c >= 'A' && c <= 'Z') || c == '_';
}

bool name_is_tag(const char *text)
{
	size_t len = strnlen(text, NAME_MAX_TAG + 1);

	if (!len || len > NAME_MAX_TAG || !is_tag_byte(text[0]))
		return false;
	for (size_t i = 1; i < len; i++)
		if (!is_tag_byte(text[i]) && text[i] != '.' && text[i] != '-')
			return false;
	return true;
}
