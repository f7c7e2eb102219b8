// SPDX-License-Identifier: GPL-2.0-only
/*
 * One part of one blob; see fetch_transfer.h. Asks for what is missing of it and writes what comes. That
 * a server answers for other bytes than it was asked for is found before the first one is written.
 */
#include "client/fetch_transfer.h"

#include <errno.h>
#include <string.h>

/* Between two events of a blob; the engine promises one a MiB. */
#define REPORT_BYTES (512u << 10)

static int check_partial(struct fetch_transfer *transfer)
{
	struct web_request *request = &transfer->request;
	const char *text = web_value(request, WEB_CONTENT_RANGE);
	const struct download_part *part = transfer->part;
	struct answer_range range;

	if (!text || !answer_parse_range(text, &range))
		return shale_err_set(&request->err, EPROTO, "sends a part and does not say which");
	if (range.total != UINT64_MAX && range.total != transfer->blob->size)
		return shale_err_set(&request->err, EPROTO, "has %llu bytes of it instead of %llu",
				     (unsigned long long)range.total,
				     (unsigned long long)transfer->blob->size);
	if (!transfer->is_ranged || range.first != part->done || range.last >= part->end)
		return shale_err_set(&request->err, EPROTO, "sends bytes %llu-%llu instead of %llu-%llu",
				     (unsigned long long)range.first,
				     (unsigned long long)range.last,
				     (unsigned long long)part->done,
				     (unsigned long long)part->end - 1);
	return 0;
}

static int check_whole(struct fetch_transfer *transfer)
{
	struct web_request *request = &transfer->request;
	curl_off_t length = -1;

	curl_easy_getinfo(request->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	if (length >= 0 && (uint64_t)length != transfer->blob->size)
		return shale_err_set(&request->err, EPROTO, "has %lld bytes of it instead of %llu",
				     (long long)length, (unsigned long long)transfer->blob->size);
	if (!transfer->is_ranged)
		return 0;
	transfer->has_no_ranges = true;
	return shale_err_set(&request->err, EPROTO, "does not know ranges");
}

static int take_head(struct web_request *request)
{
	struct fetch_transfer *transfer = request->arg;

	if (request->status == 206)
		return check_partial(transfer);
	if (request->status == 200)
		return check_whole(transfer);
	return shale_err_set(&request->err, EPROTO, "answers %ld to a download", request->status);
}

static int report_progress(struct fetch_transfer *transfer)
{
	struct fetch_blob *blob = transfer->blob;
	uint64_t done = download_done(&blob->download);

	if (done < blob->reported + REPORT_BYTES)
		return 0;
	blob->reported = done;
	return fetch_report(transfer->fetch, blob, SHALE_EVENT_DOWNLOAD, done,
			    &transfer->request.err);
}

static int take_data(struct web_request *request, const void *data, size_t len)
{
	struct fetch_transfer *transfer = request->arg;
	const struct download_part *part = transfer->part;
	const char *at = data;
	size_t skip = transfer->skip < len ? transfer->skip : len;

	transfer->skip -= skip;
	at += skip;
	len -= skip;
	if (len > part->end - part->done)
		return shale_err_set(&request->err, EPROTO, "sends more than %llu bytes of it",
				     (unsigned long long)part->end);
	if (download_write(&transfer->blob->download, transfer->part, at, len, &request->err) < 0) {
		transfer->is_our_fault = true;
		return -1;
	}
	return report_progress(transfer);
}

void transfer_init(struct fetch_transfer *transfer, struct fetch *fetch, struct fetch_blob *blob,
		   struct download_part *part)
{
	*transfer = (struct fetch_transfer){ .fetch = fetch, .blob = blob, .part = part };
	transfer->request = (struct web_request)WEB_REQUEST_INIT;
	transfer->request.head = take_head;
	transfer->request.sink = take_data;
	transfer->request.arg = transfer;
	transfer->failed_done = part->done;
}

void transfer_reset(struct fetch_transfer *transfer)
{
	web_request_reset(&transfer->request);
	transfer->request.tries = 0;
	transfer->is_running = false;
	transfer->due = 0;
}

bool transfer_is_due(const struct fetch_transfer *transfer, uint64_t now)
{
	return !transfer->is_running && transfer->due <= now &&
	       transfer->part->done < transfer->part->end;
}

static int set_range(struct fetch_transfer *transfer, struct shale_err *err)
{
	const struct download_part *part = transfer->part;
	char range[64];

	curl_slist_free_all(transfer->request.headers);
	transfer->request.headers = NULL;
	transfer->skip = 0;
	transfer->is_ranged = !transfer->blob->has_no_ranges &&
			      (part->done || part->end < transfer->blob->size);
	if (!transfer->is_ranged) {
		transfer->skip = part->done;
		return 0;
	}
	snprintf(range, sizeof(range), "bytes=%llu-%llu", (unsigned long long)part->done,
		 (unsigned long long)part->end - 1);
	return web_add_header(&transfer->request, "Range", range, err);
}

int transfer_start(struct fetch_transfer *transfer, struct shale_err *err)
{
	struct remote *remote = &transfer->fetch->opts.remotes[transfer->blob->remote];
	struct web_request *request = &transfer->request;

	transfer->is_our_fault = transfer->has_no_ranges = false;
	if (set_range(transfer, err) < 0 || remote_connect(remote, err) < 0 ||
	    remote_set_url(remote, request, err, "blobs/%s", transfer->blob->text.text) < 0 ||
	    remote_prepare(remote, request, err) < 0 ||
	    web_start(transfer->fetch->opts.web, request, err) < 0)
		return -1;
	transfer->is_running = true;
	return 0;
}

/* An answer without a length may just stop. */
static void note_short(struct fetch_transfer *transfer)
{
	struct web_request *request = &transfer->request;

	if (request->has_failed || request->status / 100 != 2 ||
	    transfer->part->done == transfer->part->end)
		return;
	request->has_failed = request->may_succeed = true;
	shale_err_set(&request->err, ECONNRESET, "ends before all was sent");
}

int transfer_end(struct fetch_transfer *transfer, struct shale_err *err)
{
	struct remote *remote = &transfer->fetch->opts.remotes[transfer->blob->remote];
	struct web_request *request = &transfer->request;
	enum remote_verdict verdict = REMOTE_GOOD;
	uint64_t msec = 0;

	transfer->is_running = false;
	note_short(transfer);
	if (transfer->part->done - transfer->failed_done >= FETCH_PROGRESS)
		request->tries = 0;
	transfer->failed_done = transfer->part->done;
	if (transfer->has_no_ranges)
		return -1;
	if (transfer->is_our_fault) {
		*err = request->err;
		return -1;
	}
	if (remote_judge(remote, request, 0, &verdict, &msec, err) < 0)
		return -1;
	transfer->due = fetch_now() + msec;
	return 0;
}
