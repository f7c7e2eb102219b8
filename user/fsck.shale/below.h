/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The layers below, and what the module would find in them under a name of the layer that is checked. The
 * rules are those of kmod/lookup.c: whiteouts of both families, opaque directories, redirects.
 */
#ifndef FSCK_SHALE_BELOW_H
#define FSCK_SHALE_BELOW_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/err.h"

struct below_layer {
	int fd;
	const char *name;	     /* as given */
	bool has_aufs, has_overlay; /* which whiteouts it may have */
};

/* Directories that are merged under one name, top first. */
struct below_stack {
	struct below_dir {
		size_t layer;
		int fd;
	} *dirs;
	size_t nr, cap;
};

struct below {
	const char *prefix; /* of private xattrs */
	struct below_layer *layers;
	size_t nr;
	/* What is below the directory that was asked for last. */
	struct below_stack stack;
	char *stack_path; /* NULL: none was */
};

void below_init(struct below *below, const char *prefix);
void below_release(struct below *below);
/* The next layer down. */
int below_add(struct below *below, const char *name, struct shale_err *err);

/*
 * The regular file below FD, which is at PATH ("/a/b") of the layer ROOT_FD: its attributes, and the name of
 * the layer it is in, or NULL if there is none. err->code EUCLEAN: a layer leads nowhere, the file is lost.
 */
int below_find(struct below *below, int root_fd, int fd, const char *path, struct stat *ret_st,
	       const char **ret_layer, struct shale_err *err);

#endif
