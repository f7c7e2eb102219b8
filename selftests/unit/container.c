// SPDX-License-Identifier: GPL-2.0-only
/*
 * What containers are made of, without any: paths and mounts of requests, records, capabilities, log lines there and
 * back, and what the runtime's complaints mean.
 */
#include "ktap.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "container/create.h"
#include "container/jsonlog.h"
#include "container/mounts.h"
#include "container/runtime.h"
#include "container/spec.h"
#include "container/wire.h"
#include "store/instance.h"
#include "store/json.h"

static json_t *parse(const char *text)
{
	return json_loads(text, JSON_DECODE_ANY, NULL);
}

TEST(clean_path, "a path is cleaned without looking at anything")
{
	static const char *const rows[][2] = {
		{ "/", "/" },	     { "/a", "/a" },	     { "//a///b/", "/a/b" }, { "/a/./b/.", "/a/b" },
		{ "/a/../b", "/b" }, { "/../../a", "/a" },   { "/a/b/../..", "/" },  { "/a/...", "/a/..." },
		{ "a", NULL },	     { "", NULL },	     { "../a", NULL },
	};
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		bool good = mounts_clean_path(rows[i][0], path);

		EXPECT_EQ(good, rows[i][1] != NULL);
		if (good && rows[i][1])
			EXPECT_STREQ(path, rows[i][1]);
	}
}

TEST(long_path, "one that is too long is refused, not cut")
{
	char *text = malloc(2 * PATH_MAX);
	char path[PATH_MAX];

	for (size_t i = 0; i < 2 * PATH_MAX - 1; i += 2)
		memcpy(text + i, "/a", 2);
	text[PATH_MAX - 2] = '\0';
	EXPECT(mounts_clean_path(text, path));
	memcpy(text + PATH_MAX - 2, "/a", 2);
	text[2 * PATH_MAX - 1] = '\0';
	EXPECT(!mounts_clean_path(text, path));
	free(text);
}

