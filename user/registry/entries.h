/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A list of entries that a driver collects before it reports them: sorted by name, a name that is an
 * object and a prefix once as each. For drivers whose storage does not list in the order that
 * driver.h promises.
 */
#ifndef SHALE_REGISTRY_ENTRIES_H
#define SHALE_REGISTRY_ENTRIES_H

#include "registry/driver.h"

struct entries {
	struct bucket_entry *list; /* names are the list's own */
	size_t count;
	size_t cap;
};

#define __cleanup_entries __attribute__((cleanup(entries_release)))

/* The name's first len bytes are copied. -1: no memory. */
int entries_add(struct entries *entries, const struct bucket_entry *entry, size_t len,
		struct shale_err *err);
void entries_sort(struct entries *entries);
/* Those behind after (NULL: all), until each ends it; what bucket_list() returns. */
int entries_report(const struct entries *entries, const char *after, bucket_entry_fn each,
		   void *ctx, struct shale_err *err);
void entries_release(struct entries *entries);

#endif
