/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Directories a layer's tar uses without listing them, as umoci and others write layers: /tmp/x in a
 * layer must not turn /tmp of the layers below into somebody else's with another mode.
 */
#ifndef SHALE_ENGINE_IMPLIED_H
#define SHALE_ENGINE_IMPLIED_H

#include "engine/blob.h"

/*
 * Give each implied directory of the image's layer @at the attributes of the directory it covers. The
 * layers below are in the session or the store, and settled.
 */
int implied_settle(struct session *session, const struct image *image, size_t at,
		   const struct blob_job *job, struct shale_err *err);

#endif
