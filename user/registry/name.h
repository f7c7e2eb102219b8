/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Names of the registry protocol: repositories and tags. Their grammar is what keeps a request inside
 * its repository: no name that passes here has an empty component, one that begins with '.' or '_', or
 * an upper-case letter.
 */
#ifndef SHALE_REGISTRY_NAME_H
#define SHALE_REGISTRY_NAME_H

#include <stdbool.h>

/* The specification's limits. */
#define NAME_MAX_REPO 255
#define NAME_MAX_TAG  128

bool name_is_repo(const char *text);
bool name_is_tag(const char *text);

#endif
