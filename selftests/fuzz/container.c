// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer harness of what the daemon takes about containers. The first byte chooses: a body of a request, and an image's
 * config, are made a container's record and the runtime's configuration, without any container; or a request goes to one
 * of the routes of containers of a daemon in this process, with a query, a header and a body of any shape, on a store
 * with one image and one container, which is never started: there is no supervisor beside this program. Built and run by
 * scripts/fuzz, as root; its corpus is selftests/corpus/container.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "container/create.h"
#include "container/mounts.h"
#include "container/spec.h"
#include "httpd/listen.h"
#include "httpd/log.h"
#include "shaled/api.h"
#include "shaled/api_events.h"
#include "store/json.h"
#include "fuzz.h"

#define BLOCK	   512
#define MAX_ANSWER (64u << 10)
/* Seconds, below libFuzzer's limit; and for what is not answered before something else happens, a part of one in microseconds. */
#define PATIENCE       6
#define SHORT_PATIENCE 200000

int LLVMFuzzerInitialize(int *argc, char ***argv);

static char top[64];
static struct api api = { .wanted_driver = "vfs", .driver_lock = PTHREAD_MUTEX_INITIALIZER };

static const struct route {
	const char *method, *path;
	bool may_wait;
} routes[] = {
	{ "GET", "containers/json" },
	{ "POST", "containers/create" },
	{ "POST", "commit" },
	{ "POST", "containers/prune" },
	{ "DELETE", "containers/box" },
	{ "GET", "containers/box/json" },
	{ "GET", "containers/box/logs", true },
	{ "GET", "containers/box/changes" },
	{ "GET", "containers/box/top" },
	{ "GET", "containers/box/export" },
	{ "GET", "containers/box/archive" },
	{ "HEAD", "containers/box/archive" },
	{ "PUT", "containers/box/archive" },
	{ "POST", "containers/box/start" },
	{ "POST", "containers/box/stop" },
	{ "POST", "containers/box/restart" },
	{ "POST", "containers/box/kill" },
	{ "POST", "containers/box/pause" },
	{ "POST", "containers/box/unpause" },
	{ "POST", "containers/box/rename" },
	{ "POST", "containers/box/update" },
	{ "POST", "containers/box/wait", true },
	{ "POST", "containers/box/attach", true },
	{ "POST", "containers/box/exec" },
	{ "POST", "containers/box/resize" },
	{ "GET", "exec/0123456789abcdef/json" },
	{ "POST", "exec/0123456789abcdef/start" },
	{ "POST", "exec/0123456789abcdef/resize" },
	{ "GET", "info" },
	{ "GET", "system/df" },
	{ "GET", "volumes" },
	{ "POST", "volumes/create" },
};

