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
	"\"Real\":0.5},\"Things\":[{\"Name\":\"one\"},{\"Name\":\"two\"}],"
	"\"All\":[null,1,false,true,0,2.5,\"\",\"x\",[],{\"a\":1}]}";

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
	{ { "index_deep", "index of a list in a map" }, "{{index .Config \"Env\" 0}}", "A=b" },
	{ { "title", "title" }, "{{title \"ab cd/ef_g <h\"}}", "Ab Cd/Ef_g <H" },
	{ { "split", "split" }, "{{json (split \"a,b,,c\" \",\")}}{{json (split \"éa\" \"\")}}{{json (split \"\" \",\")}}",
	  "[\"a\",\"b\",\"\",\"c\"][\"é\",\"a\"][\"\"]" },
	{ { "truncate", "truncate" }, "{{truncate .Id 3}}{{truncate \"ab\" 5}}{{truncate \"aé\" 2}}.", "shaaba." },
	{ { "pad", "pad" }, "<{{pad .Id 1 2}}>{{pad \"\" 3 3}}", "< sha256:Ab  >" },
	{ { "slice", "slice" }, "{{slice .Id 7}}{{slice .Id 0 3}}{{slice .Tags 1 2}}", "Absha[b:2]" },
	{ { "pipe", "a pipe gives the last argument" }, "{{.Id | json}}{{\",\" | join .Tags | upper}}", "\"sha256:Ab\"A:1,B:2" },
	{ { "brackets", "brackets, and a field of them" }, "{{len (index .Config.Env 0)}}{{(index .Things 1).Name}}", "3two" },
	{ { "if", "a condition" }, "{{if .On}}on{{end}}{{if .Off}}off{{else}}not off{{end}}", "onnot off" },
	{ { "else_if", "else if" }, "{{if .None}}a{{else if .Empty}}b{{else if .Size}}c{{else}}d{{end}}.", "c." },
	{ { "truth", "what is empty is false" },
	  "{{range .All}}{{if .}}1{{else}}0{{end}}{{end}}", "0101010101" },
	{ { "range", "a range over a list" }, "{{range .Tags}}<{{.}}>{{end}}", "<a:1><b:2>" },
	{ { "range_map", "a range over a map" }, "{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}", "a.b=2;z=1;" },
	{ { "range_index", "a range with the index" }, "{{range $i, $e := .Tags}}{{if $i}}, {{end}}{{$i}} {{$e}}{{end}}", "0 a:1, 1 b:2" },
	{ { "range_one", "a range with one variable" }, "{{range $e := .Tags}}{{$e}}{{$.Size}}{{end}}", "a:112b:212" },
	{ { "range_else", "a range over nothing" }, "{{range .Empty}}x{{else}}none{{end}}{{range .None}}x{{end}}", "none" },
	{ { "break", "break and continue" },
	  "{{range $i, $e := .All}}{{if eq $i 1}}{{continue}}{{end}}{{if eq $i 3}}{{break}}{{end}}{{$i}}{{end}}", "02" },
	{ { "with", "with" }, "{{with .Config}}{{.Real}}{{end}}{{with .Empty}}x{{else}}y{{end}}{{with $t := .Tags}}{{len $t}}{{end}}",
	  "0.5y2" },
	{ { "variable", "a variable, given another value" }, "{{$x := .Size}}{{$x}}{{if .On}}{{$x = 7}}{{end}}{{$x}}", "127" },
	{ { "scope", "a variable of a block ends with it" }, "{{$x := 1}}{{if .On}}{{$x := 2}}{{$x}}{{end}}{{$x}}", "21" },
	{ { "field_of", "a field of a variable" }, "{{$c := .Config}}{{$c.Real}}{{$.Config.Real}}", "0.50.5" },
	{ { "eq", "eq, of several" }, "{{eq .Id \"sha256:Ab\"}}{{eq .Size 1 2 12}}{{eq .On .Off}}{{eq .None .None}}", "truetruefalsetrue" },
	{ { "order", "ne lt le gt ge" }, "{{ne 1 2}}{{lt 1 2}}{{le 2 2}}{{gt \"a\" \"b\"}}{{ge 1.5 1}}", "truetruetruefalsetrue" },
	{ { "logic", "and, or and not give what decides" }, "{{and .On .Size}}{{or .Off .Id}}{{not .Off}}{{and .Off .Size}}", "12sha256:Abtruefalse" },
	{ { "lazy", "and and or do not look further than they must" }, "{{or .On .Nope}}{{and .Off .Nope}}", "truefalse" },
	{ { "print", "print and println" }, "{{print 1 2 \"a\" 3 true}}|{{println \"a\" 1}}", "1 2a3 true|a 1\n" },
	{ { "printf", "printf" }, "{{printf \"%s-%d-%5d|%-5s|%05d|%q|%v|%x|%.2f|%t|%%\" .Id .Size 7 \"ab\" 42 \"q\\\"\" .Tags 255 .Config.Real .On}}",
	  "sha256:Ab-12-    7|ab   |00042|\"q\\\"\"|[a:1 b:2]|ff|0.50|true|%" },
	{ { "printf_bad", "printf with values that do not fit, as Go says it" }, "{{printf \"%d %s %d\" .Id 5}}{{printf \"x\" 1}}",
	  "%!d(string=sha256:Ab) %!s(int=5) %!d(MISSING)x%!(EXTRA int=1)" },
	{ { "precision", "precision and width count characters" }, "{{printf \"%.2s|%4s|%T\" \"éab\" \"é\" 1}}", "éa|   é|int" },
	{ { "trim", "blanks that are cut" }, "a  {{- .Size -}}  b {{- /* c */ -}} d", "a12bd" },
	{ { "comment", "a comment" }, "a{{/* }} */}}b", "ab" },
	{ { "escapes", "what backslashes mean" }, "{{\"\\t\\\"\\x41\\u00e9\\101\\\\\"}}{{`\\n`}}", "\t\"AéA\\\\n" },
	{ { "brace", "braces in quotes" }, "{{\"}}\"}}", "}}" },
	{ { "numbers", "numbers" }, "{{1}} {{-2}} {{0x10}} {{1.5}} {{1e3}} {{'a'}}", "1 -2 16 1.5 1000 97" },
	{ { "nested_null", "nothing in a list" }, "{{.All}}", "[<nil> 1 false true 0 2.5  x [] map[a:1]]" },
	{ { "lines", "an action may have several lines" }, "{{\n.Id\n}}", "sha256:Ab" },
};

