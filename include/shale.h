/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libshale's public face: one C function per verb of the engine.
 *
 * Every verb returns 0, or -1 with *err filled; outputs are untouched on failure. Nothing in the
 * library prints or exits. A verb that may take long reports through the progress callback, which
 * is also how it is cancelled. The kernel's interface is not here but in <linux/shale.h>.
 */
#ifndef SHALE_H
#define SHALE_H

#define SHALE_VERSION "0.1"

/*
 * What went wrong, for a person and for a program.
 * @code: a positive errno; EINVAL for input that is wrong in itself, ECANCELED when the progress
 *        callback asked to stop.
 * @msg:  one sentence, outermost context first, without a newline.
 */
struct shale_err {
	int code;
	char msg[1024];
};

#endif
