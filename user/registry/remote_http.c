// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls to an object store over libcurl; see remote_http.h. One curl handle keeps one connection, and the
 * handles not in use wait here for the next call. Called by the drivers and by remote_stream.c.
 */
#include "registry/remote_http.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/cleanup.h"
#include "registry/remote_curl.h"

/* Handles of a kind, and so connections, that are kept for later. */
#define IDLE_MAX 32

struct idle {
	void *list[IDLE_MAX];
	size_t count;
};

struct remote {
	struct remote_options options; /* strings are ours */
	pthread_mutex_t lock;
	/* Under the lock. A connection belongs to the kind of handle it was made with. */
	struct idle handles;
	struct idle multis;
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void init_curl(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

static char *copy_or_null(const char *text, bool *failed)
{
	char *copy = text ? strdup(text) : NULL;

	*failed |= text && !copy;
	return copy;
}

int remote_http_open(const struct remote_options *options, struct remote **ret_remote,
		struct shale_err *err)
{
	struct remote *remote = calloc(1, sizeof(*remote));
	bool failed = !remote;

	pthread_once(&curl_once, init_curl);
	if (remote) {
		remote->options = *options;
		remote->options.ca_file = copy_or_null(options->ca_file, &failed);
		remote->options.user_agent = copy_or_null(options->user_agent, &failed);
		pthread_mutex_init(&remote->lock, NULL);
	}
	if (failed) {
		remote_release(remote);
		return shale_err_set(err, ENOMEM, "no memory for a connection");
	}
	*ret_remote = remote;
	return 0;
}

void remote_release(struct remote *remote)
{
	if (!remote)
		return;
	while (remote->multis.count)
		curl_multi_cleanup(remote->multis.list[--remote->multis.count]);
	while (remote->handles.count)
		curl_easy_cleanup(remote->handles.list[--remote->handles.count]);
	pthread_mutex_destroy(&remote->lock);
	free((char *)remote->options.ca_file);
	free((char *)remote->options.user_agent);
	free(remote);
}

static void *idle_get(struct remote *remote, struct idle *idle)
{
	void *found = NULL;

	pthread_mutex_lock(&remote->lock);
	if (idle->count)
		found = idle->list[--idle->count];
	pthread_mutex_unlock(&remote->lock);
	return found;
}

/* What was passed when there is no room for it, else NULL. */
static void *idle_put(struct remote *remote, struct idle *idle, void *handle)
{
	pthread_mutex_lock(&remote->lock);
	if (handle && idle->count < IDLE_MAX)
		idle->list[idle->count++] = steal_ptr(handle);
	pthread_mutex_unlock(&remote->lock);
	return handle;
}

CURL *remote_handle_get(struct remote *remote)
{
	CURL *curl = idle_get(remote, &remote->handles);

	return curl ? curl : curl_easy_init();
}

void remote_handle_put(struct remote *remote, CURL *curl)
{
	if (curl)
		curl_easy_reset(curl);
	curl = idle_put(remote, &remote->handles, curl);
	if (curl)
		curl_easy_cleanup(curl);
}

CURLM *remote_multi_get(struct remote *remote)
{
	CURLM *multi = idle_get(remote, &remote->multis);

	if (multi)
		return multi;
	multi = curl_multi_init();
	if (multi)
		curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, 1L);
	return multi;
}

void remote_multi_put(struct remote *remote, CURLM *multi)
{
	multi = idle_put(remote, &remote->multis, multi);
	if (multi)
		curl_multi_cleanup(multi);
}

void remote_answer_release(struct remote_answer *answer)
{
	buf_release(&answer->body);
	buf_release(&answer->headers);
}

const char *remote_answer_header(const struct remote_answer *answer, const char *name)
{
	const char *at = buf_str(&answer->headers);
	const char *end = at + answer->headers.len;

	while (at < end) {
		const char *value = at + strlen(at) + 1;

		if (!strcmp(at, name))
			return value;
		at = value + strlen(value) + 1;
	}
	return NULL;
}

bool remote_answer_is_success(const struct remote_answer *answer)
{
	return answer->status >= 200 && answer->status < 300;
}

int remote_headers_add(struct remote_headers *headers, const char *name, const char *value,
		       struct shale_err *err)
{
	__cleanup_buf struct buf line = BUF_INIT;
	struct curl_slist *list;

