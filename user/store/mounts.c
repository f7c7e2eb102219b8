// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mounted layers; see mounts.h. A layer is recognised by its path in the options of a mount: any
 * "STORE/layers/sha256/HEX" there counts, whichever filesystem the mount is of, so that layers
 * mounted by hand with overlayfs are safe as well.
 */
#include "store/mounts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"

#define LAYERS_PATH "/layers/sha256/"

/* mountinfo writes space, tab, newline and backslash as \ooo; options put '\' before ':' and ','. */
static void unescape(char *text)
{
	char *to = text;

	for (; *text; text++) {
		if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] && text[3]) {
			*to++ = (text[1] - '0') << 6 | (text[2] - '0') << 3 | (text[3] - '0');
			text += 3;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}

static void drop_backslashes(char *text)
{
	char *to = text;

	for (; *text; text++)
		if (*text != '\\' || !text[1])
			*to++ = *text;
		else
			*to++ = *++text;
	*to = '\0';
}

/* The n-th field (from 0) of a line, as a copy. */
static char *field(const char *line, size_t n)
{
	while (n--) {
		line += strcspn(line, " ");
		line += *line == ' ';
	}
	return strndup(line, strcspn(line, " \n"));
}

#define FIELD_TARGET 4

int mounts_scan_line(const char *line, const char *store_path, mounts_seen_fn seen, void *arg)
{
	__cleanup_buf struct buf wanted = BUF_INIT;
	__cleanup_free char *target = field(line, FIELD_TARGET);
	const char *tail = strstr(line, " - ");
	__cleanup_free char *options = tail ? strdup(tail) : NULL;
	struct digest digest;
	char hex[DIGEST_HEX + 1];

	if (!tail)
		return 0;
	if (!target || !options || buf_addf(&wanted, "%s" LAYERS_PATH, store_path) < 0)
		return -1;
	unescape(target);
	unescape(options);
	drop_backslashes(options);
	for (char *at = options; (at = strstr(at, buf_str(&wanted)));) {
		at += wanted.len;
		snprintf(hex, sizeof(hex), "%s", at);
		if (digest_parse_hex(hex, &digest) && seen(arg, &digest, target) < 0)
			return -1;
	}
	return 0;
}

static int scan_file(const char *path, const char *store_path, mounts_seen_fn seen, void *arg)
{
	__cleanup(file_closep) FILE *file = fopen(path, "re");
	__cleanup_free char *line = NULL;
	size_t cap = 0;

	/* The process may be gone, or not ours to look at. */
	if (!file)
		return 0;
	while (getline(&line, &cap, file) > 0)
		if (mounts_scan_line(line, store_path, seen, arg) < 0)
			return -1;
	return 0;
}

struct namespaces {
	ino_t *inos;
	size_t count;
};

static bool is_new(struct namespaces *known, const char *pid)
{
	char path[64];
	struct stat st;
	ino_t *inos;

	snprintf(path, sizeof(path), "/proc/%.20s/ns/mnt", pid);
	if (stat(path, &st) < 0)
		return false;
	for (size_t i = 0; i < known->count; i++)
		if (known->inos[i] == st.st_ino)
			return false;
	inos = reallocarray(known->inos, known->count + 1, sizeof(*inos));
	if (inos) {
		known->inos = inos;
		inos[known->count++] = st.st_ino;
	}
	return true;
}

static void namespaces_release(struct namespaces *known)
{
	free(known->inos);
}

int mounts_each_layer(const struct store *store, mounts_seen_fn seen, void *arg,
		      struct shale_err *err)
{
	__cleanup(namespaces_release) struct namespaces known = { 0 };
	__cleanup(dir_closep) DIR *proc = opendir("/proc");
	struct dirent *entry;
	char path[64];

	if (!proc)
		return shale_err_errno(err, "cannot see what is mounted: /proc");
	while ((entry = readdir(proc))) {
		if (entry->d_name[0] < '0' || entry->d_name[0] > '9' ||
		    !is_new(&known, entry->d_name))
			continue;
		snprintf(path, sizeof(path), "/proc/%.20s/mountinfo", entry->d_name);
		if (scan_file(path, store->path, seen, arg) < 0)
			return shale_err_errno(err, "looking for mounted layers");
	}
	return 0;
}
