/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Certificates for one host, as docker and podman keep them: a directory certs.d/HOST[:PORT] with *.crt,
 * roots to trust, and NAME.cert with NAME.key, to show who we are.
 */
#ifndef SHALE_CLIENT_TLSDIR_H
#define SHALE_CLIENT_TLSDIR_H

#include "client/web.h"

/* All roots of one host; the system's own bundle is 220 KiB. */
#define TLSDIR_MAX_BYTES (1u << 20)
/* Files that are looked at. */
#define TLSDIR_MAX_FILES 256

struct tlsdir {
	struct buf roots;
	char *cert;
	char *key;
};

void tlsdir_release(struct tlsdir *dir);

/* @path: the directory itself, instead of those of docker and podman; or NULL. None at all is success. */
int tlsdir_load(const char *path, const char *endpoint, struct tlsdir *ret_dir,
		struct shale_err *err);

#endif
