/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * coherent.h - the map of the tests of coherence: whatever way a file is changed, whoever looks at it next, in
 * whatever way, sees that.
 *
 * A pair is one way to write (a row of writers, write.c) and one way to read (a row of readers, read.c), done
 * to a file of its own, which is in one of several states, at one of several places. First the reader is made
 * ready, which for old descriptors and mappings means to open and to look; then comes the write; then the
 * reader compares all of the file with what it must be. In cold pairs caches are dropped between the two.
 * pairs.c makes the files, mounts the union, and does a list of pairs.
 *
 * The tests are in fs/coherent.c; those that shadow uppers make pass are in fs/coherent_lower.c.
 */
#ifndef SELFTESTS_COHERENT_COHERENT_H
#define SELFTESTS_COHERENT_COHERENT_H

#include "ktap.h"

#include <fcntl.h>

#define BLOCK	  4096
#define PATH_SIZE 24
#define STATES	  4
#define WRITERS	  30
#define READERS	  23

/* More than is promoted whole. Only blocks at both ends have data, and the last is a partial one. */
#define LAST (20 * BLOCK)
#define SIZE (LAST + 1000)

/* What a file may grow to, and what mappings of it cover. */
#define SPACE (LAST + 6 * BLOCK)

struct range {
	off_t at;
	size_t length;
};

/* What a file has to be; bytes behind its end are zero. */
struct model {
	off_t size;
	unsigned char bytes[SPACE];
};

/* Where a file is written. */
struct place {
	const char *name;
	struct range range;
};

/* What has become of a file before the write. */
struct state {
	const char *name;
	const char *layer;		/* the file is made here, and */
	void (*make)(const char *path); /* changed through the mount, if not NULL */
	void (*apply)(struct model *m);
	int warm_halves, cold_halves; /* twice the number of places at which a pair is done */
};

struct pair {
	const struct state *state;
	const struct place *place;
	const struct writer *writer;
	const struct reader *reader;
	bool is_cold;
	char path[PATH_SIZE];
	char alias[PATH_SIZE];	/* another name of the file, if the writer or the reader uses one */
	char source[PATH_SIZE]; /* has at each place the bytes that are to be written */
	int read_fd, write_fd;
	unsigned char *read_map, *write_map;
	pid_t child; /* that reads, and the pipes between it and us */
	int to_child, from_child;
};

enum writer_trait {
	ONE_PLACE = 1 << 0,   /* the place makes no difference */
	FIRST = 1 << 1,	      /* opens, and maps, before the reader does */
	EARLY = 1 << 2,	      /* opens, maps and looks after the reader, but before anything is written */
	MAPS = 1 << 3,	      /* stores to a shared mapping */
	BY_CHILD = 1 << 4,    /* is another process */
	BY_ALIAS = 1 << 5,    /* uses the file's other name */
	BY_READER = 1 << 6,   /* uses the reader's descriptor */
	BY_PATH = 1 << 7,     /* has no descriptor */
	MOVES_PAGES = 1 << 8, /* takes pages away, stored to or not */
};

/* One way to change a file. */
struct writer {
	struct ktap_row row;
	int traits;
	int flags; /* of its descriptor */
	int mode;  /* of fallocate, or the protection of its mapping */
	struct range (*span)(struct range place);
	int (*write)(struct pair *pair, struct range range); /* 0 or a negative errno */
	void (*apply)(struct model *m, struct range range);
};

enum reader_trait {
	OLD = 1 << 0,	      /* opens, maps and looks before the write */
	UNTOUCHED = 1 << 1,   /* but looks only after it */
	MAPPED = 1 << 2,      /* loads from a mapping */
	OTHER_NAME = 1 << 3,  /* uses the file's other name */
	OTHER_PROC = 1 << 4,  /* is another process */
	STORES = 1 << 5,      /* stores to its private mapping before the write */
	UNSPECIFIED = 1 << 6, /* may see the old bytes or the new ones */
};