	if (buf_addf(&line, value[0] ? "%s: %s" : "%s;", name, value) < 0)
		return shale_err_errno(err, "adding header %s", name);
	if (strpbrk(line.data, "\r\n"))
		return shale_err_set(err, EINVAL, "header %s: its value has a line break", name);
	list = curl_slist_append(headers->list, line.data);
	if (!list)
		return shale_err_set(err, ENOMEM, "adding header %s: out of memory", name);
	headers->list = list;
	return 0;
}

const char *remote_headers_find(const struct remote_headers *headers, const char *name)
{
	const size_t len = strlen(name);

	for (const struct curl_slist *at = headers->list; at; at = at->next)
		if (!strncmp(at->data, name, len) && !strncmp(at->data + len, ": ", 2))
			return at->data + len + 2;
	return NULL;
}

static void headers_release(struct remote_headers *headers)
{
	curl_slist_free_all(headers->list);
}

void remote_answer_clear(struct remote_answer *answer)
{
	buf_clear(&answer->body);
	buf_clear(&answer->headers);
	answer->status = 0;
	answer->is_header_overflow = false;
	answer->retry_after = -1;
}

/* "Name: value\r\n" into "name\0value\0". */
static int add_header_line(struct buf *headers, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	size_t name_len = colon ? (size_t)(colon - line) : 0;
	const char *value = colon + 1;

	if (!colon || headers->len + len + 2 > REMOTE_MAX_HEADERS)
		return colon ? -1 : 0;
	len -= name_len + 1;
	while (len && isspace((unsigned char)*value)) {
		value++;
		len--;
	}
	while (len && isspace((unsigned char)value[len - 1]))
		len--;
	for (size_t i = 0; i < name_len; i++)
		if (buf_addc(headers, tolower((unsigned char)line[i])) < 0)
			return -1;
	if (buf_addc(headers, '\0') < 0 || buf_add(headers, value, len) < 0)
		return -1;
	return buf_addc(headers, '\0');
}

size_t remote_take_header(char *line, size_t size, size_t count, void *ctx)
{
	struct remote_answer *answer = ctx;
	size_t len = size * count;

	/* Another answer begins: what came before was 100 Continue. */
	if (len >= 5 && !memcmp(line, "HTTP/", 5))
		remote_answer_clear(answer);
	else if (!memchr(line, '\0', len) && add_header_line(&answer->headers, line, len) < 0)
		answer->is_header_overflow = true;
	return len;
}

/* One attempt, while curl works on it. */
struct attempt {
	const struct remote_call *call;
	CURL *curl;
	struct remote_answer *answer;
	uint64_t sent;
	bool is_too_large;
};

static size_t take_body(char *data, size_t size, size_t count, void *ctx)
{
	struct attempt *attempt = ctx;
	struct buf *body = &attempt->answer->body;
	size_t len = size * count;
	long status = 0;
	size_t max;

	curl_easy_getinfo(attempt->curl, CURLINFO_RESPONSE_CODE, &status);
	max = status / 100 == 2 ? attempt->call->max : REMOTE_MAX_ERROR;
	if (body->len + len > max && status / 100 != 2)
		return len;
	if (body->len + len > max) {
		attempt->is_too_large = true;
		return CURL_WRITEFUNC_ERROR;
	}
	return buf_add(body, data, len) < 0 ? CURL_WRITEFUNC_ERROR : len;
}

static size_t give_body(char *to, size_t size, size_t count, void *ctx)
{
	struct attempt *attempt = ctx;
	const struct remote_body *body = &attempt->call->body;
	uint64_t left = body->len - attempt->sent;
	size_t len = size * count;
	ssize_t got;

	if (len > left)
		len = left;
	if (body->fd < 0) {
		if (len)
			memcpy(to, (const char *)body->data + attempt->sent, len);
		got = len;
	} else {
		got = pread(body->fd, to, len, body->offset + attempt->sent);
	}
	if (got < 0 || (got == 0 && len))
		return CURL_READFUNC_ABORT;
	attempt->sent += got;
	return got;
}

static int seek_body(void *ctx, curl_off_t offset, int origin)
{
	struct attempt *attempt = ctx;

	if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > attempt->call->body.len)
		return CURL_SEEKFUNC_FAIL;
	attempt->sent = offset;
	return CURL_SEEKFUNC_OK;
}

