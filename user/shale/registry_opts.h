/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The options that every verb which talks to a registry has.
 */
#ifndef SHALE_CLI_REGISTRY_OPTS_H
#define SHALE_CLI_REGISTRY_OPTS_H

#include "shale/shale.h"

enum {
	OPT_AUTHFILE = 1100,
	OPT_CERT_DIR,
	OPT_CREDS,
	OPT_TLS_VERIFY,
	OPT_TIMEOUT,
	OPT_TRIES,
};

#define REGISTRY_LONGS                                                                             \
	{ "authfile", required_argument, NULL, OPT_AUTHFILE },                                     \
	{ "cert-dir", required_argument, NULL, OPT_CERT_DIR },                                     \
	{ "creds", required_argument, NULL, OPT_CREDS },                                           \
	{ "tls-verify", optional_argument, NULL, OPT_TLS_VERIFY },                                 \
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },                                       \
	{ "tries", required_argument, NULL, OPT_TRIES }

/* Takes an option that is in REGISTRY_LONGS; the exit status when it makes no sense, otherwise 0. */
int registry_option(const struct cli *cli, int opt, char *value,
		    struct shale_registry_opts *registry);

#endif