TEST(names, "names are docker's")
{
	static const char *const good[] = { "ab", "a.b", "A-1", "0_", "a..b" };
	static const char *const bad[] = { "", "a", "-a", ".a", "a b", "a/b", "\xc3\xa4x", "a\n" };

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		EXPECT(instance_is_name(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		EXPECT(!instance_is_name(bad[i]));
}

TEST(mounts, "what a request wants mounted is understood, or refused for a reason")
{
	static const struct {
		const char *host, *says; /* NULL: it is good */
	} rows[] = {
		{ "{\"Binds\":[\"/a:/b\",\"vv:/c:ro\"]}", NULL },
		{ "{\"Binds\":[\"/a\"]}", "invalid volume" },
		{ "{\"Binds\":[\"/a:/b:ro:x\"]}", "invalid volume" },
		{ "{\"Binds\":[\"/a:/\"]}", "can't be '/'" },
		{ "{\"Binds\":[\"/a:/x/..\"]}", "can't be '/'" },
		{ "{\"Binds\":[\"/a:b\"]}", "absolute" },
		{ "{\"Binds\":[\"/a:/b\",\"/c:/x/../b\"]}", "Duplicate" },
		{ "{\"Binds\":[\"/a:/b:shared\"]}", "mode" },
		{ "{\"Mounts\":[{\"Type\":\"npipe\",\"Target\":\"/x\"}]}", "mount type" },
		{ "{\"Mounts\":[{\"Type\":\"volume\",\"Target\":\"/x\",\"VolumeOptions\":{\"Subpath\":\"y\"}}]}", "part" },
		{ "{\"Mounts\":[5]}", "mount type" },
		{ "{\"Mounts\":[{\"Type\":\"tmpfs\",\"Target\":\"/x\",\"TmpfsOptions\":{\"Mode\":-1}}]}", "tmpfs" },
		{ "{\"Tmpfs\":{\"x\":\"\"}}", "absolute" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		__cleanup_json json_t *record = json_pack("{s:{}, s:o, s:[]}", "Config", "HostConfig",
							  parse(rows[i].host), "MountPoints");
		struct shale_err err = { 0 };
		int ret = mounts_take(record, &err);

		EXPECT_EQ(ret, rows[i].says ? -1 : 0);
		if (rows[i].says)
			EXPECT(strstr(err.msg, rows[i].says));
	}
}

TEST(capabilities, "capabilities are added and dropped by name, in any case, and all at once")
{
	static const struct {
		const char *host;
		long count; /* -1: refused */
	} rows[] = {
		{ "{}", 14 },
		{ "{\"CapDrop\":[\"ALL\"]}", 0 },
		{ "{\"CapAdd\":[\"ALL\"]}", 41 },
		{ "{\"CapDrop\":[\"ALL\"],\"CapAdd\":[\"chown\",\"CAP_KILL\"]}", 2 },
		{ "{\"CapAdd\":[\"ALL\"],\"CapDrop\":[\"SYS_ADMIN\"]}", 40 },
		{ "{\"CapAdd\":[\"NOSUCH\"]}", -1 },
		{ "{\"CapDrop\":[\"\"]}", -1 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		__cleanup_json json_t *host = parse(rows[i].host);
		struct shale_err err = { 0 };
		__cleanup_json json_t *list = spec_capabilities(host, &err);

		EXPECT_EQ(list ? (long)json_array_size(list) : -1, rows[i].count);
	}
}

TEST(record, "a record is the request's, then the image's, then docker's")
{
	__cleanup_json json_t *body = parse("{\"Image\":\"i\",\"Env\":[\"A=1\",\"B=2\"],\"Entrypoint\":[\"e\"]}");
	__cleanup_json json_t *image = parse("{\"Env\":[\"B=3\",\"C=4\"],\"Cmd\":[\"c\"],\"WorkingDir\":\"/w\",\"User\":\"u\"}");
	const struct create_input input = { body, image, "0123456789abcdef", "n", "sha256:0", "vfs", "runc" };
	__cleanup_json json_t *record = NULL;
	struct shale_err err = { 0 };
	__cleanup_free char *env = NULL;

	EXPECT_EQ(create_record(&input, &record, &err), 0);
	env = json_dumps(json_object_get(json_object_get(record, "Config"), "Env"), JSON_COMPACT);
	EXPECT_STREQ(env, "[\"A=1\",\"B=2\",\"C=4\"]");
	EXPECT_STREQ(json_string_value(json_object_get(record, "Path")), "e");
	/* Who names an entry point does not get the image's command. */
	EXPECT_EQ(json_array_size(json_object_get(record, "Args")), 0);
	EXPECT_STREQ(json_string_value(json_object_get(json_object_get(record, "Config"), "Hostname")),
		     "0123456789ab");
}

TEST(log, "what is logged is read back, whatever bytes it has")
{
	static const char data[] = "plain\n\"quotes\" \\ \t\x01\n\xc3\xa4\xff\xe2\x82\n\n\0x\nrest";
	struct jsonlog *log = calloc(1, sizeof(*log));
	struct jsonlog_entry entry;
	struct buf out = BUF_INIT;
	size_t lines = 0;

	log->stream = "stderr";
	for (size_t i = 0; i < sizeof(data) - 1; i++)
		EXPECT_EQ(jsonlog_add(log, data + i, 1, &out), 0);
	EXPECT_EQ(jsonlog_flush(log, &out), 0);
	for (char *at = out.data, *end; at < out.data + out.len; at = end + 1) {
		end = memchr(at, '\n', out.data + out.len - at);
		EXPECT(end && jsonlog_parse(at, end - at, &entry));
		EXPECT_EQ(entry.stream, 2);
		if (lines == 1)
			EXPECT_STREQ(entry.text, "\"quotes\" \\ \t\x01\n");
		if (lines == 2)
			EXPECT_STREQ(entry.text, "\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\n");
		lines++;
		jsonlog_entry_release(&entry);
	}
	EXPECT_EQ(lines, 6);
	buf_release(&out);
	free(log);
}

TEST(log_bad, "a line that is none is told from one that is")
{
	static const char *const bad[] = { "", "{}", "[]", "{\"log\":5,\"stream\":\"stdout\",\"time\":\"\"}", "{\"log\":\"x\"",
					   "{\"log\":\"x\",\"stream\":\"stdout\"}" };
	struct jsonlog_entry entry;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		EXPECT(!jsonlog_parse(bad[i], strlen(bad[i]), &entry));
}

TEST(fault, "the runtime's complaints become docker's words and codes")
{
	static const struct {
		const char *log, *says;
		int code;
	} rows[] = {
		{ "{\"level\":\"error\",\"msg\":\"exec: \\\"x\\\": executable file not found in $PATH\"}\n",
		  "executable file not found", 127 },
		{ "{\"level\":\"error\",\"msg\":\"executable file `x` not found in $PATH: No such file or directory\"}",
		  "executable file not found", 127 },
		{ "{\"level\":\"error\",\"msg\":\"open executable: Permission denied\"}", "permission denied", 126 },
		{ "{\"level\":\"warning\",\"msg\":\"permission denied\"}\n{\"level\":\"error\",\"msg\":\"else\"}", "else", 128 },
		{ "", "does not say", 128 },
		{ "no json\n\n{", "does not say", 128 },
	};
	char text[512];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		EXPECT_EQ(runtime_fault(rows[i].log, strlen(rows[i].log), text, sizeof(text)), rows[i].code);
		EXPECT(strstr(text, rows[i].says));
	}
}

TEST(frame, "a frame's header has the stream and the length")
{
	unsigned char header[WIRE_FRAME_HEADER];

	wire_frame_header(2, 0x01020304, header);
	EXPECT(!memcmp(header, "\x02\0\0\0\x01\x02\x03\x04", sizeof(header)));
}
