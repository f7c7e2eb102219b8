/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * async.h - reads and writes of a range in PIECES that are under way at once, by io_submit(2) and by
 * io_uring. The result is the bytes of all pieces, or the negative errno all of them had. A process that
 * cannot have a context or a ring ends.
 */
#ifndef SELFTESTS_ORACLE_ASYNC_H
#define SELFTESTS_ORACLE_ASYNC_H

#include <stdbool.h>
#include <sys/types.h>

long async_aio(int fd, bool is_write, unsigned char *buffer, size_t length, off_t at, int pieces);
long async_uring(int fd, bool is_write, unsigned char *buffer, size_t length, off_t at, int pieces);

#endif /* SELFTESTS_ORACLE_ASYNC_H */
