/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * layer_maps.h - layers with maps for the tests of fsck.shale: made by hand with the module's own encoder,
 * changed byte by byte, checked by the program, and read again by the module's decoder. Each test gets a
 * directory of its own (ktap_before), with an empty "layer" in it. Attributes are trusted.* for root, else user.*.
 */
#ifndef SELFTESTS_LAYER_MAPS_H
#define SELFTESTS_LAYER_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <linux/types.h>

#include "map.h"
#include "map_disk.h"

/* What the maps here say, if a test does not say otherwise. */
#define MAPS_MIB   (1024 * 1024ULL)
#define MAPS_LIMIT (300 * MAPS_MIB)
#define MAPS_ID	   0x0123456789abcdefULL
#define MAPS_NAME  "0123456789abcdef"

bool maps_is_root(void);
/* "trusted." or "user." */
const char *maps_prefix(void);

/* Output of the last run, both streams as one, and whether "TEXT" is in it. */
extern char maps_output[65536];
/* The program with these words; the status it ends with. */
int maps_fsck(const char *words) __attribute__((warn_unused_result));
/* The same behind other words, such as strace and its options. */
int maps_fsck_behind(const char *before, const char *words) __attribute__((warn_unused_result));
/* The same in this process. */
void maps_exec(const char *words) __attribute__((noreturn));
/* Expects a status and a text in the output, "" for any. */
void maps_expect(const char *words, int status, const char *text);
/* sh -c; must succeed. */
void maps_sh(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* All of a tree: names, attributes, bytes, and when it was changed. */
u64 maps_tree(const char *dir);

/* A sparse file with the value of P.shale.map. */
void maps_file(const char *path, const void *value, size_t len);
/* The value; the length, or -1 if there is none. */
int maps_value(const char *path, void *buf, size_t size);
/* RUNS as "0+1 5+3". The head's lower size is the limit if it is zero. */
void maps_make(struct shale_map *map, u64 limit, const char *runs);
/* A file whose map is in its xattr, and one whose map is in the sidecar head->id of LAYER. */
void maps_inline(const char *path, const struct shale_map_head *head, u64 limit, const char *runs);
void maps_sidecar(const char *layer, const char *path, const struct shale_map_head *head, u64 limit,
		  const char *runs);
/* Only the sidecar. */
void maps_sidecar_file(const char *layer, u64 id, u64 limit, const char *runs);
/* The head that a lower file gives. */
struct shale_map_head maps_head(const char *lower);

/* Makes bytes that were changed pass the checksum again. */
void maps_reseal(void *bytes, size_t len);
/* LEN bytes of a sector, at an offset; and a new checksum unless it is to be damaged. */
void maps_sector(const char *sidecar, u64 number, size_t offset, const void *bytes, size_t len,
		 bool is_sealed);

/* What the module reads: 0 or -errno, and then RUNS. */
int maps_read(const char *layer, const char *path, struct shale_map *map);
void maps_expect_runs(const char *layer, const char *path, u64 limit, const char *runs);

#endif /* SELFTESTS_LAYER_MAPS_H */
