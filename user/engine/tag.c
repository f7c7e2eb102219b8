// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verb tag: one more name for an image, which takes it from whoever has it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/found.h"

int shale_tag(const struct shale_opts *opts, const char *source, const char *target,
	      struct shale_err *err)
{
	__cleanup_found struct found found = FOUND_NONE;
	__cleanup_free char *media_type = NULL;
	struct index_entry entry;
	struct ref ref;

	if (ref_parse_new(target, &ref, err) < 0 ||
	    found_open(opts, source, LOCK_EX, &found, err) < 0 ||
	    index_get(&found.index, found.entry, &entry, err) < 0)
		return -1;
	/* The entry it is borrowed from may go: one without a name does. */
	media_type = strdup(entry.media_type);
	if (!media_type)
		return shale_err_errno(err, "naming an image");
	entry = (struct index_entry){
		.digest = entry.digest,
		.size = entry.size,
		.media_type = media_type,
	};
	if (index_set(&found.index, &ref, &entry, err) < 0)
		return -1;
	return index_save(&found.store, &found.index, err);
}
