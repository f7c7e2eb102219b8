// SPDX-License-Identifier: GPL-2.0-only
/*
 * main.c - loading and unloading: what is made in one order is taken down in the other.
 */
#include <linux/module.h>

#include "shale.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

static struct file_system_type shale_type = {
	.owner = THIS_MODULE,
	.name = "shale",
	.init_fs_context = shale_init_fs_context,
	.kill_sb = shale_kill_sb,
	.fs_flags = FS_USERNS_MOUNT | FS_ALLOW_IDMAP,
};

static int __init shale_init(void)
{
	int err;

	err = shale_super_init();
	if (err)
		return err;
	err = shale_file_init();
	if (err)
		goto out_super;
	err = shale_genl_init();
	if (err)
		goto out_file;
	err = register_filesystem(&shale_type);
	if (err)
		goto out_genl;
	return 0;

out_genl:
	shale_genl_exit();
out_file:
	shale_file_exit();
out_super:
	shale_super_exit();
	return err;
}

static void __exit shale_exit(void)
{
	unregister_filesystem(&shale_type);
	shale_genl_exit();
	shale_file_exit();
	shale_super_exit();
}

module_init(shale_init);
module_exit(shale_exit);

MODULE_DESCRIPTION("Union filesystem for container images");
MODULE_LICENSE("GPL");
MODULE_ALIAS_FS("shale");
