// SPDX-License-Identifier: GPL-2.0-only
/*
 * What registries, token servers, credential files and helpers, registries.conf, broken-off downloads and people who
 * name an image may say: the first byte chooses the parser, the rest is its text. Each either understands it within its limits, or
 * says why not.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "client/answer.h"
#include "client/authfile.h"
#include "client/base64.h"
#include "client/bearer.h"
#include "client/complaint.h"
#include "client/credhelper.h"
#include "client/document.h"
#include "client/download_trailer.h"
#include "client/jws.h"
#include "client/mirrors.h"
#include "client/origin.h"
#include "client/schema1.h"
#include "fuzz.h"

static void try_headers(const char *text, size_t size)
{
	struct answer_challenge challenge;
	struct answer_range range;
	char target[ANSWER_MAX_VALUE];
	char type[DOCUMENT_MAX_TYPE];
	struct shale_err err = { 0 };
	uint64_t number;

	(void)size;
	if (answer_parse_challenge(text, &challenge, &err) == 0)
		promise(challenge.scheme == ANSWER_BASIC || challenge.realm[0]);
	else
		promise(err.code == EPROTO);
	answer_parse_retry(text, 0, &number);
	if (answer_parse_range(text, &range))
		promise(range.first <= range.last && range.last < range.total);
	if (answer_parse_upload(text, &number))
		promise(number != 1);
	if (answer_parse_link(text, target, sizeof(target)))
		promise(strlen(target) < sizeof(target));
	answer_media_type(text, type, sizeof(type));
	promise(strlen(type) < sizeof(type));
}

static void try_tokens(const char *text, size_t size)
{
	struct bearer bearer = { 0 };
	__cleanup_buf struct buf out = BUF_INIT;
	__cleanup_creds struct creds creds = { 0 };

	if (bearer_parse(text, size, &bearer, NULL) == 0)
		promise(bearer.seconds >= BEARER_SECONDS && !strpbrk(bearer.token, "\r\n "));
	bearer_release(&bearer);
	credhelper_parse(text, size, &creds, NULL);
	complaint_parse(text, size, &out);
}

static void try_authfile(const char *text, size_t size)
{
	__cleanup_authfile struct authfile file = { 0 };
	struct creds creds = { 0 };

	if (authfile_parse(text, size, "file", &file, NULL) < 0)
		return;
	authfile_get(&file, "docker.io", "library/x", &creds, NULL);
	creds_release(&creds);
	if (authfile_get(&file, "q.io", NULL, &creds, NULL) == 0 && creds_are_empty(&creds))
		promise(!creds.username);
	creds_release(&creds);
	authfile_helper(&file, "q.io");
	creds = (struct creds){ .username = strdup("u"), .password = strdup("p") };
	if (authfile_set(&file, "q.io", &creds, NULL) == 0) {
		promise(authfile_remove(&file, "q.io"));
		promise(!authfile_remove(&file, "q.io"));
	}
	creds_release(&creds);
}

static void try_mirrors(const char *text, size_t size)
{
	struct mirror_place places[MIRRORS_MAX_PLACES];
	__cleanup_mirrors struct mirrors mirrors = { 0 };
	size_t count = 0;
	struct ref ref;

	promise(ref_parse("q.io/a/b:c", &ref, NULL) == 0);
	if (mirrors_parse(text, size, "file", &mirrors, NULL) == 0 &&
	    mirrors_find(&mirrors, &ref, places, &count, NULL) == 0)
		promise(count && count <= MIRRORS_MAX_PLACES);
}

static void try_trailer(const char *text, size_t size)
{
	struct download_part parts[DOWNLOAD_MAX_PARTS];
	uint64_t total;
	size_t count;

	if (size < sizeof(total))
		return;
	memcpy(&total, text, sizeof(total));
	if (!trailer_parse(text + sizeof(total), size - sizeof(total), total, parts, &count))
		return;
	promise(count && count <= DOWNLOAD_MAX_PARTS && parts[count - 1].end == total);
	for (size_t i = 0; i < count; i++)
		promise(parts[i].start <= parts[i].done && parts[i].done <= parts[i].end);
}

static void try_base64(const char *text, size_t size)
{
	__cleanup_buf struct buf plain = BUF_INIT;
	__cleanup_buf struct buf again = BUF_INIT;
	__cleanup_buf struct buf code = BUF_INIT;

	base64_decode_url(text, size, &again);
	buf_clear(&again);
	promise(base64_encode(text, size, &code) == 0);
	promise(base64_decode(buf_str(&code), code.len, &again));
	promise(again.len == size && (!size || !memcmp(again.data, text, size)));
	base64_decode(text, size, &plain);
}

static void try_type(const char *text, size_t size)
{
	char type[DOCUMENT_MAX_TYPE] = "";
	struct buf body = { .data = (char *)text, .len = size };

	if (document_type("application/vnd.oci.image.manifest.v1+json", &body, type, NULL) == 0)
		promise(type[0]);
}

/* Once as what came, and once as what was signed: nobody finds a signature by chance. */
static void try_schema1(const char *text, size_t size)
{
	struct digest diff_ids[16] = { 0 };
	struct schema1 schema1 = { 0 };
	__cleanup_buf struct buf payload = BUF_INIT;
	__cleanup_buf struct buf config = BUF_INIT;

	if (jws_open(text, size, &payload, NULL) < 0)
		promise(!payload.len);
	if (schema1_parse(text, size, &schema1, NULL) < 0)
		return;
	promise(schema1.count && schema1.layer_count <= schema1.count);
	if (schema1.layer_count <= 16 && schema1_config(&schema1, diff_ids, &config, NULL) == 0)
		promise(config.len);
	schema1_release(&schema1);
}

static void try_ref(const char *text, size_t size)
{
	struct ref ref;
	struct ref again;
	struct origin origin;

	(void)size;
	if (ref_parse(text, &ref, NULL) < 0)
		return;
	promise(ref_parse(ref_text(&ref).text, &again, NULL) == 0);
	promise(!strcmp(ref_text(&ref).text, ref_text(&again).text));
	if (origin_of_ref(&ref, &origin, NULL) == 0)
		promise(*origin.host && *origin.repository);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const tries[])(const char *, size_t) = {
		try_headers, try_tokens, try_authfile, try_mirrors,
		try_trailer, try_base64, try_type, try_schema1, try_ref,
	};
	__cleanup_free char *text = NULL;

	if (!size)
		return 0;
	text = fuzz_text(data, size);
	tries[data[0] % (sizeof(tries) / sizeof(*tries))](text, size - 1);
	return 0;
}
