// SPDX-License-Identifier: GPL-2.0-only
/*
 * The route table: what of the Engine API is served, and by whom. The first row that fits counts, so what has
 * words of its own stands before what takes any name.
 */
#include "shaled/api_events.h"
#include "shaled/api_handlers.h"

#define JSON API_BODY_JSON

const struct api_route api_routes[] = {
	{ .method = "GET", .path = "_ping", .run = api_ping },
	{ .method = "HEAD", .path = "_ping", .run = api_ping },
	{ .method = "GET", .path = "version", .run = api_version },
	{ .method = "GET", .path = "info", .run = api_info },
	{ .method = "GET", .path = "events", .run = api_events_get },

	{ .method = "GET", .path = "images/json", .run = api_images_list },
	{ .method = "GET", .path = "images/{name}/json", .run = api_image_inspect },
	{ .method = "GET", .path = "images/{name}/history", .run = api_image_history },
	{ .method = "POST", .path = "images/{name}/tag", .run = api_image_tag },
	{ .method = "DELETE", .path = "images/{name}", .run = api_image_remove },

	{ .method = "GET", .path = "containers/json", .run = api_containers_list },
	{ .method = "POST", .path = "containers/create", .takes = JSON, .run = api_not_served },
	{ .method = "POST", .path = "commit", .takes = JSON, .run = api_not_served },
	{ .method = "POST", .path = "build", .run = api_not_served },
	{ .method = "DELETE", .path = "containers/{id}", .run = api_container_none },
	{ .method = "GET", .path = "containers/{id}/json", .run = api_container_none },
};

const size_t api_route_count = sizeof(api_routes) / sizeof(*api_routes);
