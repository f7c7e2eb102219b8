// SPDX-License-Identifier: GPL-2.0-only
/*
 * Containers and their networks, of which this daemon has none: the list is empty, each name is unknown, and what
 * would make or change one is not served.
 */
#include "shaled/api_handlers.h"

void api_containers_list(struct api_call *call)
{
	api_answer_json(call, 200, json_array());
}

void api_container_none(struct api_call *call)
{
	api_fail(call, 404, "No such container: %s", call->name);
}

void api_networks_list(struct api_call *call)
{
	api_answer_json(call, 200, json_array());
}

void api_network_none(struct api_call *call)
{
	api_fail(call, 404, "network %s not found", call->name);
}

void api_not_served(struct api_call *call)
{
	api_fail(call, 501, "%s %s is not served by shaled", httpd_method(call->http),
		 call->route->path);
}
