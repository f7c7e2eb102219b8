// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests over curl's multi interface; see web.h. A request's callbacks run inside web_wait() and
 * web_perform(), in the caller's thread. Redirects are in web_redirect.c, what curl's errors mean and
 * the handle's settings here. Called by remote.c, fetch.c and upload.c.
 */
#include "client/web.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "client/web_redirect.h"

#define WEB_AGENT "shale/" SHALE_VERSION
/* Bytes curl reads at once: fewer system calls for a layer, and still small beside the rest. */
#define WEB_BUFFER (32 << 10)

struct web {
	CURLM *multi;
	struct web_opts opts;
	struct web_request *done_first;
	struct web_request **done_last;
};

static const char *const header_names[WEB_HEADERS] = {
	[WEB_AUTHENTICATE] = "www-authenticate",
	[WEB_LOCATION] = "location",
	[WEB_CONTENT_TYPE] = "content-type",
	[WEB_CONTENT_RANGE] = "content-range",
	[WEB_DIGEST] = "docker-content-digest",
	[WEB_RETRY_AFTER] = "retry-after",
	[WEB_LINK] = "link",
	[WEB_RANGE] = "range",
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void init_curl(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

int web_open(const struct web_opts *opts, struct web **ret_web, struct shale_err *err)
{
	struct web *web;

	pthread_once(&curl_once, init_curl);
	web = calloc(1, sizeof(*web));
	if (!web)
		return shale_err_errno(err, "preparing to connect");
	web->opts = *opts;
	if (!web->opts.stall_seconds)
		web->opts.stall_seconds = WEB_STALL_SECONDS;
	web->done_last = &web->done_first;
	web->multi = curl_multi_init();
	if (!web->multi) {
		free(web);
		return shale_err_set(err, ENOMEM, "preparing to connect");
	}
	*ret_web = web;
	return 0;
}

void web_close(struct web *web)
{
	if (!web)
		return;
	curl_multi_cleanup(web->multi);
	free(web);
}

int web_add_header(struct web_request *request, const char *name, const char *value,
		   struct shale_err *err)
{
	__cleanup_buf struct buf line = BUF_INIT;
	struct curl_slist *list;

	if (buf_addf(&line, "%s: %s", name, value) < 0)
		return shale_err_errno(err, "preparing a request");
	list = curl_slist_append(request->headers, buf_str(&line));
	if (!list)
		return shale_err_set(err, ENOMEM, "preparing a request");
	request->headers = list;
	return 0;
}

const char *web_value(const struct web_request *request, enum web_header header)
{
	return request->values[header];
}

/* The callback fails the request: curl only learns that it has to end it. */
static size_t stop(struct web_request *request)
{
	request->has_failed = true;
	return 0;
}

static int keep_value(struct web_request *request, enum web_header header, const char *value,
		      size_t len)
{
	char **slot = &request->values[header];
	__cleanup_buf struct buf text = BUF_INIT;

	/* Several lines of one header are a list; of what is no list the last one counts. */
	if (*slot && (header == WEB_AUTHENTICATE || header == WEB_LINK) &&
	    buf_addf(&text, "%s\n", *slot) < 0)
		return -1;
	if (buf_add(&text, value, len) < 0)
		return -1;
	free(*slot);
	*slot = buf_steal(&text);
	return *slot ? 0 : -1;
}

static void forget_values(struct web_request *request)
{
	for (size_t i = 0; i < WEB_HEADERS; i++) {
		free(request->values[i]);
		request->values[i] = NULL;
	}
}

static size_t take_header(char *line, size_t size, size_t count, void *arg)
{
	struct web_request *request = arg;
	size_t len = size * count;
	const char *colon = memchr(line, ':', len);
	const char *value;

	request->header_bytes += len;
	if (request->header_bytes > WEB_MAX_HEADERS) {
		shale_err_set(&request->err, EFBIG, "sends more than %u bytes of headers",
			      WEB_MAX_HEADERS);
		return stop(request);
	}
	/* "100 Continue" has headers of its own. */
	if (len >= 5 && !strncmp(line, "HTTP/", 5))
		forget_values(request);
	if (!colon)
		return len;
	for (value = colon + 1; value < line + len && (*value == ' ' || *value == '\t'); value++)
		;
	for (size_t end = len; end && strchr("\r\n \t", line[end - 1]);)
		len = --end;
	for (size_t i = 0; i < WEB_HEADERS; i++)
		if ((size_t)(colon - line) == strlen(header_names[i]) &&
		    !strncasecmp(line, header_names[i], colon - line) &&
		    keep_value(request, i, value, line + len > value ? line + len - value : 0) < 0) {
			shale_err_errno(&request->err, "reading an answer");
			return stop(request);
		}
	return size * count;
}

static int begin_answer(struct web_request *request)
{
	request->has_head = true;
	curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &request->status);
	if (request->status / 100 == 2 && request->head)
		return request->head(request);
	return 0;
}

static int collect(struct web_request *request, const void *data, size_t len)
{
	bool is_good = request->status / 100 == 2;
	size_t max = is_good ? request->max_answer : WEB_MAX_ERROR_BODY;

	if (request->answer.len + len > max) {
		if (is_good)
			return shale_err_set(&request->err, EFBIG,
					     "sends more than the limit of %zu bytes", max);
		len = max - request->answer.len;
	}
	if (buf_add(&request->answer, data, len) < 0)
		return shale_err_errno(&request->err, "reading an answer");
	return 0;
}

/*
 * Of a bad answer no more is read than is shown: one without an end must not hold us up, so that it is cut
 * off, which finish() takes for its end.
 */
static size_t take_body(char *data, size_t size, size_t count, void *arg)
{
	struct web_request *request = arg;
	size_t len = size * count;

	if (!request->has_head && begin_answer(request) < 0)
		return stop(request);
	if (request->status / 100 == 2 && request->sink)
		return request->sink(request, data, len) < 0 ? stop(request) : len;
	if (collect(request, data, len) < 0)
		return stop(request);
	return request->status / 100 != 2 && request->answer.len == WEB_MAX_ERROR_BODY ? 0 : len;
}

static size_t give_body(char *data, size_t size, size_t count, void *arg)
{
	struct web_request *request = arg;
	uint64_t left = request->body_len - request->body_done;
	size_t len = size * count < left ? size * count : left;
	ssize_t got = len;

	if (request->body)
		memcpy(data, (const char *)request->body + request->body_done, len);
	else
		got = pread(request->body_fd, data, len, request->body_at + request->body_done);
	if (got < 0 || (!got && len)) {
		if (!got)
			errno = ENODATA;
		shale_err_errno(&request->err, "reading what is to be sent");
		request->has_failed = true;
		return CURL_READFUNC_ABORT;
	}
	request->body_done += got;
	if (request->sent && request->sent(request, request->body_done) < 0) {
		request->has_failed = true;
		return CURL_READFUNC_ABORT;
	}
	return got;
}

/* curl sends a body again when a connection it had kept turns out to be dead. */
static int rewind_body(void *arg, curl_off_t offset, int origin)
{
	struct web_request *request = arg;

	/* What the other side may have taken already must not come twice. */
	if (request->is_once && request->body_done)
		return CURL_SEEKFUNC_FAIL;
	if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > request->body_len)
		return CURL_SEEKFUNC_FAIL;
	request->body_done = offset;
	return CURL_SEEKFUNC_OK;
}

