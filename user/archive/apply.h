/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Layers put into a whole tree, as storage without a union needs it: files of a layer's directory (or of
 * another whole tree) are copied, what its whiteouts hide is removed.
 */
#ifndef SHALE_ARCHIVE_APPLY_H
#define SHALE_ARCHIVE_APPLY_H

#include "base/err.h"

/* LAYER_FD is a directory as untar() makes it, or a whole tree; PREFIX is of its private xattrs. */
int apply_layer(int layer_fd, const char *prefix, int tree_fd, struct shale_err *err);

#endif
