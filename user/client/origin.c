// SPDX-License-Identifier: GPL-2.0-only
/*
 * Origins; see origin.h. What docker.io stands for is written here and nowhere else. Called by
 * remote.c, by creds.c for its keys, and by the verbs that log in and out.
 */
#include "client/origin.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define HUB_HOST     "docker.io"
#define HUB_ENDPOINT "registry-1.docker.io"
#define HUB_KEY	     "https://index.docker.io/v1/"

static bool is_hub(const char *host)
{
	return !strcmp(host, HUB_HOST) || !strcmp(host, "index.docker.io") ||
	       !strcmp(host, HUB_ENDPOINT);
}

const char *origin_endpoint(const char *host)
{
	return is_hub(host) ? HUB_ENDPOINT : host;
}

const char *origin_key(const char *host)
{
	return is_hub(host) ? HUB_KEY : host;
}

bool origin_is_local(const char *endpoint)
{
	char host[REF_MAX_NAME + 1];
	struct in_addr addr;

	if (!strncmp(endpoint, "[::1]", 5))
		return !endpoint[5] || endpoint[5] == ':';
	snprintf(host, sizeof(host), "%.*s", (int)strcspn(endpoint, ":"), endpoint);
	if (!strcasecmp(host, "localhost"))
		return true;
	return inet_pton(AF_INET, host, &addr) == 1 && ntohl(addr.s_addr) >> 24 == 127;
}

int origin_of_ref(const struct ref *ref, struct origin *ret_origin, struct shale_err *err)
{
	const char *slash = strchr(ref->name, '/');

	if (!slash)
		return shale_err_set(err, EINVAL, "'%s' names no registry", ref->name);
	snprintf(ret_origin->host, sizeof(ret_origin->host), "%.*s", (int)(slash - ref->name),
		 ref->name);
	snprintf(ret_origin->repository, sizeof(ret_origin->repository), "%s", slash + 1);
	snprintf(ret_origin->endpoint, sizeof(ret_origin->endpoint), "%s",
		 origin_endpoint(ret_origin->host));
	return 0;
}