/* Our own certificate says who we are: to the registry, and to nobody it sends us to. */
static void set_tls(CURL *easy, const struct web_tls *tls, bool is_abroad)
{
	struct curl_blob roots = { 0 };

	/* The system's roots are in a directory as well, from which only those are read that matter. */
	curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
	if (!tls)
		return;
	if (tls->is_insecure) {
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	}
	if (tls->roots_len) {
		roots.data = (void *)tls->roots;
		roots.len = tls->roots_len;
		curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &roots);
	}
	if (tls->cert && tls->key && !is_abroad) {
		curl_easy_setopt(easy, CURLOPT_SSLCERT, tls->cert);
		curl_easy_setopt(easy, CURLOPT_SSLKEY, tls->key);
	}
}

static void set_method(struct web_request *request)
{
	CURL *easy = request->easy;
	bool has_body = request->body || request->body_fd >= 0;

	if (!strcmp(request->method, "HEAD")) {
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
		return;
	}
	if (has_body || !strcmp(request->method, "POST") || !strcmp(request->method, "PUT")) {
		curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->body_len);
		curl_easy_setopt(easy, CURLOPT_READFUNCTION, give_body);
		curl_easy_setopt(easy, CURLOPT_READDATA, request);
		curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, rewind_body);
		curl_easy_setopt(easy, CURLOPT_SEEKDATA, request);
		curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)WEB_BUFFER);
	}
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

