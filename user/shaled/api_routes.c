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
	{ .method = "GET", .path = "system/df", .run = api_df },
	{ .method = "POST", .path = "auth", .takes = JSON, .run = api_auth },

	{ .method = "GET", .path = "images/json", .run = api_images_list },
	{ .method = "GET", .path = "images/get", .run = api_images_save },
	{ .method = "GET", .path = "images/search", .run = api_not_served },
	{ .method = "POST", .path = "images/create", .takes = API_BODY_BYTES, .run = api_image_create,
	  .begin = api_image_create_begin, .body = api_image_create_body },
	{ .method = "POST", .path = "images/load", .takes = API_BODY_BYTES, .run = api_load_end,
	  .begin = api_load_begin, .body = api_load_body },
	{ .method = "POST", .path = "images/prune", .run = api_images_prune },
	{ .method = "GET", .path = "images/{name}/json", .run = api_image_inspect },
	{ .method = "GET", .path = "images/{name}/history", .run = api_image_history },
	{ .method = "POST", .path = "images/{name}/tag", .run = api_image_tag },
	{ .method = "POST", .path = "images/{name}/push", .run = api_image_push },
	{ .method = "GET", .path = "images/{name}/get", .run = api_image_save },
	{ .method = "DELETE", .path = "images/{name}", .run = api_image_remove },

	{ .method = "GET", .path = "distribution/{name}/json", .run = api_distribution },

	{ .method = "GET", .path = "volumes", .run = api_volumes_list },
	{ .method = "POST", .path = "volumes/create", .takes = JSON, .run = api_volume_create },
	{ .method = "POST", .path = "volumes/prune", .run = api_volumes_prune },
	{ .method = "GET", .path = "volumes/{id}", .run = api_volume_inspect },
	{ .method = "DELETE", .path = "volumes/{id}", .run = api_volume_remove },

	{ .method = "GET", .path = "containers/json", .run = api_containers_list },
	{ .method = "POST", .path = "containers/create", .takes = JSON, .run = api_container_create },
	{ .method = "POST", .path = "commit", .takes = JSON, .run = api_commit },
	{ .method = "POST", .path = "build", .run = api_not_served },
	{ .method = "POST", .path = "containers/prune", .run = api_containers_prune },
	{ .method = "GET", .path = "networks", .run = api_networks_list },
	{ .method = "GET", .path = "networks/{id}", .run = api_network_none },
	{ .method = "POST", .path = "networks/prune", .run = api_networks_prune },
	{ .method = "POST", .path = "build/prune", .run = api_build_prune },
	{ .method = "DELETE", .path = "containers/{id}", .run = api_container_remove },
	{ .method = "GET", .path = "containers/{id}/json", .run = api_container_inspect },
	{ .method = "GET", .path = "containers/{id}/logs", .run = api_container_logs },
	{ .method = "GET", .path = "containers/{id}/changes", .run = api_container_changes },
	{ .method = "GET", .path = "containers/{id}/stats", .run = api_container_not_served },
	{ .method = "GET", .path = "containers/{id}/top", .run = api_container_top },
	{ .method = "GET", .path = "containers/{id}/export", .run = api_container_not_served },
	{ .method = "GET", .path = "containers/{id}/archive", .run = api_container_not_served },
	{ .method = "HEAD", .path = "containers/{id}/archive", .run = api_container_not_served },
	{ .method = "PUT", .path = "containers/{id}/archive", .run = api_container_not_served },
	{ .method = "POST", .path = "containers/{id}/start", .run = api_container_start },
	{ .method = "POST", .path = "containers/{id}/stop", .run = api_container_stop },
	{ .method = "POST", .path = "containers/{id}/restart", .run = api_container_restart },
	{ .method = "POST", .path = "containers/{id}/kill", .run = api_container_kill },
	{ .method = "POST", .path = "containers/{id}/pause", .run = api_container_pause },
	{ .method = "POST", .path = "containers/{id}/unpause", .run = api_container_unpause },
	{ .method = "POST", .path = "containers/{id}/rename", .run = api_container_rename },
	{ .method = "POST", .path = "containers/{id}/update", .takes = JSON, .run = api_container_not_served },
	{ .method = "POST", .path = "containers/{id}/wait", .run = api_container_wait },
	{ .method = "POST", .path = "containers/{id}/attach", .run = api_container_attach },
	{ .method = "POST", .path = "containers/{id}/exec", .takes = JSON, .run = api_exec_create },
	{ .method = "POST", .path = "containers/{id}/resize", .run = api_container_resize },
	{ .method = "GET", .path = "exec/{id}/json", .run = api_exec_inspect },
	{ .method = "POST", .path = "exec/{id}/start", .takes = JSON, .run = api_exec_start },
	{ .method = "POST", .path = "exec/{id}/resize", .run = api_exec_resize },
};

const size_t api_route_count = sizeof(api_routes) / sizeof(*api_routes);
