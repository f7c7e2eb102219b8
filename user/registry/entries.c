// SPDX-License-Identifier: GPL-2.0-only
/*
 * Collected entries; see entries.h. Called by the drivers' list and walk, and by whoever needs the
 * names below a prefix all at once.
 */
#include "registry/entries.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int entries_add(struct entries *entries, const struct bucket_entry *entry, size_t len,
		struct shale_err *err)
{
	size_t cap = entries->cap ? 2 * entries->cap : 64;
	struct bucket_entry *list;
	char *name;

	if (entries->count == entries->cap) {
		list = reallocarray(entries->list, cap, sizeof(*list));
		if (!list)
			return shale_err_set(err, ENOMEM, "no memory to list objects");
		entries->list = list;
		entries->cap = cap;
	}
	name = strndup(entry->name, len);
	if (!name)
		return shale_err_set(err, ENOMEM, "no memory to list objects");
	entries->list[entries->count] = *entry;
	entries->list[entries->count++].name = name;
	return 0;
}

static int entry_compare(const void *a, const void *b)
{
	const struct bucket_entry *x = a;
	const struct bucket_entry *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : x->is_prefix - y->is_prefix;
}

void entries_sort(struct entries *entries)
{
	size_t kept = 0;

	if (!entries->count)
		return;
	qsort(entries->list, entries->count, sizeof(*entries->list), entry_compare);
	for (size_t i = 1; i < entries->count; i++) {
		if (entry_compare(&entries->list[kept], &entries->list[i]))
			entries->list[++kept] = entries->list[i];
		else
			free((char *)entries->list[i].name);
	}
	entries->count = kept + 1;
}

int entries_report(const struct entries *entries, const char *after, bucket_entry_fn each,
		   void *ctx, struct shale_err *err)
{
	int ret;

	for (size_t i = 0; i < entries->count; i++) {
		if (after && strcmp(entries->list[i].name, after) <= 0)
			continue;
		ret = each(ctx, &entries->list[i], err);
		if (ret)
			return ret < 0 ? -1 : 0;
	}
	return 0;
}

void entries_release(struct entries *entries)
{
	for (size_t i = 0; i < entries->count; i++)
		free((char *)entries->list[i].name);
	free(entries->list);
	*entries = (struct entries){ 0 };
}
