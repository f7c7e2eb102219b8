/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Directories a layer's tar uses without listing them, as umoci and others write layers: /tmp/x in a
 * layer must not turn /tmp of the layers below into somebody else's with another mode.
 */
#ifndef SHALE_ENGINE_IMPLIED_H
#define SHALE_ENGINE_IMPLIED_H

#include "engine/blob.h"

/*
 * Give each implied directory of the image's layer @at the attributes of the directory it covers; @prefix is that of
 * the private xattrs (untar.h). The layers below are in the session or the store, and settled.
 */
int implied_settle(struct session *session, const struct image *image, size_t at,
		   const char *prefix, struct shale_err *err);

/*
 * The same for all its layers that are in the store without a row, or in the session: from the base up, before
 * session_sync(). The caller holds the store's exclusive lock, so that another session's does not get in between.
 */
int implied_settle_image(struct session *session, const struct image *image, const char *prefix,
			 struct shale_err *err);

#endif
