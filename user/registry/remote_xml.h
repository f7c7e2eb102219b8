/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * XML answers of object stores, within limits. A document is reported element by element as it is
 * read; no tree is kept. libexpat reads it; document types, and with them entities of their own, are
 * refused, since no store sends them.
 */
#ifndef SHALE_REGISTRY_REMOTE_XML_H
#define SHALE_REGISTRY_REMOTE_XML_H

#include "base/buf.h"
#include "base/err.h"

/* A list has at most 1000 (S3) or 5000 (Azure) entries of below 2 KiB; a key may take three bytes for each. */
#define REMOTE_XML_MAX_BYTES (16u << 20)
/* Real answers: four. */
#define REMOTE_XML_MAX_DEPTH 16
/* All names from the root to an element. */
#define REMOTE_XML_MAX_PATH 512
/* The text of one element: a key of 1024 bytes, percent-encoded, and room. */
#define REMOTE_XML_MAX_TEXT (8u << 10)

/*
 * Called when an element ends: its names from the root, "ListBucketResult/Contents/Key", and the text
 * directly in it. -1 with err set ends the reading.
 */
typedef int (*remote_xml_fn)(void *ctx, const char *path, const char *text, struct shale_err *err);

/* @what names the answer in messages. EIO: it is not XML, or beyond the limits. */
int remote_xml_read(const void *data, size_t len, const char *what, remote_xml_fn each, void *ctx,
		    struct shale_err *err);

#endif
