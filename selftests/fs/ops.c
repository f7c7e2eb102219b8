// SPDX-License-Identifier: GPL-2.0-only
/*
 * ops.c - runs the one-line scripts of ops.h and the cases made of them.
 */
#include "ops.h"

#include "union.h"

#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define WORDS_MAX 8
#define ERRNO_MAX 200

static int write_and_close(int fd, const char *text)
{
	ssize_t size = strlen(text), put;

	if (fd < 0)
		return -1;
	put = write(fd, text, size);
	if (close(fd) < 0 || put < 0)
		return -1;
	return put == size ? 0 : -1;
}

static int op_create(char **a)
{
	return write_and_close(open(a[0], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644), a[1]);
}

static int op_write(char **a)
{
	return write_and_close(open(a[0], O_WRONLY | O_TRUNC | O_CLOEXEC), a[1]);
}

static int op_overwrite(char **a)
{
	return write_and_close(open(a[0], O_WRONLY | O_CLOEXEC), a[1]);
}

static int op_append(char **a)
{
	return write_and_close(open(a[0], O_WRONLY | O_APPEND | O_CLOEXEC), a[1]);
}

static int op_read(char **a)
{
	EXPECT_STREQ(file_text(a[0]), a[1]);
	return 0;
}

static int op_open(char **a)
{
	return write_and_close(open(a[0], O_RDWR | O_CLOEXEC), "");
}

static int op_trunc(char **a)
{
	return truncate(a[0], atol(a[1]));
}

static int op_unlink(char **a)
{
	return unlink(a[0]);
}

static int op_rmdir(char **a)
{
	return rmdir(a[0]);
}

static int op_mkdir(char **a)
{
	return mkdir(a[0], 0755);
}

static int op_rename(char **a)
{
	return rename(a[0], a[1]);
}

static int op_noreplace(char **a)
{
	return renameat2(AT_FDCWD, a[0], AT_FDCWD, a[1], RENAME_NOREPLACE);
}

static int op_exchange(char **a)
{
	return renameat2(AT_FDCWD, a[0], AT_FDCWD, a[1], RENAME_EXCHANGE);
}

static int op_link(char **a)
{
	return link(a[0], a[1]);
}

static int op_symlink(char **a)
{
	return symlink(a[0], a[1]);
}

static int op_mkfifo(char **a)
{
	return mkfifo(a[0], 0644);
}

static int op_mkchr(char **a)
{
	return mknod(a[0], S_IFCHR | 0600, makedev(atoi(a[1]), atoi(a[2])));
}

static int op_chmod(char **a)
{
	return chmod(a[1], strtoul(a[0], NULL, 8));
}

static int op_mode(char **a)
{
	EXPECT_EQ(stat_of(a[1]).st_mode & 07777, strtoul(a[0], NULL, 8));
	return 0;
}

static int op_stat(char **a)
{
	struct stat st;

	return lstat(a[0], &st);
}

static int op_setx(char **a)
{
	return lsetxattr(a[0], a[1], a[2], strlen(a[2]), 0);
}

static int op_getx(char **a)
{
	char value[256] = "";

	if (lgetxattr(a[0], a[1], value, sizeof(value) - 1) < 0)
		return -1;
	EXPECT_STREQ(value, a[2]);
	return 0;
}

static int op_rmx(char **a)
{
	return lremovexattr(a[0], a[1]);
}

static int op_tmpfile(char **a)
{
	int fd = open(a[0], O_TMPFILE | O_RDWR | O_CLOEXEC, 0644), ret;
	char proc[64];

	if (fd < 0)
		return -1;
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	ret = write(fd, a[2], strlen(a[2])) < 0 ? -1 : 0;
	if (ret == 0)
		ret = linkat(AT_FDCWD, proc, AT_FDCWD, a[1], AT_SYMLINK_FOLLOW);
	close(fd);
	return ret;
}

static int op_drop(char **a)
{
	(void)a;
	drop_caches();
	return 0;
}

static int op_nlink(char **a)
{
	EXPECT_EQ(stat_of(a[1]).st_nlink, atoi(a[0]));
	return 0;
}

static int op_same(char **a)
{
	EXPECT_EQ(ino_of(a[0]), ino_of(a[1]));
	return 0;
}

