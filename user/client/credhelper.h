/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * docker's credential helpers: programs docker-credential-NAME that keep credentials in a keyring. A verb
 * is the argument, one document goes in, one comes out.
 */
#ifndef SHALE_CLIENT_CREDHELPER_H
#define SHALE_CLIENT_CREDHELPER_H

#include "client/creds.h"

/* What a helper may print; a token of a cloud registry takes a few KiB. */
#define CREDHELPER_MAX_BYTES (256u << 10)
/* Seconds for a helper, which may have to ask a person for the keyring's password. */
#define CREDHELPER_SECONDS 120

/* Nothing known is success with empty credentials. */
int credhelper_get(const char *name, const char *key, struct creds *ret_creds,
		   struct shale_err *err);
int credhelper_store(const char *name, const char *key, const struct creds *creds,
		     struct shale_err *err);
int credhelper_erase(const char *name, const char *key, struct shale_err *err);

/* What a helper's "get" prints. */
int credhelper_parse(const void *data, size_t len, struct creds *ret_creds, struct shale_err *err);

#endif
