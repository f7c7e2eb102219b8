// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the drivers of object stores share and needs no server: where a store is, encoding, XML answers,
 * how long a repeat waits.
 */
#include "ktap.h"

#include <stdio.h>
#include <stdlib.h>

#include "registry/remote_http.h"
#include "registry/remote_url.h"
#include "registry/remote_xml.h"

struct url_case {
	struct ktap_row row;
	const char *text;
	const char *origin; /* NULL: refused */
	const char *path;
};

static const struct url_case urls[] = {
	{ { "bare", "a host is https" }, "s3.example.com", "https://s3.example.com", "" },
	{ { "http", "http" }, "http://h:8080", "http://h:8080", "" },
	{ { "own_port", "the scheme's own port is no port" }, "https://h:443/", "https://h", "" },
	{ { "own_port_http", "nor is http's" }, "HTTP://h:80", "http://h", "" },
	{ { "others_port", "another's is" }, "http://h:443", "http://h:443", "" },
	{ { "path", "a path, without its last slashes" }, "https://h/a/b//", "https://h", "/a/b" },
	{ { "v6", "an IPv6 address" }, "http://[::1]:9000/x", "http://[::1]:9000", "/x" },
	{ { "v6_bare", "an IPv6 address without a port" }, "http://[fe80::1]", "http://[fe80::1]", "" },
	{ { "ftp", "another scheme" }, "ftp://h", NULL, NULL },
	{ { "empty", "nothing" }, "", NULL, NULL },
	{ { "no_host", "no host" }, "http:///a", NULL, NULL },
	{ { "user", "a user" }, "http://u:p@h", NULL, NULL },
	{ { "query", "a query" }, "http://h/a?b", NULL, NULL },
	{ { "fragment", "a fragment" }, "http://h#x", NULL, NULL },
	{ { "space", "a space" }, "http://h /", NULL, NULL },
	{ { "port", "a port that is no number" }, "http://h:x", NULL, NULL },
	{ { "port_empty", "a port that is nothing" }, "http://h:", NULL, NULL },
	{ { "port_long", "a port that is too long" }, "http://h:123456", NULL, NULL },
};

TEST_TABLE(url, struct url_case, urls, c)
{
	struct shale_err err = { 0 };
	struct remote_url url;
	struct buf text = BUF_INIT;

	EXPECT_EQ(remote_url_parse(c->text, "endpoint", &url, &err), c->origin ? 0 : -1);
	if (!c->origin) {
		EXPECT_EQ(err.code, EINVAL);
		EXPECT(!strncmp(err.msg, "endpoint: ", 10));
		return;
	}
	ASSERT_OK(remote_url_origin(&url, &text));
	EXPECT_STREQ(buf_str(&text), c->origin);
	EXPECT_STREQ(url.path, c->path);
	buf_release(&text);
}

TEST(encode, "all but unreserved characters are encoded, and slashes where that is wanted")
{
	struct buf text = BUF_INIT;

	ASSERT_OK(remote_url_encode(&text, "a-._~Z9/ +%?#:=\xc3\xbc*'", true));
	EXPECT_STREQ(buf_str(&text), "a-._~Z9/%20%2B%25%3F%23%3A%3D%C3%BC%2A%27");
	buf_clear(&text);
	ASSERT_OK(remote_url_encode(&text, "/a", false));
	EXPECT_STREQ(buf_str(&text), "%2Fa");
	buf_release(&text);
}

static int note_element(void *ctx, const char *path, const char *text, struct shale_err *err)
{
	if (!strcmp(text, "stop"))
		return shale_err_set(err, ECANCELED, "stopped");
	return buf_addf(ctx, "%s=%s;", path, text);
}

static int read_xml(const char *text, size_t len, struct buf *out, struct shale_err *err)
{
	return remote_xml_read(text, len, "answer", note_element, out, err);
}

struct xml_case {
	struct ktap_row row;
	const char *text;
	const char *out; /* or the beginning of the message */
	bool is_bad;
};

