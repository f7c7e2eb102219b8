/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * oracle.h - the map of the oracle of contents: random operations on the bytes of files, done to a union
 * and to a model in memory, and compared.
 *
 * A round (round.c) makes a lower layer with files of known contents, mounts the union, does one
 * operation after another and takes all down. An operation is a row of a table (op_*.c): it chooses its
 * arguments, runs system calls, and then applies to the model what they must have done. After each the
 * bytes it touched are compared (check.c). What it returned is compared with what the model says, or, for
 * errors, with what the same call gives for a file of the same size on the bare filesystem (twin.c).
 *
 * All choices come from one seed (chance.c) and none depends on what the filesystem answers, so that
 * the same seed does the same on a union and on the bare filesystem.
 */
#ifndef SELFTESTS_ORACLE_ORACLE_H
#define SELFTESTS_ORACLE_ORACLE_H

#include "async.h"
#include "contents.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE	    4096
#define BUFFER_SIZE (256 * 1024)
#define FILES	    11
#define HANDLES	    6
#define MAPPINGS    4
#define NAMES	    3
#define NAME_SIZE   24
#define PATH_SIZE   64
#define LOG_SIZE    16
#define KINDS_MAX   64

/* An open descriptor; fd is -1 while the place is empty. */
struct handle {
	int fd;
	int flags; /* as it was opened, apart from O_DIRECT where the filesystem has none */
};

struct mapping {
	unsigned char *at; /* NULL while the place is empty */
	off_t offset;
	size_t length;
	bool is_private, is_writable;
	bool is_of_lower;    /* taken when, as far as we know, nobody had written */
	unsigned char *own;  /* of a private one: the pages that were stored to */
	bool is_own[BUFFER_SIZE / PAGE];
};

/* What was done to a file, for the report. */
struct record {
	unsigned long step;
	const char *kind;
	int other; /* the number of the second file, or -1 */
	int flags; /* the descriptor's */
	off_t at, from;
	size_t length;
	long ret;
};

struct file {
	int number;
	char names[NAMES][NAME_SIZE];
	int name_count;
	bool had_links; /* since the layers were last mounted */
	mode_t mode;
	off_t limit;	  /* how large it may become */
	bool is_sparse;	  /* large, with data in a few windows only */
	bool is_written;  /* since its layers were mounted, surely: only its attributes may have been changed */
	bool is_sealed;	  /* has been in an upper that is a lower layer now */
	struct contents now, lower; /* LOWER: when the layers were last mounted */
	struct handle handles[HANDLES];
	struct mapping mappings[MAPPINGS];
	struct record log[LOG_SIZE];
	unsigned int log_count;
};

struct op {
	const struct kind *kind;
	struct file *file, *other;
	const struct handle *handle, *other_handle;
	struct mapping *mapping;
	int fd, other_fd;
	char path[PATH_SIZE];
	off_t at, from;
	size_t length;
	int flags;
	unsigned char *buffer;
	off_t size, other_size; /* before */
	long want, ret;		/* RET: negative is an errno */
};

enum trait {
	SHORT_OK = 1 << 0, /* may do less than asked, but something */
	AGAIN_OK = 1 << 1, /* may give EAGAIN */
	NO_TWIN = 1 << 2,  /* what it gives does not depend on the filesystem */
	TAILS = 1 << 3,	   /* changes everything behind AT */
	BYTES_OK = 1 << 4, /* what it gives depends on bytes: only errors are compared with the twin's, if not wanted */
};

/* One way to do something. Where choose() leaves LENGTH at 0 there is nothing to do. */
struct kind {
	const char *name;
	unsigned int weight;
	void (*choose)(struct op *op);
	long (*run)(struct op *op);
	void (*apply)(struct op *op);
	enum trait traits;
	int flags; /* for choose() and run() */
};

/* What the filesystem under test is known not to promise; see excuse.c. */
enum excuse {
	EXCUSE_SHARED_OF_LOWER,
	EXCUSE_PRIVATE_OF_LOWER,
	EXCUSE_DEDUPE_OF_LOWER,
	EXCUSE_DEDUPE_PAST_END,
	EXCUSE_LINKS_SEALED,
	EXCUSE_NLINK_SEALED,
	EXCUSE_BLOCKS_OF_LOWER,
	EXCUSE_NOWAIT,
	EXCUSE_COPY_PIECES,
	EXCUSE_XFS_SEEK,
	EXCUSE_ZERO_END,
	EXCUSE_PART_WRITTEN,
	EXCUSE_COUNT,
};

