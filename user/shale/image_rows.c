// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rows of images; see image_rows.h. Called by cmd_images.c and cmd_system_df.c.
 */
#include "shale/image_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shale/show.h"
#include "shale/table.h"
#include "store/json.h"
#include "store/ref.h"

#define NONE "<none>"

const struct format_field image_rows_fields[] = {
	{ "ID", "IMAGE ID" },
	{ "Repository", "REPOSITORY" },
	{ "Tag", "TAG" },
	{ "Digest", "DIGEST" },
	{ "CreatedSince", "CREATED" },
	{ "CreatedAt", "CREATED AT" },
	{ "Size", "SIZE" },
	{ "Containers", "CONTAINERS" },
	{ "SharedSize", "SHARED SIZE" },
	{ "UniqueSize", "UNIQUE SIZE" },
	{ "VirtualSize", "SIZE" },
	{ NULL, NULL },
};

/* A number that is -1 when it was not asked for. */
static const char *space_or_none(json_int_t size, char *text, size_t len)
{
	if (size < 0) {
		snprintf(text, len, "N/A");
		return text;
	}
	return table_space(size, text, len);
}

static json_int_t number_of(const json_t *image, const char *key)
{
	const json_t *value = json_object_get(image, key);

	return json_is_integer(value) ? json_integer_value(value) : -1;
}

static int add_row(const struct image_rows_view *view, const json_t *image, json_t *rows,
		   const char *repository, const char *tag, const char *digest)
{
	int64_t created = json_integer_value(json_object_get(image, "Created"));
	json_int_t size = number_of(image, "Size"), shared = number_of(image, "SharedSize");
	json_int_t count = number_of(image, "Containers");
	char at[64], age[64], containers[24] = "N/A", text[4][32];

	if (count >= 0)
		snprintf(containers, sizeof(containers), "%lld", (long long)count);
	return json_array_append_new(
		rows, json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:s, s:s, s:s, s:s, s:s}", "Containers",
				containers, "CreatedAt", show_time(created, at, sizeof(at)),
				"CreatedSince", table_age(created, view->now, age, sizeof(age)), "Digest",
				digest, "ID", show_id(json_text(image, "Id"), view->no_trunc),
				"Repository", repository, "SharedSize",
				space_or_none(shared, text[0], sizeof(text[0])), "Size",
				table_size(size, text[1], sizeof(text[1])), "Tag", tag, "UniqueSize",
				space_or_none(shared < 0 ? -1 : size - shared, text[2],
					      sizeof(text[2])),
				"VirtualSize", table_space(size, text[3], sizeof(text[3]))));
}

/* "<none>:<none>" is how older daemons say that there is no name. */
static bool split_name(const char *text, struct ref *ref)
{
	return text && strncmp(text, NONE, strlen(NONE)) && ref_parse(text, ref, NULL) == 0;
}

/* A name by tag, with each digest by which its repository knows the image. */
static int add_tag(const struct image_rows_view *view, const json_t *image, json_t *rows,
		   struct ref *ref)
{
	const json_t *digests = json_object_get(image, "RepoDigests");
	size_t count = 0;
	struct ref other;

	for (size_t i = 0; view->wants_digest && i < json_array_size(digests); i++) {
		if (!split_name(json_string_value(json_array_get(digests, i)), &other) ||
		    strcmp(other.name, ref->name))
			continue;
		count++;
		if (add_row(view, image, rows, ref_familiar(ref), ref->tag,
			    digest_text(&other.digest).text))
			return -1;
	}
	return count ? 0 : add_row(view, image, rows, ref_familiar(ref), ref->tag, NONE);
}

/* Whether a repository has a row already: of a tag, or of an earlier digest. */
static bool is_shown(const json_t *rows, size_t begin, const char *repository)
{
	for (; begin < json_array_size(rows); begin++)
		if (!strcmp(json_text(json_array_get(rows, begin), "Repository"), repository))
			return true;
	return false;
}

/* Repositories that know the image by digest alone: a row each, or one for each digest. */
static int add_digests(const struct image_rows_view *view, const json_t *image, json_t *rows,
		       size_t begin)
{
	const json_t *digests = json_object_get(image, "RepoDigests");
	size_t tagged = json_array_size(rows);
	__cleanup_json json_t *tags = json_array();
	struct ref ref;

	for (size_t i = begin; i < tagged; i++)
		json_array_append(tags, json_array_get(rows, i));
	for (size_t i = 0; i < json_array_size(digests); i++) {
		if (!split_name(json_string_value(json_array_get(digests, i)), &ref) ||
		    is_shown(tags, 0, ref_familiar(&ref)) ||
		    (!view->digests && is_shown(rows, begin, ref_familiar(&ref))))
			continue;
		if (add_row(view, image, rows, ref_familiar(&ref), NONE,
			    view->digests ? digest_text(&ref.digest).text : ""))
			return -1;
	}
	return 0;
}

int image_rows_add(const struct image_rows_view *view, const json_t *image, json_t *rows)
{
	const json_t *tags = json_object_get(image, "RepoTags");
	size_t begin = json_array_size(rows);
	struct ref ref;

	for (size_t i = 0; i < json_array_size(tags); i++)
		if (split_name(json_string_value(json_array_get(tags, i)), &ref) &&
		    add_tag(view, image, rows, &ref))
			return -1;
	if (add_digests(view, image, rows, begin))
		return -1;
	if (json_array_size(rows) > begin)
		return 0;
	return add_row(view, image, rows, NONE, NONE, NONE);
}
