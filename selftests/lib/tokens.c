// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keys, certificates and tokens for tests; see tokens.h. What cannot be made ends the program: that is
 * no test's business.
 */
#include "tokens.h"

#include <openssl/bio.h>
#include <openssl/ecdsa.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(int made)
{
	if (made)
		return;
	fprintf(stderr, "tokens: libcrypto refuses\n");
	abort();
}

EVP_PKEY *token_key(const char *kind)
{
	EVP_PKEY *key;

	if (!strncmp(kind, "RSA", 3))
		key = EVP_RSA_gen(strcmp(kind, "RSA") ? 1024 : 2048);
	else if (!strcmp(kind, "ED25519"))
		key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	else
		key = EVP_EC_gen(strcmp(kind, "EC") ? kind : "P-256");
	must(key != NULL);
	return key;
}

char *token_base64(const void *data, size_t len, int url)
{
	char *text = malloc(len * 2 + 8);
	size_t out;

	must(text != NULL);
	out = EVP_EncodeBlock((unsigned char *)text, data, len);
	for (size_t i = 0; url && i < out; i++)
		text[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
	while (url && out && text[out - 1] == '=')
		out--;
	text[out] = '\0';
	return text;
}

static size_t sign_hmac(const char *text, const void *secret, size_t secret_len, unsigned char *out)
{
	unsigned int len;

	must(HMAC(EVP_sha256(), secret, secret_len, (unsigned char *)text, strlen(text), out,
		  &len) != NULL);
	return len;
}

static size_t sign_key(const char *text, EVP_PKEY *key, enum token_signer signer, unsigned char *out)
{
	const EVP_MD *md = signer == SIGN_ED ? NULL : EVP_sha256();
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *params;
	size_t len = 1024;

	must(EVP_DigestSignInit(ctx, &params, md, NULL, key) == 1);
	if (signer == SIGN_PSS)
		must(EVP_PKEY_CTX_set_rsa_padding(params, RSA_PKCS1_PSS_PADDING) == 1 &&
		     EVP_PKEY_CTX_set_rsa_pss_saltlen(params, RSA_PSS_SALTLEN_DIGEST) == 1);
	must(EVP_DigestSign(ctx, out, &len, (unsigned char *)text, strlen(text)) == 1);
	EVP_MD_CTX_free(ctx);
	if (signer == SIGN_EC) {
		const unsigned char *der = out;
		ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, len);
		int width = (EVP_PKEY_get_bits(key) + 7) / 8;

		must(BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, width) == width &&
		     BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + width, width) == width);
		ECDSA_SIG_free(sig);
		len = 2 * width;
	}
	return len;
}

static size_t sign(const char *text, enum token_signer signer, EVP_PKEY *key, const void *secret,
		   size_t secret_len, unsigned char *out)
{
	switch (signer) {
	case SIGN_NOTHING:
		return 0;
	case SIGN_GARBAGE:
		memset(out, 0x41, 64);
		return 64;
	case SIGN_HMAC:
		return sign_hmac(text, secret, secret_len, out);
	default:
		return sign_key(text, key, signer, out);
	}
}

char *token_make(const char *header, const char *claims, enum token_signer signer, EVP_PKEY *key,
		 const void *secret, size_t secret_len)
{
	char *first = token_base64(header, strlen(header), 1);
	char *second = token_base64(claims, strlen(claims), 1);
	unsigned char sig[1024];
	char *text, *third, *token;

	must(asprintf(&text, "%s.%s", first, second) > 0);
	third = token_base64(sig, sign(text, signer, key, secret, secret_len, sig), 1);
	must(asprintf(&token, "%s.%s", text, third) > 0);
	free(first);
	free(second);
	free(third);
	free(text);
	return token;
}

static void set_name(X509_NAME *name, const char *text)
{
	must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (unsigned char *)text, -1, -1, 0) == 1);
}

X509 *token_cert(const char *name, EVP_PKEY *key, const char *by_name, EVP_PKEY *by, long now, int days)
{
	static long serial;
	X509 *cert = X509_new();

	must(cert && X509_set_version(cert, X509_VERSION_3) == 1);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), ++serial);
	ASN1_TIME_set(X509_getm_notBefore(cert), now - 86400);
	ASN1_TIME_set(X509_getm_notAfter(cert), now + 86400L * days);
	set_name(X509_get_subject_name(cert), name);
	set_name(X509_get_issuer_name(cert), by_name ? by_name : name);
	if (!by_name) {
		X509_EXTENSION *ca = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");

		must(ca && X509_add_ext(cert, ca, -1) == 1);
		X509_EXTENSION_free(ca);
	}
	must(X509_set_pubkey(cert, key) == 1 && X509_sign(cert, by ? by : key, EVP_sha256()) > 0);
	return cert;
}

static char *bio_text(BIO *bio)
{
	char *data;
	long len = BIO_get_mem_data(bio, &data);
	char *text = strndup(data, len);

	must(text != NULL);
	BIO_free(bio);
	return text;
}

char *token_cert_pem(X509 *cert)
{
	BIO *bio = BIO_new(BIO_s_mem());

	must(PEM_write_bio_X509(bio, cert) == 1);
	return bio_text(bio);
}

char *token_public_pem(EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_mem());

	must(PEM_write_bio_PUBKEY(bio, key) == 1);
	return bio_text(bio);
}

char *token_cert_b64(X509 *cert)
{
	unsigned char *der = NULL;
	int len = i2d_X509(cert, &der);
	char *text;

	must(len > 0);
	text = token_base64(der, len, 0);
	OPENSSL_free(der);
	return text;
}
