// SPDX-License-Identifier: GPL-2.0-only
/*
 * The client of the Engine API against a thread that plays a daemon: it takes each request whole, notes it, and gives
 * the answers of a list, byte for byte.
 */
#include "ktap.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "dockapi/dockapi.h"
#include "dockapi/frames.h"
#include "store/json.h"

#define MAX_ANSWERS 4

struct daemon {
	const char *answers[MAX_ANSWERS]; /* NULL: hangs up instead */
	int fd;
	int listener;
	pthread_t thread;
	struct buf seen; /* the requests */
};

/* The end of a request whose header is in text, or NULL while bytes of it are missing. */
static const char *request_end(const char *text)
{
	const char *body = strstr(text, "\r\n\r\n");
	const char *length, *last;

	if (!body)
		return NULL;
	body += 4;
	length = strcasestr(text, "content-length: ");
	if (length && length < body)
		return strlen(body) < strtoul(length + 16, NULL, 10) ? NULL : body;
	if (!strcasestr(text, "transfer-encoding: chunked"))
		return body;
	last = strstr(body, "0\r\n\r\n");
	return last;
}

static void *daemon_run(void *arg)
{
	struct daemon *daemon = arg;
	char piece[4096];
	size_t begin;
	ssize_t got;

	if (daemon->listener >= 0)
		daemon->fd = accept(daemon->listener, NULL, NULL);
	for (size_t i = 0; i < MAX_ANSWERS && daemon->answers[i]; i++) {
		begin = daemon->seen.len;
		while (!daemon->seen.data || !request_end(daemon->seen.data + begin)) {
			got = read(daemon->fd, piece, sizeof(piece));
			if (got <= 0)
				goto out;
			buf_add(&daemon->seen, piece, got);
		}
		if (send(daemon->fd, daemon->answers[i], strlen(daemon->answers[i]), MSG_NOSIGNAL) < 0)
			break;
	}
out:
	close(daemon->fd);
	return NULL;
}

static void daemon_start(struct daemon *daemon)
{
	ASSERT_EQ(pthread_create(&daemon->thread, NULL, daemon_run, daemon), 0);
}

/* A daemon on a pair of sockets, and our end of it. */
static struct dockapi *connect_pair(struct daemon *daemon, const struct dockapi_opts *opts)
{
	struct shale_err err = { 0 };
	struct dockapi *api = NULL;
	int fds[2];

	ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	daemon->fd = fds[1];
	daemon->listener = -1;
	daemon_start(daemon);
	ASSERT_EQ(dockapi_open_fd(fds[0], opts, &api, &err), 0);
	return api;
}

static void daemon_end(struct daemon *daemon, struct dockapi *api)
{
	dockapi_close(api);
	pthread_join(daemon->thread, NULL);
	buf_release(&daemon->seen);
}

#define JSON_ANSWER(status, length, body)                                                          \
	"HTTP/1.1 " status "\r\nContent-Type: application/json\r\nContent-Length: " length         \
	"\r\n\r\n" body

TEST(json, "requests over one connection, with paths and queries that are escaped, and answers in JSON")
{
	struct daemon daemon = { .answers = { JSON_ANSWER("200 OK", "14", "[{\"Id\":\"ab\"}]\n"),
					      "HTTP/1.1 204 No Content\r\n\r\n" } };
	struct dockapi *api = connect_pair(&daemon, NULL);
	__cleanup_dockapi_call struct dockapi_call list = DOCKAPI_CALL("GET");
	__cleanup_dockapi_call struct dockapi_call gone = DOCKAPI_CALL("DELETE");
	struct shale_err err = { 0 };
	json_t *json = NULL;

	ASSERT_EQ(dockapi_path(&list, &err, "/images/%s/json", "127.0.0.1:5000/a b?"), 0);
	ASSERT_EQ(dockapi_query(&list, "filters", "{\"a\":{}}", &err), 0);
	ASSERT_EQ(dockapi_query(&list, "none", NULL, &err), 0);
	ASSERT_EQ(dockapi_query(&list, "all", "1", &err), 0);
	EXPECT_EQ(dockapi_json(api, &list, &json, &err), 0);
	EXPECT_EQ(json_array_size(json), 1);
	json_decref(json);
	ASSERT_EQ(dockapi_path(&gone, &err, "/volumes/%s", "v"), 0);
	EXPECT_EQ(dockapi_json(api, &gone, &json, &err), 0);
	EXPECT(json_is_null(json));
	EXPECT_EQ(gone.status, 204);
	EXPECT(strstr(daemon.seen.data, "GET /v" DOCKAPI_VERSION "/images/127.0.0.1:5000/a%20b%3F/json"
					"?filters=%7B%22a%22%3A%7B%7D%7D&all=1 HTTP/1.1\r\n") != NULL);
	EXPECT(strstr(daemon.seen.data, "DELETE /v" DOCKAPI_VERSION "/volumes/v HTTP/1.1\r\n") != NULL);
	EXPECT(strstr(daemon.seen.data, "Expect") == NULL);
	daemon_end(&daemon, api);
}

