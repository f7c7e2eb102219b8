/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Headers of a registry's answers, understood: what it wants to know who asks (WWW-Authenticate),
 * when to come back (Retry-After), which bytes it sends (Content-Range, Range) and where a list goes
 * on (Link). Pure parsers of what anybody may send.
 */
#ifndef SHALE_CLIENT_ANSWER_H
#define SHALE_CLIENT_ANSWER_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/err.h"

/* A parameter of a challenge, or the URL of a link; URLs of realms are far shorter. */
#define ANSWER_MAX_VALUE 2048

enum answer_scheme { ANSWER_NONE, ANSWER_BASIC, ANSWER_BEARER };

struct answer_challenge {
	enum answer_scheme scheme;
	char realm[ANSWER_MAX_VALUE];
	char service[ANSWER_MAX_VALUE];
	char scope[ANSWER_MAX_VALUE];
};

/*
 * Challenges, one header a line. Of several the strongest we can answer: Bearer, then Basic. EPROTO
 * when there is none of these, or a Bearer has no realm.
 */
int answer_parse_challenge(const char *text, struct answer_challenge *ret_challenge,
			   struct shale_err *err);

/* Seconds from @now; an HTTP date in the past is 0. False for what is neither. */
bool answer_parse_retry(const char *text, time_t now, uint64_t *ret_seconds);

/* "bytes 5-9/10": first and last byte, and the whole, UINT64_MAX if it is '*'. */
struct answer_range {
	uint64_t first;
	uint64_t last;
	uint64_t total;
};
bool answer_parse_range(const char *text, struct answer_range *ret_range);
/* "0-99" of an upload: bytes that have arrived, here 100. */
bool answer_parse_upload(const char *text, uint64_t *ret_bytes);

/* The target of the link with rel=next; false when there is none. */
bool answer_parse_link(const char *text, char *ret_target, size_t len);

/* A header's media type without its parameters, in lower case. */
void answer_media_type(const char *text, char *ret_type, size_t len);

#endif
