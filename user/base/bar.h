/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Progress as docker draws it: a bar and sizes. Called by shaled, whose messages have it, and by the command where it works
 * without a daemon.
 */
#ifndef SHALE_BASE_BAR_H
#define SHALE_BASE_BAR_H

#include <stddef.h>
#include <stdint.h>

/* With room for the longest of them. */
#define BAR_TEXT 128

/* "[=====>    ]  1.2MB/3MB", or what is done alone when @total is 0: not known. */
void bar_print(uint64_t done, uint64_t total, char *text, size_t size);

#endif
