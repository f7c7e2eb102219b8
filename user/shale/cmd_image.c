// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale image: the verbs about images as docker's noun has them; what they do is in the files of their short names.
 */
#include "shale/group.h"

const struct verb image_commands[] = {
	{ "image history", "[OPTIONS] IMAGE", "Show how an image was made", cmd_history, NULL },
	{ "image import", "[OPTIONS] FILE|DIR|- [NAME[:TAG]]",
	  "Import images from an archive or an OCI layout, or make one from a tar of files",
	  cmd_import, NULL },
	{ "image inspect", "[--format TEMPLATE] IMAGE...", "Tell all about images", cmd_image_inspect, NULL },
	{ "image load", "[-i FILE] [-q]", "Load images from what docker save or shale save wrote",
	  cmd_load, NULL },
	{ "image ls", "[OPTIONS] [NAME[:TAG]]", "List images", cmd_images, NULL },
	{ "image list", "[OPTIONS] [NAME[:TAG]]", NULL, cmd_images, NULL },
	{ "image prune", "[-a] [-f] [--filter KEY=VALUE]", "Remove images that are not used",
	  cmd_image_prune, NULL },
	{ "image pull", "[OPTIONS] NAME[:TAG|@DIGEST]", "Pull an image from a registry", cmd_pull, NULL },
	{ "image push", "[OPTIONS] NAME[:TAG]", "Push an image to a registry", cmd_push, NULL },
	{ "image rm", "[OPTIONS] NAME|ID...", "Remove images", cmd_rmi, NULL },
	{ "image remove", "[OPTIONS] NAME|ID...", NULL, cmd_rmi, NULL },
	{ "image save", "[-o FILE] IMAGE...", "Save images as a tar", cmd_save, NULL },
	{ "image tag", "IMAGE NAME[:TAG]", "Give an image one more name", cmd_tag, NULL },
	{ .name = NULL },
};

int cmd_image(struct cli *cli, int argc, char **argv)
{
	return group_run(cli, image_commands, argc, argv);
}
