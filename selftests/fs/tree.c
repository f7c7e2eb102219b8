// SPDX-License-Identifier: GPL-2.0-only
/*
 * tree.c - builds, dumps, checks and removes directory trees for the tests of the filesystem.
 */
#include "tree.h"

#include "ktap.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define PATH_SIZE 8192
#define TEXT_SHOWN 80

struct words {
	char **word;
	size_t count, room;
};

static void words_add(struct words *words, const char *word)
{
	if (words->count == words->room) {
		words->room = words->room ? 2 * words->room : 64;
		words->word = realloc(words->word, words->room * sizeof(char *));
		ASSERT(words->word != NULL);
	}
	words->word[words->count++] = strdup(word);
}

static void words_clear(struct words *words)
{
	for (size_t i = 0; i < words->count; i++)
		free(words->word[i]);
	free(words->word);
	*words = (struct words){0};
}

static int word_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static const char *words_join(struct words *words)
{
	static char *joined[2];
	static int turn;
	char *out, *at;
	size_t size = 1;

	qsort(words->word, words->count, sizeof(char *), word_compare);
	for (size_t i = 0; i < words->count; i++)
		size += strlen(words->word[i]) + 1;
	turn = !turn;
	free(joined[turn]);
	joined[turn] = out = at = malloc(size);
	ASSERT(out != NULL);
	*at = '\0';
	for (size_t i = 0; i < words->count; i++) {
		if (i && !strcmp(words->word[i], words->word[i - 1]))
			continue;
		at += sprintf(at, "%s%s", at == out ? "" : " ", words->word[i]);
	}
	words_clear(words);
	return out;
}

static void make_parents(char *path)
{
	for (char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
		*at = '\0';
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			ASSERT_OK(-1);
		*at = '/';
	}
}

static void make_opaque(const char *path)
{
	if (mkdir(path, 0755) < 0)
		ASSERT_EQ(errno, EEXIST);
	ASSERT_OK(setxattr(path, "trusted.overlay.opaque", "y", 1, 0));
}

static void make_word(const char *dir, const char *word)
{
	size_t name = strcspn(word, "=@!&");
	const char *rest = word + name;
	char path[PATH_SIZE], target[PATH_SIZE];

	snprintf(path, sizeof(path), "%s/%.*s", dir, (int)name, word);
	make_parents(path);
	switch (*rest) {
	case '=':
		file_write(path, rest + 1);
		break;
	case '@':
		ASSERT_OK(symlink(rest + 1, path));
		break;
	case '&':
		snprintf(target, sizeof(target), "%s/%s", dir, rest + 1);
		ASSERT_OK(link(target, path));
		break;
	case '!':
		if (path[strlen(path) - 1] == '/')
			make_opaque(path);
		else
			ASSERT_OK(mknod(path, S_IFCHR, makedev(0, 0)));
		break;
	default:
		break;
	}
}

void tree_make(const char *dir, const char *spec)
{
	char *copy = strdup(spec), *save = NULL;

	umask(0022);
	if (mkdir(dir, 0755) < 0)
		ASSERT_EQ(errno, EEXIST);
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		make_word(dir, word);
	free(copy);
}

const char *tree_canonical(const char *spec)
{
	char *copy = strdup(spec), *save = NULL;
	struct words words = {0};

	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		size_t end = strcspn(word, "=@!&");

		for (size_t i = 0; i < end; i++) {
			char parent[PATH_SIZE];

			if (word[i] != '/')
				continue;
			snprintf(parent, sizeof(parent), "%.*s", (int)i + 1, word);
			words_add(&words, parent);
		}
		if (word[end])
			words_add(&words, word);
	}
	free(copy);
	return words_join(&words);
}

static void dump_file(const char *path, char *out, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0) {
		snprintf(out, size, "=(%s)", strerrorname_np(errno));
		return;
	}
	out[0] = '=';
	got = read(fd, out + 1, size - 2);
	out[1 + (got > 0 ? got : 0)] = '\0';
	for (char *at = out; *at; at++)
		if (*at == ' ' || *at == '\n')
			*at = '_';
	close(fd);
}

static void dump_entry(const char *path, const char *shown, struct words *words);

static void dump_dir(const char *path, const char *prefix, struct words *words)
{
	struct dirent *entry;
	DIR *dir = opendir(path);

	if (!dir) {
		char word[PATH_SIZE + 32];

		snprintf(word, sizeof(word), "%s(%s)", prefix, strerrorname_np(errno));
		words_add(words, word);
		return;
	}
	while ((entry = readdir(dir))) {
		char child[PATH_SIZE], shown[PATH_SIZE];

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(child, sizeof(child), "%s/%s", path, entry->d_name);
		snprintf(shown, sizeof(shown), "%s%s", prefix, entry->d_name);
		dump_entry(child, shown, words);
	}
	closedir(dir);
}

