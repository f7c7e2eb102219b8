// SPDX-License-Identifier: GPL-2.0-only
/*
 * What serves containers, begun once; and what of them and of their networks is not served.
 */
#include "shaled/api_events.h"
#include "shaled/api_handlers.h"

static void tell_event(void *arg, const struct shale_container_event *event)
{
	struct api *api = arg;

	api_events_container(api->events, event);
}

struct shale_containers *api_containers(struct api *api, struct shale_err *err)
{
	const struct shale_container_hooks hooks = { tell_event, api };
	struct shale_containers *containers;
	char driver[SHALE_DRIVER_TEXT];

	if (api_driver(api, driver, err) < 0)
		return NULL;
	pthread_mutex_lock(&api->driver_lock);
	if (!api->containers &&
	    shale_containers_open(&api->opts, api->driver, api->wanted_runtime, &hooks, &api->containers, err) < 0)
		api->containers = NULL;
	containers = api->containers;
	pthread_mutex_unlock(&api->driver_lock);
	return containers;
}

void api_container_not_served(struct api_call *call)
{
	struct shale_err err = { 0 };
	struct shale_containers *containers = api_containers(call->api, &err);
	struct shale_container_facts facts;

	if (!containers || shale_container_look(containers, call->name, &facts, &err) < 0)
		api_fail_err(call, &err);
	else
		api_not_served(call);
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