/* One way to look at a file. */
struct reader {
	struct ktap_row row;
	int traits;
	int flags;     /* of its descriptor */
	int prot, map; /* of its mapping */
	/* Puts all of the file, and what a mapping shows behind its end, into OUT: how many bytes, or a negative
	 * errno.
	 */
	ssize_t (*read)(struct pair *pair, unsigned char out[SPACE]);
	/* After the write instead of that, if not NULL. */
	void (*look)(struct pair *pair, const struct model *want);
};

/* bytes.c: what can stand at an offset, in the beginning, once a state was made, and after the write. They
 * differ everywhere, and none is zero.
 */
enum bytes { OLD_BYTES, STATE_BYTES, FRESH_BYTES };
const unsigned char *bytes_at(enum bytes which, off_t at);
void model_begin(struct model *m);
void model_put(struct model *m, off_t at, size_t length, enum bytes which);
void model_zero(struct model *m, off_t at, size_t length);
void model_resize(struct model *m, off_t size);
void model_collapse(struct model *m, off_t at, size_t length);
void model_insert(struct model *m, off_t at, size_t length);
bool model_is_zero(const struct model *m, off_t at, off_t end);
/* Makes a file as model_begin() says. */
void file_make(const char *path);
/* pwrite(2) of all: 0 or a negative errno. */
int file_put(int fd, off_t at, size_t length, enum bytes which);

/* state.c */
extern const struct state states[STATES];

/* writers.c */
extern const struct writer writers[WRITERS];

/* write.c */
extern const struct range first_write; /* with which store_after makes the file one that was written */
int write_pwrite(struct pair *pair, struct range range);
int write_append(struct pair *pair, struct range range);
int write_aio(struct pair *pair, struct range range);
int write_uring(struct pair *pair, struct range range);
int write_splice(struct pair *pair, struct range range);
int write_sendfile(struct pair *pair, struct range range);
int write_copy(struct pair *pair, struct range range);
int write_clone(struct pair *pair, struct range range);
int write_store(struct pair *pair, struct range range);
int write_store_after(struct pair *pair, struct range range);
int write_truncate(struct pair *pair, struct range range);
int write_down_up(struct pair *pair, struct range range);
int write_fallocate(struct pair *pair, struct range range);
int write_nothing(struct pair *pair, struct range range);
struct range writer_range(const struct pair *pair);
int writer_prepare(struct pair *pair);
int writer_write(struct pair *pair);

/* readers.c */
extern const struct reader readers[READERS];
const struct reader *reader_named(const char *name);

/* read.c */
ssize_t read_pread(struct pair *pair, unsigned char out[SPACE]);
ssize_t read_splice(struct pair *pair, unsigned char out[SPACE]);
ssize_t read_sendfile(struct pair *pair, unsigned char out[SPACE]);
ssize_t read_aio(struct pair *pair, unsigned char out[SPACE]);
ssize_t read_uring(struct pair *pair, unsigned char out[SPACE]);
ssize_t read_copy(struct pair *pair, unsigned char out[SPACE]);
/* Whether the filesystem is known to call data a hole. */
bool seek_is_blind(void);
void look_seek(struct pair *pair, const struct model *want);
void reader_prepare(struct pair *pair, const struct model *before, const struct model *after);
void reader_look(struct pair *pair, const struct model *want);

/* map.c */
unsigned char *map_make(int fd, int prot, int flags);
/* memcpy(3), but false when it faults. */
bool map_copy(unsigned char *to, const unsigned char *from, size_t length);
/* Loads from each page of LENGTH bytes: how many bytes before a fault, or LENGTH. */
size_t map_touch(const unsigned char *from, size_t length);
ssize_t read_map(struct pair *pair, unsigned char out[SPACE]);
void map_own(struct pair *pair);
void look_unspecified(struct pair *pair, const struct model *want);
void look_own(struct pair *pair, const struct model *want);

/* pairs.c */
bool pairs_can(const struct writer *writer);
/* At all places if SHALE_COHERENT_ALL is in the environment, else at some, which TURN, any number, chooses. */
void pairs_add(const struct writer *writer, const struct reader *reader, const struct state *state, int turn);
void pairs_run(void);
/* The same where the writers only say that they write: each pair has to fail. */
void pairs_run_lying(void);
void pair_fail(const struct pair *pair, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int pair_failures(void);

#endif /* SELFTESTS_COHERENT_COHERENT_H */
