/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The options that every verb which talks to a registry has.
 */
#ifndef SHALE_CLI_REGISTRY_OPTS_H
#define SHALE_CLI_REGISTRY_OPTS_H

#include "shale/connection.h"
#include "shale/shale.h"
#include "store/ref.h"

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

/*
 * Puts them into a call to a daemon: who we are goes into a header, the rest into the query. A daemon of our own looks
 * into our files itself, others cannot. REF may be NULL for a call that says by itself who we are.
 */
int registry_call(const struct shale_registry_opts *registry, const struct connection *connection,
		  const struct ref *ref, struct dockapi_call *call, struct shale_err *err);
/* To be called before the connection is opened: a daemon of our own finds --authfile in its environment. */
void registry_prepare(const struct shale_registry_opts *registry);

#endif
