/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Everything at the server's door, made from the configuration: who may come in (access.h), and the
 * token service if it is built in (issuer.h). What the configuration's keys mean is in
 * Documentation/registry-auth.md.
 */
#ifndef SHALE_REGISTRY_GATE_H
#define SHALE_REGISTRY_GATE_H

#include <jansson.h>

#include "base/err.h"
#include "registry/access.h"
#include "registry/issuer.h"

/* Certificates and JWKS. */
#define GATE_MAX_FILE (1u << 20)

struct gate {
	struct access access;
	struct issuer issuer;
	bool has_issuer;
	char *token_path; /* where the token service is; NULL unless has_issuer */
	char *jwks_path;  /* and its public keys */
	/* what the two borrow */
	json_t *config;
	struct jwk_ring *keys;
	struct htpasswd *htpasswd;
	struct policy *policy;
};

/*
 * @auth and @policy: the trees of these two keys, NULL when they are not there. Reads the files
 * they name. @err says which key is wrong.
 */
int gate_open(const json_t *auth, const json_t *policy, struct gate **ret_gate,
	      struct shale_err *err);
void gate_close(struct gate *gate);
void gate_closep(struct gate **gate);

#endif
