// SPDX-License-Identifier: GPL-2.0-only
/*
 * Image names; see ref.h. The grammar is the one of the registry protocol:
 *
 *	[domain[:port]/]component[/component...][:tag][@digest]
 *
 * The first component is a domain only if it has a '.', a ':' or an upper-case letter, or is
 * "localhost". Called for every name a person or an archive gives.
 */
#include "store/ref.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_DOMAIN "docker.io"
#define LEGACY_DOMAIN  "index.docker.io"
#define OFFICIAL_PATH  "library/"
#define DEFAULT_TAG    "latest"

static bool is_lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
	return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
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

static bool is_path(const char *text)
{
	size_t len;

	for (;; text += len + 1) {
		len = strcspn(text, "/");
		if (!is_component(text, len))
			return false;
		if (!text[len])
			return true;
	}
}

static bool is_label(const char *text, size_t len)
{
	if (!len || text[0] == '-' || text[len - 1] == '-')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_alnum(text[i]) && text[i] != '-')
			return false;
	return true;
}

static bool is_domain(const char *text, size_t len)
{
	size_t at = 0;
	size_t label;

	for (;; at += label + 1) {
		label = strcspn(text + at, ".:/");
		if (!is_label(text + at, label))
			return false;
		if (text[at + label] != '.')
			break;
	}
	at += label;
	if (at == len)
		return true;
	return len - at > 1 && strspn(text + at + 1, "0123456789") >= len - at - 1;
}

bool ref_is_tag(const char *text)
{
	size_t len = strlen(text);

	if (!len || len > REF_MAX_TAG || (!is_alnum(text[0]) && text[0] != '_'))
		return false;
	for (size_t i = 1; i < len; i++)
		if (!is_alnum(text[i]) && !strchr("_.-", text[i]))
			return false;
	return true;
}

static bool has_domain(const char *text, size_t first)
{
	if (text[first] != '/')
		return false;
	if (first == strlen("localhost") && !strncmp(text, "localhost", first))
		return true;
	for (size_t i = 0; i < first; i++)
		if (text[i] == '.' || text[i] == ':' || (text[i] >= 'A' && text[i] <= 'Z'))
			return true;
	return false;
}

/* Writes the full name; false when it is none, or too long. */
static bool expand_name(const char *text, char *ret_name)
{
	size_t first = strcspn(text, "/");
	const char *domain = DEFAULT_DOMAIN;
	size_t domain_len = strlen(DEFAULT_DOMAIN);
	const char *path = text;
	const char *official = "";

	if (has_domain(text, first)) {
		domain = text;
		domain_len = first;
		path = text + first + 1;
		if (!is_domain(domain, domain_len))
			return false;
	}
	if (domain_len == strlen(LEGACY_DOMAIN) && !strncmp(domain, LEGACY_DOMAIN, domain_len)) {
		domain = DEFAULT_DOMAIN;
		domain_len = strlen(DEFAULT_DOMAIN);
	}
	if (domain_len == strlen(DEFAULT_DOMAIN) && !strncmp(domain, DEFAULT_DOMAIN, domain_len) &&
	    !strchr(path, '/'))
		official = OFFICIAL_PATH;
	return is_path(path) && snprintf(ret_name, REF_MAX_NAME + 1, "%.*s/%s%s", (int)domain_len,
					 domain, official, path) <= REF_MAX_NAME;
}

/* Longer than anything valid, so that cutting the text here cannot make a wrong name right. */
#define REF_MAX_TEXT (REF_MAX_NAME + 1 + REF_MAX_TAG + 1 + DIGEST_TEXT)

int ref_parse(const char *text, struct ref *ret_ref, struct shale_err *err)
{
	char copy[REF_MAX_TEXT + 2];
	struct ref ref = { 0 };
	char *mark;

	snprintf(copy, sizeof(copy), "%s", text);
	mark = strchr(copy, '@');
	if (mark) {
		*mark = '\0';
		if (digest_parse(mark + 1, text, &ref.digest, err) < 0)
			return -1;
		ref.has_digest = true;
	}
	mark = strrchr(copy, ':');
	if (mark && !strchr(mark, '/')) {
		*mark = '\0';
		if (!ref_is_tag(mark + 1))
			return shale_err_set(err, EINVAL, "'%.300s' is not an image name: bad tag",
					     text);
		snprintf(ref.tag, sizeof(ref.tag), "%s", mark + 1);
	} else if (!ref.has_digest) {
		snprintf(ref.tag, sizeof(ref.tag), DEFAULT_TAG);
	}
	if (!expand_name(copy, ref.name))
		return shale_err_set(err, EINVAL, "'%.300s' is not an image name", text);
	*ret_ref = ref;
	return 0;
}

static struct ref_text join(const struct ref *ref, const char *name)
{
	struct digest_text digest = digest_text(&ref->digest);
	struct ref_text text;

	snprintf(text.text, sizeof(text.text), "%s%c%s", name, *ref->tag ? ':' : '@',
		 *ref->tag ? ref->tag : digest.text);
	return text;
}

struct ref_text ref_text(const struct ref *ref)
{
	return join(ref, ref->name);
}

struct ref_text ref_shown(const struct ref *ref)
{
	return join(ref, ref_familiar(ref));
}

/* Not shortened is what would be taken for another registry's: docker.io/example.com/x. */
const char *ref_familiar(const struct ref *ref)
{
	const char *hub = DEFAULT_DOMAIN "/";
	const char *name = ref->name;

	if (strncmp(name, hub, strlen(hub)))
		return name;
	name += strlen(hub);
	if (!strncmp(name, OFFICIAL_PATH, strlen(OFFICIAL_PATH)) &&
	    !strchr(name + strlen(OFFICIAL_PATH), '/'))
		return name + strlen(OFFICIAL_PATH);
	return has_domain(name, strcspn(name, "/")) ? ref->name : name;
}

int ref_parse_new(const char *text, struct ref *ret_ref, struct shale_err *err)
{
	if (ref_parse(text, ret_ref, err) < 0)
		return -1;
	if (ret_ref->has_digest)
		return shale_err_set(err, EINVAL, "'%s': an image cannot be given a digest", text);
	return 0;
}

bool ref_has_tag(const char *text)
{
	const char *slash = strrchr(text, '/');

	return strchr(slash ? slash : text, ':');
}