static const struct xml_case documents[] = {
	{ { "error", "an error of S3" },
	  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code><Message>a &amp; b</Message></Error>",
	  "Error/Code=NoSuchKey;Error/Message=a & b;Error=;", false },
	{ { "bom", "Azure's byte order mark" }, "\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"utf-8\"?><a/>", "a=;", false },
	{ { "namespace", "a namespace" }, "<L xmlns=\"http://s3/\"><K a='1'>k</K></L>", "L/K=k;L=;", false },
	{ { "siblings", "elements one after another" }, "<a><b>1</b><b>2</b></a>", "a/b=1;a/b=2;a=;", false },
	{ { "cdata", "a section of characters" }, "<a><![CDATA[<b>]]></a>", "a=<b>;", false },
	{ { "doctype", "a document type" }, "<!DOCTYPE a><a/>", "answer: its XML has a document type", true },
	{ { "entity", "an entity that would grow" },
	  "<!DOCTYPE a [<!ENTITY x \"xx\"><!ENTITY y \"&x;&x;\">]><a>&y;</a>", "answer: its XML has a document type", true },
	{ { "file", "an entity that is a file" },
	  "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>", "answer: its XML has a document type", true },
	{ { "empty", "nothing" }, "", "answer: not XML: no element found", true },
	{ { "html", "a page of a proxy" }, "<html><p>Bad gateway<br></html>", "answer: not XML: mismatched tag", true },
	{ { "cut", "an answer that was cut" }, "<a><b>1</b>", "answer: not XML: no element found", true },
	{ { "stop", "what the reader of it refuses" }, "<a><b>stop</b><b>2</b></a>", "stopped", true },
	{ { "utf8", "what is not UTF-8" }, "<a>\xff</a>", "answer: not XML: not well-formed", true },
};

TEST_TABLE(xml, struct xml_case, documents, c)
{
	struct shale_err err = { 0 };
	struct buf out = BUF_INIT;

	EXPECT_EQ(read_xml(c->text, strlen(c->text), &out, &err), c->is_bad ? -1 : 0);
	if (!c->is_bad)
		EXPECT_STREQ(buf_str(&out), c->out);
	else if (strncmp(err.msg, c->out, strlen(c->out)))
		EXPECT_STREQ(err.msg, c->out);
	buf_release(&out);
}

TEST(xml_limits, "XML is refused beyond its depth, its lengths and its size")
{
	struct shale_err err = { 0 };
	struct buf text = BUF_INIT;
	struct buf out = BUF_INIT;

	for (int i = 0; i < REMOTE_XML_MAX_DEPTH + 1; i++)
		ASSERT_OK(buf_adds(&text, "<a>"));
	EXPECT_EQ(read_xml(text.data, text.len, &out, &err), -1);
	EXPECT_STREQ(err.msg, "answer: its XML is nested too deep");
	buf_clear(&text);
	ASSERT_OK(buf_adds(&text, "<a>"));
	for (int i = 0; i < 8193; i++)
		ASSERT_OK(buf_addc(&text, 'x'));
	ASSERT_OK(buf_adds(&text, "</a>"));
	EXPECT_EQ(read_xml(text.data, text.len, &out, &err), -1);
	EXPECT_STREQ(err.msg, "answer: a text in its XML is too long");
	buf_clear(&text);
	ASSERT_OK(buf_addc(&text, '<'));
	for (int i = 0; i < REMOTE_XML_MAX_PATH; i++)
		ASSERT_OK(buf_addc(&text, 'x'));
	ASSERT_OK(buf_adds(&text, "/>"));
	EXPECT_EQ(read_xml(text.data, text.len, &out, &err), -1);
	EXPECT_STREQ(err.msg, "answer: a name in its XML is too long");
	EXPECT_EQ(read_xml(text.data, REMOTE_XML_MAX_BYTES + 1ul, &out, &err), -1);
	EXPECT_STREQ(err.msg, "answer: its XML is larger than 16777216 bytes");
	buf_release(&text);
	buf_release(&out);
}

TEST(backoff, "waits double to five seconds, and half of them is chance")
{
	for (unsigned int i = 0; i < 40; i++) {
		unsigned int most = i < 6 ? 100u << i : 5000;
		unsigned int ms = remote_backoff_ms(i);

		EXPECT(ms >= most / 2 && ms <= most);
	}
}

TEST(nobody, "a store that is not there is an error that says so, after the repeats")
{
	const struct remote_options options = { .connect_seconds = 2, .stall_seconds = 2, .retries = 1, .user_agent = "test" };
	const struct remote_call call = { .method = "GET", .url = "http://127.0.0.1:1/x", .what = "t/a", .body = REMOTE_NO_BODY };
	struct remote_answer answer = { 0 };
	struct shale_err err = { 0 };
	struct remote *remote;

	setenv("no_proxy", "*", 1);
	ASSERT_EQ(remote_http_open(&options, &remote, &err), 0);
	EXPECT_EQ(remote_run(remote, &call, &answer, &err), -1);
	EXPECT_EQ(err.code, EAGAIN);
	EXPECT(!strncmp(err.msg, "t/a: Failed to connect to 127.0.0.1 port 1", 42));
	remote_answer_release(&answer);
	remote_release(remote);
}
