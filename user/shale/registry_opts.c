// SPDX-License-Identifier: GPL-2.0-only
/*
 * Options for registries; see registry_opts.h. Their names are podman's and skopeo's, since docker has
 * none for these.
 */
#include "shale/registry_opts.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "client/base64.h"
#include "client/creds.h"
#include "client/origin.h"
#include "store/json.h"

static bool parse_count(const char *text, unsigned int *ret_count)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || !value || value > 1000000)
		return false;
	*ret_count = value;
	return true;
}

/* USER[:PASSWORD]; the password must not stay in the list of processes. */
static void take_creds(char *value, struct shale_registry_opts *registry)
{
	char *colon = strchr(value, ':');

	registry->username = strndup(value, colon ? (size_t)(colon - value) : strlen(value));
	registry->password = strdup(colon ? colon + 1 : "");
	memset(value, '*', strlen(value));
}

static int take_verify(const struct cli *cli, const char *value,
		       struct shale_registry_opts *registry)
{
	if (value && strcmp(value, "true") && strcmp(value, "false"))
		return cli_usage(cli, "--tls-verify is 'true' or 'false', not '%s'", value);
	registry->is_insecure = value && !strcmp(value, "false");
	return 0;
}

int registry_option(const struct cli *cli, int opt, char *value,
		    struct shale_registry_opts *registry)
{
	switch (opt) {
	case OPT_AUTHFILE:
		registry->auth_file = value;
		return 0;
	case OPT_CERT_DIR:
		registry->certs_dir = value;
		return 0;
	case OPT_CREDS:
		take_creds(value, registry);
		if (registry->username && registry->password)
			return 0;
		return cli_usage(cli, "out of memory");
	case OPT_TLS_VERIFY:
		return take_verify(cli, value, registry);
	case OPT_TIMEOUT:
		if (parse_count(value, &registry->stall_seconds))
			return 0;
		return cli_usage(cli, "'%s' is not a number of seconds", value);
	case OPT_TRIES:
		if (parse_count(value, &registry->tries))
			return 0;
		return cli_usage(cli, "'%s' is not a number of tries", value);
	}
	return cli_usage(cli, "unknown option");
}

void registry_prepare(const struct shale_registry_opts *registry)
{
	if (registry->auth_file)
		setenv("REGISTRY_AUTH_FILE", registry->auth_file, 1);
}

/* docker's alphabet for headers is that of URLs. */
static int encode_header(const json_t *auth, struct dockapi_call *call, struct shale_err *err)
{
	__cleanup_buf struct buf text = BUF_INIT;
	char *json = json_dumps(auth, JSON_COMPACT);
	int ret = json ? base64_encode(json, strlen(json), &text) : -1;

	if (json)
		explicit_bzero(json, strlen(json));
	free(json);
	if (ret)
		return shale_err_set(err, ENOMEM, "out of memory");
	for (char *at = text.data; *at; at++)
		*at = *at == '+' ? '-' : *at == '/' ? '_' : *at;
	return dockapi_header(call, "X-Registry-Auth", buf_str(&text), err);
}

static int add_auth(const struct shale_registry_opts *registry, const struct ref *ref,
		    struct dockapi_call *call, struct shale_err *err)
{
	__cleanup_creds struct creds creds = { 0 };
	__cleanup_json json_t *auth = NULL;
	struct origin origin;

	if (origin_of_ref(ref, &origin, err) ||
	    creds_find(registry, origin.host, origin.repository, &creds, err))
		return -1;
	if (creds_are_empty(&creds))
		return 0;
	auth = json_pack("{s:s*, s:s*, s:s*, s:s*, s:s}", "username", creds.username, "password",
			 creds.password, "identitytoken", creds.identity_token, "registrytoken",
			 creds.registry_token, "serveraddress", origin_key(origin.host));
	if (!auth)
		return shale_err_set(err, EINVAL, "credentials that are not UTF-8");
	return encode_header(auth, call, err);
}

static int add_count(const char *key, unsigned int count, struct dockapi_call *call,
		     struct shale_err *err)
{
	char text[24];

	snprintf(text, sizeof(text), "%u", count);
	return dockapi_query(call, key, count ? text : NULL, err);
}

/* The daemon has another working directory. */
static int add_certs(const char *dir, struct dockapi_call *call, struct shale_err *err)
{
	__cleanup_free char *here = NULL;
	__cleanup_free char *path = NULL;

	if (!dir || *dir == '/')
		return dockapi_query(call, "certDir", dir, err);
	here = getcwd(NULL, 0);
	if (!here || asprintf(&path, "%s/%s", here, dir) < 0)
		return shale_err_errno(err, "%s", dir);
	return dockapi_query(call, "certDir", path, err);
}

int registry_call(const struct shale_registry_opts *registry, const struct connection *connection,
		  const struct ref *ref, struct dockapi_call *call, struct shale_err *err)
{
	bool asks_us = ref && (registry->username || !connection_is_private(connection));

	if (asks_us && add_auth(registry, ref, call, err))
		return -1;
	if (dockapi_query(call, "tlsVerify", registry->is_insecure ? "false" : NULL, err) ||
	    add_certs(registry->certs_dir, call, err) ||
	    add_count("timeout", registry->stall_seconds, call, err))
		return -1;
	return add_count("tries", registry->tries, call, err);
}