/* chance.c */
void chance_seed(unsigned long seed);
unsigned long chance_state(void);
void chance_restore(unsigned long state);
unsigned int pick(unsigned int below);
bool one_in(unsigned int count);
void chance_fill(unsigned char *buffer, size_t length);
off_t chance_offset(const struct file *file);
size_t chance_length(void);
off_t align_down(off_t value, off_t block);

/* excuse.c */
bool excuse_is_strict(enum excuse excuse);
bool is_excused(enum excuse excuse);
bool excuse_count(enum excuse excuse);
bool excuse_errno(const struct op *op);
void excuse_list(void);
void excuse_probe(void); /* once, in a directory of the filesystem below */

/* stage.c */
const char *stage_fstype(void);
const char *stage_backing(void);
bool stage_is_bare(void);
bool stage_is_overlay(void);
void stage_force_bare(void);
void stage_make(void);
void stage_mount(void);
void stage_umount(void);
void stage_seal(void);
void stage_remove(void);
const char *stage_lowest(void);
void stage_drop_caches(void);

/* files.c */
extern struct file files[FILES];
void files_make(const char *dir);
struct file *file_pick(void);
void file_path(const struct file *file, char path[PATH_SIZE]);
long file_bytes_at(const struct file *file, off_t at, size_t length);
struct record op_record(const struct op *op);
void file_log(const struct op *op);
void files_close(void);
void files_remember_lower(void);
void files_relink(void);
void files_sealed(void);
void files_share(void);

/* handle.c */
void handles_init(struct file *file);
const struct handle *handle_pick(struct file *file);
void handle_close(struct file *file, unsigned int slot);
void handles_close(struct file *file);
bool handle_can_read(const struct handle *handle);
bool handle_can_write(const struct handle *handle);
bool handle_is_direct(const struct handle *handle);
const struct handle *handle_any_readable(struct file *file);

/* mapping.c */
void mapping_init(void);
struct mapping *mapping_slot(struct file *file);
struct mapping *mapping_pick(struct file *file);
int mapping_open(struct op *op);
void mapping_close(struct mapping *mapping);
void mappings_close(struct file *file);
void mappings_forget_own(struct file *file);
size_t mapping_reach(const struct file *file, const struct mapping *mapping);
bool mapping_is_excused(const struct mapping *mapping);
void mapping_store(struct op *op);
bool mapping_load(const struct mapping *mapping, off_t at, unsigned char *out, size_t length);
void mapping_check(const struct file *file, const struct mapping *mapping, off_t at, off_t end);

/* check.c */
void check_bytes(const struct file *file, const char *how, off_t at, const unsigned char *bytes, size_t length);
void check_range(struct file *file, off_t at, off_t end);
void check_file(struct file *file);
void check_all(void);

/* twin.c */
long twin_run(const struct op *op);
int twin_open(off_t size, int flags);

/* op.c, and the tables it picks from */
extern const struct kind write_kinds[], read_kinds[], space_kinds[], copy_kinds[], map_kinds[], stage_kinds[];
void op_step(unsigned long step);
int op_kind_count(void);
const char *op_kind_name(int number);
void op_take(struct op *op);
void op_take_other(struct op *op);
void op_align(struct op *op, bool is_needed);
void op_limit(struct op *op);
void op_nothing(struct op *op);
void op_written(struct op *op);
long op_errno(long ret);
void op_pipe(int ret_pipe[2]);

/* report.c */
struct tally {
	unsigned long done[KINDS_MAX], refused[KINDS_MAX];
	unsigned long operations, excused[EXCUSE_COUNT];
	unsigned long step; /* of the round that runs or ran last */
};
extern struct tally *tally; /* two: the second is for rounds on the bare filesystem instead */
void tally_init(void);
void tally_print(void);
void report_seed(unsigned long of_round);
void report_doing(const struct op *op, unsigned long step);
void mismatch(const struct file *file, const char *fmt, ...) __attribute__((format(printf, 2, 3), noreturn));
void die(const char *what) __attribute__((noreturn));

/* round.c */
enum round_result { ROUND_GOOD, ROUND_DIFFERS, ROUND_BROKEN };
enum round_result round_run(unsigned long seed, unsigned long steps);
enum round_result round_run_bare(unsigned long seed, unsigned long steps);

#endif /* SELFTESTS_ORACLE_ORACLE_H */