struct refusal {
	struct ktap_row row;
	const char *answer;
	int code;
	const char *message;
};

static const struct refusal refusals[] = {
	{ { "not_found", "what is not there" },
	  JSON_ANSWER("404 Not Found", "28", "{\"message\":\"no such image\"}\n"), ENOENT, "no such image" },
	{ { "conflict", "a conflict" }, JSON_ANSWER("409 Conflict", "18", "{\"message\":\"used\"}"), EBUSY, "used" },
	{ { "bad", "a bad request" }, JSON_ANSWER("400 Bad Request", "17", "{\"message\":\"bad\"}"), EINVAL, "bad" },
	{ { "denied", "who is not let in" }, JSON_ANSWER("401 Unauthorized", "16", "{\"message\":\"no\"}"), EACCES, "no" },
	{ { "unknown", "what the daemon does not have" }, JSON_ANSWER("501 Not Implemented", "16", "{\"message\":\"no\"}"), ENOSYS, "no" },
	{ { "words", "an error that is no JSON" }, JSON_ANSWER("500 Oops", "4", "oops"), EIO, "the daemon answers with status 500" },
	{ { "silent", "an error without a word" }, JSON_ANSWER("503 Later", "0", ""), EIO, "the daemon answers with status 503" },
	{ { "control", "a message that would talk to the terminal" },
	  JSON_ANSWER("400 Bad", "29", "{\"message\":\"a\\u001b[2Jb\\nc\"}  "), EINVAL, "a?[2Jb?c" },
	{ { "no_json", "a good answer that is no JSON" }, JSON_ANSWER("200 OK", "1", "{"), EPROTO,
	  "the daemon's answer is not JSON: string or '}' expected near end of file" },
	{ { "cut", "an answer that is cut off" }, JSON_ANSWER("200 OK", "100", "[1,"), ECONNRESET, "the daemon has gone away" },
	{ { "nothing", "a daemon that hangs up" }, NULL, ECONNRESET, "the daemon has gone away" },
	{ { "no_http", "what is no daemon" }, "SSH-2.0-OpenSSH_9.2\r\n\r\n", EPROTO, "what answers there is no daemon of this kind: it does not speak HTTP/1" },
};

TEST_TABLE(refused, struct refusal, refusals, one)
{
	struct daemon daemon = { .answers = { one->answer } };
	struct dockapi *api = connect_pair(&daemon, NULL);
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("GET");
	struct shale_err err = { 0 };
	json_t *json = NULL;

	ASSERT_EQ(dockapi_path(&call, &err, "/info"), 0);
	EXPECT_EQ(dockapi_json(api, &call, &json, &err), -1);
	EXPECT_STREQ(err.msg, one->message);
	EXPECT_EQ(err.code, one->code);
	daemon_end(&daemon, api);
}

TEST(deep, "an answer that is nested too deep is refused")
{
	char answer[400] = "HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n";
	struct daemon daemon = { .answers = { answer } };
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("GET");
	struct shale_err err = { 0 };
	struct dockapi *api;
	json_t *json = NULL;

	memset(answer + strlen(answer), '[', 200);
	api = connect_pair(&daemon, NULL);
	ASSERT_EQ(dockapi_path(&call, &err, "/info"), 0);
	EXPECT_EQ(dockapi_json(api, &call, &json, &err), -1);
	EXPECT_STREQ(err.msg, "the daemon's answer is nested deeper than 64");
	daemon_end(&daemon, api);
}