static int set_headers(struct web_request *request, struct shale_err *err)
{
	__cleanup_buf struct buf line = BUF_INIT;
	struct curl_slist *list = NULL;
	struct curl_slist *more;

	/* No waiting for "100 Continue": registries answer late or not at all. */
	for (const struct curl_slist *one = request->headers; one; one = one->next) {
		more = curl_slist_append(list, one->data);
		if (!more)
			goto fail;
		list = more;
	}
	more = curl_slist_append(list, "Expect:");
	if (!more)
		goto fail;
	list = more;
	if (request->authorization && !request->is_abroad) {
		if (buf_addf(&line, "Authorization: %s", request->authorization) < 0)
			goto fail;
		more = curl_slist_append(list, buf_str(&line));
		if (!more)
			goto fail;
		list = more;
	}
	curl_slist_free_all(request->sent_headers);
	request->sent_headers = list;
	curl_easy_setopt(request->easy, CURLOPT_HTTPHEADER, list);
	return 0;
fail:
	curl_slist_free_all(list);
	return shale_err_set(err, ENOMEM, "preparing a request");
}

static int set_options(struct web *web, struct web_request *request, const char *url,
		       struct shale_err *err)
{
	CURL *easy = request->easy;

	curl_easy_reset(easy);
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, request);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, WEB_AGENT);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, request);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)WEB_BUFFER);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)WEB_CONNECT_SECONDS);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)web->opts.stall_seconds);
	set_tls(easy, request->tls, request->is_abroad);
	set_method(request);
	return set_headers(request, err);
}

/* The URL is the request's, or where it was redirected to. */
static int begin(struct web *web, struct web_request *request, struct shale_err *err)
{
	const char *url = request->final_url ? request->final_url : request->url;
	CURLMcode code;

	request->header_bytes = 0;
	request->body_done = 0;
	request->has_head = false;
	request->status = 0;
	buf_clear(&request->answer);
	forget_values(request);
	if (!request->easy)
		request->easy = curl_easy_init();
	if (!request->easy)
		return shale_err_set(err, ENOMEM, "preparing a request");
	if (set_options(web, request, url, err) < 0)
		return -1;
	code = curl_multi_add_handle(web->multi, request->easy);
	if (code)
		return shale_err_set(err, ENOMEM, "preparing a request: %s",
				     curl_multi_strerror(code));
	request->web = web;
	request->is_running = true;
	return 0;
}

int web_start(struct web *web, struct web_request *request, struct shale_err *err)
{
	web_request_reset(request);
	return begin(web, request, err);
}

static const struct {
	CURLcode code;
	int error;
	bool is_refused;
	bool may_succeed;
	const char *msg;
} failures[] = {
	{ CURLE_COULDNT_RESOLVE_HOST, EHOSTUNREACH, false, true, "cannot find the host" },
	{ CURLE_COULDNT_CONNECT, ECONNREFUSED, true, true, "cannot connect" },
	{ CURLE_SSL_CONNECT_ERROR, EPROTO, true, true, "does not speak TLS" },
	{ CURLE_PEER_FAILED_VERIFICATION, EACCES, false, false, "its certificate is not trusted" },
	{ CURLE_SSL_CACERT_BADFILE, EINVAL, false, false, "cannot read the certificates to trust" },
	{ CURLE_SSL_CERTPROBLEM, EINVAL, false, false, "cannot use our certificate" },
	{ CURLE_OPERATION_TIMEDOUT, ETIMEDOUT, false, true, "nothing arrives" },
	{ CURLE_GOT_NOTHING, ECONNRESET, false, true, "closes the connection without an answer" },
	{ CURLE_RECV_ERROR, ECONNRESET, false, true, "breaks the connection" },
	{ CURLE_SEND_ERROR, ECONNRESET, false, true, "breaks the connection" },
	{ CURLE_SEND_FAIL_REWIND, ECONNRESET, false, true, "breaks the connection" },
	{ CURLE_PARTIAL_FILE, ECONNRESET, false, true, "ends before all was sent" },
	{ CURLE_HTTP2, EPROTO, false, true, "breaks the rules of HTTP/2" },
	{ CURLE_HTTP2_STREAM, ECONNRESET, false, true, "breaks the connection" },
	{ CURLE_URL_MALFORMAT, EINVAL, false, false, "is no URL" },
	{ CURLE_UNSUPPORTED_PROTOCOL, EPROTO, false, false, "is no http URL" },
	{ CURLE_WEIRD_SERVER_REPLY, EPROTO, false, false, "does not speak HTTP" },
	{ CURLE_OUT_OF_MEMORY, ENOMEM, false, false, "out of memory" },
};

