// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer harness of what object stores answer: the first byte chooses a page of a list (S3, Azure, Swift), the
 * blocks of an unfinished blob, the record of an unfinished object in Swift, or an address. What is taken keeps the
 * promises its users rely on. Built and run by scripts/fuzz; its corpus is selftests/corpus/remote.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/azure.h"
#include "registry/s3.h"
#include "registry/swift.h"
#include "fuzz.h"

#define PREFIX "a/"

static void promise_result(int ret, const struct shale_err *err)
{
	promise(ret == 0 || (err->code > 0 && err->msg[0] && !strchr(err->msg, '\n')));
}

static int see_key(void *ctx, const char *key, uint64_t size, int64_t mtime, struct shale_err *err)
{
	(void)ctx, (void)size, (void)err;
	promise(!strncmp(key, PREFIX, strlen(PREFIX)));
	promise(mtime >= 0);
	return 0;
}

static void try_s3(const char *text, size_t len)
{
	struct remote_listing listing = { .prefix = PREFIX };
	struct shale_err err = { 0 };

	promise_result(s3_read_page(&listing, text, len, see_key, NULL, &err), &err);
	buf_release(&listing.marker);
}

static void try_azure(const char *text, size_t len)
{
	struct remote_listing listing = { .prefix = PREFIX };
	struct shale_err err = { 0 };
	int ret = azure_read_page(&listing, text, len, see_key, NULL, &err);

	promise_result(ret, &err);
	promise(ret < 0 || listing.is_last || listing.marker.len);
	buf_release(&listing.marker);
}

static void try_swift(const char *text, size_t len)
{
	struct remote_listing listing = { .prefix = PREFIX };
	const struct buf body = { (char *)text, len, len };
	struct shale_err err = { 0 };

	promise_result(swift_read_page(&listing, 3, &body, see_key, NULL, &err), &err);
	buf_release(&listing.marker);
}

static void check_pieces(const struct remote_pieces *pieces)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < pieces->count; i++)
		sum += pieces->list[i].len;
	promise(sum == pieces->len);
}

static void try_blocks(const char *text, size_t len)
{
	__cleanup_pieces struct remote_pieces pieces = { 0 };
	struct shale_err err = { 0 };

	promise_result(azure_read_blocks(text, len, &pieces, &err), &err);
	check_pieces(&pieces);
}

static void try_pointer(const char *text, size_t len)
{
	__cleanup_pieces struct remote_pieces pieces = { 0 };
	const struct buf body = { (char *)text, len, len };
	__cleanup_buf struct buf to = BUF_INIT;
	struct shale_err err = { 0 };
	int ret = swift_read_pointer(&body, "it", &pieces, &to, &err);

	promise_result(ret, &err);
	check_pieces(&pieces);
	for (size_t i = 1; ret == 0 && i < pieces.count; i++)
		promise(pieces.list[i].number > pieces.list[i - 1].number);
}

static void try_url(const char *text, size_t len)
{
	__cleanup_buf struct buf origin = BUF_INIT;
	struct remote_url url, again;
	struct shale_err err = { 0 };
	int ret = remote_url_parse(text, "it", &url, &err);

	(void)len;
	promise_result(ret, &err);
	if (ret < 0)
		return;
	promise(remote_url_origin(&url, &origin) == 0 && buf_adds(&origin, url.path) == 0);
	promise(remote_url_parse(buf_str(&origin), "it", &again, NULL) == 0);
	promise(!strcmp(url.host, again.host) && !strcmp(url.path, again.path) && url.is_tls == again.is_tls);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const tries[])(const char *, size_t) = {
		try_s3, try_azure, try_swift, try_blocks, try_pointer, try_url,
	};
	char *text;

	if (!size)
		return 0;
	text = strndup((const char *)data + 1, size - 1);
	promise(text);
	tries[data[0] % 6](text, strlen(text));
	free(text);
	return 0;
}
