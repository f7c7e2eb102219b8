/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * stage.h - a filesystem on a disk of its own that can be made to fail (flakey.h), with a lower layer, an upper and a work
 * directory on it, and a union of them. It is made once; each use begins with a copy of its image.
 */
#ifndef SELFTESTS_FAULTS_STAGE_H
#define SELFTESTS_FAULTS_STAGE_H

#include <stdbool.h>

#include "../crash/device.h"

struct stage {
	const char *fs;
	struct disk disk;
	const char *device; /* what is mounted, as long as it is */
	unsigned char *base; /* the image */
};

/* Where the filesystem is mounted; the layers are l0, u and w in it, the union is m. */
#define STAGE_DIR "/run/shale-faults"

/* FILL makes what is in the lower layer. False: there is no such filesystem with a disk. */
bool stage_create(struct stage *stage, const char *fs, void (*fill)(void *argument, const char *layer), void *argument);
void stage_remove(struct stage *stage);
/* A process that was killed leaves nothing behind that keeps the next one from it. */
void stage_cleanup(void);

/* As it was made; nothing is mounted. */
void stage_reset(struct stage *stage);
/* Both become the working directory's m; false, with a line said, where they cannot be mounted. */
bool stage_mount(struct stage *stage);
/* False: something is still in use, or fsck.shale, which goes over the upper if SHOULD_CHECK, finds what it cannot repair. The
 * disk is sound afterwards. */
bool stage_umount(struct stage *stage, bool should_check);

#endif /* SELFTESTS_FAULTS_STAGE_H */
