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
const char *api_arch(const char *machine);

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

/* api_image.c */
void api_image_inspect(struct api_call *call);
void api_image_history(struct api_call *call);
void api_image_tag(struct api_call *call);
void api_image_remove(struct api_call *call);

/* api_containers.c */
void api_containers_list(struct api_call *call);
void api_container_none(struct api_call *call);
void api_not_served(struct api_call *call);

#endif
