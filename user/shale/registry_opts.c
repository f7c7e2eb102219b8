// SPDX-License-Identifier: GPL-2.0-only
/*
 * Options for registries; see registry_opts.h. Their names are podman's and skopeo's, since docker has
 * none for these.
 */
#include "shale/registry_opts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
