// SPDX-License-Identifier: GPL-2.0-only
/*
 * Notifications of the registry, against a small receiver in a thread of the test: the envelope, order,
 * endpoints that fail or are slow, the bound, the drain, and a process killed at any moment.
 */
#include "ktap.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "registry/notify.h"
#include "registry/notify_config.h"
#include "registry/notify_queue.h"
#include "registry/notify_send.h"

#define MAX_SEEN 4096

static struct receiver {
	int fd;
	int port;
	pthread_t thread;
	pthread_mutex_t lock;
	int fail_first;	  /* requests that are answered 500 */
	int delay_ms;
	int requests;
	size_t count;
	int seen[MAX_SEEN]; /* the number in each event's tag */
	char last_header[2048];
	bool is_broken; /* an envelope that was none */
} *receiver;

static char dir[64], path[128];

static void note_events(struct receiver *r, const char *body)
{
	json_t *json = json_loads(body, 0, NULL), *events = json_object_get(json, "events"), *event;
	size_t i;

	r->is_broken = r->is_broken || !json_array_size(events);
	json_array_foreach(events, i, event) {
		const char *tag = json_string_value(json_object_get(json_object_get(event, "target"), "tag"));

		if (r->count < MAX_SEEN)
			r->seen[r->count++] = tag ? (int)strtol(tag, NULL, 10) : -1;
	}
	json_decref(json);
}

/* Reads one request whole and answers it. */
static void serve(struct receiver *r, int fd)
{
	static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
	static const char bad[] = "HTTP/1.1 500 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
	size_t len = 0, cap = 1 << 20, want = 0;
	char *text = calloc(1, cap), *body = NULL;
	bool is_bad;

	while (len + 1 < cap) {
		ssize_t got = read(fd, text + len, cap - len - 1);

		if (got <= 0)
			break;
		len += got;
		text[len] = '\0';
		if (!body && (body = strstr(text, "\r\n\r\n"))) {
			char *length = strcasestr(text, "content-length:");

			body += 4;
			want = length ? strtoul(length + 15, NULL, 10) : 0;
		}
		if (body && len - (body - text) >= want)
			break;
	}
	pthread_mutex_lock(&r->lock);
	is_bad = r->requests++ < r->fail_first;
	if (body)
		snprintf(r->last_header, sizeof(r->last_header), "%.*s", (int)(body - text), text);
	if (body && !is_bad)
		note_events(r, body);
	pthread_mutex_unlock(&r->lock);
	usleep(r->delay_ms * 1000);
	if (write(fd, is_bad ? bad : ok, is_bad ? sizeof(bad) - 1 : sizeof(ok) - 1) < 0)
		r->is_broken = true;
	free(text);
	close(fd);
}