/* What the harness itself relies on. */
static void must(bool is_so, const char *what)
{
	if (is_so)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

static int dial(bool may_wait)
{
	const struct timeval patience = { may_wait ? 0 : PATIENCE, may_wait ? SHORT_PATIENCE : 0 };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/sock", top);
	must(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0, "the daemon does not listen");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

/* Of a body that may be said to be longer than it is: the rest is waited for. */
static bool is_of_length(const char *field)
{
	return !strncasecmp(field, "Content-Length", 14) || !strncasecmp(field, "Transfer-Encoding", 17);
}

/* The status; 0: nothing has come, or no HTTP. */
static int ask(const struct route *route, const char *query, const char *field, const void *body, size_t len)
{
	__cleanup_fd int fd = dial(route->may_wait || is_of_length(field));
	__cleanup_buf struct buf head = BUF_INIT;
	__cleanup_free char *answer = malloc(MAX_ANSWER + 1);
	size_t got = 0;
	ssize_t ret;
	int status = 0;

	promise(answer && buf_addf(&head, "%s /v1.47/%s%s%s HTTP/1.1\r\nHost: x\r\n%s%s"
				   "Connection: close\r\nContent-Length: %zu\r\n\r\n", route->method, route->path, *query ? "?" : "", query, field,
				   *field ? "\r\n" : "", len) == 0);
	/* It may have hung up before it has read all. */
	if (send(fd, head.data, head.len, MSG_NOSIGNAL) < 0 || (len && send(fd, body, len, MSG_NOSIGNAL) < 0))
		return 0;
	/* libFuzzer's clock interrupts, too. */
	while (got < MAX_ANSWER && ((ret = recv(fd, answer + got, MAX_ANSWER - got, 0)) > 0 || (ret < 0 && errno == EINTR)))
		got += ret > 0 ? ret : 0;
	answer[got] = '\0';
	promise(!strstr(answer, "out of memory"));
	return sscanf(answer, "HTTP/1.1 %d", &status) == 1 ? status : 0;
}

static void make_box(void)
{
	static const char body[] = "{\"Image\":\"base:1\",\"Cmd\":[\"true\"],\"Env\":[\"A=b\"]}";

	must(ask(&(struct route){ "POST", "containers/create", false }, "name=box", "Content-Type: application/json",
		 body, sizeof(body) - 1) == 201, "the container cannot be made");
}

/* What has changed goes; the container is there again, so that its image stays. */
static void reset(void)
{
	static const struct {
		struct route route;
		const char *query;
	} prunes[] = {
		{ { "POST", "volumes/prune", false }, "filters=%7B%22all%22%3A%5B%22true%22%5D%7D" },
		{ { "POST", "images/prune", false }, "filters=%7B%22dangling%22%3A%5B%22false%22%5D%7D" },
	};
	const struct shale_container_remove_opts force = { .force = true, .has_volumes = true };
	struct shale_err err = { 0 };
	char *text = NULL;
	json_t *list, *one;
	size_t i;

	if (ask(&(struct route){ "GET", "containers/box/json", false }, "", "", NULL, 0) == 404)
		make_box();
	must(shale_containers_list(api.containers, false, &text, &err) == 0, err.msg);
	list = json_loads(text, 0, NULL);
	free(text);
	must(json_array_size(list), "the container is not listed");
	json_array_foreach(list, i, one)
		if (strcmp(json_string_value(json_array_get(json_object_get(one, "Names"), 0)), "/box"))
			must(shale_container_remove(api.containers, json_text(one, "Id"), &force, &err) == 0, err.msg);
	json_decref(list);
	for (i = 0; i < sizeof(prunes) / sizeof(*prunes); i++)
		must(ask(&prunes[i].route, prunes[i].query, "", NULL, 0) == 200, prunes[i].route.path);
}

/* Its name in the archive is all that a file of an image needs here. */
static void make_tar(char tar[4 * BLOCK])
{
	unsigned int sum = 0;

	memset(tar, 0, 4 * BLOCK);
	strcpy(tar, "file");
	strcpy(tar + 100, "0000644");
	strcpy(tar + 108, "0000000");
	strcpy(tar + 116, "0000000");
	strcpy(tar + 124, "00000000004");
	strcpy(tar + 136, "14544770000");
	memset(tar + 148, ' ', 8);
	tar[156] = '0';
	memcpy(tar + 257, "ustar\00000", 8);
	for (int i = 0; i < BLOCK; i++)
		sum += (unsigned char)tar[i];
	snprintf(tar + 148, 8, "%06o", sum);
	memcpy(tar + BLOCK, "text", 4);
}

static void end_all(void)
{
	api_events_end(api.events);
	atomic_store(&api.is_stopping, true);
	shale_containers_leave(api.containers);
	httpd_stop(api.httpd);
	shale_containers_close(api.containers);
	api_events_free(api.events);
	fs_remove_tree(AT_FDCWD, top);
}

static void start_daemon(void)
{
	const struct httpd_limits limits = { .connections = 64, .kept = 64, .header_bytes = 64u << 10, .threads = 1,
					     .workers = 4, .drain_seconds = 1 };
	struct shale_err err = { 0 };
	char address[128], *root;

	promise(asprintf(&root, "%s/store", top) > 0);
	api.root = api.opts.root = root;
	api.events = api_events_new();
	must(api.events && api_containers(&api, &err), err.msg);
	promise(httpd_start(&api_call_ops, &api, &limits, &api.httpd, &err) == 0);
	snprintf(address, sizeof(address), "unix:%s/sock", top);
	promise(httpd_listen(api.httpd, listen_open(address, 0600, &err), NULL, &err) == 0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char tar[4 * BLOCK];

	(void)argc;
	(void)argv;
	signal(SIGPIPE, SIG_IGN);
	log_setup(LOG_LEVEL_ERROR, false);
	/* Whatever is mounted is seen by nobody, and ends with us. */
	promise(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) == 0);
	snprintf(top, sizeof(top), "/dev/shm/fuzz-container.XXXXXX");
	promise(mkdtemp(top));
	atexit(end_all);
	start_daemon();
	make_tar(tar);
	must(ask(&(struct route){ "POST", "images/create", false }, "fromSrc=-&repo=base&tag=1",
		 "Content-Type: application/x-tar", tar, sizeof(tar)) == 200, "the image cannot be made");
	make_box();
	return 0;
}

/* Up to the next line's end, which becomes a NUL. */
static char *cut(char **text)
{
	char *line = *text, *end = strchr(line, '\n');

	*text = end ? end + 1 : line + strlen(line);
	if (end)
		*end = '\0';
	return line;
}

/* "QUERY\nField: value\nbody"; the route is the first byte. */
static void try_request(char *text, size_t size)
{
	const size_t route = (unsigned char)*text % (sizeof(routes) / sizeof(*routes));
	char *at = text + 1, *query, *field;
	int status;

	if (size < 2)
		return;
	query = cut(&at);
	/* One that begins with a blank would go on with the field before. */
	field = cut(&at);
	field += strspn(field, " \t\r");
	/* What ends a line would make it another request. */
	for (char *c = query; *c; c++)
		if ((unsigned char)*c <= ' ')
			*c = '+';
	for (char *c = field; *c; c++)
		if (*c == '\r')
			*c = ' ';
	if (!strchr(field, ':'))
		field = "Content-Type: application/json";
	status = ask(&routes[route], query, field, at, text + size - at);
	if (status / 100 == 2 && strcmp(routes[route].method, "GET") && strcmp(routes[route].method, "HEAD"))
		reset();
}

static void check_points(const json_t *record)
{
	char path[PATH_MAX];
	const json_t *point;
	size_t i;

	json_array_foreach(json_object_get(record, "MountPoints"), i, point)
		promise(mounts_clean_path(json_text(point, "Destination"), path) && path[1]);
}

static void check_spec(const json_t *record, const json_t *body)
{
	static const struct identity nobody = { .uid = 65534, .gid = 65534 };
	const struct spec_input input = { record, "/s", &nobody, true };
	struct shale_err err = { 0 };
	json_t *json = NULL;
	char *text;

	if (spec_make(&input, &json, &err) == 0) {
		text = json_dumps(json, JSON_COMPACT);
		promise(text && !strcmp(json_text(json_object_get(json, "root"), "path"), "rootfs"));
		free(text);
	} else {
		promise(err.code == EINVAL);
	}
	json_decref(json);
	json = NULL;
	/* As a process in it, which takes other fields of the same body. */
	if (create_check_texts(body, "Cmd", &err) == 0 && create_check_texts(body, "Env", &err) == 0 &&
	    json_array_size(json_object_get(body, "Cmd")) && spec_make_process(record, body, &nobody, &json, &err) < 0)
		promise(err.code == EINVAL);
	json_decref(json);
}

/* "body\nconfig of an image" */
static void try_record(char *text)
{
	__cleanup_json json_t *body = NULL;
	__cleanup_json json_t *image = NULL;
	__cleanup_json json_t *record = NULL;
	struct shale_err err = { 0 };
	char *at = text;
	struct create_input input = { .id = "0123456789abcdef", .name = "n", .image_id = "sha256:0",
				      .driver = "vfs", .runtime = "runc" };

	text = cut(&at);
	if (json_parse_object(text, strlen(text), "it", &body, NULL) < 0)
		return;
	json_parse_object(at, strlen(at), "it", &image, NULL);
	input.body = body;
	input.image = image;
	if (create_record(&input, &record, &err) < 0 || mounts_take(record, &err) < 0) {
		promise((err.code == EINVAL || err.code == ENOTSUP) && err.msg[0]);
		return;
	}
	check_points(record);
	check_spec(record, body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	__cleanup_free char *text = NULL;

	if (size < 2)
		return 0;
	text = fuzz_text(data, size);
	if (data[0] & 1)
		try_record(text);
	else
		try_request(text, size - 1);
	return 0;
}