static void dump_entry(const char *path, const char *shown, struct words *words)
{
	char word[PATH_SIZE * 2], more[PATH_SIZE] = "";
	struct stat st;

	if (lstat(path, &st) < 0) {
		snprintf(more, sizeof(more), "?(%s)", strerrorname_np(errno));
	} else if (S_ISREG(st.st_mode)) {
		dump_file(path, more, TEXT_SHOWN);
	} else if (S_ISDIR(st.st_mode)) {
		strcpy(more, "/");
	} else if (S_ISLNK(st.st_mode)) {
		ssize_t got = readlink(path, more + 1, sizeof(more) - 2);

		more[0] = '@';
		more[1 + (got > 0 ? got : 0)] = '\0';
	} else if (S_ISCHR(st.st_mode) && st.st_rdev == 0) {
		strcpy(more, "!");
	} else {
		snprintf(more, sizeof(more), "(%o)", st.st_mode & S_IFMT);
	}
	snprintf(word, sizeof(word), "%s%s", shown, more);
	words_add(words, word);
	if (strcmp(more, "/"))
		return;
	dump_dir(path, word, words);
}

const char *tree_dump(const char *dir)
{
	struct words words = {0};

	dump_dir(dir, "", &words);
	return words_join(&words);
}

static void check_entry(const char *file, int line, const char *path, const struct dirent *entry)
{
	struct stat st;

	if (lstat(path, &st) < 0) {
		ktap_fail(file, line, "%s is listed but lstat says %s", path,
			  strerrorname_np(errno));
		return;
	}
	if (st.st_ino != entry->d_ino)
		ktap_fail(file, line, "%s: st_ino %lu but d_ino %lu", path, st.st_ino, entry->d_ino);
	if (entry->d_type != DT_UNKNOWN && (mode_t)DTTOIF(entry->d_type) != (st.st_mode & S_IFMT))
		ktap_fail(file, line, "%s: mode %o but d_type %d", path, st.st_mode, entry->d_type);
	if (S_ISDIR(st.st_mode))
		tree_check(file, line, path);
}

void tree_check(const char *file, int line, const char *path)
{
	struct dirent *entry;
	DIR *dir = opendir(path);

	if (!dir) {
		ktap_fail(file, line, "opendir %s: %s", path, strerror(errno));
		return;
	}
	while ((entry = readdir(dir))) {
		char child[PATH_SIZE];

		snprintf(child, sizeof(child), "%s/%s", path, entry->d_name);
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			check_entry(file, line, child, entry);
	}
	closedir(dir);
}

int tree_count_files(const char *path)
{
	struct dirent *entry;
	DIR *dir = opendir(path);
	int count = 0;

	while (dir && (entry = readdir(dir))) {
		char child[PATH_SIZE];
		struct stat st;

		snprintf(child, sizeof(child), "%s/%s", path, entry->d_name);
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (lstat(child, &st) < 0 || (S_ISCHR(st.st_mode) && st.st_rdev == 0))
			continue;
		count += S_ISDIR(st.st_mode) ? tree_count_files(child) : 1;
	}
	if (dir)
		closedir(dir);
	return count;
}

static void clear_flags(const char *path)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), flags = 0;

	if (fd < 0)
		return;
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 && flags & (FS_IMMUTABLE_FL | FS_APPEND_FL)) {
		flags &= ~(FS_IMMUTABLE_FL | FS_APPEND_FL);
		ioctl(fd, FS_IOC_SETFLAGS, &flags);
	}
	close(fd);
}

static void remove_entry(int parent, const char *name);

static void remove_contents(int fd)
{
	struct dirent *entry;
	DIR *dir = fdopendir(fd);

	while (dir && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			remove_entry(dirfd(dir), entry->d_name);
	if (dir)
		closedir(dir);
}

static void remove_entry(int parent, const char *name)
{
	int fd;

	if (unlinkat(parent, name, 0) == 0)
		return;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0) {
		remove_contents(fd);
		if (unlinkat(parent, name, AT_REMOVEDIR) == 0)
			return;
	}
	if (fchdir(parent) == 0)
		clear_flags(name);
	if (unlinkat(parent, name, 0) < 0)
		unlinkat(parent, name, AT_REMOVEDIR);
}

void tree_remove(const char *dir)
{
	int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	clear_flags(dir);
	remove_entry(AT_FDCWD, dir);
	if (fchdir(here) < 0)
		ktap_note("fchdir: %s", strerror(errno));
	close(here);
}

static void write_text(const char *path, const char *text, int flags)
{
	int fd = ASSERT_OK(open(path, O_WRONLY | O_CLOEXEC | flags, 0644));

	ASSERT_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	ASSERT_OK(close(fd));
}

void file_write(const char *path, const char *text)
{
	write_text(path, text, O_CREAT | O_TRUNC);
}

void file_append(const char *path, const char *text)
{
	write_text(path, text, O_APPEND);
}

const char *file_text(const char *path)
{
	static char text[PATH_SIZE];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return strerrorname_np(errno);
	got = read(fd, text, sizeof(text) - 1);
	text[got > 0 ? got : 0] = '\0';
	if (got < 0)
		strcpy(text, strerrorname_np(errno));
	close(fd);
	return text;
}
