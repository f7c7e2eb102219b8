/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A growing byte buffer which always ends in a NUL that is not counted, so that text can be read
 * from it as a C string. All calls that grow it fail with -1 and errno ENOMEM, and leave the
 * content as it was. Zero-initialise with BUF_INIT; release with buf_release().
 */
#ifndef SHALE_BASE_BUF_H
#define SHALE_BASE_BUF_H

#include <stddef.h>

struct buf {
	char *data;
	size_t len;
	size_t cap;
};

#define BUF_INIT     { 0 }
#define __cleanup_buf __attribute__((cleanup(buf_release)))

void buf_release(struct buf *buf);
void buf_clear(struct buf *buf);
int buf_reserve(struct buf *buf, size_t more);
int buf_add(struct buf *buf, const void *data, size_t len);
int buf_adds(struct buf *buf, const char *text);
int buf_addc(struct buf *buf, char c);
int buf_addf(struct buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The content as a C string, "" when nothing was ever added. */
const char *buf_str(const struct buf *buf);

/* Hands the content over as a malloc'ed string; NULL when out of memory. The buffer is empty then. */
char *buf_steal(struct buf *buf);

#endif