static void note_failure(struct web_request *request, CURLcode code)
{
	request->has_failed = true;
	for (size_t i = 0; i < sizeof(failures) / sizeof(*failures); i++) {
		if (failures[i].code != code)
			continue;
		request->is_refused = failures[i].is_refused;
		request->may_succeed = failures[i].may_succeed;
		shale_err_set(&request->err, failures[i].error, "%s", failures[i].msg);
		return;
	}
	request->may_succeed = false;
	shale_err_set(&request->err, EPROTO, "%s", curl_easy_strerror(code));
}

static void enlist(struct web *web, struct web_request *request)
{
	request->is_done = request->is_queued = true;
	request->next = NULL;
	*web->done_last = request;
	web->done_last = &request->next;
}

/* The transfer has ended: in a redirect that is followed, a failure or an answer. */
static void finish(struct web *web, struct web_request *request, CURLcode code)
{
	bool is_cut;

	curl_multi_remove_handle(web->multi, request->easy);
	request->is_running = false;
	if (!code && !request->has_head && begin_answer(request) < 0)
		request->has_failed = true;
	is_cut = request->has_head && request->status / 100 != 2;
	if (code && !request->has_failed && !is_cut)
		note_failure(request, code);
	if (!request->has_failed && web_redirect_is_due(request)) {
		if (web_redirect(request) == 0 && begin(web, request, &request->err) == 0)
			return;
		request->has_failed = true;
	}
	enlist(web, request);
}

static int drive(struct web *web, unsigned int msec, struct shale_err *err)
{
	struct web_request *request;
	CURLMsg *msg;
	int running;
	int left;

	if (web->opts.poll && web->opts.poll(web->opts.arg, err) < 0)
		return -1;
	if (curl_multi_perform(web->multi, &running) ||
	    (msec && curl_multi_poll(web->multi, NULL, 0, msec, NULL)) ||
	    curl_multi_perform(web->multi, &running))
		return shale_err_set(err, EIO, "curl does not work");
	while ((msg = curl_multi_info_read(web->multi, &left))) {
		CURLcode code = msg->data.result;

		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&request);
		finish(web, request, code);
	}
	return 0;
}

struct web_request *web_next_done(struct web *web)
{
	struct web_request *request = web->done_first;

	if (!request)
		return NULL;
	web->done_first = request->next;
	if (!web->done_first)
		web->done_last = &web->done_first;
	request->is_queued = false;
	return request;
}

static void forget_done(struct web *web, struct web_request *request)
{
	struct web_request **at = &web->done_first;

	while (*at != request)
		at = &(*at)->next;
	*at = request->next;
	if (!*at)
		web->done_last = at;
	request->is_queued = false;
}

int web_wait(struct web *web, unsigned int msec, struct web_request **ret_done,
	     struct shale_err *err)
{
	*ret_done = web_next_done(web);
	if (*ret_done)
		return 0;
	if (drive(web, msec < WEB_POLL_MSEC ? msec : WEB_POLL_MSEC, err) < 0)
		return -1;
	*ret_done = web_next_done(web);
	return 0;
}

int web_perform(struct web *web, struct web_request *request, struct shale_err *err)
{
	if (web_start(web, request, err) < 0)
		return -1;
	while (!request->is_done)
		if (drive(web, WEB_POLL_MSEC, err) < 0)
			return -1;
	forget_done(web, request);
	return 0;
}

static uint64_t now_msec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

int web_sleep(struct web *web, uint64_t msec, struct shale_err *err)
{
	uint64_t end = now_msec() + msec;

	for (uint64_t now = now_msec(); now < end; now = now_msec())
		if (drive(web, end - now < WEB_POLL_MSEC ? end - now : WEB_POLL_MSEC, err) < 0)
			return -1;
	return 0;
}

void web_request_reset(struct web_request *request)
{
	if (request->is_running)
		curl_multi_remove_handle(request->web->multi, request->easy);
	if (request->is_queued)
		forget_done(request->web, request);
	request->is_running = false;
	buf_clear(&request->answer);
	forget_values(request);
	free(request->final_url);
	request->final_url = NULL;
	request->status = 0;
	request->redirects = 0;
	request->has_failed = request->is_refused = request->may_succeed = false;
	request->is_abroad = request->is_done = false;
	request->err = (struct shale_err){ 0 };
}

void web_request_release(struct web_request *request)
{
	int saved = errno;

	web_request_reset(request);
	if (request->easy)
		curl_easy_cleanup(request->easy);
	curl_slist_free_all(request->headers);
	curl_slist_free_all(request->sent_headers);
	buf_release(&request->answer);
	free(request->url);
	free(request->authorization);
	free(request->own_body);
	*request = (struct web_request)WEB_REQUEST_INIT;
	errno = saved;
}
