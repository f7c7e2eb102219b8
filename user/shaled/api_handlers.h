/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The handlers of the route table (api_routes.c), under the file that each is in.
 */
#ifndef SHALE_SHALED_API_HANDLERS_H
#define SHALE_SHALED_API_HANDLERS_H

#include "shaled/api.h"

/* api_system.c */
void api_ping(struct api_call *call);
void api_version(struct api_call *call);

/* api_info.c */
void api_info(struct api_call *call);

/* api_images.c */
void api_images_list(struct api_call *call);
/* All images, as summaries; NULL with err. */
json_t *api_images_load(struct api_call *call, struct shale_err *err);
/* Fills in what summaries leave open. */
void api_images_set_shared(json_t *image, const struct shale_df *df, bool has_containers);
/* Adds the fields that older versions of the API have. */
void api_images_set_version(const struct api_call *call, json_t *image);
/* The one of them that an image by itself has, too. */
void api_images_set_virtual(const struct api_call *call, json_t *image);

/* api_image.c */
void api_image_inspect(struct api_call *call);
void api_image_history(struct api_call *call);
void api_image_tag(struct api_call *call);
void api_image_remove(struct api_call *call);

/* api_pull.c */
void api_image_create_begin(struct api_call *call);
void api_image_create_body(struct api_call *call, const void *data, size_t len);
void api_image_create(struct api_call *call);
/* Fills call->registry; false: it was answered. */
bool api_registry_begin(struct api_call *call);

/* api_push.c */
void api_image_push(struct api_call *call);

/* api_load.c */
void api_load_begin(struct api_call *call);
void api_import_begin(struct api_call *call, const char *source);
void api_load_body(struct api_call *call, const void *data, size_t len);
void api_load_end(struct api_call *call);

/* api_save.c */
void api_image_save(struct api_call *call);
void api_images_save(struct api_call *call);

/* api_prune.c */
void api_images_prune(struct api_call *call);
void api_containers_prune(struct api_call *call);
void api_networks_prune(struct api_call *call);
void api_build_prune(struct api_call *call);

/* api_df.c */
void api_df(struct api_call *call);

/* api_auth.c */
void api_auth(struct api_call *call);

/* api_distribution.c */
void api_distribution(struct api_call *call);

/* api_volumes.c */
void api_volumes_list(struct api_call *call);
void api_volume_create(struct api_call *call);
void api_volume_inspect(struct api_call *call);
void api_volume_remove(struct api_call *call);
void api_volumes_prune(struct api_call *call);
/* The list with what each takes; NULL with err, or without for want of memory. */
json_t *api_volumes_df(struct api_call *call, struct shale_err *err);

/* api_container_list.c */
void api_containers_list(struct api_call *call);

/* api_container.c */
void api_container_create(struct api_call *call);
void api_container_inspect(struct api_call *call);
void api_container_remove(struct api_call *call);
void api_container_logs(struct api_call *call);

/* api_container_run.c */
void api_container_start(struct api_call *call);
void api_container_stop(struct api_call *call);
void api_container_restart(struct api_call *call);
void api_container_kill(struct api_call *call);
void api_container_wait(struct api_call *call);

/* api_attach.c */
void api_container_attach(struct api_call *call);
void api_container_resize(struct api_call *call);

/* api_container_change.c */
void api_container_rename(struct api_call *call);
void api_container_pause(struct api_call *call);
void api_container_unpause(struct api_call *call);
void api_container_changes(struct api_call *call);
void api_container_top(struct api_call *call);
void api_commit(struct api_call *call);
/* Those that have ended, by prune's filters; adds to what was deleted. */
int api_containers_prune_named(struct api_call *call, const json_t *filters, int64_t before, json_t *deleted,
			       uint64_t *bytes, struct shale_err *err);

/* api_exec.c */
void api_exec_create(struct api_call *call);
void api_exec_start(struct api_call *call);
void api_exec_inspect(struct api_call *call);
void api_exec_resize(struct api_call *call);

/* api_containers.c */
void api_container_not_served(struct api_call *call);
void api_networks_list(struct api_call *call);
void api_network_none(struct api_call *call);
void api_not_served(struct api_call *call);

#endif