void remote_handle_setup(const struct remote *remote, CURL *curl, const char *url,
			 const char *method)
{
	const struct remote_options *options = &remote->options;

	curl_easy_setopt(curl, CURLOPT_URL, url);
	/* The path is signed as it stands; dots are the layout's (.shale). */
	curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, options->user_agent);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)options->connect_seconds);
	curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, options->skip_verify ? 0L : 1L);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, options->skip_verify ? 0L : 2L);
	if (options->ca_file)
		curl_easy_setopt(curl, CURLOPT_CAINFO, options->ca_file);
	if (!strcmp(method, "HEAD"))
		curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
	else
		curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
}

unsigned int remote_stall_seconds(const struct remote *remote, unsigned int wanted)
{
	return wanted ? wanted : remote->options.stall_seconds;
}

static void attempt_setup(const struct remote *remote, struct attempt *attempt)
{
	const struct remote_call *call = attempt->call;
	CURL *curl = attempt->curl;

	remote_handle_setup(remote, curl, call->url, call->method);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME,
			 (long)remote_stall_seconds(remote, call->stall_seconds));
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)call->limit_seconds);
	/* curl itself repeats what a connection that was idle did not answer. */
	curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, call->is_once ? 1L : 0L);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, remote_take_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, attempt->answer);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, attempt);
	if (strcmp(call->method, "PUT") && strcmp(call->method, "POST"))
		return;
	curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)call->body.len);
	curl_easy_setopt(curl, CURLOPT_READFUNCTION, give_body);
	curl_easy_setopt(curl, CURLOPT_READDATA, attempt);
	curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, seek_body);
	curl_easy_setopt(curl, CURLOPT_SEEKDATA, attempt);
}

/* What curl's failures mean; those that are not here broke off in the middle and may go well next time. */
static const struct failure {
	CURLcode code;
	int error;
	bool is_before; /* the request has not reached the store */
} failures[] = {
	{ CURLE_COULDNT_RESOLVE_HOST, EAGAIN, true },
	{ CURLE_COULDNT_RESOLVE_PROXY, EAGAIN, true },
	{ CURLE_COULDNT_CONNECT, EAGAIN, true },
	{ CURLE_SSL_CONNECT_ERROR, EAGAIN, true },
	{ CURLE_PEER_FAILED_VERIFICATION, EACCES, true },
	{ CURLE_SSL_CACERT_BADFILE, EINVAL, true },
	{ CURLE_SSL_CERTPROBLEM, EACCES, true },
	{ CURLE_UNSUPPORTED_PROTOCOL, EINVAL, true },
	{ CURLE_URL_MALFORMAT, EINVAL, true },
	{ CURLE_OUT_OF_MEMORY, ENOMEM, true },
	{ CURLE_ABORTED_BY_CALLBACK, EIO, false },
	{ CURLE_WRITE_ERROR, EIO, false },
	{ CURLE_READ_ERROR, EIO, false },
};

static const struct failure *failure_of(CURLcode code)
{
	static const struct failure broken = { CURLE_OK, EAGAIN, false };

	for (size_t i = 0; i < sizeof(failures) / sizeof(*failures); i++)
		if (failures[i].code == code)
			return &failures[i];
	return &broken;
}

int remote_http_fail(CURLcode code, const char *what, const char *detail, struct shale_err *err)
{
	return shale_err_set(err, failure_of(code)->error, "%s: %s", what,
			     detail[0] ? detail : curl_easy_strerror(code));
}