static int note_status(void *arg, const json_t *message, struct shale_err *err)
{
	(void)err;
	return buf_addf(arg, "%s;", json_string_value(json_object_get(message, "status")));
}

static int stream(const char *answer, struct buf *statuses, struct shale_err *err)
{
	struct daemon daemon = { .answers = { answer } };
	struct dockapi *api = connect_pair(&daemon, NULL);
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("POST");
	int ret;

	ASSERT_EQ(dockapi_path(&call, err, "/images/create"), 0);
	ret = dockapi_stream(api, &call, note_status, statuses, err);
	daemon_end(&daemon, api);
	return ret;
}

TEST(stream, "a stream of messages, in pieces that do not end where they do")
{
	struct shale_err err = { 0 };
	struct buf statuses = BUF_INIT;

	EXPECT_EQ(stream("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
			 "a\r\n{\"status\":\r\nc\r\n\"one\"}\r\n\r\n{\"\r\n12\r\nstatus\":\"two\"}\n\n{}\r\n0\r\n\r\n",
			 &statuses, &err), 0);
	EXPECT_STREQ(buf_str(&statuses), "one;two;(null);");
	buf_release(&statuses);
}

TEST(stream_error, "an error in a stream ends it with the daemon's words")
{
	struct shale_err err = { 0 };
	struct buf statuses = BUF_INIT;

	EXPECT_EQ(stream("HTTP/1.1 200 OK\r\nContent-Length: 93\r\n\r\n{\"status\":\"one\"}\r\n"
			 "{\"errorDetail\":{\"code\":401,\"message\":\"denied\"},\"error\":\"denied\"}\r\n{\"status\":",
			 &statuses, &err), -1);
	EXPECT_STREQ(buf_str(&statuses), "one;");
	EXPECT_STREQ(err.msg, "denied");
	EXPECT_EQ(err.code, EACCES);
	buf_release(&statuses);
}

TEST(stream_large, "a message without an end is refused")
{
	struct shale_err err = { 0 };
	struct buf statuses = BUF_INIT;
	struct buf answer = BUF_INIT;

	buf_addf(&answer, "HTTP/1.1 200 OK\r\nContent-Length: %u\r\n\r\n", DOCKAPI_MAX_MESSAGE + 1);
	for (size_t i = 0; i <= DOCKAPI_MAX_MESSAGE; i++)
		buf_addc(&answer, 'x');
	EXPECT_EQ(stream(buf_str(&answer), &statuses, &err), -1);
	EXPECT_STREQ(err.msg, "a message of the daemon's is larger than 1048576 bytes");
	buf_release(&answer);
	buf_release(&statuses);
}

struct bytes {
	size_t left;
	bool fails;
};

static ssize_t give_bytes(void *arg, void *data, size_t len, struct shale_err *err)
{
	struct bytes *bytes = arg;

	if (bytes->fails && bytes->left < 100000)
		return shale_err_set(err, EIO, "cannot read the tar");
	if (len > bytes->left)
		len = bytes->left;
	memset(data, 'x', len);
	bytes->left -= len;
	return len;
}

TEST(source, "a tar that is sent, however long it is")
{
	struct daemon daemon = { .answers = { JSON_ANSWER("200 OK", "2", "{}") } };
	struct dockapi *api = connect_pair(&daemon, NULL);
	struct bytes bytes = { .left = 300000 };
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("POST");
	struct shale_err err = { 0 };

	call.source = give_bytes;
	call.source_arg = &bytes;
	ASSERT_EQ(dockapi_path(&call, &err, "/images/load"), 0);
	EXPECT_EQ(dockapi_perform(api, &call, &err), 0);
	EXPECT(daemon.seen.len > 300000);
	EXPECT(strstr(daemon.seen.data, "Transfer-Encoding: chunked\r\n") != NULL);
	EXPECT(strstr(daemon.seen.data, "Content-Type: application/x-tar\r\n") != NULL);
	daemon_end(&daemon, api);
}

