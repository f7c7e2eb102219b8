// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale image: the verbs about images as docker's noun has them; what they do is in the files of their short names.
 */
#include "shale/group.h"

static const struct verb commands[] = {
	{ "image history", "[OPTIONS] IMAGE", "Show how an image was made", cmd_history },
	{ "image import", "[OPTIONS] FILE|DIR|- [NAME[:TAG]]",
	  "Import images from an archive or an OCI layout, or make one from a tar of files",
	  cmd_import },
	{ "image inspect", "[--format TEMPLATE] IMAGE...", "Tell all about images", cmd_image_inspect },
	{ "image load", "[-i FILE] [-q]", "Load images from what docker save or shale save wrote",
	  cmd_load },
	{ "image ls", "[OPTIONS] [NAME[:TAG]]", "List images", cmd_images },
	{ "image list", "[OPTIONS] [NAME[:TAG]]", NULL, cmd_images },
	{ "image prune", "[-a] [-f] [--filter KEY=VALUE]", "Remove images that are not used",
	  cmd_image_prune },
	{ "image pull", "[OPTIONS] NAME[:TAG|@DIGEST]", "Pull an image from a registry", cmd_pull },
	{ "image push", "[OPTIONS] NAME[:TAG]", "Push an image to a registry", cmd_push },
	{ "image rm", "[OPTIONS] NAME|ID...", "Remove images", cmd_rmi },
	{ "image remove", "[OPTIONS] NAME|ID...", NULL, cmd_rmi },
	{ "image save", "[-o FILE] IMAGE...", "Save images as a tar", cmd_save },
	{ "image tag", "IMAGE NAME[:TAG]", "Give an image one more name", cmd_tag },
	{ NULL, NULL, NULL, NULL },
};

int cmd_image(struct cli *cli, int argc, char **argv)
{
	return group_run(cli, commands, argc, argv);
}
