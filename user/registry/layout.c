// SPDX-License-Identifier: GPL-2.0-only
/*
 * Paths of the layout; see layout.h. All parts have passed their grammars, and are short enough by them
 * for every path to fit.
 */
#include "registry/layout.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The longest: a name, a subject and a referrer, and words. */
_Static_assert(sizeof(LAYOUT_REPOS) + NAME_MAX_REPO + 2 * (SUM_MAX_TEXT + 1) + 64 < BUCKET_MAX_PATH,
	       "every path fits");

static struct layout_path __attribute__((format(printf, 1, 2))) path_make(const char *fmt, ...)
{
	struct layout_path path;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path.text, sizeof(path.text), fmt, ap);
	va_end(ap);
	return path;
}

struct layout_path layout_blob(const struct sum *sum)
{
	return path_make(LAYOUT_BLOBS "/%s/%.2s/%s/data", sum_kind_name(sum->kind), sum_hex(sum),
			 sum_hex(sum));
}

struct layout_path layout_layer(const char *repo, const struct sum *sum)
{
	return path_make(LAYOUT_REPOS "/%s/_layers/%s/%s/link", repo, sum_kind_name(sum->kind),
			 sum_hex(sum));
}

struct layout_path layout_revision(const char *repo, const struct sum *sum)
{
	return path_make(LAYOUT_REPOS "/%s/_manifests/revisions/%s/%s/link", repo,
			 sum_kind_name(sum->kind), sum_hex(sum));
}

struct layout_path layout_media_type(const char *repo, const struct sum *sum)
{
	return path_make(LAYOUT_REPOS "/%s/_manifests/revisions/%s/%s/mediatype", repo,
			 sum_kind_name(sum->kind), sum_hex(sum));
}

struct layout_path layout_tag(const char *repo, const char *tag)
{
	return path_make(LAYOUT_REPOS "/%s/_manifests/tags/%s/current/link", repo, tag);
}

struct layout_path layout_tag_history(const char *repo, const char *tag, const struct sum *sum)
{
	if (!sum)
		return path_make(LAYOUT_REPOS "/%s/_manifests/tags/%s/index", repo, tag);
	return path_make(LAYOUT_REPOS "/%s/_manifests/tags/%s/index/%s/%s/link", repo, tag,
			 sum_kind_name(sum->kind), sum_hex(sum));
}

struct layout_path layout_referrer(const char *repo, const struct sum *subject,
				   const struct sum *sum)
{
	if (!sum)
		return path_make(LAYOUT_REPOS "/%s/_referrers/%s/%s", repo,
				 sum_kind_name(subject->kind), sum_hex(subject));
	return path_make(LAYOUT_REPOS "/%s/_referrers/%s/%s/%s/%s/link", repo,
			 sum_kind_name(subject->kind), sum_hex(subject), sum_kind_name(sum->kind),
			 sum_hex(sum));
}

struct layout_path layout_upload(const char *repo, const char *id, const char *what)
{
	return path_make(LAYOUT_REPOS "/%s/_uploads/%s%s%s", repo, id, what ? "/" : "",
			 what ? what : "");
}

struct layout_path layout_repo(const char *repo, const char *what)
{
	return path_make(LAYOUT_REPOS "/%s/%s", repo, what);
}
