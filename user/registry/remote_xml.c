// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading XML answers; see remote_xml.h. Called by the S3 and Azure drivers for lists and errors.
 */
#include "registry/remote_xml.h"

#include <errno.h>
#include <expat.h>
#include <string.h>

#include "base/cleanup.h"

struct reading {
	XML_Parser parser;
	const char *what;
	remote_xml_fn each;
	void *ctx;
	struct shale_err *err;
	bool has_failed;
	unsigned int depth;
	char path[REMOTE_XML_MAX_PATH];
	struct buf text[REMOTE_XML_MAX_DEPTH];
};

static void reading_release(struct reading *reading)
{
	for (unsigned int i = 0; i < REMOTE_XML_MAX_DEPTH; i++)
		buf_release(&reading->text[i]);
	if (reading->parser)
		XML_ParserFree(reading->parser);
}

static void stop(struct reading *reading)
{
	reading->has_failed = true;
	XML_StopParser(reading->parser, XML_FALSE);
}

static void refuse(struct reading *reading, const char *why)
{
	shale_err_set(reading->err, EIO, "%s: %s", reading->what, why);
	stop(reading);
}

static void element_begin(void *ctx, const char *name, const char **attributes)
{
	struct reading *reading = ctx;
	size_t len = strlen(reading->path);

	(void)attributes;
	if (reading->has_failed)
		return;
	if (reading->depth == REMOTE_XML_MAX_DEPTH) {
		refuse(reading, "its XML is nested too deep");
		return;
	}
	if (len + strlen(name) + 2 > sizeof(reading->path)) {
		refuse(reading, "a name in its XML is too long");
		return;
	}
	snprintf(reading->path + len, sizeof(reading->path) - len, "%s%s", len ? "/" : "", name);
	buf_clear(&reading->text[reading->depth++]);
}

static void element_text(void *ctx, const char *text, int len)
{
	struct reading *reading = ctx;
	struct buf *buf;

	if (reading->has_failed || !reading->depth)
		return;
	buf = &reading->text[reading->depth - 1];
	if (buf->len + len > REMOTE_XML_MAX_TEXT)
		refuse(reading, "a text in its XML is too long");
	else if (buf_add(buf, text, len) < 0)
		refuse(reading, "no memory for its XML");
}

static void element_end(void *ctx, const char *name)
{
	struct reading *reading = ctx;
	char *slash;

	(void)name;
	if (reading->has_failed)
		return;
	reading->depth--;
	if (reading->each(reading->ctx, reading->path, buf_str(&reading->text[reading->depth]),
			  reading->err) < 0)
		stop(reading);
	slash = strrchr(reading->path, '/');
	if (slash)
		*slash = '\0';
	else
		reading->path[0] = '\0';
}

static void doctype_begin(void *ctx, const char *name, const char *system, const char *public,
			  int has_internal)
{
	(void)name;
	(void)system;
	(void)public;
	(void)has_internal;
	refuse(ctx, "its XML has a document type");
}

int remote_xml_read(const void *data, size_t len, const char *what, remote_xml_fn each, void *ctx,
		    struct shale_err *err)
{
	__cleanup(reading_release) struct reading reading = {
		.what = what, .each = each, .ctx = ctx, .err = err,
	};

	if (len > REMOTE_XML_MAX_BYTES)
		return shale_err_set(err, EIO, "%s: its XML is larger than %u bytes", what,
				     REMOTE_XML_MAX_BYTES);
	/* All stores say UTF-8; other encodings would only be another way to say the same. */
	reading.parser = XML_ParserCreate("UTF-8");
	if (!reading.parser)
		return shale_err_set(err, ENOMEM, "%s: no memory for its XML", what);
	XML_SetUserData(reading.parser, &reading);
	XML_SetElementHandler(reading.parser, element_begin, element_end);
	XML_SetCharacterDataHandler(reading.parser, element_text);
	XML_SetStartDoctypeDeclHandler(reading.parser, doctype_begin);
	if (XML_Parse(reading.parser, data, len, XML_TRUE) == XML_STATUS_OK && !reading.has_failed)
		return 0;
	if (reading.has_failed)
		return -1;
	return shale_err_set(err, EIO, "%s: not XML: %s at line %lu", what,
			     XML_ErrorString(XML_GetErrorCode(reading.parser)),
			     (unsigned long)XML_GetCurrentLineNumber(reading.parser));
}