TEST(source_fails, "a tar that cannot be read ends the request with that error")
{
	struct daemon daemon = { .answers = { JSON_ANSWER("200 OK", "2", "{}") } };
	struct dockapi *api = connect_pair(&daemon, NULL);
	struct bytes bytes = { .left = 300000, .fails = true };
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("POST");
	struct shale_err err = { 0 };

	call.source = give_bytes;
	call.source_arg = &bytes;
	ASSERT_EQ(dockapi_path(&call, &err, "/images/load"), 0);
	EXPECT_EQ(dockapi_perform(api, &call, &err), -1);
	EXPECT_STREQ(err.msg, "cannot read the tar");
	daemon_end(&daemon, api);
}

static bool is_asked_to_stop(void *arg)
{
	return ++*(int *)arg > 1;
}

TEST(cancel, "what is under way is cancelled when the caller wants it")
{
	int asked = 0;
	struct dockapi_opts opts = { .is_cancelled = is_asked_to_stop, .arg = &asked };
	struct daemon daemon = { .answers = { "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", "" } };
	struct dockapi *api = connect_pair(&daemon, &opts);
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("POST");
	struct shale_err err = { 0 };

	ASSERT_EQ(dockapi_path(&call, &err, "/images/create"), 0);
	EXPECT_EQ(dockapi_perform(api, &call, &err), -1);
	EXPECT_EQ(err.code, ECANCELED);
	daemon_end(&daemon, api);
}

struct greeting {
	struct ktap_row row;
	const char *answer;
	const char *version;
	const char *message;
};

#define PING(version) "HTTP/1.1 200 OK\r\nApi-Version: " version "\r\nContent-Length: 2\r\n\r\n"

static const struct greeting greetings[] = {
	{ { "newer", "a newer daemon is spoken to in our version" }, PING("1.99"), DOCKAPI_VERSION, "" },
	{ { "older", "an older one in its own" }, PING("1.41"), "1.41", "" },
	{ { "oldest", "one that is too old is refused" }, PING("1.23"), NULL,
	  "the daemon speaks version 1.23 of the API: 1.24 is the oldest that will do" },
	{ { "no_version", "one that names no version is refused" }, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", NULL,
	  "the daemon speaks version none of the API: 1.24 is the oldest that will do" },
	{ { "nonsense", "one whose version is none is refused" }, PING("1.x"), NULL,
	  "the daemon speaks version 1.x of the API: 1.24 is the oldest that will do" },
	{ { "error", "one that is not well" }, "HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\n", NULL,
	  "the daemon answers with status 500" },
};

TEST_TABLE(ping, struct greeting, greetings, one)
{
	struct daemon daemon = { .answers = { one->answer } };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char dir[] = "/tmp/shale-dockapi.XXXXXX";
	struct dockapi *api = NULL;
	struct shale_err err = { 0 };

	ASSERT(mkdtemp(dir) != NULL);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/sock", dir);
	daemon.listener = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	ASSERT_OK(bind(daemon.listener, (void *)&address, sizeof(address)));
	ASSERT_OK(listen(daemon.listener, 1));
	daemon_start(&daemon);
	EXPECT_EQ(dockapi_open(address.sun_path, NULL, &api, &err), one->version ? 0 : -1);
	EXPECT_STREQ(err.msg, one->message);
	if (one->version && api)
		EXPECT_STREQ(dockapi_version(api), one->version);
	daemon_end(&daemon, api);
	close(daemon.listener);
	unlink(address.sun_path);
	rmdir(dir);
}

TEST(nobody, "where nobody listens, that is said")
{
	struct dockapi *api = NULL;
	struct shale_err err = { 0 };

	EXPECT_EQ(dockapi_open("/nonexistent/shaled.sock", NULL, &api, &err), -1);
	EXPECT_EQ(err.code, ENOENT);
	EXPECT_STREQ(err.msg, "cannot connect to the daemon at /nonexistent/shaled.sock: No such file or directory");
}

#define UPGRADED "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"

TEST(upgrade, "a connection that is handed over, with what came behind the header")
{
	struct daemon daemon = { .answers = { UPGRADED "early", "" } };
	struct dockapi *api = connect_pair(&daemon, NULL);
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("POST");
	struct shale_err err = { 0 };
	int fd = -1;

	ASSERT_EQ(dockapi_path(&call, &err, "/containers/%s/attach", "x"), 0);
	EXPECT_EQ(dockapi_upgrade(api, &call, &fd, &err), 0);
	EXPECT(fd >= 0);
	EXPECT_STREQ(buf_str(&call.answer), "early");
	EXPECT(strstr(daemon.seen.data, "Connection: Upgrade\r\nUpgrade: tcp\r\n") != NULL);
	close(fd);
	daemon_end(&daemon, api);
}

