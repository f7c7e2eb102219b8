/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a request asks for: its path in segments, its query in pairs, ranges of bytes. Segments are cut
 * before they are decoded, so that an encoded slash is a character of a name, not a separator.
 */
#ifndef SHALE_HTTPD_TARGET_H
#define SHALE_HTTPD_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A name of 255 bytes has at most 128 components; three more for what is asked of it. */
#define TARGET_MAX_SEGMENTS 136
#define TARGET_MAX_PAIRS    256

struct target_pair {
	const char *key;
	const char *value;
};

struct target {
	char *text; /* what the rest points into */
	const char *segments[TARGET_MAX_SEGMENTS];
	size_t segment_count;
	struct target_pair pairs[TARGET_MAX_PAIRS];
	size_t pair_count;
};

#define __cleanup_target __attribute__((cleanup(target_release)))

/*
 * "/a/b%2f/?x=1&y" becomes { "a", "b/", "" } and { x=1, y= }. False: no path, a wrong escape, an encoded
 * NUL or control character, more than fits.
 */
bool target_parse(const char *text, struct target *ret_target);
void target_release(struct target *target);
/* The first value of the key, or NULL. */
const char *target_get(const struct target *target, const char *key);

/* Percent-encodes all but unreserved characters and '/'; appends to the buffer. */
struct buf;
int target_encode(struct buf *buf, const char *text);

enum range_answer {
	RANGE_WHOLE, /* no range, or one that the standard says to ignore: 200 */
	RANGE_PART,  /* 206 */
	RANGE_BAD,   /* 416 */
};

/* A Range field (NULL: none) on a body of that size. Several ranges count as none. */
enum range_answer range_parse(const char *text, uint64_t size, uint64_t *ret_first,
			      uint64_t *ret_last);

/* "5-9" of a chunk, as the registry protocol writes it; "bytes 5-9/20" as HTTP does. */
bool range_parse_content(const char *text, uint64_t *ret_first, uint64_t *ret_last);

#endif
