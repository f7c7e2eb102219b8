/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The server's certificate and what it asks of its clients'. A set of keys is never changed: new ones
 * take its place, and each connection holds on to those it began with.
 */
#ifndef SHALE_HTTPD_TLS_H
#define SHALE_HTTPD_TLS_H

#include <gnutls/gnutls.h>

#include "httpd/server.h"

struct tls_keys;

/* What the library is told about priorities. */
const char *tls_priorities(const struct httpd_tls *tls);
/* Reads the PEM texts. The caller has the only reference. */
int tls_keys_new(const struct httpd_tls *tls, struct tls_keys **ret_keys, struct shale_err *err);
struct tls_keys *tls_keys_get(struct tls_keys *keys);
/* Takes NULL. */
void tls_keys_put(struct tls_keys *keys);
/* Makes a session that has not begun use these keys, which must be kept as long as it lives. */
void tls_keys_use(const struct tls_keys *keys, gnutls_session_t session);

#endif