static int render(const char *text, struct buf *out, struct shale_err *err)
{
	json_t *value = json_loads(value_text, 0, NULL);
	struct template *template;
	int ret = template_parse(text, &template, err);

	if (!ret)
		ret = template_render(template, value, out, err);
	template_release(template);
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
	{ { "open", "an action that does not end" }, "a {{.Id", "'{{.Id' is not understood: it does not end" },
	{ { "field", "a field that is not there" }, "{{.Nope}}", "there is no field 'Nope'" },
	{ { "deep", "a field of what has none" }, "{{.Id.X}}", "there is no field 'X'" },
	{ { "function", "an unknown function" }, "{{titel .Id}}", "'{{titel .Id}}' is not understood: there is no function 'titel'" },
	{ { "define", "what is not here" }, "{{define \"x\"}}", "'{{define \"x\"}}' is not understood: there is no function 'define'" },
	{ { "nothing", "an action without a value" }, "{{}}", "'{{}}' is not understood: a value is missing" },
	{ { "no_value", "a function without a value" }, "{{json}}", "'{{json}}' is not understood: json is given 0 values" },
	{ { "many_values", "a function with too many" }, "{{.Id | json .Size}}", "'{{.Id | json .Size}}' is not understood: json is given 2 values" },
	{ { "more", "more than a value" }, "{{.Id .Size}}", "'{{.Id .Size}}' is not understood: what is no function is given a value" },
	{ { "pipe_value", "a pipe into a value" }, "{{.Id | .Size}}", "'{{.Id | .Size}}' is not understood: what is no function is given a value" },
	{ { "pipe_end", "a pipe into nothing" }, "{{.Id |}}", "'{{.Id |}}' is not understood: a value is missing" },
	{ { "dot", "a dot at the end" }, "{{.Id.}}", "'{{.Id.}}' is not understood: a field without a name" },
	{ { "glued", "values without a blank" }, "{{len.Id}}", "'{{len.Id}}' is not understood: a value that does not end" },
	{ { "sign", "what no value begins with" }, "{{#}}", "'{{#}}' is not understood: no value begins like this" },
	{ { "end_sign", "an end behind a sign" }, "{{+", "'{{+' is not understood: no value begins like this" },
	{ { "quote", "a quote that does not end" }, "{{join .Tags \"x}}", "'{{join .Tags \"x}}' is not understood: a quote that does not end" },
	{ { "escape", "a backslash that means nothing" }, "{{\"\\z\"}}", "'{{\"\\z\"}}' is not understood: a backslash that means nothing" },
	{ { "nul", "a NUL" }, "{{\"\\x00\"}}", "'{{\"\\x00\"}}' is not understood: a backslash that means nothing" },
	{ { "number", "a number that is none" }, "{{12ab}}", "'{{12ab}}' is not understood: a number that is none" },
	{ { "huge", "a number that is too large" }, "{{99999999999999999999}}", "'{{99999999999999999999}}' is not understood: a number that is none" },
	{ { "bracket", "a bracket that is open" }, "{{len (.Id}}", "'{{len (.Id}}' is not understood: a bracket that is not closed" },
	{ { "close", "a bracket too many" }, "{{len .Id)}}", "'{{len .Id)}}' is not understood: more than was expected" },
	{ { "if_nothing", "a condition of nothing" }, "{{if}}", "'{{if}}' is not understood: a value is missing" },
	{ { "no_end", "a block that does not end" }, "{{if .Id}}x{{.Id}}", "'{{if .Id}}' is not understood: there is no {{end}}" },
	{ { "end", "an end of nothing" }, "x{{end}}", "'{{end}}' is not understood: there is nothing that it ends" },
	{ { "else", "an else of nothing" }, "{{else}}", "'{{else}}' is not understood: there is nothing that it ends" },
	{ { "else_else", "two times else" }, "{{if .Id}}{{else}}{{else}}{{end}}", "'{{else}}' is not understood: a second else" },
	{ { "break", "break without a range" }, "{{break}}", "'{{break}}' is not understood: there is no range around it" },
	{ { "variable", "a variable that is not declared" }, "{{$x}}", "'{{$x}}' is not understood: a variable that is not declared" },
	{ { "gone", "a variable of a block that ended" }, "{{if .On}}{{$x := 1}}{{end}}{{$x}}", "'{{$x}}' is not understood: a variable that is not declared" },
	{ { "comment", "a comment that does not end" }, "{{/* x}}", "'{{/* x}}' is not understood: a comment that does not end" },
	{ { "len", "the length of a number" }, "{{len .Size}}", "len of what has no length" },
	{ { "join", "join of text" }, "{{join .Id \",\"}}", "join of what is no list" },
	{ { "case", "lower case of a list" }, "{{lower .Tags}}", "lower, upper and title are for text" },
	{ { "index_far", "an element past the end" }, "{{index .Tags 2}}", "the list has no element 2" },
	{ { "index_key", "a key for a list" }, "{{index .Tags \"a\"}}", "the list has no element a" },
	{ { "index_text", "index of text" }, "{{index .Id 0}}", "index of what is neither list nor map" },
	{ { "slice", "slice of too much" }, "{{slice .Id 20}}", "slice of what is not there" },
	{ { "range", "a range over text" }, "{{range .Id}}{{end}}", "range over what is neither list nor map" },
	{ { "kinds", "text compared with a number" }, "{{eq .Id 1}}", "what is compared is not of one kind" },
	{ { "width", "printf as wide as nobody reads" }, "{{printf \"%99999d\" 1}}", "printf with a '%' that means nothing" },
	{ { "growth", "a text that doubles for ever" },
	  "{{$x := \"aaaaaaaaaaaaaaaa\"}}{{range .All}}{{range $.All}}{{range $.All}}{{$x = print $x $x}}{{end}}{{end}}{{end}}",
	  "a text of more than 1048576 bytes" },
	{ { "loops", "loops in loops" },
	  "{{range .All}}{{range $.All}}{{range $.All}}{{range $.All}}{{range $.All}}{{range $.All}}{{range $.All}}"
	  "{{end}}{{end}}{{end}}{{end}}{{end}}{{end}}{{end}}", "the template does not come to an end" },
};

