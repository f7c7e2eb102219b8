/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where an import reads from: a set of files by path, which is either a directory or what spool.c
 * took out of a tar; or the tar itself, where it has the files of a root directory; or blobs of a registry
 * (pull.c). What the files mean is plan.c's.
 */
#ifndef SHALE_ENGINE_SOURCE_H
#define SHALE_ENGINE_SOURCE_H

#include "engine/engine.h"
#include "store/session.h"

/* Members of an archive; 4,096 layers take three each in docker's old format. */
#define SOURCE_MAX_FILES 65536
/* What the tar of a root directory is called as a file of the source. */
#define SOURCE_ROOTFS "rootfs.tar"
/* Symlinks from member to member, as docker's old format has for equal layers. */
#define SOURCE_MAX_LINKS 8

struct source_file {
	char *path;
	char *link; /* the path it stands for, or NULL */
	char spooled[16];
};

struct source {
	char *name; /* what the user called it */
	int dirfd;
	bool is_spooled; /* dirfd has spooled files, listed by path */
	bool is_rootfs;	 /* the only one is SOURCE_ROOTFS */
	size_t file_count;
	size_t file_cap;
	struct source_file *files;
	/* Where blobs are not files yet: brings one into the session or the store, checked; else NULL. */
	int (*bring)(void *arg, const struct digest *blob, struct shale_err *err);
	void *arg;
};

#define __cleanup_source __attribute__((cleanup(source_close)))

int source_open(const char *path, int given_fd, struct session *session, struct task *task, uint64_t max_bytes,
		struct source *ret_source, struct shale_err *err);
void source_close(struct source *source);

bool source_has(const struct source *source, const char *path);
/* A regular file, open for reading, and its size. */
int source_open_file(const struct source *source, const char *path, int *ret_fd, uint64_t *ret_size,
		     struct shale_err *err);
/* A whole document of at most JSON_MAX_BYTES. */
int source_read(const struct source *source, const char *path, struct buf *buf,
		struct shale_err *err);

#endif
