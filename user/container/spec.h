/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the OCI runtime is told of a container, config.json, made of its record (record.h) and of what is only known at
 * its start. The defaults are docker's. Pure: it looks at nothing on this machine.
 */
#ifndef SHALE_CONTAINER_SPEC_H
#define SHALE_CONTAINER_SPEC_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "container/identity.h"

struct spec_input {
	const json_t *record;
	const char *dir; /* of the container's files, absolute */
	const struct identity *user;
	bool is_cgroup2; /* all of this machine's are */
};

int spec_make(const struct spec_input *input, json_t **ret_spec, struct shale_err *err);

/* Where its cgroup is, below each hierarchy; to be freed. NULL: out of memory. */
char *spec_cgroup(const json_t *record);

/* What a further process in it is told: process.json, made of a request's body (docker's exec). */
int spec_make_process(const json_t *record, const json_t *body, const struct identity *user,
		      json_t **ret_process, struct shale_err *err);

/* spec_caps.c: the capabilities of HostConfig, as the runtime calls them. EINVAL for a name that is none. */
json_t *spec_capabilities(const json_t *host, struct shale_err *err);

/* An option of HostConfig's SecurityOpt, "name=value" or "name:value"; NULL: it is not there. */
const char *spec_security(const json_t *host, const char *name);

#endif
