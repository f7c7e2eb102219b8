/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Calls nobody here may make, because their safe form is as short. The Makefile force-includes
 * this file, so it first pulls in the headers which declare them.
 */
#ifndef SHALE_BASE_BANNED_H
#define SHALE_BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf strtok gets atoi atol atoll
#pragma GCC poison mktemp tmpnam tempnam

#endif
