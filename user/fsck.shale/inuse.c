// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keeps us from a layer that is mounted: by what all mount namespaces show, and by the module's own list, which
 * also has mounts that are in no namespace. Nothing keeps somebody from mounting it afterwards. Called by
 * main.c.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "fsck.shale/fsck.h"
#include "kapi/genl.h"
#include "store/inuse.h"

static int message_seen(const struct genl_message *message, void *data)
{
	const struct inuse_dir *dir = data;

	return genl_has(message, SHALE_A_UPPER) && inuse_is_named(dir, message->upper, "");
}

static int module_ask(struct inuse_dir *dir, struct shale_err *err)
{
	struct genl genl;
	int ret;

	/* A module that is not there has no mounts. */
	if (genl_open(&genl, err))
		return err->code == ENOENT ? 0 : -1;
	ret = genl_list(&genl, message_seen, dir, err);
	genl_close(&genl);
	if (ret && err->code == ECANCELED)
		shale_err_set(err, EBUSY, "is in use: it is the upper layer of a mount");
	return ret;
}

int inuse_check(const struct fsck *fsck, bool only_upper, struct shale_err *err)
{
	__cleanup_inuse_dir struct inuse_dir dir = { 0 };
	__cleanup_free char *target = NULL;
	enum inuse use;

	if (inuse_dir_get(fsck->root_fd, &dir, err) || inuse_find(&dir, &use, &target, err))
		return -1;
	if (use == INUSE_UPPER)
		return shale_err_set(err, EBUSY, "is in use: it is the upper layer of %s", target);
	if (use == INUSE_LOWER && !only_upper)
		return shale_err_set(err, EBUSY,
				     "is in use: it is a lower layer of %s and must not change", target);
	return module_ask(&dir, err);
}
