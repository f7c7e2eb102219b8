/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which handler a method and a path mean. Purely text: the table is in api_routes.c.
 */
#ifndef SHALE_SHALED_API_ROUTE_H
#define SHALE_SHALED_API_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "httpd/target.h"

/* Of an image with registry, tag and digest; volumes and containers are shorter. */
#define API_MAX_NAME 512

struct api_call;

enum api_body {
	API_BODY_NONE, /* what comes is not looked at */
	API_BODY_JSON, /* collected, API_MAX_JSON */
	API_BODY_BYTES, /* given to begin and body as it comes */
};

struct api_route {
	const char *method;
	/*
	 * Words between slashes. {name} stands for one or more segments, {id} for one; there is at most one of
	 * them, and what follows it counts from the end.
	 */
	const char *path;
	enum api_body takes;
	void (*run)(struct api_call *call); /* when the body is here */
	void (*begin)(struct api_call *call); /* before it; only of API_BODY_BYTES, as the next */
	void (*body)(struct api_call *call, const void *data, size_t len);
};

extern const struct api_route api_routes[];
extern const size_t api_route_count;

enum api_found {
	API_FOUND,
	API_FOUND_NONE, /* no such path, or not with this method */
	API_FOUND_LONG, /* the name does not fit */
};

/* By the segments from the one `first` on, which is behind a version. */
enum api_found api_route_find(const struct target *target, size_t first, const char *method,
			      const struct api_route **ret_route, char ret_name[API_MAX_NAME]);

/*
 * "v1.41" to 41: which version of the API a path asks for. False: it is none; what has another major number
 * or too large a minor has *ret_minor UINT_MAX, and less than a version 1 is 0.
 */
bool api_version_parse(const char *segment, unsigned int *ret_minor);

#endif
