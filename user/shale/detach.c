// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keys that detach; see detach.h. Called by stream.c, and by the verbs that have --detach-keys.
 */
#include "shale/detach.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define CTRL "ctrl-"

/* -1: there is no such key. */
static int parse_key(const char *text, size_t len)
{
	unsigned char key;

	if (len == 1)
		return (unsigned char)*text;
	if (len != strlen(CTRL) + 1 || strncasecmp(text, CTRL, strlen(CTRL)))
		return -1;
	key = toupper((unsigned char)text[len - 1]);
	/* '@', the letters and what follows them have the codes 0 to 31 with the control key. */
	return key >= '@' && key <= '_' ? key & 0x1f : -1;
}

int detach_parse(const char *text, struct detach *ret_detach, struct shale_err *err)
{
	struct detach detach = { .count = 0 };
	const char *at = text;
	size_t len;
	int key;

	for (;; at += len + 1) {
		len = strcspn(at, ",");
		key = parse_key(at, len);
		if (key < 0 || detach.count == DETACH_MAX_KEYS)
			return shale_err_set(err, EINVAL, "invalid detach keys (%.100s)", text);
		detach.keys[detach.count++] = key;
		if (!at[len])
			break;
	}
	*ret_detach = detach;
	return 0;
}

/* How much of the keys the held ones are still the beginning of when another is typed; what is not any more is passed on. */
static size_t take_other(struct detach *detach, unsigned char key, unsigned char *out)
{
	unsigned char typed[DETACH_MAX_KEYS + 1];
	size_t len = detach->held, skipped = 0;

	memcpy(typed, detach->keys, len);
	typed[len++] = key;
	while (skipped < len && memcmp(typed + skipped, detach->keys, len - skipped))
		skipped++;
	memcpy(out, typed, skipped);
	detach->held = len - skipped;
	return skipped;
}

size_t detach_filter(struct detach *detach, const unsigned char *typed, size_t len, unsigned char *out,
		     bool *ret_is_detached)
{
	size_t passed = 0;

	*ret_is_detached = false;
	for (size_t i = 0; i < len && !*ret_is_detached; i++) {
		passed += take_other(detach, typed[i], out + passed);
		*ret_is_detached = detach->count && detach->held == detach->count;
	}
	return passed;
}