static void *receive(void *arg)
{
	struct receiver *r = arg;
	int fd;

	while ((fd = accept4(r->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		serve(r, fd);
	return NULL;
}

static struct receiver *receiver_new(int fail_first, int delay_ms)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	struct receiver *r = calloc(1, sizeof(*r));

	r->fd = ASSERT_OK(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	ASSERT_OK(bind(r->fd, (struct sockaddr *)&address, sizeof(address)));
	ASSERT_OK(listen(r->fd, 64));
	ASSERT_OK(getsockname(r->fd, (struct sockaddr *)&address, &len));
	r->port = ntohs(address.sin_port);
	r->fail_first = fail_first;
	r->delay_ms = delay_ms;
	pthread_mutex_init(&r->lock, NULL);
	ASSERT_EQ(pthread_create(&r->thread, NULL, receive, r), 0);
	return r;
}

static void receiver_free(struct receiver *r)
{
	shutdown(r->fd, SHUT_RDWR);
	pthread_join(r->thread, NULL);
	close(r->fd);
	free(r);
}

static size_t receiver_count(struct receiver *r)
{
	size_t count;

	pthread_mutex_lock(&r->lock);
	count = r->count;
	pthread_mutex_unlock(&r->lock);
	return count;
}

/* At most half a minute. */
static bool wait_for_count(struct receiver *r, size_t count)
{
	for (int i = 0; i < 3000 && receiver_count(r) < count; i++)
		usleep(10000);
	return receiver_count(r) == count;
}

static void setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/reg_notify.XXXXXX");
	ASSERT(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/queue.db", dir);
}

static void teardown(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ASSERT_EQ(system(command), 0);
}

static char complaint[256];
static void complain(const char *endpoint, const char *text)
{
	snprintf(complaint, sizeof(complaint), "%.60s: %.180s", endpoint, text);
}

#define ENDPOINT(NAME, MORE) "{\"name\":\"" NAME "\",\"url\":\"http://127.0.0.1:%d/x\",\"backoff\":\"20ms\",\"timeout\":\"5s\"" MORE "}"

static struct notify *open_with(const char *text, struct metrics *metrics)
{
	json_t *json = json_loads(text, 0, NULL);
	struct shale_err err = { 0 };
	struct notify *notify = NULL;

	ASSERT(json);
	if (notify_open(json, path, "127.0.0.1:5000", metrics, complain, &notify, &err) < 0)
		EXPECT_STREQ(err.msg, "");
	json_decref(json);
	return notify;
}

static int push_numbered(struct notify *notify, int number, enum notify_action action, struct shale_err *err)
{
	char tag[16];
	const struct notify_event event = {
		.action = action,
		.media_type = "application/vnd.oci.image.manifest.v1+json",
		.digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		.size = 7,
		.repository = "team/a",
		.tag = tag,
		.method = "PUT",
		.actor = "bob",
	};

	snprintf(tag, sizeof(tag), "%d", number);
	return notify_publish(notify, &event, 1, err);
}

static bool is_in_order(const struct receiver *r)
{
	for (size_t i = 0; i < r->count; i++)
		if (r->seen[i] != (int)i)
			return false;
	return true;
}

TEST(envelope, "an event has distribution's fields, and leaves out what is not known")
{
	json_t *references = json_loads("[{\"digest\":\"sha256:x\",\"size\":1}]", 0, NULL);
	const struct notify_source source = { "host:5000", "11111111-2222-4333-8444-555555555555" };
	const struct notify_event event = {
		.action = NOTIFY_MOUNT, .media_type = "a/b", .digest = "sha256:d", .size = 9, .repository = "r",
		.from_repository = "f", .url = "http://h/v2/r/blobs/sha256:d", .references = references,
		.address = "10.0.0.1:9", .host = "h", .method = "POST", .agent = "bad\xff", .actor = "bob",
	};
	const struct notify_event bare = { .action = NOTIFY_DELETE, .size = -1, .repository = "r", .tag = "t", .references = references };
	struct buf buf = BUF_INIT;
	json_t *json, *target;

	ASSERT_EQ(notify_event_print(&event, &source, true, &buf, NULL), 0);
	json = json_loads(buf.data, 0, NULL);
	ASSERT(json);
	target = json_object_get(json, "target");
	EXPECT_STREQ(json_string_value(json_object_get(json, "action")), "mount");
	EXPECT_EQ(strlen(json_string_value(json_object_get(json, "id"))), NOTIFY_UUID);
	EXPECT_EQ(strlen(json_string_value(json_object_get(json, "timestamp"))), strlen("2006-01-02T15:04:05.000000000Z"));
	EXPECT_EQ(json_integer_value(json_object_get(target, "size")), 9);
	EXPECT_EQ(json_integer_value(json_object_get(target, "length")), 9);
	EXPECT_STREQ(json_string_value(json_object_get(target, "fromRepository")), "f");
	EXPECT(json_equal(json_object_get(target, "references"), references));
	EXPECT_STREQ(json_string_value(json_object_get(json_object_get(json, "request"), "addr")), "10.0.0.1:9");
	EXPECT(!json_object_get(json_object_get(json, "request"), "useragent"));
	EXPECT_STREQ(json_string_value(json_object_get(json_object_get(json, "actor"), "name")), "bob");
	EXPECT_STREQ(json_string_value(json_object_get(json_object_get(json, "source"), "instanceID")), source.instance);
	json_decref(json);
	buf_clear(&buf);
	ASSERT_EQ(notify_event_print(&bare, &source, false, &buf, NULL), 0);
	json = json_loads(buf.data, 0, NULL);
	target = json_object_get(json, "target");
	EXPECT_EQ(json_object_size(target), 2);
	EXPECT_EQ(json_object_size(json_object_get(json, "actor")), 0);
	json_decref(json);
	buf_release(&buf);
	json_decref(references);
}

TEST(references_large, "references that make an event too large are left out")
{
	const struct notify_source source = { "h", "i" };
	struct notify_event event = { .action = NOTIFY_PUSH, .repository = "r", .references = json_array() };
	struct buf buf = BUF_INIT;

	for (int i = 0; i < 20000; i++)
		json_array_append_new((json_t *)event.references, json_pack("{s:s, s:i}", "digest", "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "size", i));
	ASSERT_EQ(notify_event_print(&event, &source, true, &buf, NULL), 0);
	EXPECT(buf.len < 1000);
	buf_release(&buf);
	json_decref((json_t *)event.references);
}

TEST(delivery, "events arrive in order with type and headers, and are gone from the queue then")
{
	struct metrics *metrics = metrics_new();
	struct notify *notify;
	struct buf text = BUF_INIT;
	char *config;

	setup();
	receiver = receiver_new(0, 0);
	ASSERT(asprintf(&config, "{\"endpoints\":[" ENDPOINT("e", ",\"headers\":{\"X-Key\":[\"k1\"],\"Authorization\":[\"Bearer z\"]}") "]}", receiver->port) > 0);
	notify = open_with(config, metrics);
	ASSERT(notify);
	for (int i = 0; i < 300; i++)
		ASSERT_EQ(push_numbered(notify, i, i % 2 ? NOTIFY_PULL : NOTIFY_PUSH, NULL), 0);
	EXPECT(wait_for_count(receiver, 300));
	EXPECT(is_in_order(receiver));
	EXPECT(!receiver->is_broken);
	EXPECT(strstr(receiver->last_header, "\r\nContent-Type: application/vnd.docker.distribution.events.v2+json\r\n"));
	EXPECT(strstr(receiver->last_header, "\r\nX-Key: k1\r\n"));
	EXPECT(strstr(receiver->last_header, "\r\nAuthorization: Bearer z\r\n"));
	EXPECT(strstr(receiver->last_header, "POST /x HTTP/1.1\r\n"));
	notify_close(notify, 5000);
	EXPECT_EQ(receiver_count(receiver), 300);
	metrics_render(metrics, &text, NULL);
	EXPECT(strstr(text.data, "registry_notifications_events_total{type=\"Events\",endpoint=\"e\"} 300\n"));
	EXPECT(strstr(text.data, "registry_notifications_events_total{type=\"Successes\",endpoint=\"e\"} 300\n"));
	EXPECT(strstr(text.data, "registry_notifications_pending_total{endpoint=\"e\"} 0\n"));
	EXPECT(strstr(text.data, "registry_notifications_status_total{code=\"200\",endpoint=\"e\"}"));
	buf_release(&text);
	receiver_free(receiver);
	free(config);
	metrics_free(metrics);
	teardown();
}

TEST(retry, "an endpoint that fails gets them again, in order, without a loss")
{
	struct metrics *metrics = metrics_new();
	struct notify *notify;
	struct buf text = BUF_INIT;
	char *config;

	setup();
	receiver = receiver_new(6, 0);
	ASSERT(asprintf(&config, "{\"endpoints\":[" ENDPOINT("e", ",\"threshold\":3") "]}", receiver->port) > 0);
	notify = open_with(config, metrics);
	for (int i = 0; i < 50; i++)
		ASSERT_EQ(push_numbered(notify, i, NOTIFY_PUSH, NULL), 0);
	EXPECT(wait_for_count(receiver, 50));
	EXPECT(is_in_order(receiver));
	notify_close(notify, 1000);
	EXPECT_STREQ(complaint, "e: status 500");
	metrics_render(metrics, &text, NULL);
	EXPECT(strstr(text.data, "{type=\"Failures\",endpoint=\"e\"} 6\n"));
	EXPECT(strstr(text.data, "{code=\"500\",endpoint=\"e\"} 6\n"));
	buf_release(&text);
	receiver_free(receiver);
	free(config);
	metrics_free(metrics);
	teardown();
}

TEST(two, "an endpoint that is down holds up no other, and gets its events after a restart")
{
	struct metrics *metrics = metrics_new();
	struct receiver *late;
	struct notify *notify;
	char *config;
	int port;

	setup();
	receiver = receiver_new(0, 0);
	late = receiver_new(1 << 30, 0);
	port = late->port;
	ASSERT(asprintf(&config, "{\"endpoints\":[" ENDPOINT("up", "") "," ENDPOINT("down", "") "]}", receiver->port, port) > 0);
	notify = open_with(config, metrics);
	for (int i = 0; i < 20; i++)
		ASSERT_EQ(push_numbered(notify, i, NOTIFY_PUSH, NULL), 0);
	EXPECT(wait_for_count(receiver, 20));
	EXPECT_EQ(receiver_count(late), 0);
	notify_close(notify, 10000);
	pthread_mutex_lock(&late->lock);
	late->fail_first = 0;
	pthread_mutex_unlock(&late->lock);
	notify = open_with(config, metrics);
	EXPECT(wait_for_count(late, 20));
	EXPECT(is_in_order(late));
	EXPECT_EQ(receiver_count(receiver), 20);
	notify_close(notify, 1000);
	receiver_free(receiver);
	receiver_free(late);
	free(config);
	metrics_free(metrics);
	teardown();
}

TEST(ignore, "ignored actions and media types go to nobody, disabled endpoints get nothing")
{
	struct metrics *metrics = metrics_new();
	struct notify *notify;
	char *config;

	setup();
	receiver = receiver_new(0, 0);
	ASSERT(asprintf(&config, "{\"events\":{\"includereferences\":true},\"endpoints\":[" ENDPOINT("e", ",\"ignore\":{\"mediatypes\":[\"application/octet-stream\"],\"actions\":[\"pull\"]}") "," ENDPOINT("off", ",\"disabled\":true") "]}", receiver->port, receiver->port) > 0);
	notify = open_with(config, metrics);
	EXPECT(notify_wants_references(notify));
	EXPECT(!notify_wants(notify, NOTIFY_PULL, NULL));
	EXPECT(!notify_wants(notify, NOTIFY_PUSH, "application/octet-stream"));
	EXPECT(notify_wants(notify, NOTIFY_PUSH, "a/b"));
	EXPECT(notify_wants(notify, NOTIFY_DELETE, NULL));
	EXPECT_EQ(push_numbered(notify, 9, NOTIFY_PULL, NULL), 0);
	EXPECT_EQ(push_numbered(notify, 0, NOTIFY_PUSH, NULL), 0);
	notify_close(notify, 10000);
	EXPECT_EQ(receiver_count(receiver), 1);
	EXPECT_EQ(receiver->seen[0], 0);
	receiver_free(receiver);
	free(config);
	notify = open_with("{\"endpoints\":[]}", metrics);
	EXPECT(!notify);
	EXPECT(!notify_wants(notify, NOTIFY_PUSH, NULL));
	EXPECT_EQ(push_numbered(notify, 0, NOTIFY_PUSH, NULL), 0);
	notify_close(notify, 0);
	metrics_free(metrics);
	teardown();
}

TEST(bound, "a full queue drops what comes, and counts it")
{
	struct metrics *metrics = metrics_new();
	struct notify *notify;
	struct buf text = BUF_INIT;

	setup();
	notify = open_with("{\"maxpending\":5,\"endpoints\":[{\"name\":\"e\",\"url\":\"http://127.0.0.1:1/\",\"backoff\":\"1h\",\"threshold\":1}]}", metrics);
	for (int i = 0; i < 8; i++)
		EXPECT_EQ(push_numbered(notify, i, NOTIFY_PUSH, NULL), 0);
	metrics_render(metrics, &text, NULL);
	EXPECT(strstr(text.data, "registry_notifications_dropped_total{endpoint=\"e\"} 3\n"));
	buf_release(&text);
	notify_close(notify, 0);
	metrics_free(metrics);
	teardown();
}

TEST(drain_bounded, "a drain ends at its time though the endpoint is asleep")
{
	struct metrics *metrics = metrics_new();
	struct timespec start, end;
	struct notify *notify;
	char *config;

	setup();
	receiver = receiver_new(0, 4000);
	ASSERT(asprintf(&config, "{\"endpoints\":[" ENDPOINT("e", "") "]}", receiver->port) > 0);
	notify = open_with(config, metrics);
	EXPECT_EQ(push_numbered(notify, 0, NOTIFY_PUSH, NULL), 0);
	clock_gettime(CLOCK_MONOTONIC, &start);
	notify_close(notify, 100);
	clock_gettime(CLOCK_MONOTONIC, &end);
	/* The endpoint's own limit is five seconds, and libcurl looks up once a second. */
	EXPECT(end.tv_sec - start.tv_sec < 4);
	receiver_free(receiver);
	free(config);
	metrics_free(metrics);
	teardown();
}

/* What the queue's file holds for endpoint "e". */
static size_t queued(int *numbers, size_t max)
{
	const char *names[] = { "e" };
	struct notify_queue *queue = NULL;
	struct shale_err err = { 0 };
	struct buf buf = BUF_INIT;
	json_t *json, *event;
	int64_t last;
	size_t i;

	if (notify_queue_open(path, names, 1, 1 << 20, &queue, &err) < 0)
		EXPECT_STREQ(err.msg, "");
	ASSERT(queue);
	EXPECT(notify_queue_peek(queue, 0, max, 64 << 20, &buf, &last, NULL) >= 0);
	json = json_loads(buf.data, 0, NULL);
	ASSERT(json);
	json_array_foreach(json_object_get(json, "events"), i, event)
		numbers[i] = (int)strtol(json_string_value(json_object_get(json_object_get(event, "target"), "tag")), NULL, 10);
	i = json_array_size(json_object_get(json, "events"));
	json_decref(json);
	buf_release(&buf);
	notify_queue_close(queue);
	return i;
}

static const char *const dead = "{\"endpoints\":[{\"name\":\"e\",\"url\":\"http://127.0.0.1:1/\",\"backoff\":\"1h\",\"threshold\":1}]}";

/* Acknowledges each number on the pipe, as a server does to its client, until it is killed. */
static void acknowledge(int fd, int first)
{
	struct notify *notify = open_with(dead, metrics_new());

	for (int i = first; i < first + 2000; i++)
		if (push_numbered(notify, i, NOTIFY_PUSH, NULL) < 0 || write(fd, &i, sizeof(i)) != sizeof(i))
			_exit(1);
	_exit(0);
}

TEST(killed, "no event that was acknowledged is lost when the process is killed, at thirty moments")
{
	int *numbers = calloc(100000, sizeof(*numbers));
	int next = 0, acknowledged = -1, killed = 0;

	setup();
	for (int round = 0; round < 30; round++) {
		int ends[2], number, status;
		size_t count, i;
		pid_t pid;

		ASSERT_OK(pipe2(ends, O_CLOEXEC));
		pid = fork();
		if (!pid)
			acknowledge(ends[1], next);
		close(ends[1]);
		/* The first is there; then some time more. */
		for (int wanted = 1 + rand() % 40; wanted && read(ends[0], &number, sizeof(number)) == sizeof(number); wanted--)
			acknowledged = number;
		usleep(rand() % 3000);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		killed += WIFSIGNALED(status);
		while (read(ends[0], &number, sizeof(number)) == sizeof(number))
			acknowledged = number;
		close(ends[0]);
		count = queued(numbers, 100000);
		for (i = 0; i < count && numbers[i] == (int)i; i++)
			;
		EXPECT_EQ(i, count);
		EXPECT((int)count > acknowledged);
		next = count;
	}
	EXPECT(killed > 20);
	free(numbers);
	teardown();
}

static struct notify *shared;
static void *publish_some(void *arg)
{
	for (int i = 0; i < 25; i++)
		if (push_numbered(shared, (int)(long)arg * 1000 + i, NOTIFY_PUSH, NULL) < 0)
			return (void *)1;
	return NULL;
}

TEST(threads, "threads that publish at once lose nothing, and each one's order holds")
{
	struct metrics *metrics = metrics_new();
	int numbers[400], at[16] = { 0 };
	pthread_t threads[16];
	size_t count;

	setup();
	shared = open_with(dead, metrics);
	for (long i = 0; i < 16; i++)
		ASSERT_EQ(pthread_create(&threads[i], NULL, publish_some, (void *)i), 0);
	for (int i = 0; i < 16; i++) {
		void *ret;

		pthread_join(threads[i], &ret);
		EXPECT(!ret);
	}
	notify_close(shared, 0);
	count = queued(numbers, 400);
	ASSERT_EQ(count, 400);
	for (size_t i = 0; i < count; i++)
		EXPECT_EQ(numbers[i] % 1000, at[numbers[i] / 1000]++);
	metrics_free(metrics);
	teardown();
}

TEST(no_room, "without room for the queue publishing fails, and goes on when there is some")
{
	struct rlimit small = { 512 << 10, RLIM_INFINITY }, large = { RLIM_INFINITY, RLIM_INFINITY };
	struct metrics *metrics = metrics_new();
	struct shale_err err = { 0 };
	struct notify *notify;
	int numbers[2000], taken = 0;

	setup();
	signal(SIGXFSZ, SIG_IGN);
	notify = open_with(dead, metrics);
	ASSERT_OK(setrlimit(RLIMIT_FSIZE, &small));
	while (taken < 2000 && push_numbered(notify, taken, NOTIFY_PUSH, &err) == 0)
		taken++;
	ASSERT_OK(setrlimit(RLIMIT_FSIZE, &large));
	EXPECT(taken > 10 && taken < 2000);
	EXPECT(!strncmp(err.msg, "event queue: ", 13));
	EXPECT_EQ(push_numbered(notify, taken, NOTIFY_PUSH, NULL), 0);
	notify_close(notify, 0);
	EXPECT_EQ(queued(numbers, 2000), taken + 1);
	EXPECT_EQ(numbers[taken], taken);
	metrics_free(metrics);
	teardown();
}

TEST(file, "a queue that is no queue is refused, not written over")
{
	struct shale_err err = { 0 };
	struct notify *notify;
	json_t *json = json_loads(dead, 0, NULL);
	struct metrics *metrics = metrics_new();
	int fd;

	setup();
	fd = ASSERT_OK(open(path, O_CREAT | O_WRONLY, 0600));
	for (int i = 0; i < 1000; i++)
		ASSERT_EQ(write(fd, "somebody's data\n", 16), 16);
	close(fd);
	EXPECT_EQ(notify_open(json, path, "a", metrics, complain, &notify, &err), -1);
	EXPECT(strstr(err.msg, "not a database"));
	json_decref(json);
	metrics_free(metrics);
	teardown();
}

struct config_case {
	struct ktap_row row;
	const char *text;
	const char *why;
};

#define ONE(MORE) "{\"endpoints\":[{\"name\":\"e\",\"url\":\"http://h/\"" MORE "}]}"

static const struct config_case configs[] = {
	{ { "list", "a list" }, "[]", "notifications: not a mapping" },
	{ { "key", "an unknown key" }, "{\"endpoint\":[]}", "unknown key 'endpoint'" },
	{ { "events_key", "an unknown key of events" }, "{\"events\":{\"include\":true}}", "notifications.events: unknown key" },
	{ { "endpoint_text", "an endpoint that is a text" }, "{\"endpoints\":[\"x\"]}", "notifications.endpoints[0]: not a mapping" },
	{ { "no_name", "no name" }, "{\"endpoints\":[{\"url\":\"http://h/\"}]}", "no field 'name'" },
	{ { "no_url", "no URL" }, "{\"endpoints\":[{\"name\":\"e\"}]}", "no field 'url'" },
	{ { "url", "another scheme" }, "{\"endpoints\":[{\"name\":\"e\",\"url\":\"file:///etc/passwd\"}]}", "neither http:// nor https://" },
	{ { "twins", "one name twice" }, "{\"endpoints\":[{\"name\":\"e\",\"url\":\"http://h/\"},{\"name\":\"e\",\"url\":\"http://i/\"}]}", "'e' is there twice" },
	{ { "endpoint_key", "an unknown key of an endpoint" }, ONE(",\"retries\":1"), "unknown key 'retries'" },
	{ { "timeout", "a timeout that is none" }, ONE(",\"timeout\":\"soon\""), "timeout: not a time" },
	{ { "timeout_zero", "no time at all" }, ONE(",\"timeout\":\"0s\""), "must not be 0" },
	{ { "backoff", "a backoff of a day" }, ONE(",\"backoff\":\"24h\""), "backoff: not a time" },
	{ { "threshold", "a threshold of nothing" }, ONE(",\"threshold\":0"), "threshold: not a number" },
	{ { "header", "a header with a newline" }, ONE(",\"headers\":{\"X\":[\"a\\r\\nY: b\"]}"), "'X' is not a header" },
	{ { "header_name", "a header's name with a colon" }, ONE(",\"headers\":{\"X:Y\":[\"a\"]}"), "'X:Y' is not a header" },
	{ { "header_number", "a header that is a number" }, ONE(",\"headers\":{\"X\":[1]}"), "'X' is not a header" },
	{ { "action", "an action that is none" }, ONE(",\"ignore\":{\"actions\":[\"fly\"]}"), "not pull, push, mount or delete" },
	{ { "media", "a media type that is a number" }, ONE(",\"ignore\":{\"mediatypes\":[1]}"), "not a media type" },
	{ { "pending", "a queue of nothing" }, "{\"maxpending\":0}", "notifications.maxpending: not a number" },
};

TEST_TABLE(config, struct config_case, configs, c)
{
	json_t *json = json_loads(c->text, 0, NULL);
	struct notify_config *config = calloc(1, sizeof(*config));
	struct shale_err err = { 0 };

	ASSERT(json);
	EXPECT_EQ(notify_config_read(json, config, &err), -1);
	if (!strstr(err.msg, c->why))
		EXPECT_STREQ(err.msg, c->why);
	json_decref(json);
	free(config);
}

struct duration_case {
	struct ktap_row row;
	const char *text;
	long ms; /* -1: refused */
};

static const struct duration_case durations[] = {
	{ { "ms", "milliseconds" }, "\"250ms\"", 250 },
	{ { "s", "seconds" }, "\"2s\"", 2000 },
	{ { "mixed", "minutes and seconds" }, "\"1m30s\"", 90000 },
	{ { "fraction", "a fraction" }, "\"1.5s\"", 1500 },
	{ { "us", "microseconds are at least one millisecond" }, "\"3us\"", 1 },
	{ { "bare", "a bare number is seconds" }, "5", 5000 },
	{ { "zero", "nothing" }, "\"0s\"", 0 },
	{ { "hour", "an hour" }, "\"1h\"", 3600000 },
	{ { "more", "more than an hour" }, "\"1h1ms\"", -1 },
	{ { "no_unit", "no unit" }, "\"5\"", -1 },
	{ { "negative", "less than nothing" }, "\"-5s\"", -1 },
	{ { "empty", "an empty text" }, "\"\"", -1 },
	{ { "hex", "another base" }, "\"0x10s\"", -1 },
	{ { "exponent", "an exponent" }, "\"1e3s\"", -1 },
	{ { "infinite", "infinity" }, "\"infs\"", -1 },
	{ { "negative_bare", "a bare one" }, "-1", -1 },
};

TEST_TABLE(duration, struct duration_case, durations, c)
{
	json_t *json = json_loads(c->text, JSON_DECODE_ANY, NULL);
	long ms = -1;

	EXPECT_EQ(notify_duration(json, &ms), c->ms >= 0);
	EXPECT_EQ(ms, c->ms);
	json_decref(json);
}
