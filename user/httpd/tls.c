// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keys of TLS; see tls.h. A client's certificate that will not do fails the handshake, as it does in
 * other servers, so that nothing behind it ever sees such a client. Called by server.c and request.c.
 */
#include "httpd/tls.h"

#include <errno.h>
#include <gnutls/x509.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Old versions are not spoken unless the configuration gives its own priorities. */
#define DEFAULT_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

struct tls_keys {
	atomic_uint refs;
	gnutls_certificate_credentials_t credentials;
	gnutls_certificate_request_t request;
};

const char *tls_priorities(const struct httpd_tls *tls)
{
	return tls->priorities ? tls->priorities : DEFAULT_PRIORITIES;
}

/* libmicrohttpd would die of wrong ones later. */
static int check_priorities(const struct httpd_tls *tls, struct shale_err *err)
{
	gnutls_priority_t priority;
	int ret = gnutls_priority_init(&priority, tls_priorities(tls), NULL);

	if (ret < 0)
		return shale_err_set(err, EINVAL, "TLS: priorities: %s", gnutls_strerror(ret));
	gnutls_priority_deinit(priority);
	return 0;
}

/* libmicrohttpd only closes the connection, which tells a client nothing. */
static int refuse_client(gnutls_session_t session, gnutls_alert_description_t why)
{
	gnutls_alert_send(session, GNUTLS_AL_FATAL, why);
	return -1;
}

/* A message without a certificate is a length of 3 bytes, in TLS 1.3 behind an empty context. */
static int look_for_certificate(gnutls_session_t session, unsigned int type, unsigned int when,
				unsigned int is_incoming, const gnutls_datum_t *message)
{
	bool is_new = gnutls_protocol_get_version(session) >= GNUTLS_TLS1_3;

	(void)type, (void)when;
	/* The library refuses these in any case: the client was told that there must be one. */
	if (is_incoming && message->size <= 4)
		refuse_client(session, is_new ? GNUTLS_A_CERTIFICATE_REQUIRED :
						GNUTLS_A_BAD_CERTIFICATE);
	return 0;
}

/* Whether a client may do without a certificate was decided by how it was asked for one. */
static int verify_client(gnutls_session_t session)
{
	gnutls_typed_vdata_st purpose = { GNUTLS_DT_KEY_PURPOSE_OID,
					  (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT, 0 };
	unsigned int status = 0;
	unsigned int count = 0;

	if (!gnutls_certificate_get_peers(session, &count) || !count)
		return 0;
	if (gnutls_certificate_verify_peers(session, &purpose, 1, &status) < 0 || status)
		return refuse_client(session, GNUTLS_A_BAD_CERTIFICATE);
	return 0;
}

static gnutls_datum_t datum_of(const char *text)
{
	return (gnutls_datum_t){ (unsigned char *)text, strlen(text) };
}

static int load_authorities(struct tls_keys *keys, const char *text, struct shale_err *err)
{
	gnutls_datum_t pem = datum_of(text);
	int ret = gnutls_certificate_set_x509_trust_mem(keys->credentials, &pem, GNUTLS_X509_FMT_PEM);

	if (ret < 0)
		return shale_err_set(err, EINVAL, "TLS: clients' authorities: %s",
				     gnutls_strerror(ret));
	return 0;
}

static int load_own(struct tls_keys *keys, const struct httpd_tls *tls, struct shale_err *err)
{
	gnutls_datum_t certificate = datum_of(tls->certificate);
	gnutls_datum_t key = datum_of(tls->key);
	int ret = gnutls_certificate_set_x509_key_mem(keys->credentials, &certificate, &key,
						      GNUTLS_X509_FMT_PEM);

	if (ret < 0)
		return shale_err_set(err, EINVAL, "TLS: certificate and key: %s",
				     gnutls_strerror(ret));
	return 0;
}

static int load_clients(struct tls_keys *keys, const struct httpd_tls *tls, struct shale_err *err)
{
	static const struct {
		gnutls_certificate_request_t request;
		bool is_verified;
	} ways[] = {
		[HTTPD_CLIENTS_NOT_ASKED] = { GNUTLS_CERT_IGNORE, false },
		[HTTPD_CLIENTS_ASKED] = { GNUTLS_CERT_REQUEST, false },
		[HTTPD_CLIENTS_WITH_ANY] = { GNUTLS_CERT_REQUIRE, false },
		[HTTPD_CLIENTS_GOOD_IF_ANY] = { GNUTLS_CERT_REQUEST, true },
		[HTTPD_CLIENTS_GOOD] = { GNUTLS_CERT_REQUIRE, true },
	};

	keys->request = ways[tls->clients].request;
	if (ways[tls->clients].is_verified)
		gnutls_certificate_set_verify_function(keys->credentials, verify_client);
	return tls->client_authorities ? load_authorities(keys, tls->client_authorities, err) : 0;
}

int tls_keys_new(const struct httpd_tls *tls, struct tls_keys **ret_keys, struct shale_err *err)
{
	struct tls_keys *keys;

	if (check_priorities(tls, err) < 0)
		return -1;
	keys = calloc(1, sizeof(*keys));
	if (!keys || gnutls_certificate_allocate_credentials(&keys->credentials) < 0) {
		free(keys);
		return shale_err_set(err, ENOMEM, "no memory for TLS");
	}
	atomic_init(&keys->refs, 1);
	if (load_own(keys, tls, err) < 0 || load_clients(keys, tls, err) < 0) {
		tls_keys_put(keys);
		return -1;
	}
	*ret_keys = keys;
	return 0;
}

struct tls_keys *tls_keys_get(struct tls_keys *keys)
{
	atomic_fetch_add(&keys->refs, 1);
	return keys;
}

void tls_keys_put(struct tls_keys *keys)
{
	if (!keys || atomic_fetch_sub(&keys->refs, 1) > 1)
		return;
	gnutls_certificate_free_credentials(keys->credentials);
	free(keys);
}

void tls_keys_use(const struct tls_keys *keys, gnutls_session_t session)
{
	gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, keys->credentials);
	gnutls_certificate_server_set_request(session, keys->request);
	if (keys->request == GNUTLS_CERT_REQUIRE)
		gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_CERTIFICATE_PKT,
						   GNUTLS_HOOK_PRE, look_for_certificate);
}
