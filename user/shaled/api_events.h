/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What happened in this daemon, for who listens: the newest are kept, and all are sent to whoever asks for
 * events. What other processes do to the store is not seen.
 */
#ifndef SHALE_SHALED_API_EVENTS_H
#define SHALE_SHALED_API_EVENTS_H

#include "shaled/api.h"

/* As many as dockerd keeps. */
#define API_EVENTS_KEPT 256
/* Who listens at once; each is a connection. */
#define API_EVENTS_LISTENERS 256

struct api_events *api_events_new(void);
void api_events_free(struct api_events *events);
/* Ends all streams: the server stops. */
void api_events_end(struct api_events *events);
size_t api_events_count(struct api_events *events);

/* Of an image, and one of its names, or NULL. */
void api_events_image(struct api_events *events, const char *action, const char *id,
		      const char *name);
/* Of a container. */
void api_events_container(struct api_events *events, const struct shale_container_event *event);
/* Of a volume. */
void api_events_volume(struct api_events *events, const char *action, const char *name);

/* The call has ended, and does not listen any more. */
void api_events_forget(struct api_call *call);

/* The handler of GET /events. */
void api_events_get(struct api_call *call);

#endif
