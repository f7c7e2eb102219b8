/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tree.h - whole directory trees as one line of text, to build layers from and to compare merged views
 * with. Words are separated by spaces; parent directories may be left out:
 *
 *	d/		a directory		d/!		an opaque directory (overlayfs's xattr)
 *	f=text		a file with that text	l@target	a symbolic link
 *	n!		a whiteout (char 0:0)	g&f		a hard link to f, named before
 *
 * Knows nothing about mounts: union.h does.
 */
#ifndef SELFTESTS_FS_TREE_H
#define SELFTESTS_FS_TREE_H

#include <stdbool.h>

/* Builds SPEC below the directory DIR, which is made if need be. Ends the test when it cannot. */
void tree_make(const char *dir, const char *spec);

/* The tree below DIR in canonical form: sorted, with all directories. Owned by the callee, valid until
 * the next call. Whiteouts and hard links show as they are (n!, and as files).
 */
const char *tree_dump(const char *dir);

/* SPEC in the form tree_dump gives. */
const char *tree_canonical(const char *spec);

/* Checks that st_ino, d_ino and d_type agree for everything below DIR. */
void tree_check(const char *file, int line, const char *dir);

/* Counts what is below DIR, directories and whiteouts not included. */
int tree_count_files(const char *dir);

void tree_remove(const char *dir);

#define EXPECT_TREE(DIR, SPEC) EXPECT_STREQ(tree_dump(DIR), tree_canonical(SPEC))
#define EXPECT_TREE_SOUND(DIR) tree_check(__FILE__, __LINE__, DIR)

/* Small steps on single files; each ends the test when it fails. */
void file_write(const char *path, const char *text);
void file_append(const char *path, const char *text);
const char *file_text(const char *path);

#endif /* SELFTESTS_FS_TREE_H */
