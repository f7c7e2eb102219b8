/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A JSON document that carries its signatures within it, as docker signed its first manifests: the payload is
 * the document up to a length, and a tail, both of which each signature names and covers.
 */
#ifndef SHALE_CLIENT_JWS_H
#define SHALE_CLIENT_JWS_H

#include "base/buf.h"
#include "base/err.h"

/* Of one document: registries before 2.5 kept one for each push and gave out all of them. */
#define JWS_MAX_SIGNATURES 512

/*
 * The payload, whose every signature is good: EBADMSG for one that is not, EINVAL for what is no such document or
 * has no signature. Only the payload is signed: nothing else of the document may be used.
 */
int jws_open(const void *data, size_t len, struct buf *ret_payload, struct shale_err *err);

#endif