TEST_TABLE(bad, struct bad_case, bads, bad)
{
	struct shale_err err = { 0 };
	struct buf out = BUF_INIT;

	EXPECT_EQ(render(bad->text, &out, &err), -1);
	EXPECT_STREQ(err.msg, bad->message);
	buf_release(&out);
}

TEST(headings, "docker's functions leave headings as they are, and conditions see text")
{
	json_t *headings = json_pack("{s:s}", "ID", "IMAGE ID");
	struct template *template;
	struct shale_err err = { 0 };
	struct buf out = BUF_INIT;

	ASSERT_EQ(template_parse("{{json .ID}}\t{{lower .ID}}\t{{truncate .ID 2}}\t{{if .ID}}x{{end}}",
				 &template, &err), 0);
	EXPECT_EQ(template_render_headings(template, headings, &out, &err), 0);
	EXPECT_STREQ(buf_str(&out), "IMAGE ID\tIMAGE ID\tIMAGE ID\tx");
	template_release(template);
	buf_release(&out);
	json_decref(headings);
}

TEST(deep, "blocks and brackets are nested so deep and no deeper")
{
	struct shale_err err = { 0 };
	struct buf text = BUF_INIT;
	struct buf out = BUF_INIT;

	for (int i = 0; i < TEMPLATE_MAX_DEPTH; i++)
		buf_adds(&text, "{{if .Id}}");
	for (int i = 0; i < TEMPLATE_MAX_DEPTH; i++)
		buf_adds(&text, "{{end}}");
	EXPECT_EQ(render(buf_str(&text), &out, &err), 0);
	buf_clear(&text);
	buf_adds(&text, "{{");
	for (int i = 0; i <= TEMPLATE_MAX_DEPTH; i++)
		buf_addc(&text, '(');
	EXPECT_EQ(render(buf_str(&text), &out, &err), -1);
	EXPECT(strstr(err.msg, "too deep") != NULL);
	buf_release(&text);
	buf_release(&out);
}

TEST(too_long, "a template that is too long is refused, and one with too many variables")
{
	struct shale_err err = { 0 };
	struct buf text = BUF_INIT;
	struct buf out = BUF_INIT;

	for (int i = 0; i < TEMPLATE_MAX_VARIABLES; i++)
		buf_addf(&text, "{{$x%d := 1}}", i);
	EXPECT_EQ(render(buf_str(&text), &out, &err), -1);
	EXPECT(strstr(err.msg, "too many variables") != NULL);
	while (text.len <= TEMPLATE_MAX_BYTES)
		buf_adds(&text, "x");
	EXPECT_EQ(render(buf_str(&text), &out, &err), -1);
	EXPECT_EQ(err.code, E2BIG);
	buf_release(&text);
	buf_release(&out);
}
