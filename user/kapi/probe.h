/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a filesystem can do for shale, found by trying it in a temporary directory. Whether the
 * module can be loaded is machine.h's question.
 */
#ifndef SHALE_KAPI_PROBE_H
#define SHALE_KAPI_PROBE_H

#include "base/err.h"
#include "kapi/check.h"

/*
 * Tries everything below dirfd and leaves nothing there; signals that would end the program wait
 * until it is done. Fails where nothing can be tried at all, as on a read-only filesystem.
 */
int probe_dir(int dirfd, struct check_list *list, struct shale_err *err);

#endif
