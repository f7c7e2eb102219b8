// SPDX-License-Identifier: GPL-2.0-only
/*
 * The growing byte buffer of buf.h. Doubles its capacity; no limits of its own, the parsers that
 * fill it have theirs.
 */
#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_MIN 64

void buf_release(struct buf *buf)
{
	int saved = errno;

	free(buf->data);
	*buf = (struct buf)BUF_INIT;
	errno = saved;
}

void buf_clear(struct buf *buf)
{
	buf->len = 0;
	if (buf->data)
		buf->data[0] = '\0';
}

int buf_reserve(struct buf *buf, size_t more)
{
	size_t cap = buf->cap ? buf->cap : BUF_MIN;
	char *data;

	if (more > SIZE_MAX / 2 - buf->len - 1) {
		errno = ENOMEM;
		return -1;
	}
	while (cap < buf->len + more + 1)
		cap *= 2;
	if (cap == buf->cap)
		return 0;
	data = realloc(buf->data, cap);
	if (!data)
		return -1;
	buf->data = data;
	buf->cap = cap;
	buf->data[buf->len] = '\0';
	return 0;
}

int buf_add(struct buf *buf, const void *data, size_t len)
{
	if (buf_reserve(buf, len) < 0)
		return -1;
	if (len)
		memcpy(buf->data + buf->len, data, len);
	buf->len += len;
	buf->data[buf->len] = '\0';
	return 0;
}

int buf_adds(struct buf *buf, const char *text)
{
	return buf_add(buf, text, strlen(text));
}

int buf_addc(struct buf *buf, char c)
{
	return buf_add(buf, &c, 1);
}

int buf_addf(struct buf *buf, const char *fmt, ...)
{
	va_list ap;
	int need;

	va_start(ap, fmt);
	need = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (need < 0 || buf_reserve(buf, need) < 0)
		return -1;
	va_start(ap, fmt);
	vsnprintf(buf->data + buf->len, need + 1, fmt, ap);
	va_end(ap);
	buf->len += need;
	return 0;
}

const char *buf_str(const struct buf *buf)
{
	return buf->data ? buf->data : "";
}

char *buf_steal(struct buf *buf)
{
	char *data;

	if (buf_reserve(buf, 0) < 0)
		return NULL;
	data = buf->data;
	*buf = (struct buf)BUF_INIT;
	return data;
}
