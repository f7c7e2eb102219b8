// SPDX-License-Identifier: GPL-2.0-only
/*
 * Templates of --format: what each action prints, and what is refused.
 */
#include "ktap.h"

#include <stdlib.h>

#include "shale/template.h"

static const char value_text[] =
	"{\"Id\":\"sha256:Ab\",\"Size\":12,\"On\":true,\"Off\":false,\"None\":null,\"Empty\":[],"
	"\"Tags\":[\"a:1\",\"b:2\"],\"Config\":{\"Env\":[\"A=b\"],\"Labels\":{\"z\":\"1\",\"a.b\":\"2\"},"
	"\"Real\":0.5}}";

struct good_case {
	struct ktap_row row;
	const char *text;
	const char *printed;
};

static const struct good_case goods[] = {
	{ { "text", "text alone" }, "plain } { text", "plain } { text" },
	{ { "nothing", "nothing" }, "", "" },
	{ { "field", "a field" }, "{{.Id}}", "sha256:Ab" },
	{ { "blanks", "blanks do not count" }, "{{ .Id }}", "sha256:Ab" },
	{ { "around", "text around" }, "<{{.Size}}>{{.On}}{{.Off}}.", "<12>truefalse." },
	{ { "deep", "a field of a field" }, "{{.Config.Real}}", "0.5" },
	{ { "null", "null is Go's nothing" }, "{{.None}}", "<no value>" },
	{ { "list", "a list" }, "{{.Tags}}{{.Empty}}", "[a:1 b:2][]" },
	{ { "map", "a map is in the order of its keys" }, "{{.Config.Labels}}", "map[a.b:2 z:1]" },
	{ { "json", "JSON" }, "{{json .Config.Labels}} {{json .Id}} {{json .None}}",
	  "{\"z\":\"1\",\"a.b\":\"2\"} \"sha256:Ab\" null" },
	{ { "whole", "the whole as JSON" }, "{{json .}}", value_text },
	{ { "len", "lengths" }, "{{len .Tags}} {{len .Config.Labels}} {{len .Id}} {{len .None}}", "2 2 9 0" },
	{ { "lower", "lower and upper case" }, "{{lower .Id}} {{upper .Id}}", "sha256:ab SHA256:AB" },
	{ { "join", "join" }, "{{join .Tags \", \"}}{{join .Empty `x`}}", "a:1, b:2" },
	{ { "index_list", "index of a list" }, "{{index .Tags 1}}", "b:2" },
	{ { "index_map", "index of a map" }, "{{index .Config.Labels \"a.b\"}}", "2" },
	{ { "index_none", "index of what a map does not have" }, "{{index .Config.Labels \"q\"}}", "" },
};

static int render(const char *text, struct buf *out, struct shale_err *err)
{
	json_t *value = json_loads(value_text, 0, NULL);
	struct template template;
	int ret = template_parse(text, &template, err);

	if (!ret)
		ret = template_render(&template, value, out, err);
	template_release(&template);
	json_decref(value);
	return ret;
}

TEST_TABLE(good, struct good_case, goods, good)
{
	struct shale_err err = { 0 };
	struct buf out = BUF_INIT;

	ASSERT_EQ(render(good->text, &out, &err), 0);
	EXPECT_STREQ(buf_str(&out), good->printed);
	buf_release(&out);
}

struct bad_case {
	struct ktap_row row;
	const char *text;
	const char *message;
};

static const struct bad_case bads[] = {
	{ { "open", "an action that does not end" }, "a {{.Id", "'{{' without '}}'" },
	{ { "field", "a field that is not there" }, "{{.Nope}}", "there is no field 'Nope'" },
	{ { "deep", "a field of what has none" }, "{{.Id.X}}", "there is no field 'X'" },
	{ { "function", "an unknown function" }, "{{title .Id}}", "'{{title .Id}}' is not understood" },
	{ { "condition", "a condition" }, "{{if .Id}}x{{end}}", "'{{if .Id}}' is not understood" },
	{ { "nothing", "an action without a value" }, "{{}}", "'{{}}' is not understood" },
	{ { "no_value", "a function without a value" }, "{{json}}", "'{{json}}' is not understood" },
	{ { "more", "more than a value" }, "{{.Id .Size}}", "'{{.Id .Size}}' is not understood" },
	{ { "pipe", "a pipe" }, "{{.Id | json}}", "'{{.Id | json}}' is not understood" },
	{ { "dot", "a dot at the end" }, "{{.Id.}}", "'{{.Id.}}' is not understood" },
	{ { "no_text", "join without a separator" }, "{{join .Tags}}", "'{{join .Tags}}' is not understood" },
	{ { "quote", "a quote that does not end" }, "{{join .Tags \"x}}", "'{{join .Tags \"x}}' is not understood" },
	{ { "escape", "a backslash in quotes" }, "{{join .Tags \"\\n\"}}", "'{{join .Tags \"\\n\"}}' is not understood" },
	{ { "len", "the length of a number" }, "{{len .Size}}", "len of what has no length" },
	{ { "join", "join of text" }, "{{join .Id \",\"}}", "join of what is no list" },
	{ { "case", "lower case of a list" }, "{{lower .Tags}}", "lower and upper are for text" },
	{ { "index_far", "an element past the end" }, "{{index .Tags 2}}", "the list has no element 2" },
	{ { "index_key", "a key for a list" }, "{{index .Tags \"a\"}}", "the list has no element a" },
	{ { "index_text", "index of text" }, "{{index .Id 0}}", "index of what is neither list nor map" },
};

TEST_TABLE(bad, struct bad_case, bads, bad)
{
	struct shale_err err = { 0 };
	struct buf out = BUF_INIT;

	EXPECT_EQ(render(bad->text, &out, &err), -1);
	EXPECT_STREQ(err.msg, bad->message);
	buf_release(&out);
}

TEST(too_many, "a template of too many pieces is refused")
{
	struct shale_err err = { 0 };
	struct buf text = BUF_INIT;
	struct buf out = BUF_INIT;

	for (int i = 0; i < TEMPLATE_MAX_PARTS; i++)
		buf_adds(&text, "{{.Id}}");
	EXPECT_EQ(render(buf_str(&text), &out, &err), 0);
	buf_adds(&text, "x");
	EXPECT_EQ(render(buf_str(&text), &out, &err), -1);
	EXPECT_EQ(err.code, E2BIG);
	buf_release(&text);
	buf_release(&out);
}
