/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * flakey.h - a disk that fails when it is told to: a loop device over memory below the device mapper.
 */
#ifndef SELFTESTS_FAULTS_FLAKEY_H
#define SELFTESTS_FAULTS_FLAKEY_H

struct disk;

enum flakey {
	FLAKEY_SOUND,
	FLAKEY_NO_WRITES, /* each write fails */
	FLAKEY_DROPS,	  /* no write is done, and none fails */
	FLAKEY_DEAD,	  /* nor can anything be read */
};

/* One at a time. Returns the path of the device. */
const char *flakey_start(const struct disk *disk);
void flakey_set(const struct disk *disk, enum flakey how);
void flakey_stop(void);
/* Of a process that was killed. */
void flakey_cleanup(void);

#endif /* SELFTESTS_FAULTS_FLAKEY_H */