TEST(not_upgraded, "a daemon that does not hand it over, or refuses")
{
	static const struct {
		const char *answer, *message;
		int code;
	} rows[] = {
		{ JSON_ANSWER("200 OK", "2", "{}"), "the daemon does not hand its connection over", EPROTO },
		{ JSON_ANSWER("409 Conflict", "18", "{\"message\":\"idle\"}"), "idle", EBUSY },
		{ "HTTP/1.1 101 U\r\n", "the daemon has gone away", ECONNRESET },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct daemon daemon = { .answers = { rows[i].answer } };
		struct dockapi *api = connect_pair(&daemon, NULL);
		__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("POST");
		struct shale_err err = { 0 };
		int fd = -1;

		ASSERT_EQ(dockapi_path(&call, &err, "/x"), 0);
		EXPECT_EQ(dockapi_upgrade(api, &call, &fd, &err), -1);
		EXPECT_EQ(fd, -1);
		EXPECT_EQ(err.code, rows[i].code);
		EXPECT_STREQ(err.msg, rows[i].message);
		daemon_end(&daemon, api);
	}
}

TEST(two_steps, "an answer whose header comes long before its end")
{
	struct daemon daemon = { .answers = { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", NULL } };
	struct dockapi *api = connect_pair(&daemon, NULL);
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("POST");
	struct dockapi_pending *pending = NULL;
	struct shale_err err = { 0 };

	ASSERT_EQ(dockapi_path(&call, &err, "/containers/%s/wait", "x"), 0);
	ASSERT_EQ(dockapi_begin(api, &call, &pending, &err), 0);
	EXPECT(dockapi_pending_fd(pending) >= 0);
	EXPECT_EQ(dockapi_end(pending, &err), -1);
	EXPECT_EQ(err.code, ECONNRESET);
	daemon_end(&daemon, api);
}

/* All pieces of some frames, as "STREAM:TEXT " each, when they come in pieces of so many bytes. */
static int read_frames(const char *data, size_t len, size_t step, struct buf *out, struct shale_err *err)
{
	struct frames frames = { .left = 0 };
	struct frames_piece piece;

	for (size_t at = 0; at < len; at += step) {
		const char *next = data + at;
		size_t left = len - at < step ? len - at : step;

		while (left) {
			if (frames_next(&frames, &next, &left, &piece, err))
				return -1;
			if (piece.len)
				buf_addf(out, "%d:%.*s ", piece.stream, (int)piece.len, piece.data);
		}
	}
	return 0;
}

TEST(frames, "frames in pieces of any size, also empty ones")
{
	static const char data[] = "\1\0\0\0\0\0\0\2ab\2\0\0\0\0\0\0\0\2\0\0\0\0\0\0\1c\1\0\0\0\0\0\0\3def";
	__cleanup_buf struct buf whole = BUF_INIT, single = BUF_INIT;
	struct shale_err err = { 0 };

	EXPECT_EQ(read_frames(data, sizeof(data) - 1, 100, &whole, &err), 0);
	EXPECT_STREQ(buf_str(&whole), "1:ab 2:c 1:def ");
	EXPECT_EQ(read_frames(data, sizeof(data) - 1, 1, &single, &err), 0);
	EXPECT_STREQ(buf_str(&single), "1:a 1:b 2:c 1:d 1:e 1:f ");
}

TEST(no_frames, "what is not in frames")
{
	__cleanup_buf struct buf out = BUF_INIT;
	struct shale_err err = { 0 };

	EXPECT_EQ(read_frames("no frames", 9, 100, &out, &err), -1);
	EXPECT_EQ(err.code, EPROTO);
	EXPECT_EQ(read_frames("\4\0\0\0\0\0\0\1x", 9, 1, &out, &err), -1);
	EXPECT_EQ(read_frames("\1\0\1\0\0\0\0\1x", 9, 1, &out, &err), -1);
}
