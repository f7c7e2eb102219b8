// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer harness of templates: any text is refused with a message, or is a template that comes to an end on a
 * value with something of every kind, also as a line of headings. Built and run by scripts/fuzz; its corpus is
 * selftests/corpus/template.
 */
#include <jansson.h>

#include "base/cleanup.h"
#include "fuzz.h"
#include "shale/template.h"

static const char value_text[] =
	"{\"ID\":\"sha256:ab\",\"Size\":12,\"On\":true,\"Off\":false,\"None\":null,\"Empty\":[],\"Real\":0.5,"
	"\"Tags\":[\"a:1\",\"b:2\"],\"Config\":{\"Env\":[\"A=b\"],\"Labels\":{\"z\":\"1\",\"a.b\":\"2\"}}}";

static void render(const struct template *template, const json_t *value)
{
	__cleanup_buf struct buf out = BUF_INIT;
	struct shale_err err = { 0 };

	promise(template_render(template, value, &out, &err) == 0 || err.msg[0]);
	buf_clear(&out);
	err.msg[0] = '\0';
	promise(template_render_headings(template, value, &out, &err) == 0 || err.msg[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	__cleanup_free char *text = strndup((const char *)data, size);
	__cleanup_template struct template *template = NULL;
	json_t *value = json_loads(value_text, 0, NULL);
	struct shale_err err = { 0 };

	if (template_parse(text, &template, &err) == 0)
		render(template, value);
	else
		promise(err.msg[0] && !template);
	json_decref(value);
	return 0;
}
