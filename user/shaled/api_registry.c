// SPDX-License-Identifier: GPL-2.0-only
/*
 * Credentials and settings of requests; see api_registry.h. Called by what talks to registries.
 */
#include "shaled/api_registry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "client/base64.h"
#include "shaled/api_value.h"
#include "store/json.h"

/* More than anybody means by seconds or tries. */
#define MAX_COUNT 1000000

static int bad_header(struct shale_err *err, const char *why)
{
	return shale_err_set(err, EINVAL, "invalid X-Registry-Auth header: %s", why);
}

/* docker leaves out what is empty, or sends it so. */
static int take_text(const json_t *auth, const char *field, const char **ret_text,
		     struct shale_err *err)
{
	const json_t *value = json_object_get(auth, field);

	*ret_text = NULL;
	if (!value || json_is_null(value))
		return 0;
	if (!json_is_string(value))
		return shale_err_set(err, EINVAL, "invalid X-Registry-Auth header: '%s' is no text",
				     field);
	if (*json_string_value(value))
		*ret_text = json_string_value(value);
	return 0;
}

static int take_count(const struct target *target, const char *key, unsigned int *ret_count,
		      struct shale_err *err)
{
	const char *text = target_get(target, key);
	unsigned long value;
	char *end;

	if (!text || !*text)
		return 0;
	value = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || !value || value > MAX_COUNT)
		return shale_err_set(err, EINVAL, "invalid value of '%s': %.100s", key, text);
	*ret_count = value;
	return 0;
}

static int take_query(const struct target *target, struct shale_registry_opts *opts,
		      struct shale_err *err)
{
	const char *verify = target_get(target, "tlsVerify");
	const char *certs = target_get(target, "certDir");

	opts->is_insecure = verify && !api_value_is_true(verify);
	if (certs && *certs) {
		if (*certs != '/')
			return shale_err_set(err, EINVAL,
					     "invalid value of 'certDir': '%.100s' is no absolute path", certs);
		opts->certs_dir = certs;
	}
	if (take_count(target, "timeout", &opts->stall_seconds, err) < 0)
		return -1;
	return take_count(target, "tries", &opts->tries, err);
}

int api_registry_take(json_t *auth, const struct target *target, struct api_registry *ret_registry,
		      struct shale_err *err)
{
	struct api_registry registry = { .auth = auth };
	struct shale_registry_opts *opts = &registry.opts;
	const char *host;

	if (take_text(auth, "username", &opts->username, err) == 0 &&
	    take_text(auth, "password", &opts->password, err) == 0 &&
	    take_text(auth, "identitytoken", &opts->identity_token, err) == 0 &&
	    take_text(auth, "registrytoken", &opts->registry_token, err) == 0 &&
	    take_text(auth, "serveraddress", &host, err) == 0 && take_query(target, opts, err) == 0) {
		opts->is_anonymous = true;
		registry.host = host ? strdup(host) : NULL;
		*ret_registry = registry;
		return 0;
	}
	json_decref(auth);
	return -1;
}

/* Base64 in the alphabet of URLs; that of mail is taken, too, since clients get it wrong. */
static int decode(const char *text, struct buf *out, struct shale_err *err)
{
	size_t len = strlen(text);

	if (len > API_MAX_AUTH)
		return bad_header(err, "it is too long");
	if (base64_decode_url(text, len, out))
		return 0;
	buf_clear(out);
	return base64_decode(text, len, out) ? 0 : bad_header(err, "it is no base64");
}

int api_registry_parse(const char *auth, const struct target *target, struct api_registry *ret_registry,
		       struct shale_err *err)
{
	__cleanup_buf struct buf text = BUF_INIT;
	json_t *json = NULL;

	if (auth && decode(auth, &text, err) < 0)
		return -1;
	if (!text.len || !strcmp(buf_str(&text), "null"))
		json = json_object();
	else
		json_parse_object(text.data, text.len, "it", &json, NULL);
	if (text.data)
		explicit_bzero(text.data, text.len);
	if (!json)
		return bad_header(err, "it is no JSON object");
	return api_registry_take(json, target, ret_registry, err);
}

/* jansson keeps texts in heap memory of its own, which is not ours to clear. */
void api_registry_release(struct api_registry *registry)
{
	json_decref(registry->auth);
	free(registry->host);
	*registry = (struct api_registry){ .auth = NULL };
}
