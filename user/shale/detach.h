/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The keys by which somebody leaves a container alone who is attached to it. Pure.
 */
#ifndef SHALE_CLI_DETACH_H
#define SHALE_CLI_DETACH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define DETACH_MAX_KEYS 16
#define DETACH_DEFAULT	"ctrl-p,ctrl-q"

struct detach {
	unsigned char keys[DETACH_MAX_KEYS];
	size_t count;
	size_t held; /* of them, which were typed and not passed on yet */
};

/* "ctrl-p,x": letters and digits, and ctrl- with a letter or one of @[\]^_ */
int detach_parse(const char *text, struct detach *ret_detach, struct shale_err *err);
/*
 * What is to be passed on of some typed bytes, into OUT, which has room for DETACH_MAX_KEYS more than there are; how many.
 * What may be the beginning of the keys is held back. True in *ret_is_detached: they were typed.
 */
size_t detach_filter(struct detach *detach, const unsigned char *typed, size_t len, unsigned char *out,
		     bool *ret_is_detached);

#endif