static int attempt_run(struct remote *remote, struct attempt *attempt, struct shale_err *err)
{
	__attribute__((cleanup(headers_release))) struct remote_headers headers = { 0 };
	const struct remote_call *call = attempt->call;
	char detail[CURL_ERROR_SIZE] = "";
	curl_off_t retry_after = 0;
	CURLcode code;

	attempt_setup(remote, attempt);
	if (call->sign && call->sign(call->ctx, call, &headers, err) < 0)
		return CURLE_ABORTED_BY_CALLBACK;
	curl_easy_setopt(attempt->curl, CURLOPT_HTTPHEADER, headers.list);
	curl_easy_setopt(attempt->curl, CURLOPT_ERRORBUFFER, detail);
	code = curl_easy_perform(attempt->curl);
	curl_easy_getinfo(attempt->curl, CURLINFO_RESPONSE_CODE, &attempt->answer->status);
	curl_easy_getinfo(attempt->curl, CURLINFO_RETRY_AFTER, &retry_after);
	if (remote_answer_header(attempt->answer, "retry-after"))
		attempt->answer->retry_after = retry_after > INT32_MAX ? INT32_MAX : retry_after;
	curl_easy_setopt(attempt->curl, CURLOPT_ERRORBUFFER, NULL);
	curl_easy_setopt(attempt->curl, CURLOPT_HTTPHEADER, NULL);
	/* A refusal may come before all was sent, and then the connection goes. */
	if (code == CURLE_SEND_ERROR && attempt->answer->status >= 400)
		code = CURLE_OK;
	if (attempt->is_too_large)
		shale_err_set(err, EIO, "%s: the answer is larger than %zu bytes", call->what,
			      call->max);
	else if (code != CURLE_OK)
		remote_http_fail(code, call->what, detail, err);
	return code;
}

bool remote_status_is_passing(long status)
{
	return status == 408 || status == 429 || status == 500 || (status >= 502 && status <= 504);
}

unsigned int remote_backoff_ms(unsigned int attempts)
{
	unsigned int most = attempts < 6 ? 100u << attempts : 5000;
	unsigned int chance = 0;

	if (most > 5000)
		most = 5000;
	if (getrandom(&chance, sizeof(chance), GRND_NONBLOCK) < 0)
		chance = 0;
	return most / 2 + chance % (most / 2 + 1);
}

bool remote_wait(const struct remote *remote, const struct remote_answer *answer,
		 unsigned int attempts)
{
	unsigned int ms = remote_backoff_ms(attempts);
	struct timespec time;

	if (attempts > remote->options.retries)
		return false;
	if (answer && answer->retry_after > REMOTE_MAX_WAIT)
		return false;
	if (answer && answer->retry_after >= 0 && ms < answer->retry_after * 1000u)
		ms = answer->retry_after * 1000u;
	time = (struct timespec){ ms / 1000, ms % 1000 * 1000000 };
	while (nanosleep(&time, &time) < 0 && errno == EINTR)
		;
	return true;
}

/* Whether a failed attempt may be repeated. */
static bool is_repeatable(const struct remote_call *call, CURLcode code)
{
	const struct failure *failure = failure_of(code);

	return failure->error == EAGAIN && (!call->is_once || failure->is_before);
}

static bool wants_repeat(const struct remote_call *call, const struct remote_answer *answer,
			 unsigned int attempts)
{
	if (remote_status_is_passing(answer->status))
		return !call->is_once || answer->status == 429 || answer->status == 503;
	return call->judge && call->judge(call->ctx, answer, attempts);
}

int remote_run(struct remote *remote, const struct remote_call *call,
	       struct remote_answer *ret_answer, struct shale_err *err)
{
	struct attempt attempt = { .call = call, .answer = ret_answer };
	CURLcode code;

	for (unsigned int attempts = 1;; attempts++) {
		remote_answer_clear(ret_answer);
		attempt.sent = 0;
		attempt.curl = remote_handle_get(remote);
		if (!attempt.curl)
			return shale_err_set(err, ENOMEM, "%s: no memory for a connection",
					     call->what);
		code = attempt_run(remote, &attempt, err);
		remote_handle_put(remote, attempt.curl);
		if (code == CURLE_OK && !wants_repeat(call, ret_answer, attempts))
			return 0;
		if (code != CURLE_OK && !is_repeatable(call, code))
			return -1;
		if (!remote_wait(remote, code == CURLE_OK ? ret_answer : NULL, attempts))
			return code == CURLE_OK ? 0 : -1;
	}
}