static int op_remount(char **a)
{
	(void)a;
	return 0;
}

static const struct verb {
	const char *name;
	int args;
	int (*run)(char **args);
} verbs[] = {
	{"create", 2, op_create},	{"write", 2, op_write},
	{"overwrite", 2, op_overwrite}, {"append", 2, op_append},	{"read", 2, op_read},
	{"open", 1, op_open},		{"trunc", 2, op_trunc},
	{"unlink", 1, op_unlink},	{"rmdir", 1, op_rmdir},
	{"mkdir", 1, op_mkdir},		{"rename", 2, op_rename},
	{"noreplace", 2, op_noreplace}, {"exchange", 2, op_exchange},
	{"link", 2, op_link},		{"symlink", 2, op_symlink},
	{"mkfifo", 1, op_mkfifo},	{"mkchr", 3, op_mkchr},
	{"chmod", 2, op_chmod},		{"mode", 2, op_mode},
	{"stat", 1, op_stat},		{"setx", 3, op_setx},
	{"getx", 3, op_getx},		{"rmx", 2, op_rmx},
	{"tmpfile", 3, op_tmpfile},	{"drop", 0, op_drop},
	{"nlink", 2, op_nlink},		{"same", 2, op_same},
	{"remount", 0, op_remount},
};

static int errno_of(const char *name)
{
	for (int i = 1; i < ERRNO_MAX; i++)
		if (strerrorname_np(i) && !strcmp(strerrorname_np(i), name))
			return i;
	ktap_fail(__FILE__, __LINE__, "no errno is called %s", name);
	return 0;
}

static const struct verb *verb_find(const char *name, int args)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcmp(verbs[i].name, name) && verbs[i].args == args)
			return &verbs[i];
	ktap_fail(__FILE__, __LINE__, "no operation is called %s with %d words", name, args);
	ktap_stop();
}

static int split(char *text, char **words)
{
	char *save = NULL;
	int count = 0;

	for (char *word = strtok_r(text, " ", &save); word && count < WORDS_MAX;
	     word = strtok_r(NULL, " ", &save))
		words[count++] = word;
	return count;
}

/* A write that came out short has no errno of its own. */
static int verb_run(char *text)
{
	char *words[WORDS_MAX];
	int count = split(text, words);

	if (count == 0)
		return 0;
	errno = 0;
	if (verb_find(words[0], count - 1)->run(words + 1) >= 0)
		return 0;
	return errno ?: EIO;
}

int ops_try(const char *dir, const char *op)
{
	int home = ASSERT_OK(open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)), err;
	char *copy = strdup(op);

	ASSERT_OK(chdir(dir));
	err = verb_run(copy);
	ASSERT_OK(fchdir(home));
	close(home);
	free(copy);
	return err;
}

static void op_run(const char *dir, const char *op)
{
	char *copy = strdup(op), *arrow = strstr(copy, " -> ");
	const char *want = arrow ? arrow + 4 : "OK", *got;
	int err;

	if (arrow)
		*arrow = '\0';
	err = ops_try(dir, copy);
	got = err ? strerrorname_np(err) : "OK";
	while (*want == ' ')
		want++;
	if (strcmp(want, "OK"))
		errno_of(want);
	if (strcmp(got, want))
		ktap_fail(__FILE__, __LINE__, "\"%s\" gave %s", op, got);
	free(copy);
}

void ops_run(const char *dir, const char *script)
{
	char *copy = strdup(script), *save = NULL;

	for (char *op = strtok_r(copy, ";", &save); op; op = strtok_r(NULL, ";", &save)) {
		while (*op == ' ')
			op++;
		if (!strcmp(op, "remount"))
			union_remount();
		op_run(dir, op);
	}
	free(copy);
}

void op_case_run(const struct op_case *c)
{
	if (c->lacking)
		overlay_lacks(c->lacking);
	for (int i = 0; i < 3 && c->lower[i]; i++)
		lower(i, c->lower[i]);
	if (c->upper)
		upper(c->upper);
	union_mount();
	ops_run("m", c->ops);
	EXPECT_TREE("m", c->want);
	EXPECT_TREE_SOUND("m");
	union_remount();
	EXPECT_TREE("m", c->want);
	EXPECT_TREE_SOUND("m");
	union_umount();
	expect_work_clean();
}
