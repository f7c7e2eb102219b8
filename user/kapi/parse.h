/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The option string of mount(8) and of containers/storage, taken apart.
 *
 *	key[=value],key[=value],...
 *
 * "\," is a comma inside a value, "\:" a colon inside a layer's name, "\\" a backslash; a value that
 * begins with a double quote ends at the next one, and its commas are its own (SELinux contexts).
 * Empty tokens mean nothing. Which words there are is the table in parse.c. A word that is not in
 * it is handed to the kernel, which knows what it takes. Nothing here touches files or the kernel.
 */
#ifndef SHALE_KAPI_PARSE_H
#define SHALE_KAPI_PARSE_H

#include <stdbool.h>

#include "kapi/mount_spec.h"

/* Bytes of an option string; execve(2) itself takes no argument above 128 KiB (MAX_ARG_STRLEN). */
#define PARSE_MAX_OPTS (128 * 1024)
/* Options for the kernel beside the layers. */
#define PARSE_MAX_PARAMS 64

struct parsed {
	struct mount_spec spec;
	struct idmap uids; /* spec.uids points here when set; the same for gids */
	struct idmap gids;
	char *store;	   /* "store=": where image names are resolved; NULL: the default store */
	bool is_remount;
	char warning[512]; /* one sentence for each word that was ignored though it means something */
};

/*
 * Reads @opts into @parsed, which parsed_init() has prepared; may be called again for a second -o.
 * is_sloppy: words that neither the table nor the kernel of this version knows are dropped.
 */
void parsed_init(struct parsed *parsed);
int parsed_add(struct parsed *parsed, const char *opts, bool is_sloppy, struct shale_err *err);
/* What only the whole can tell: a lower without upper and work, maps of one kind only. */
int parsed_check(struct parsed *parsed, struct shale_err *err);
void parsed_release(struct parsed *parsed);

#endif
